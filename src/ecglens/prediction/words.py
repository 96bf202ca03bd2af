"""What a window is called that has no class."""

UNREADABLE = "unreadable"
INCONCLUSIVE = "inconclusive"
