"""The engine for GPUs, and for comparison on the CPU: torch."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from ecglens.backbones import onnx_graph, timm_network
from ecglens.backbones.backbone import Backbone, Layer
from ecglens.backbones.engine import Floats, checked_images, empty_maps, filled, no_bf16
from ecglens.backbones.timm_convert import PARAMETERS
from ecglens.backbones.timm_layers import recorded
from ecglens.errors import BackboneError

BATCH_SIZE = 32


class TorchEngine:
    """A timm network run by torch; see ``ecglens.backbones.Engine``.

    The module is built anew from its name and takes its parameters from the backbone's ONNX
    graph, so it needs no other file. The computation ends behind the deepest layer.
    """

    def __init__(
        self,
        backbone: Backbone,
        layers: Sequence[Layer],
        device: str,
        precision: str,
        threads: int | None,
        batch_size: int | None,
        gray: bool,
    ) -> None:
        self._network, modules = rebuilt(backbone)
        self._torch = _torch_with(device, precision)
        self._device = device
        self._threads = threads
        self._backbone = backbone
        self._wanted = tuple(layers)
        self._channels = 1 if gray else 3
        self._paths = [modules[layer.name] for layer in layers]
        self.layers = tuple(layer.name for layer in layers)
        self.precision = "bf16" if precision == "bf16" else "fp32"
        self.batch_size = batch_size or BATCH_SIZE
        self._network.to(device)
        shape = (1, 3, 1, 1)
        self._mean = self._torch.tensor(backbone.mean, device=device).reshape(shape)
        self._std = self._torch.tensor(backbone.std, device=device).reshape(shape)
        order = [layer.name for layer in backbone.layers]
        self._deepest = modules[max(self.layers, key=order.index)]

    def run(self, images: Floats) -> dict[str, Floats]:
        """Compute feature maps; see ``ecglens.backbones.Engine.run``."""
        images = checked_images(images, self._backbone, self._channels)
        maps = empty_maps(self._wanted, len(images))
        with self._settings():
            for start in range(0, len(images), self.batch_size):
                part = images[start : start + self.batch_size]
                outputs = self._forward(filled(part, self.batch_size))
                for name, path in zip(self.layers, self._paths, strict=True):
                    kept = outputs[path][: len(part)].float().cpu().numpy()
                    maps[name][start : start + len(part)] = kept
        return maps

    def _forward(self, images: Floats) -> dict[str, Any]:
        batch = self._torch.from_numpy(images).to(self._device)
        with recorded(self._network, self._paths) as outputs, _ended(self._network, self._deepest):
            # Mean and std have three channels, so a gray image comes to have three here.
            self._network.forward_features((batch - self._mean) / self._std)
        return outputs

    @contextlib.contextmanager
    def _settings(self) -> Iterator[None]:
        """Hold torch's switches for one run; all are as before afterwards."""
        torch = self._torch
        before = torch.get_num_threads()
        flags = torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=self.precision == "bf16"
        )
        autocast = torch.autocast(
            self._device, dtype=torch.bfloat16, enabled=self.precision == "bf16"
        )
        if self._threads is not None:
            torch.set_num_threads(self._threads)
        try:
            with torch.no_grad(), flags, autocast:
                yield
        finally:
            torch.set_num_threads(before)


class _ReachedError(Exception):
    """Ends a forward pass behind the deepest layer."""


@contextlib.contextmanager
def _ended(network: Any, path: str) -> Iterator[None]:
    def stop(_module: Any, _inputs: Any, _output: Any) -> None:
        raise _ReachedError

    handle = network.get_submodule(path).register_forward_hook(stop)
    try:
        with contextlib.suppress(_ReachedError):
            yield
    finally:
        handle.remove()


def _torch_with(device: str, precision: str) -> Any:
    """Import torch and check that the device is there.

    Raises:
        BackboneError: there is no CUDA device, or it has no bf16.
    """
    import torch

    if device == "cuda":
        if not torch.cuda.is_available():
            raise BackboneError(
                f"no CUDA device is visible to torch {torch.__version__}; install torch for CUDA, "
                "or take --device cpu"
            )
        if precision == "bf16" and not torch.cuda.is_bf16_supported():
            raise no_bf16("this CUDA device")
    return torch


def rebuilt(backbone: Backbone) -> tuple[Any, dict[str, str]]:
    """Build the timm module of a backbone with the parameters of its ONNX graph.

    Returns:
        (network, modules): the torch module, and for each layer the path of its module.

    Raises:
        BackboneError: it came from an ONNX file, or this timm builds another network under
            that name.
    """
    model = onnx_graph.parse_onnx(backbone.onnx, backbone.name)
    metadata = onnx_graph.metadata_of(model)
    if "network" not in metadata or "modules" not in metadata:
        raise BackboneError(
            f"backbone {backbone.name} comes from an ONNX file, and only timm networks run on "
            "torch; take --engine openvino"
        )
    timm_network.check_name(metadata["network"])
    network = timm_network.random_network(metadata["network"], 0)
    modules = {str(name): str(path) for name, path in json.loads(metadata["modules"]).items()}
    known = dict(network.named_modules())
    if not all(modules.get(layer.name) in known for layer in backbone.layers):
        raise _other_timm(backbone, "layers")
    _take_parameters(network, modules, model, backbone)
    return network, modules


def _take_parameters(network: Any, modules: dict[str, str], model: Any, backbone: Backbone) -> None:
    import torch
    from onnx.numpy_helper import to_array

    state = {
        tensor.name.removeprefix(PARAMETERS): torch.from_numpy(to_array(tensor).copy())
        for tensor in model.graph.initializer
        if tensor.name.startswith(PARAMETERS)
    }
    expected = network.state_dict()
    if any(key not in expected or expected[key].shape != state[key].shape for key in state):
        raise _other_timm(backbone, "parameters")
    if not _used_parameters(network, modules, backbone) <= state.keys():
        raise _other_timm(backbone, "parameters")
    network.load_state_dict(state, strict=False)


def _used_parameters(network: Any, modules: dict[str, str], backbone: Backbone) -> set[str]:
    """Return names of the parameters and statistics of all modules that compute the layers."""
    import torch

    paths = [path for path, _ in network.named_modules() if path]
    ended = _ended(network, modules[backbone.layers[-1].name])
    with torch.no_grad(), recorded(network, paths) as outputs, ended:
        network.forward_features(torch.zeros(1, 3, *backbone.image_size))
    return {
        name
        for name in network.state_dict()
        if name.rpartition(".")[0] in outputs and "num_batches_tracked" not in name
    }


def _other_timm(backbone: Backbone, what: str) -> BackboneError:
    return BackboneError(
        f"this timm builds {backbone.name} with other {what} than the backbone has; install the "
        "timm that converted it, or take --engine openvino"
    )
