"""Which modules of a torch network are layers, and how to read them."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecglens.errors import BackboneError

_PASSIVE = ("Identity", "Dropout", "Dropout2d", "DropPath", "Flatten")


@dataclass(frozen=True)
class ModuleLayer:
    """A layer of a torch network.

    Attributes:
        name: the layer's name.
        module: path of the module whose output it is.
        shape: (channels, height, width) at the probe's image size.
    """

    name: str
    module: str
    shape: tuple[int, int, int]


def find_layers(network: Any, image_size: tuple[int, int]) -> list[ModuleLayer]:
    """Find the layers of a network by its structure.

    1. Candidates are the children of the network and of pure containers (``nn.Sequential`` and
       ``nn.ModuleList`` themselves, not subclasses). In a module of any other class only those
       ``nn.Sequential`` children are entered that hold two or more blocks of one class, such as
       ``stage.blocks`` of ConvNeXt.
    2. Single convolutions and linear maps, ``Identity`` and dropout are left out. Of successive
       siblings without matrix weights (norm, activation, pooling) the last one counts:
       conv, norm, activation, pool is one layer, named by the pool.
    3. A candidate is a layer if ``forward_features`` calls it once and its output is a map
       (n, channels, height, width) with the aspect of the image; channels-last maps and tokens
       are not.
    4. One output has one name, the outermost module's, but never that of a pure container whose
       layers differ in shape: ``layer1`` of ResNet rather than ``layer1.1``, ``stages.3`` of
       ConvNeXt rather than ``stages``.
    5. A prefix common to all names, such as ``features.``, is dropped unless a number remains.

    Args:
        network: a timm network prepared for evaluation.
        image_size: (height, width).

    Returns:
        Layers in the order of computation.

    Raises:
        BackboneError: the network rejects images of this size, or has no layer.
    """
    name = type(network).__name__
    found = {}
    if getattr(network, "output_fmt", "NCHW") == "NCHW":
        found = _probe(network, list(_candidates(network, "")), image_size)
    chosen = _one_name_each(network, found)
    if not chosen:
        raise BackboneError(
            f"{name} has no layer with maps (n, channels, height, width): transformers and "
            "channels-last networks do not fit; take a convolutional network such as densenet121"
        )
    names = _short_names(chosen)
    return [
        ModuleLayer(short, path, _shape(found[path]))
        for short, path in zip(names, chosen, strict=True)
    ]


def _candidates(module: Any, prefix: str) -> Iterator[str]:
    """Yield the paths of all children that rule 1 reaches."""
    pure = not prefix or _is_container(module)
    for path, child in module.named_children():
        if type(child).__name__ in _PASSIVE or not (pure or _is_stage(child)):
            continue
        if pure:
            yield prefix + path
        yield from _candidates(child, f"{prefix}{path}.")


def _without_steps(network: Any, paths: Sequence[str]) -> list[str]:
    """Leave out single convolutions and all but the last of successive simple siblings."""
    siblings: dict[str, list[str]] = {}
    for path in paths:
        siblings.setdefault(path.rpartition(".")[0], []).append(path)
    followed = {
        path
        for group in siblings.values()
        for path, following in itertools.pairwise(group)
        if _is_simple(network.get_submodule(path)) and _is_simple(network.get_submodule(following))
    }
    return [
        path for path in paths if path not in followed and not _is_bare(network.get_submodule(path))
    ]


def _has_matrix(module: Any) -> bool:
    return any(parameter.ndim > 1 for parameter in module.parameters())


def _is_container(module: Any) -> bool:
    from torch import nn

    return type(module) in (nn.Sequential, nn.ModuleList)


def _is_bare(module: Any) -> bool:
    """Whether it is a single convolution or linear map."""
    return not list(module.children()) and _has_matrix(module)


def _is_simple(module: Any) -> bool:
    """Whether it is a norm, an activation, a pooling or several of them."""
    return not _has_matrix(module)


def _is_stage(module: Any) -> bool:
    """Whether it is a Sequential of two or more blocks of one class."""
    from torch import nn

    blocks = list(module.children())
    same = len({type(block) for block in blocks}) == 1 and len(blocks) > 1
    return type(module) is nn.Sequential and same and bool(list(blocks[0].children()))


def _probe(network: Any, paths: Sequence[str], image_size: tuple[int, int]) -> dict[str, Any]:
    """Return the maps of those modules that have them, in the order of computation."""
    import torch

    # Two images, so that a module which mixes the batch is not taken for a layer.
    images = torch.zeros(2, 3, *image_size)
    calls: list[str] = []
    try:
        with torch.no_grad(), recorded(network, paths, calls) as outputs:
            network.forward_features(images)
    except (RuntimeError, ValueError, AssertionError, AttributeError, TypeError) as error:
        raise BackboneError(
            f"{type(network).__name__} does not take images of {image_size[0]}x{image_size[1]}: "
            f"{str(error)[:200]}; choose another image size or network"
        ) from error
    whole = _without_steps(network, [path for path in paths if path in outputs])
    return {
        path: output
        for path, output in outputs.items()
        if path in whole and calls.count(path) == 1 and _is_map(output, image_size)
    }


def _is_map(output: Any, image_size: tuple[int, int]) -> bool:
    import torch

    if not isinstance(output, torch.Tensor) or output.ndim != 4 or output.shape[0] != 2:
        return False
    rows, columns = output.shape[2:]
    height, width = image_size
    return abs(int(rows) * width - int(columns) * height) <= max(height, width)


@contextlib.contextmanager
def recorded(
    network: Any, paths: Sequence[str], calls: list[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Collect the outputs of modules, by path, while the context is open.

    ``calls`` receives the path at each call.
    """
    outputs: dict[str, Any] = {}

    def hook_of(path: str) -> Any:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            outputs[path] = output
            if calls is not None:
                calls.append(path)

        return hook

    with contextlib.ExitStack() as stack:
        for path in paths:
            handle = network.get_submodule(path).register_forward_hook(hook_of(path))
            stack.callback(handle.remove)
        yield outputs


def _shape(output: Any) -> tuple[int, int, int]:
    _, channels, height, width = output.shape
    return int(channels), int(height), int(width)


def _one_name_each(network: Any, found: Mapping[str, Any]) -> list[str]:
    """Choose one path for each output tensor, keeping the order."""
    names: dict[tuple[int, tuple[int, ...]], list[str]] = {}
    for path, output in found.items():
        names.setdefault((output.data_ptr(), tuple(output.shape)), []).append(path)

    def names_itself(path: str) -> bool:
        if not _is_container(network.get_submodule(path)):
            return True
        inside = [output for other, output in found.items() if other.startswith(f"{path}.")]
        return all(_shape(output) == _shape(found[path]) for output in inside)

    by_depth = [sorted(paths, key=len) for paths in names.values()]
    # A trunk that ends in a step which is no layer itself keeps its own name.
    return [next(filter(names_itself, paths), paths[0]) for paths in by_depth]


def _short_names(paths: Sequence[str]) -> list[str]:
    prefix = paths[0].rpartition(".")[0] + "."
    if len(paths) > 1 and prefix != ".":
        while not all(path.startswith(prefix) for path in paths) and prefix != ".":
            prefix = prefix[:-1].rpartition(".")[0] + "."
        short = [path.removeprefix(prefix) for path in paths]
        if not any(name[0].isdigit() for name in short):
            return short
    return list(paths)
