"""``python -m ecglens``, where the folder of scripts is not on the path."""

from __future__ import annotations

from ecglens.cli import main

if __name__ == "__main__":
    main()
