"""The command line: each verb parses, calls the library and prints."""

from ecglens.cli.app import main

__all__ = ["main"]
