"""The version, for what must not import the whole package to name it."""

__version__ = "0.1.0"
