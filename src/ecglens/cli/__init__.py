"""The command line: each verb parses, calls the library and prints."""

from __future__ import annotations

import sys

__all__ = ["INTERRUPTED", "INTERRUPTED_TEXT", "main"]

INTERRUPTED = 130
INTERRUPTED_TEXT = "interrupted; finished files are whole; run the same command again to go on"


def main() -> None:
    """Run the program; Ctrl-C while it still loads ends it as it does later."""
    try:
        from ecglens.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write(f"ecglens: error: {INTERRUPTED_TEXT}\n")
        raise SystemExit(INTERRUPTED) from None
