"""Teaching a student the teacher's layers, resumably."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ecglens.backbones.backbone import IMAGENET_MEAN, IMAGENET_STD
from ecglens.files import write_text
from tools.distill.shards import SHARD, ShardStore, kind_of

MIXED = 8
"""Shards in memory at a time; batches are drawn from all of them."""


@dataclass(frozen=True)
class Schedule:
    """How a student is taught.

    Attributes:
        n_shards: shards to learn from; the ones behind them are kept apart to judge it.
        n_judge: shards to judge it on.
        epochs: passes over the shards.
        general: how many of the first passes leave out the virtual patients: what comes last, and
            is most like an ECG, weighs most.
        batch: images of a step.
        rate: highest learning rate; it rises over the first twentieth and falls as a cosine.
        decay: AdamW's weight decay.
        weights: share of each layer in the loss.
        seed: of the order of the images and of the first weights.
    """

    n_shards: int
    n_judge: int = 4
    epochs: int = 14
    general: int = 5
    batch: int = 32
    rate: float = 3e-3
    decay: float = 0.02
    weights: tuple[float, ...] = (1.0, 1.0, 0.3, 0.3)
    seed: int = 0

    def shards_of(self, epoch: int) -> list[int]:
        """Return the shards of one pass, in their own order."""
        shards = range(self.n_shards)
        return [i for i in shards if epoch >= self.general or kind_of(i) != "virtual"]

    def steps_before(self, epoch: int) -> int:
        """Return the number of steps of all passes before one."""
        return sum(len(self.shards_of(e)) * (SHARD // self.batch) for e in range(epoch))

    def rate_at(self, share: float) -> float:
        """Return the learning rate after a share of all steps."""
        return self.rate * min(share / 0.05, 0.5 * (1 + math.cos(math.pi * share)) + 1e-3)


@dataclass
class Scaling:
    """Mean and deviation of each of the teacher's maps, by which all count alike."""

    means: list[Tensor]
    deviations: list[Tensor]

    @classmethod
    def of(cls, store: ShardStore, shards: Sequence[int]) -> Scaling:
        """Measure them on some shards."""
        parts = [store.load(index)[1] for index in shards]
        layers = [np.concatenate(layer).astype(np.float32) for layer in zip(*parts, strict=True)]
        means = [torch.from_numpy(layer.mean(axis=(0, 2, 3))) for layer in layers]
        deviations = [torch.from_numpy(layer.std(axis=(0, 2, 3))) for layer in layers]
        return cls(means, [torch.clamp(d, min=1e-3) for d in deviations])

    def scaled(self, layer: int, maps: Tensor) -> Tensor:
        """Return maps of mean 0 and deviation 1."""
        mean, deviation = self.means[layer].to(maps), self.deviations[layer].to(maps)
        return (maps - mean[:, None, None]) / deviation[:, None, None]


class Teaching:
    """A student, its optimiser, and how far it has come.

    Args:
        student: a fresh network.
        store: images and the teacher's layers.
        schedule: how it is taught.
        device: ``"cpu"`` or ``"cuda"``.
        folder: where the state is kept after every epoch.
    """

    def __init__(
        self, student: nn.Module, store: ShardStore, schedule: Schedule, device: str, folder: Path
    ) -> None:
        self.student = student.to(device, memory_format=torch.channels_last)
        self.store, self.schedule, self.device, self.folder = store, schedule, device, folder
        self.optimiser = torch.optim.AdamW(
            self.student.parameters(), lr=0.0, weight_decay=schedule.decay, fused=True
        )
        self.scaling = Scaling.of(store, schedule.shards_of(0)[:MIXED])
        self.epoch = 0
        self._resume()

    def run(self, progress: Callable[[int, int, float], None] | None = None) -> None:
        """Teach all epochs that are left; ``progress`` gets steps done, steps in all, and loss."""
        total = self.schedule.steps_before(self.schedule.epochs)
        while self.epoch < self.schedule.epochs:
            self.student.train()
            step = self.schedule.steps_before(self.epoch)
            for images, maps in self._batches(self.epoch):
                loss = self._step(images, maps, step / total)
                step += 1
                if progress is not None:
                    progress(step, total, loss)
            self.epoch += 1
            self._keep()

    def _step(self, images: Tensor, maps: list[Tensor], share: float) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.rate_at(share)
        self.optimiser.zero_grad(set_to_none=True)
        made = self.student(images)
        losses = [
            weight * nn.functional.mse_loss(out, self.scaling.scaled(i, target))
            for i, (weight, out, target) in enumerate(
                zip(self.schedule.weights, made, maps, strict=True)
            )
        ]
        loss = torch.stack(losses).sum()
        loss.backward()
        nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimiser.step()
        return float(loss.detach())

    def _batches(self, epoch: int) -> Iterator[tuple[Tensor, list[Tensor]]]:
        """Yield batches that mix eight shards, in an order that the epoch decides."""
        rng = np.random.default_rng([self.schedule.seed, epoch])
        order = rng.permutation(self.schedule.shards_of(epoch)).tolist()
        for first in range(0, len(order), MIXED):
            loaded = [self.store.load(index) for index in order[first : first + MIXED]]
            images = np.concatenate([part[0] for part in loaded])
            maps = [np.concatenate(layer) for layer in zip(*(p[1] for p in loaded), strict=True)]
            shuffled = rng.permutation(len(images))
            for start in range(0, len(images), self.schedule.batch):
                picked = shuffled[start : start + self.schedule.batch]
                yield (
                    normalised(torch.from_numpy(images[picked]), self.device),
                    [torch.from_numpy(layer[picked]).to(self.device).float() for layer in maps],
                )

    def judge(self) -> dict[str, float]:
        """Return the share of each layer's variance that the student explains on new images.

        ``<layer>`` counts every pixel of every map, ``<layer>:mean`` the means of the maps, which
        is what a head sees.
        """
        self.student.eval()
        errors: dict[str, list[float]] = {}
        first = self.schedule.n_shards
        with torch.inference_mode():
            for index in range(first, first + self.schedule.n_judge):
                images, maps = self.store.load(index)
                made = self.student(normalised(torch.from_numpy(images), self.device))
                for i, name in enumerate(self.store.layers):
                    target = self.scaling.scaled(i, torch.from_numpy(maps[i]).float())
                    out = made[i].cpu()
                    errors.setdefault(name, []).append(_explained(out, target))
                    pooled = (out.mean(dim=(2, 3)), target.mean(dim=(2, 3)))
                    errors.setdefault(f"{name}:mean", []).append(_explained(*pooled))
        return {name: float(np.mean(values)) for name, values in errors.items()}

    def _keep(self) -> None:
        """Write weights and optimiser; the marker file comes last and makes them count."""
        save_file(self._state(), self.folder / f"epoch-{self.epoch}.safetensors")
        said = {"epoch": self.epoch, "schedule": asdict(self.schedule)}
        write_text(self.folder / "state.json", json.dumps(said))
        (self.folder / f"epoch-{self.epoch - 1}.safetensors").unlink(missing_ok=True)

    def _state(self) -> dict[str, Tensor]:
        state = {f"student.{k}": v.contiguous() for k, v in self.student.state_dict().items()}
        names = [name for name, _ in self.student.named_parameters()]
        for index, moments in self.optimiser.state_dict()["state"].items():
            for key, value in moments.items():
                state[f"optimiser.{names[index]}:{key}"] = value.contiguous()
        return state

    def _resume(self) -> None:
        marker = self.folder / "state.json"
        if not marker.is_file():
            return
        said = json.loads(marker.read_text())
        if said["schedule"] != json.loads(json.dumps(asdict(self.schedule))):
            raise SystemExit(f"{self.folder} holds another schedule's run; name another folder")
        self.epoch = int(said["epoch"])
        state = load_file(self.folder / f"epoch-{self.epoch}.safetensors", device=self.device)
        prefix = "student."
        own = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        self.student.load_state_dict(own)
        parameters = dict(self.student.named_parameters())
        names = list(parameters)
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in state.items():
            if key.startswith("optimiser."):
                name, _, moment = key.removeprefix("optimiser.").rpartition(":")
                # The fused optimiser goes through memory: moments must lie as their parameter.
                like = parameters[name] if value.ndim else value
                laid = torch.empty_like(like).copy_(value)
                moments.setdefault(names.index(name), {})[moment] = laid
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})


def normalised(images: Tensor, device: str) -> Tensor:
    """Return uint8 images as the network takes them: ImageNet's mean and deviation taken out."""
    mean = torch.tensor(IMAGENET_MEAN, device=device).view(1, 3, 1, 1)
    deviation = torch.tensor(IMAGENET_STD, device=device).view(1, 3, 1, 1)
    floats = images.to(device).float() / 255
    return ((floats - mean) / deviation).contiguous(memory_format=torch.channels_last)


def _explained(out: Tensor, target: Tensor) -> float:
    """Return 1 - squared error / variance of each column's own mean, over all columns."""
    centred = target - target.mean(dim=[d for d in range(target.ndim) if d != 1], keepdim=True)
    return float(1 - ((out - target) ** 2).sum() / (centred**2).sum())
