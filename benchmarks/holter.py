"""A day's recording by the command line: time, memory, episodes found, and the bytes after kills.

    python benchmarks/holter.py --hours 24 --kills 3 --json holter.json

A virtual patient is recorded for a day, with known AF, VF and ST episodes, and written as EDF and
as WFDB. A model that was trained on other virtual patients, as ``ecglens demo`` trains it, judges
both by ``ecglens predict`` in a process of its own. An episode of 30 s and more counts as found
when one of its class is predicted that starts and ends within 10 s of it. With ``--kills``, the
run on the WFDB record is killed at random moments and taken up again, and every file compared with
that of the undisturbed run. Virtual patients are a rehearsal, not evidence.
"""

from __future__ import annotations

import argparse
import csv
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import edfio
import numpy as np

from ecglens.backbones import load_backbone
from ecglens.batch.folder import UNFINISHED
from ecglens.databases.synthetic import make_holter, make_patients, make_records
from ecglens.databases.wfdb_saving import save_wfdb
from ecglens.errors import EcglensError
from ecglens.evaluation.episodes import EpisodeMatch, Span, match_episodes
from ecglens.files import make_folder, write_json
from ecglens.labels import load_label_map
from ecglens.models import save_model, train_model
from ecglens.readers import read_record
from ecglens.recipes import find_recipe
from ecglens.records import Record
from ecglens.windows import make_windows

PROGRAM = "from ecglens.cli import main; main()"
SHORTEST_S = 30.0
TOLERANCE_S = 10.0


def make_model(path: Path, n_patients: int, backbone: str, seed: int) -> None:
    """Train on virtual patients as the demo does, unless the file is there already."""
    if path.exists():
        return
    recipe = find_recipe("default")
    size = (recipe.image.height, recipe.image.width)
    network = load_backbone(backbone, image_size=size)
    windows = make_windows(make_records(n_patients, random_state=seed), load_label_map("rhythm4"))
    recipe = recipe.fit_to(network)
    n_features = sum(network.layer(layer).channels for layer in recipe.layers)
    recipe = replace(recipe, pca=min(recipe.pca or n_features, n_features, len(windows) // 4))
    save_model(train_model(windows, recipe, network, random_state=seed), path)


def write_recordings(folder: Path, hours: float, n_patients: int, seed: int) -> dict[str, Path]:
    """Write a Holter of a patient that the model has not seen; return its files by format."""
    patient = make_patients(n_patients + 1, random_state=seed)[-1]
    made = replace(make_holter(patient, hours, random_state=seed), record_id="holter")
    header = save_wfdb(made, make_folder(folder / "wfdb"))
    edf = make_folder(folder / "edf") / "holter.edf"
    limit = float(np.ceil(np.abs(made.signal).max()))
    signal = edfio.EdfSignal(
        made.signal[0].astype(np.float64),
        made.fs,
        label="ECG II",
        physical_dimension="mV",
        physical_range=(-limit, limit),
    )
    edfio.Edf([signal]).write(edf)
    return {"EDF": edf, "WFDB": header}


class Command:
    """``ecglens predict`` with one model and settings, in a process of its own."""

    def __init__(self, model: Path, hop_s: float | None) -> None:
        hop = [] if hop_s is None else ["--hop-s", f"{hop_s:g}"]
        self._words = [sys.executable, "-c", PROGRAM, "predict", "--model", str(model), *hop]

    def start(self, recording: Path, out: Path) -> subprocess.Popen[bytes]:
        """Start it; what it prints is dropped, what it complains of is not."""
        words = [*self._words, str(recording), "--out", str(out)]
        return subprocess.Popen(words, stdout=subprocess.DEVNULL)  # noqa: S603

    def run(self, recording: Path, out: Path) -> dict[str, float | None]:
        """Return seconds and peak memory in MB of a whole run.

        Raises:
            EcglensError: it failed.
        """
        start = time.perf_counter()
        process = self.start(recording, out)
        peak_mb: float | None = None
        while process.poll() is None:
            peak_mb = _peak_mb(process.pid) or peak_mb
            time.sleep(0.02)
        if process.returncode != 0:
            raise EcglensError(f"ecglens predict ended with exit code {process.returncode}")
        return {"seconds": time.perf_counter() - start, "peak_mb": peak_mb}

    def run_with_kills(self, recording: Path, out: Path, n_kills: int, seed: int) -> list[float]:
        """Kill runs at random moments, then let one end; return when they were killed, in s."""
        rng = random.Random(seed)
        length_s = self.run(recording, out)["seconds"] or 0.0
        shutil.rmtree(out)
        moments = [rng.uniform(0.1, 0.9) * length_s for _ in range(n_kills)]
        for moment in moments:
            process = self.start(recording, out)
            try:
                process.wait(moment)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.run(recording, out)
        return moments


def _peak_mb(pid: int) -> float | None:
    """Return the most memory that a process held until now, where Linux tells."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return None
    held = status.partition("VmHWM:")[2].split()
    return int(held[0]) * 1024 / 1e6 if held else None


def true_episodes(record: Record) -> list[Span]:
    """Return the annotated episodes that are long enough, as classes."""
    label_map = load_label_map("rhythm4")
    spans = [(s.start_s, s.end_s, label_map.class_of(s.rhythm)) for s in record.rhythms]
    return [
        (start, end, label)
        for start, end, label in spans
        if label not in (None, "N") and end - start >= SHORTEST_S
    ]


def read_episodes(path: Path, classes: set[str]) -> list[Span]:
    """Return the predicted episodes of some classes."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [(float(r["start_s"]), float(r["end_s"]), r["label"]) for r in csv.DictReader(file)]
    return [row for row in rows if row[2] in classes]


def score(matches: Sequence[EpisodeMatch]) -> dict[str, Any]:
    """Return how many episodes were found, how far off their edges are, and what was false."""
    true = [match for match in matches if match.reference is not None]
    edges = {match: _worst_edge(match) for match in true}
    false = [m.predicted for m in matches if m.reference is None and m.predicted is not None]
    long = [end - start for start, end in false if end - start >= SHORTEST_S]
    return {
        "episodes": len(true),
        "found_within_10_s": sum(edge <= TOLERANCE_S for edge in edges.values()),
        "worst_edge_s": max(edges.values(), default=0.0),
        "in_pieces": sum(match.n_pieces > 1 for match in true),
        "false_of_30_s": len(long),
        "false_minutes": sum(end - start for start, end in false) / 60,
        "missed": [
            {"label": m.label, "reference": m.reference, "predicted": m.predicted}
            for m, edge in edges.items()
            if edge > TOLERANCE_S
        ],
    }


def _worst_edge(match: EpisodeMatch) -> float:
    start, end = match.start_error_s, match.end_error_s
    return float("inf") if start is None or end is None else max(abs(start), abs(end))


def same_files(one: Path, other: Path) -> bool:
    """Return whether two folders hold the same files, byte for byte."""

    def contents(folder: Path) -> dict[str, bytes]:
        files = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    return contents(one) == contents(other)


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return all figures, JSON-ready."""
    model = args.model
    if model is None:
        model = folder / f"model-{Path(args.backbone).stem}-{args.patients}-{args.seed}.ecglens"
        make_model(model, args.patients, args.backbone, args.seed)
    paths = write_recordings(folder, args.hours, args.patients, args.seed)
    truth = true_episodes(read_record(paths["WFDB"]))
    command = Command(model, args.hop_s)
    rows = []
    with tempfile.TemporaryDirectory(dir=folder) as name:
        for kind, path in paths.items():
            out = Path(name) / kind
            cost = command.run(path, out)
            found = read_episodes(out / "holter" / "episodes.csv", {label for *_, label in truth})
            rows.append({"format": kind, **cost, **score(match_episodes(truth, found))})
        kills: dict[str, Any] = {}
        if args.kills:
            out = Path(name) / "killed"
            moments = command.run_with_kills(paths["WFDB"], out, args.kills, args.seed)
            same = same_files(out, Path(name) / "WFDB") and not (out / UNFINISHED).exists()
            kills = {"killed_at_s": moments, "same_bytes": same}
    return {"hours": args.hours, "hop_s": args.hop_s, "runs": rows, "kills": kills}


def format_report(found: dict[str, Any]) -> str:
    """Return the figures as a table and a sentence."""
    lines = [
        "| format | s | MB | episodes | found within 10 s | worst edge, s | false of 30 s |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in found["runs"]:
        memory = "" if row["peak_mb"] is None else f"{row['peak_mb']:.0f}"
        lines.append(
            f"| {row['format']} | {row['seconds']:.1f} | {memory} | {row['episodes']} | "
            f"{row['found_within_10_s']} | {row['worst_edge_s']:.1f} | {row['false_of_30_s']} |"
        )
    if found["kills"]:
        moments = ", ".join(f"{moment:.1f}" for moment in found["kills"]["killed_at_s"])
        same = "the same bytes" if found["kills"]["same_bytes"] else "OTHER BYTES"
        lines.append(f"\nKilled after {moments} s and taken up again: {same}.")
    return "\n".join(lines) + "\n"


def parse() -> argparse.Namespace:
    """Return the command's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--hop-s", type=float, default=5.0, help="0 for no overlap")
    parser.add_argument("--patients", type=int, default=40, help="to learn from")
    parser.add_argument("--backbone", default="ecglens-s")
    parser.add_argument("--model", type=Path, help="instead of training one, such as rhythm4")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="folder that keeps the model and recordings")
    parser.add_argument("--json", type=Path, help="file for the figures")
    args = parser.parse_args()
    args.hop_s = args.hop_s or None
    return args


def main() -> int:
    """Print the table; the exit code says whether every episode was found and no byte differs."""
    args = parse()
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) if args.work is None else make_folder(args.work)
            found = measure(args, folder)
        if args.json is not None:
            # Edges of what was not found at all are infinite, which JSON does not know.
            write_json(args.json, _finite(found))
    except EcglensError as error:
        print(f"holter: error: {error}", file=sys.stderr)
        return error.exit_code
    print(format_report(found), end="")
    complete = all(row["found_within_10_s"] == row["episodes"] for row in found["runs"])
    return 0 if complete and found["kills"].get("same_bytes", True) else 1


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


if __name__ == "__main__":
    raise SystemExit(main())
