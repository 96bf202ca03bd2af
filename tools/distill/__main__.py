"""Distil a small backbone from an ImageNet network, on pictures that need no data set.

    python -m tools.distill --weights densenet121.safetensors --work distill-work

draws the images, lets the teacher see them, teaches the student, and writes
``src/ecglens/backbones/bundled_files/ecglens-s.onnx`` with its card. An interrupted run goes on
where it stopped. Without ``--weights`` timm downloads the teacher's. Needs ``ecglens[distill]``.
``--compare`` teaches every candidate for a short while and prints what each explains and costs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress

from ecglens import __version__
from ecglens.backbones import load_backbone
from ecglens.errors import EcglensError
from ecglens.files import make_folder, write_text
from tools.distill.compare import compare
from tools.distill.export import to_onnx, write_backbone
from tools.distill.shards import KINDS, SHARD, ShardStore, make_shards
from tools.distill.students import CANDIDATES, LAYERS
from tools.distill.training import Schedule, Teaching

NAME = "ecglens-s"
TEACHER = "densenet121"
SIZE = 128
OUT = Path("src/ecglens/backbones/bundled_files")


def parse() -> argparse.Namespace:
    """Return the command's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.distill", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--weights", default="imagenet", help="the teacher's: imagenet or a file")
    parser.add_argument("--work", type=Path, default=Path("distill-work"), help="shards and state")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the ONNX and its card")
    parser.add_argument("--student", default="inverted-patch", choices=sorted(CANDIDATES))
    parser.add_argument("--shards", type=int, default=96, help=f"of {SHARD} images")
    parser.add_argument("--epochs", type=int, default=Schedule.epochs)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--revision", default="", help="of this repository, for the card")
    parser.add_argument("--compare", action="store_true", help="try the candidates instead")
    return parser.parse_args()


def main() -> int:
    """Run what is left of the job."""
    args = parse()
    try:
        make_folder(args.work)
        schedule = Schedule(args.shards, epochs=args.epochs, seed=args.seed)
        store = ShardStore(args.work / "shards", SIZE, tuple(LAYERS), args.seed)
        with Progress(disable=not sys.stdout.isatty()) as progress:
            _draw(args, store, schedule, progress)
            if args.compare:
                sys.stdout.write(compare(store, replace(schedule, epochs=2), args) + "\n")
                return 0
            path = _teach(args, store, schedule, progress)
    except EcglensError as error:
        sys.stderr.write(f"distill: error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("distill: interrupted; the same command goes on from here\n")
        return 130
    sys.stdout.write(f"{path}\n{path.with_suffix('.json').read_text()}")
    return 0


def _draw(args: argparse.Namespace, store: ShardStore, plan: Schedule, progress: Progress) -> None:
    teacher = load_backbone(TEACHER, weights=args.weights, image_size=(SIZE, SIZE))
    task = progress.add_task("images and the teacher's layers")
    make_shards(
        store,
        teacher,
        plan.n_shards + plan.n_judge,
        workers=args.workers,
        engine="torch" if args.device == "cuda" else "openvino",
        device=args.device,
        progress=lambda done, total: progress.update(task, completed=done, total=total),
    )
    write_text(args.work / "teacher.json", json.dumps({"sha256": teacher.sha256}))


def _teach(args: argparse.Namespace, store: ShardStore, plan: Schedule, progress: Progress) -> Path:
    torch.manual_seed(args.seed)
    folder = make_folder(args.work / args.student)
    teaching = Teaching(CANDIDATES[args.student](), store, plan, args.device, folder)
    task = progress.add_task("teaching")

    def show(done: int, total: int, loss: float) -> None:
        progress.update(task, completed=done, total=total, description=f"teaching, loss {loss:.3f}")

    teaching.run(show)
    explained = teaching.judge()
    onnx = to_onnx(teaching.student, teaching.scaling, NAME)
    card = _card(args, plan, explained)
    return write_backbone(onnx, card, args.out, NAME)


def _card(args: argparse.Namespace, plan: Schedule, explained: dict[str, float]) -> dict[str, Any]:
    """Return what a reader needs to know of the file."""
    shares = {kind: KINDS.count(kind) / len(KINDS) for kind in sorted(set(KINDS))}
    return {
        "name": NAME,
        "summary": f"distilled from {TEACHER} of ImageNet on generated images; comes with ecglens",
        "licence": "Apache-2.0",
        "teacher": {
            "name": TEACHER,
            "weights": Path(args.weights).name,
            "licence": "torchvision weights, BSD-3-Clause",
            "sha256": json.loads((args.work / "teacher.json").read_text())["sha256"],
        },
        "student": args.student,
        "data": {
            "what": "generated images alone: no photograph, no recording, no ECG label",
            "images": plan.n_shards * SHARD,
            "shares": shares,
            "size": [SIZE, SIZE],
        },
        "schedule": asdict(plan),
        "explained_variance_on_new_images": {k: round(v, 4) for k, v in explained.items()},
        "made_with": {
            "ecglens": __version__,
            "torch": torch.__version__,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, {args.device}",
            "revision": args.revision,
        },
    }


if __name__ == "__main__":
    raise SystemExit(main())
