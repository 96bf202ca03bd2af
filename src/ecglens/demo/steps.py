"""What to do after the demo, as commands that can be typed."""

from __future__ import annotations

import shlex
from pathlib import Path

from ecglens.demo.results import DemoSettings


def next_steps(settings: DemoSettings, folder: Path) -> tuple[tuple[str, str], ...]:
    """Return (what it is for, command) from the demo's files to recordings of one's own."""
    network = f"--backbone {shlex.quote(settings.backbone)}"
    holter, model = (shlex.quote(str(folder / name)) for name in ("holter", "demo.ecglens"))
    return (
        (
            "Find the episodes of the virtual Holter again:",
            f"ecglens predict {holter} --model {model} --out episodes",
        ),
        (
            "Cut your annotated recordings into windows (a folder of WFDB records):",
            "ecglens windows my_records --out windows.npz",
        ),
        (
            "How well does it work on people the classifier has not seen?",
            f"ecglens evaluate windows.npz {network} --out evaluation",
        ),
        ("Train on all of them:", f"ecglens train windows.npz {network} --out my.ecglens"),
        (
            "Find episodes in a new recording (WFDB, CSV, NPY or NPZ; --fs where it names no rate):",
            "ecglens predict new_recording.csv --fs 250 --model my.ecglens --out episodes",
        ),
    )
