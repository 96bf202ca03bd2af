"""What a backbone is: a frozen image network as ONNX, and the layers that can be read from it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from ecglens.errors import BackboneError, suggest

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
N_NAMED = 6


@dataclass(frozen=True)
class Layer:
    """One output of a backbone: a stack of feature maps.

    Attributes:
        name: the layer's name, such as ``"denseblock4"``.
        channels: number of feature maps.
        height: rows of a map (frequency) at the backbone's image size.
        width: columns of a map (time) at the backbone's image size.
    """

    name: str
    channels: int
    height: int
    width: int


@dataclass(frozen=True)
class Backbone:
    """A frozen network whose layers are named outputs of one ONNX graph.

    Two backbones are equal when they have the same bytes and the same settings.

    Attributes:
        name: ``"ecglens-s"``, ``"densenet121"``, or the stem of an ONNX file.
        onnx: the network, its weights included; each layer is an output of that name.
        layers: all layers in network order.
        image_size: (height, width) of the images it takes.
        mean: mean of each colour channel, taken from images in [0, 1] before the network.
        std: standard deviation of each colour channel, by which they are divided.
        weights: ``"imagenet"``, ``"distilled"``, ``"random-<seed>"`` or ``"file:<name>"``.
        sha256: of ``onnx``: identifies network, weights, image size and layers.
    """

    name: str
    onnx: bytes = field(repr=False, compare=False)
    layers: tuple[Layer, ...] = field(repr=False)
    image_size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    weights: str
    sha256: str

    def layer(self, name: str) -> Layer:
        """Return the layer of that name.

        Raises:
            BackboneError: there is none; the message names near matches.
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in self.layers]
        some = ", ".join(names if len(names) <= N_NAMED else ["...", *names[-N_NAMED:]])
        raise BackboneError(
            f"{self.name} has no layer '{name}'{suggest(name, names) or ';'} it has {some}; "
            f"see all with `ecglens backbones {self.name}`"
        )


@dataclass(frozen=True)
class BackboneInfo:
    """One line of ``list_backbones``.

    Attributes:
        name: what ``load_backbone`` takes.
        source: ``"bundled"`` (comes with the package), ``"timm"`` (can be converted) or
            ``"cached"`` (was converted, starts at once).
        description: where the weights come from; for a cached one its image size and layers.
    """

    name: str
    source: str
    description: str


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of some bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
