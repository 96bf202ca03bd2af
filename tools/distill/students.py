"""Candidate student networks: small, for processors, with layers shaped like the teacher's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

LAYERS: Mapping[str, int] = MappingProxyType(
    {"transition1": 128, "transition2": 256, "transition3": 512, "norm5": 1024}
)
"""Layers of DenseNet-121 that a student copies, with their number of feature maps."""


class ConvNorm(nn.Sequential):
    """A convolution and a batch norm that export folds into it."""

    def __init__(
        self, c_in: int, c_out: int, kernel: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        convolution = nn.Conv2d(
            c_in, c_out, kernel, stride, padding=kernel // 2, groups=groups, bias=False
        )
        super().__init__(convolution, nn.BatchNorm2d(c_out))


class Down(nn.Module):
    """Halve the maps with a plain 3 x 3 convolution."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = ConvNorm(c_in, c_out, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (n, c_out, h / 2, w / 2)."""
        return torch.relu(self.conv(x))


class Patch(nn.Module):
    """Go to a quarter of the size at once, with overlapping patches of 7 x 7."""

    def __init__(self, c_out: int) -> None:
        super().__init__()
        self.conv = ConvNorm(3, c_out, 7, stride=4)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (n, c_out, h / 4, w / 4)."""
        return torch.relu(self.conv(x))


class PlainBlock(nn.Module):
    """One wide 3 x 3 convolution beside an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = ConvNorm(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the shape of ``x``."""
        return torch.relu(x + self.conv(x))


class InvertedBlock(nn.Module):
    """MobileNetV2's block: widen by 1 x 1, filter each map, narrow by 1 x 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = 3 * channels
        self.widen = ConvNorm(channels, inner, 1)
        self.filter = ConvNorm(inner, inner, 3, groups=inner)
        self.narrow = ConvNorm(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the shape of ``x``."""
        inner = torch.relu(self.filter(torch.relu(self.widen(x))))
        out: Tensor = x + self.narrow(inner)
        return out


class SpreadBlock(nn.Module):
    """ConvNeXt's order: a 5 x 5 filter on each map, then two 1 x 1 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.filter = ConvNorm(channels, channels, 5, groups=channels)
        self.widen = ConvNorm(channels, 3 * channels, 1)
        self.narrow = ConvNorm(3 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the shape of ``x``."""
        out: Tensor = x + self.narrow(torch.relu(self.widen(self.filter(x))))
        return out


class Student(nn.Module):
    """Five stages, each half the size of the one before; four of them end in a teacher's layer.

    Args:
        block: what a stage is made of.
        widths: channels of the stages at 1/2, 1/4, 1/8, 1/16 and 1/32 of the image.
        depths: blocks in each of the stages at 1/4 to 1/32, and behind ``transition3``.
    """

    def __init__(
        self, block: Callable[[int], nn.Module], widths: tuple[int, ...], depths: tuple[int, ...]
    ) -> None:
        super().__init__()

        def stage(c_in: int, c_out: int, depth: int) -> nn.Sequential:
            return nn.Sequential(Down(c_in, c_out), *(block(c_out) for _ in range(depth)))

        self.stem = (
            nn.Sequential(Down(3, widths[0]), stage(widths[0], widths[1], depths[0]))
            if widths[0]
            else nn.Sequential(Patch(widths[1]), *(block(widths[1]) for _ in range(depths[0])))
        )
        self.stages = nn.ModuleList(
            [
                stage(widths[1], widths[2], depths[1]),
                stage(widths[2], widths[3], depths[2]),
                stage(widths[3], widths[4], depths[3]),
                nn.Sequential(*(block(widths[4]) for _ in range(depths[4]))),
            ]
        )
        inputs = (*widths[2:], widths[-1])
        self.heads = nn.ModuleList(
            nn.Conv2d(c_in, c_out, 1) for c_in, c_out in zip(inputs, LAYERS.values(), strict=True)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the layers' maps of images (n, 3, h, w) that are normalised as for ImageNet."""
        x = self.stem(x)
        layers = []
        for stage, head in zip(self.stages, self.heads, strict=True):
            x = stage(x)
            layers.append(head(x))
        return tuple(layers)


CANDIDATES: Mapping[str, Callable[[], Student]] = MappingProxyType(
    {
        "plain": lambda: Student(PlainBlock, (12, 32, 64, 128, 192), (1, 2, 1, 1, 1)),
        "inverted": lambda: Student(InvertedBlock, (12, 24, 48, 96, 160), (1, 3, 2, 2, 1)),
        "spread": lambda: Student(SpreadBlock, (12, 32, 64, 128, 192), (1, 2, 2, 2, 1)),
        "inverted-patch": lambda: Student(InvertedBlock, (0, 32, 56, 112, 160), (1, 3, 2, 2, 1)),
        "plain-patch": lambda: Student(PlainBlock, (0, 32, 64, 128, 192), (1, 2, 1, 1, 1)),
    }
)
