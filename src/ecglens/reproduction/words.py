"""What is known of the paper, what is assumed, and how the parts of the experiment are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PAPER = (
    "Salem M, Taheri S, Yuan J-S. ECG Arrhythmia Classification Using Transfer Learning from "
    "2-Dimensional Deep CNN Features, 2018, arXiv:1812.04693."
)
PAPER_ACCURACY = 0.9723
"""From the abstract: ten-fold cross-validation over near 7,000 instances of four patterns."""

CLASSES = ("N", "AF", "VF", "ST")
"""The four patterns in the names of the label map ``rhythm4``."""

_PATTERNS = {
    "N": "normal",
    "AF": "atrial fibrillation",
    "VF": "ventricular fibrillation",
    "ST": "ST change",
}

ASSUMPTIONS: tuple[tuple[str, str, str], ...] = (
    ("input", "spectrogram of the ECG", "abstract"),
    (
        "patterns",
        "normal, atrial fibrillation, ventricular fibrillation, ST change",
        "four: abstract; which four: assumption",
    ),
    (
        "databases",
        "N of nsrdb, AF of afdb, VF of vfdb and cudb, ST of edb",
        "assumption: those that were made for one pattern each, as is usual in the field",
    ),
    (
        "windows",
        "near 7,000, classes as equal as they allow, spread over people",
        "near 7,000: abstract; the rest: assumption",
    ),
    (
        "network",
        "DenseNet-161, ImageNet weights, frozen",
        "frozen, generic images: abstract; which network: assumption",
    ),
    (
        "layers",
        "all are tried, averaged over positions",
        "feature maps: abstract; the rest: assumption",
    ),
    ("head", "SVM, RBF kernel, C = 10, balanced classes", "assumption"),
    ("dimension reduction", "standard scores, 128 principal components", "assumption"),
    (
        "folds",
        "ten, over windows",
        "ten: abstract, which names no grouping by person, so the pooled figure is the one to "
        "compare",
    ),
    ("window", "10 s, one lead; of edb and ltstdb every lead by its own label", "assumption"),
    (
        "sampling rate",
        "125 Hz for all databases",
        "assumption; the rate itself gives no class away",
    ),
    ("band", "0.5 to 40 Hz, Butterworth, zero phase", "assumption"),
    ("STFT", "64-sample (0.512 s) Hann frames, hop 8 samples (0.064 s)", "assumption"),
    (
        "image",
        "log power over 60 dB below the window's strongest point, 128 x 128, grey in three "
        "channels",
        "assumption",
    ),
)
"""Setting, what is taken unless other words are given, and whether the abstract says so; the full
text was not at hand."""


def assumptions(
    settings: Mapping[str, Any],
    n_splits: int,
    n_windows: int,
    classes: Sequence[str],
    components: Sequence[int],
) -> tuple[tuple[str, str, str], ...]:
    """Return :data:`ASSUMPTIONS` with what a run took in the place of what it might have taken.

    Args:
        settings: of the run: its ``network``, ``weights``, and what its ``windows from`` are.
        n_splits: number of folds.
        n_windows: windows of the experiment.
        classes: the patterns that were told apart.
        components: principal components of each layer, at least one.
    """
    kept = " to ".join(str(n) for n in sorted({min(components), max(components)}))
    taken = {
        "patterns": ", ".join(_PATTERNS.get(name, name) for name in classes),
        "dimension reduction": f"standard scores, {kept} principal components",
        "network": f"{settings['network']}, weights {settings['weights']}, frozen",
        "folds": f"{n_splits}, over windows",
        "windows": f"{n_windows:,}, classes as equal as they allow, spread over people",
    }
    if settings["windows from"] == "a file":
        taken |= {
            "windows": f"{n_windows:,}, of a file",
            "databases": "those of the file",
            "window": f"{settings.get('window, s', 10):g} s, as the file has them",
        }
    return tuple((name, taken.get(name, here), status) for name, here, status in ASSUMPTIONS)


COMPARE = (
    "The paper's figure is of pooled folds, in which windows of one person stand on both sides. "
    "Compare it with the pooled row, and expect the subject-wise one on a new person."
)

CONTROLS = {
    "band": (
        "Common rate and band",
        "Every database has a recorder, a rate and a filter of its own, and nearly a class of its "
        "own. Here all windows are brought to half the rate and to a band that every one of these "
        "databases holds, before the image is made.",
    ),
    "recorder": (
        "Which database is it? (subject-wise)",
        "Normal windows alone, people kept apart: what is named is the database. The higher above "
        "chance, the more of the figures above may be the recorder.",
    ),
    "within": (
        "Within one database, subject-wise",
        "Two classes of one database, people kept apart: the recorder cannot help.",
    ),
    "left-out": (
        "Tested on one database, trained on the others",
        "Trained on all databases but one and tested on that one: what is learnt of the rhythm "
        "carries over, what is learnt of the recorder does not.",
    ),
    "random": (
        "Random weights",
        "The same network that has seen no picture. What it reaches, ImageNet did not teach.",
    ),
    "shuffled": (
        "Shuffled labels",
        "Labels drawn by lot: what is learnt from them is chance, or the evaluation leaks.",
    ),
}
