"""What the demo says whatever it finds, and what to type after it."""

from __future__ import annotations

import shlex
from pathlib import Path

from ecglens.recipes import find_recipe

REHEARSAL = "Virtual patients are a rehearsal, not evidence."
WHY = (
    "Their ECG is computed, cleaner and more alike than that of people: no figure here tells how "
    "well anything works on a person."
)

SHIPPED = "rhythm4"
"""Name of the model that comes with ecglens."""


def next_steps(backbone: str, folder: Path) -> tuple[tuple[str, str], ...]:
    """Return what to do after the demo: what each command is for, and the command.

    Args:
        backbone: name or file of the network.
        folder: where the demo's files are.
    """
    default = find_recipe("default").backbone
    network = "" if backbone == default else f" --backbone {shlex.quote(backbone)}"
    holter, model = (shlex.quote(str(folder / name)) for name in ("holter", "demo.ecglens"))
    return (
        (
            "Find the episodes of the virtual Holter again:",
            f"ecglens predict {holter} --model {model} --out episodes",
        ),
        (
            f"Find episodes in a recording by {SHIPPED}, the model that comes with ecglens:",
            "ecglens predict my_recording.edf --out episodes",
        ),
        (
            "Cut your annotated recordings into windows (a folder of WFDB records):",
            "ecglens windows my_records --out windows.npz",
        ),
        (
            "How well does it work on people the classifier has not seen?",
            f"ecglens evaluate windows.npz{network} --out evaluation",
        ),
        ("Train on all of them:", f"ecglens train windows.npz{network} --out my.ecglens"),
        (
            "Find episodes in a new recording (CSV and NPY do not always say their rate):",
            "ecglens predict new_recording.csv --fs 250 --model my.ecglens --out episodes",
        ),
    )
