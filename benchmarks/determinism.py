"""Determinism: the same inputs, seed and engine give the same bytes, whatever is around them.

    python benchmarks/determinism.py --log determinism.jsonl
    python benchmarks/determinism.py --log determinism.jsonl --data rhythm4_visible.npz \
        --backbone densenet121 --weights densenet121.safetensors

Virtual patients are cut into windows, made into features, trained on and predicted, once as a
yardstick and once for each thing that should change nothing: number of processes, cores, threads of
BLAS and of the network, batch and block sizes, hash seed, folder, language, time zone. Every file
is compared byte for byte. With ``--data``, features of both engines are compared, and the decisions
of one head on them: the head learns from the features of OpenVINO of half of the people and decides
on those of either engine of the others.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import ecglens
from ecglens.backbones import load_backbone
from ecglens.backbones.engine import make_engine
from ecglens.errors import EcglensError
from ecglens.features import EngineSettings, Extractor, concatenate_outputs
from ecglens.files import make_folder
from ecglens.recipes import find_recipe
from ecglens.windows import load_windows
from fault_jobs import add_to_log, differences, read_log, tree, write_inputs
from rhythm4 import read_rhythm4, readable

# All commands in one process: what is measured is the same, and it starts once.
RUN = """
import json, os, sys
from ecglens.cli.app import main
if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    if asked["cores"]:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked["cores"]])
    if asked["block"]:
        import ecglens.features.extraction, ecglens.windows.cutting
        ecglens.features.extraction.BLOCK = ecglens.windows.cutting.BLOCK = asked["block"]
        ecglens.features.extraction.BATCH = asked["block"] // 2
    for words in asked["commands"]:
        sys.argv = ["ecglens", *words]
        try:
            main()
        except SystemExit as stop:
            if stop.code:
                raise
"""
BATCH_SIZES = (1, 2, 5, 8, 32)


@dataclass(frozen=True)
class Around:
    """What should change nothing.

    Attributes:
        name: in words.
        variables: of the environment.
        jobs: processes of predict.
        cores: that may be used; 0 for all.
        block: windows to a block; 0 for what the program takes.
        elsewhere: whether the current folder is another.
    """

    name: str
    variables: Mapping[str, str] = field(default_factory=dict)
    jobs: int = 1
    cores: int = 0
    block: int = 0
    elsewhere: bool = False


AROUND = (
    Around("yardstick", {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}),
    Around("the same again", {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}),
    Around("predict --jobs 2", jobs=2),
    Around("one core, so one thread of the network", cores=1),
    Around("2 threads of BLAS", {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}),
    Around("blocks of 32 windows, batches of 16", block=32),
    Around("hash seed 1", {"PYTHONHASHSEED": "1"}),
    Around("another current folder", elsewhere=True),
    Around("another language and time zone", {"LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu"}),
    Around("ASCII alone", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    Around("another folder for temporary files", {"TMPDIR": "tmp"}),
)

AT_ONCE = Around(
    "all of these at once",
    {
        "PYTHONHASHSEED": "2",
        "OPENBLAS_NUM_THREADS": "2",
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "TZ": "Asia/Kathmandu",
        "TMPDIR": "tmp",
    },
    jobs=2,
    cores=1,
    block=32,
    elsewhere=True,
)


def commands(records: Path, out: Path, jobs: int) -> list[list[str]]:
    """Return the four commands with absolute paths; their results are in ``out``."""
    windows, model, cache = out / "windows.npz", out / "model.ecglens", ["--cache", f"{out}/cache"]
    fitting = ["--folds", "2", "--bootstrap", "10", "--pca", "8"]
    recordings = [str(path) for path in sorted(records.glob("*.hea"))[:3]]
    said = ["--out", str(out / "predicted"), "--hop-s", "4", "--jobs", str(jobs)]
    return [
        ["windows", str(records), "--per-class", "20", "--out", str(windows)],
        ["features", str(windows), *cache, "--out", str(out / "features.npz")],
        ["train", str(windows), *cache, *fitting, "--out", str(model)],
        ["predict", *recordings, "--model", str(model), *said],
    ]


def run_around(around: Around, records: Path, folder: Path) -> dict[str, bytes]:
    """Return all files that the commands leave.

    Raises:
        EcglensError: a command failed.
    """
    out = make_folder(folder / "out")
    script = folder / "run.py"
    script.write_text(RUN, encoding="utf-8")
    asked = {
        "cores": around.cores,
        "block": around.block,
        "commands": commands(records, out, around.jobs),
    }
    variables = dict(around.variables)
    if "TMPDIR" in variables:
        variables["TMPDIR"] = str(make_folder(folder / variables["TMPDIR"]))
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(script), json.dumps(asked)],
        cwd=make_folder(folder / "elsewhere") if around.elsewhere else folder,
        env={**os.environ, **variables, "PYTHONPATH": str(Path(ecglens.__file__).parents[1])},
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise EcglensError(f"with {around.name}: {done.stderr.decode(errors='replace')[-2000:]}")
    return tree(out)


def compare_around(surroundings: Sequence[Around], records: Path, folder: Path, log: Path) -> None:
    """Run the commands in surroundings that the log does not know, and write what differs."""
    known = {line["around"] for line in read_log(log) if "around" in line}
    whole: dict[str, bytes] = {}
    for number, around in enumerate(surroundings):
        if around.name in known and number:
            continue
        found = run_around(around, records, make_folder(folder / f"around-{number}"))
        whole = whole or found
        if around.name not in known:
            # Other blocks make the cache's files other pieces of the same features.
            left_out = "cache" if around.block else "nothing"
            one, other = (
                {file: data for file, data in files.items() if not file.startswith(left_out)}
                for files in (found, whole)
            )
            line = {"around": around.name, "files": len(one), **differences(one, other)}
            add_to_log(log, [line])


def compare_batches(windows: Path, log: Path) -> None:
    """Compare the maps of a network that sees so many images at once, and so many threads."""
    if any("batch_size" in line for line in read_log(log)):
        return
    recipe = find_recipe("default")
    size = (recipe.image.height, recipe.image.width)
    backbone = load_backbone("ecglens-s", image_size=size)
    recipe = recipe.fit_to(backbone)
    read = load_windows(windows)
    extractor = Extractor(backbone, recipe.outputs(), recipe.image)
    images = extractor.draw(read.X[:33], read.fs)
    first: dict[str, npt.NDArray[np.float32]] = {}
    for threads in (1, 2):
        for batch_size in BATCH_SIZES:
            engine = make_engine(
                backbone, recipe.layers, threads=threads, batch_size=batch_size,
                gray=images.shape[1] == 1,
            )  # fmt: skip
            maps = engine.run(images)
            first = first or maps
            same = all(np.array_equal(maps[name], first[name]) for name in maps)
            worst = max(_apart(maps[name], first[name]) for name in maps)
            line = {"batch_size": batch_size, "threads": threads, "same": same, "apart": worst}
            add_to_log(log, [line])


def compare_engines(args: argparse.Namespace, log: Path) -> None:
    """Compare features and decisions of OpenVINO and torch, both in fp32."""
    recipe = find_recipe("default")
    size = (recipe.image.height, recipe.image.width)
    backbone = load_backbone(args.backbone, weights=args.weights, image_size=size)
    recipe = recipe.fit_to(backbone)
    windows = readable(read_rhythm4(args.data))
    rng = np.random.default_rng(args.seed)
    windows = windows.subset(np.sort(rng.permutation(len(windows))[: args.windows]))
    features = {
        engine: concatenate_outputs(
            Extractor(
                backbone, recipe.outputs(), recipe.image, EngineSettings(engine, precision="fp32")
            ).run(windows.X, windows.fs)
        )
        for engine in ("openvino", "torch")
    }
    people = np.unique(windows.subjects)
    learnt = np.isin(windows.subjects, rng.permutation(people)[: len(people) // 2])
    recipe = replace(recipe, pca=min(recipe.pca or 64, int(learnt.sum()) // 4))
    head = recipe.classifier(random_state=0)
    head.fit(features["openvino"][learnt], windows.labels[learnt])
    one, other = (head.predict(features[engine][~learnt]) for engine in ("openvino", "torch"))
    add_to_log(
        log,
        [
            {
                "engines": args.backbone,
                "windows": len(windows),
                "decided": int((~learnt).sum()),
                "apart": _apart(features["torch"], features["openvino"]),
                "changed": int((one != other).sum()),
            }
        ],
    )


def _apart(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """Return the greatest difference as a share of the greatest value."""
    return float(np.abs(one - other).max() / np.abs(other).max())


def format_report(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return what was compared as tables."""
    return "\n".join(_report_lines(lines)) + "\n"


def _report_lines(lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "| what was other | files | differing or missing |\n|---|---|---|"
    for line in lines:
        if "around" in line:
            other = [*line["lost"], *line["differing"], *line["left_over"]]
            said = f"{len(other)}, such as {other[0]}" if other else "0"
            yield f"| {line['around']} | {line['files']} | {said} |"
    yield "\n| images at once | threads | maps | apart, of the greatest value |\n|---|---|---|---|"
    for line in lines:
        if "batch_size" in line:
            same = "same bytes" if line["same"] else "differ"
            yield f"| {line['batch_size']} | {line['threads']} | {same} | {line['apart']:.1e} |"
    for line in lines:
        if "engines" in line:
            yield (
                f"\n{line['engines']}, OpenVINO against torch, fp32, {line['windows']} windows: "
                f"features apart by {line['apart']:.1e} of the greatest value at most; "
                f"{line['changed']} of {line['decided']} decisions changed."
            )


def main() -> int:
    """Print the tables; the exit code says whether any byte differs that should not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--log", type=Path, help="file for a line per comparison")
    parser.add_argument("--data", type=Path, help="windows on which engines are compared")
    parser.add_argument("--backbone", default="densenet121")
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--windows", type=int, default=600, help="of --data")
    parser.add_argument("--patients", type=int, default=12)
    parser.add_argument("--quick", action="store_true", help="change everything at once")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = args.log or folder / "log.jsonl"
        try:
            records = write_inputs(folder, args.patients)
            chosen = (AROUND[0], AT_ONCE) if args.quick else (*AROUND, AT_ONCE)
            compare_around(chosen, records, folder, log)
            compare_batches(folder / "around-0" / "out" / "windows.npz", log)
            if args.data is not None:
                compare_engines(args, log)
        except EcglensError as error:
            print(f"determinism: error: {error}", file=sys.stderr)
            return error.exit_code
        lines = read_log(log)
    print(format_report(lines), end="")
    differ = ("lost", "differing", "left_over")
    return 1 if any(line.get(what) for line in lines for what in differ) else 0


if __name__ == "__main__":
    raise SystemExit(main())
