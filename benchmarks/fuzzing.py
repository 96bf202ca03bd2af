"""Coverage-guided fuzzing of a reader, with atheris.

    pip install atheris
    python benchmarks/fuzzing.py "wfdb header" --minutes 10
    python benchmarks/fuzzing.py --minutes 10 --jobs 2 --log fuzzing.jsonl   # all of them

The corpus starts from the good file of the target and a few damaged ones, which are made by code,
and from the inputs that the repository keeps; it grows in a temporary folder (or in ``--corpus``).
``--keep`` chooses from the folders of ``--corpus`` what the repository is to keep. Anything but an
error of ecglens stops the run and leaves the input, ready to become a test; so does one that takes
over 10 s of the processor or 2 GB. With ``--log`` each target gets processes of its own and its
minutes of the processor, not of the clock, goes on after a finding, and is a line of the log and
of the table; minutes that a log has already count. ``--list`` prints the targets. Without atheris,
which has no wheel for every Python, the damages of the matrix are drawn at random instead, until
the time is over.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import itertools
import os
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzz_corpus import keep, write_seeds

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

_RSS_MB = 2048
_LONGEST_CPU_S = 10
# By the clock, for what waits without end; other users of the machine may make it slow.
_LONGEST_S = 300


def reader(target: Any, folder: Path, found: Path | None = None) -> Callable[[bytes], None]:
    """Return what reads bytes as the target's damaged file.

    Faults come through; with ``found``, the beginning of a path, the first input of each place in
    the code is written there instead.
    """
    from ecglens.errors import EcglensError
    from robust_files import write_files

    sample = target.good()
    write_files(folder, sample.files)
    path = folder / sample.opened

    def read(data: bytes) -> None:
        for left in folder.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        write_files(folder, sample.with_data(data))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            began = time.process_time()
            with contextlib.suppress(EcglensError):
                target.read(path)
        if (took := time.process_time() - began) > _LONGEST_CPU_S:
            raise AssertionError(f"reading took {took:.0f} s of the processor")

    def keep(data: bytes) -> None:
        try:
            read(data)
        except Exception as error:  # noqa: BLE001  whatever it is, it is a finding
            place = traceback.extract_tb(error.__traceback__)[-1]
            fault = Path(
                f"{found}-{type(error).__name__}-{Path(place.filename).stem}-{place.lineno}"
            )
            if not fault.exists():
                traceback.print_exc()
                fault.write_bytes(data)

    return keep if found else read


def instrumented(warm: Callable[[], object] = lambda: None) -> Any:
    """Import ecglens so that the fuzzer sees which code is reached; return atheris.

    Args:
        warm: imports more, such as the readers, which are loaded when they are wanted.
    """
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["ecglens"]):
        for name in ("readers", "models", "labels", "databases", "windows", "cli.work"):
            importlib.import_module(f"ecglens.{name}")
        warm()
    return atheris


def guided(target: Any, minutes: float, corpus: Path, *, on: bool = False) -> None:
    """Fuzz with atheris; it ends the process.

    Args:
        target: what reads.
        minutes: by the clock.
        corpus: folder of inputs; findings lie beside it.
        on: go on after an exception.
    """
    atheris = instrumented(target.warmed)
    write_seeds(target, corpus)
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    found = corpus.with_name(f"{corpus.name}-found")
    options = [
        sys.argv[0], f"-max_total_time={round(60 * minutes)}", f"-timeout={_LONGEST_S}",
        "-print_final_stats=1", f"-report_slow_units={_LONGEST_S}",
        f"-rss_limit_mb={_RSS_MB}", f"-max_len={max(4096, 2 * len(target.good().whole))}",
        f"-artifact_prefix={found}-", str(corpus),
    ]  # fmt: skip
    atheris.Setup(options, reader(target, folder, found if on else None))
    atheris.Fuzz()


def _random(target: Any, minutes: float) -> int:
    """Draw damages until the time is over; return how many were tried."""
    from robust_damage import DAMAGES, damages

    target.warmed()
    end = time.monotonic() + 60 * minutes
    whole = target.good().whole
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        read = reader(target, Path(name))
        done = 0
        for seed in itertools.count():
            for kind, number in damages(whole, 200, seed):
                read(DAMAGES[kind](whole, number))
                done += 1
                if time.monotonic() > end:
                    return done
    return done


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("targets", nargs="*", help="one of --list; with --log any, or all")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--corpus", type=Path, help="folder of the corpus (default: temporary)")
    parser.add_argument("--log", type=Path, help="file for a line per target; goes on behind it")
    parser.add_argument("--jobs", type=int, default=1, help="targets at once, with --log")
    parser.add_argument("--keep", action="store_true", help="choose from --corpus for the tests")
    parser.add_argument("--list", action="store_true", help="print the targets")
    return parser


def main() -> int:
    """Fuzz one target, or some with a log, or keep of their corpora what is worth it."""
    from fuzz_log import one_model, run_logged
    from robust_targets import TARGETS

    parser = _parser()
    asked = parser.parse_args()
    fits = asked.keep or asked.log is not None or len(asked.targets) == 1
    if asked.list or not fits or not set(asked.targets) <= set(TARGETS):
        print("\n".join(TARGETS))
        return int(not asked.list)
    if asked.keep and asked.corpus is None:
        parser.error("--keep needs --corpus")
    if asked.keep:
        with one_model():
            keep([TARGETS[name] for name in asked.targets or TARGETS], asked.corpus, reader)
        return 0
    if importlib.util.find_spec("atheris") is None:
        if asked.log is not None:
            parser.error("--log needs atheris")
        done = _random(TARGETS[asked.targets[0]], asked.minutes)
        print(f"atheris is not installed; {done} damages were tried")
        return 0
    corpus = asked.corpus or Path(tempfile.mkdtemp(prefix="corpus-"))
    corpus.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if asked.log is None:
        sys.stdout.flush()
        guided(TARGETS[asked.targets[0]], asked.minutes, corpus)
        return 0
    names = asked.targets or list(TARGETS)
    return run_logged(names, asked.minutes, asked.jobs, asked.log, corpus)


if __name__ == "__main__":
    sys.exit(main())
