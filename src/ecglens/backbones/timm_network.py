"""timm networks as torch modules: names, weights, and no pickle.

Everything here imports torch and timm, which takes seconds, so callers import it late.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ecglens.backbones.backbone import IMAGENET_MEAN, IMAGENET_STD
from ecglens.errors import BackboneError, suggest

PROBE_TIMEOUT_S = 5.0
_N_NAMED = 3


def require_timm() -> Any:
    """Import timm and what conversion needs beside it.

    Raises:
        BackboneError: one of them is not installed.
    """
    try:
        import safetensors.torch  # noqa: F401
        import timm
        import torch  # noqa: F401
    except ImportError as error:
        raise BackboneError(
            f"timm networks need torch and timm ({error}); pip install 'ecglens[timm]', or give "
            "the path of an ONNX file"
        ) from error
    return timm


def check_name(name: str) -> None:
    """Check that timm knows a network of this name, with or without a pretrained tag.

    Raises:
        BackboneError: it does not; the message names the closest.
    """
    timm = require_timm()
    if ":" in name or "/" in name or not timm.is_model(name):
        known = timm.list_models()
        raise BackboneError(
            f"timm has no network '{name}'{suggest(name, known) or ';'} "
            "`ecglens backbones` lists them; an ONNX file is given by its path ending in .onnx"
        )


def random_network(name: str, seed: int) -> Any:
    """Build a network with timm's random initial weights; torch's own generator stays as it is."""
    timm = require_timm()
    import torch

    # devices=[] and the CPU generator alone: a manual_seed would reseed every GPU too.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return prepared(timm.create_model(name, pretrained=False))


def file_network(name: str, path: Path) -> Any:
    """Build a network with the weights of a safetensors file.

    The file holds every parameter and running statistic under timm's name (torchvision's are
    the same for ResNet and DenseNet). The classifier may be missing or of another size; it is
    not used. Weights of another floating-point type become float32.

    Raises:
        BackboneError: the file is unreadable or its parameters are not the network's.
    """
    network = random_network(name, 0)
    state = read_safetensors(path)
    load_state(network, state, f"weights {path.name}")
    return network


def read_safetensors(path: Path) -> dict[str, Any]:
    """Read a safetensors file into torch tensors.

    Raises:
        BackboneError: it is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (OSError, SafetensorError, ValueError) as error:
        raise BackboneError(
            f"cannot read weights {path}: {str(error)[:200]}; give a whole .safetensors file"
        ) from error


def load_state(network: Any, state: Mapping[str, Any], source: str) -> None:
    """Copy parameters into the network, all but the classifier's.

    Raises:
        BackboneError: one is missing, unknown or of another shape; the first few are named.
    """
    expected = network.state_dict()
    heads = _classifier_prefixes(network)

    def in_body(names: Iterable[str]) -> list[str]:
        return [name for name in names if not name.startswith(heads)]

    missing = [
        key for key in in_body(expected) if key not in state and "num_batches_tracked" not in key
    ]
    unexpected = [key for key in in_body(state) if key not in expected]
    misshapen = [
        f"{key} {tuple(state[key].shape)} for {tuple(expected[key].shape)}"
        for key in in_body(expected)
        if key in state and state[key].shape != expected[key].shape
    ]
    faults = [
        f"{len(names)} {kind} ({', '.join(names[:_N_NAMED])}{', ...' * (len(names) > _N_NAMED)})"
        for kind, names in [
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", misshapen),
        ]
        if names
    ]
    if faults:
        raise BackboneError(
            f"{source} does not fit {network_name(network)}: parameters {'; '.join(faults)}; "
            "give weights of this network under timm's parameter names"
        )
    network.load_state_dict({key: state[key] for key in in_body(state)}, strict=False)


def _classifier_prefixes(network: Any) -> tuple[str, ...]:
    named = config_of(network).get("classifier") or ()
    names = (named,) if isinstance(named, str) else tuple(named)
    return tuple(f"{name}." for name in names)


def imagenet_network(name: str) -> Any:
    """Build a network with timm's pretrained weights, downloaded once by huggingface_hub.

    Only the safetensors file is ever asked for: the older formats run code when opened.

    Raises:
        BackboneError: timm has no such weights, or they can be neither found nor downloaded.
    """
    timm = require_timm()
    config = timm.get_pretrained_cfg(name, allow_unregistered=False)
    if config is None or not config.hf_hub_id:
        raise BackboneError(
            f"timm has no pretrained weights of {name}; give them with --weights FILE "
            "(.safetensors), or take --weights random"
        )
    path = _downloaded(name, config.hf_hub_id, config.hf_hub_filename or "model.safetensors")
    overlay = {"file": str(path)}
    try:
        network = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay)
    except Exception as error:  # a damaged download surfaces as one of many classes
        raise BackboneError(
            f"cannot use the downloaded weights {path}: {str(error)[:200]}; delete the file to "
            "download it again, or give weights with --weights FILE"
        ) from error
    return prepared(network)


def _downloaded(name: str, repository: str, filename: str) -> Path:
    import huggingface_hub
    from huggingface_hub import constants

    if not filename.endswith(".safetensors"):
        filename = "model.safetensors"
    cached = huggingface_hub.try_to_load_from_cache(repository, filename)
    if isinstance(cached, str):
        return Path(cached)
    try:
        if not constants.HF_HUB_OFFLINE:
            _probe(constants.ENDPOINT)
        return Path(huggingface_hub.hf_hub_download(repository, filename))
    except Exception as error:  # urllib, httpx and huggingface_hub raise unrelated classes
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise BackboneError(
            f"cannot download the ImageNet weights of {name} ({repository}): {reason}; without a "
            "network give them with --weights FILE (.safetensors)"
        ) from error


def _probe(url: str) -> None:
    """Ask the server for anything: its own client would retry for a minute without a network."""
    if not url.startswith(("https://", "http://")):
        raise BackboneError(f"HF_ENDPOINT is {url}; it must be an http(s) address")
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(request, timeout=PROBE_TIMEOUT_S):  # noqa: S310
            pass
    except urllib.error.HTTPError as answer:
        answer.close()


def prepared(network: Any) -> Any:
    """Set evaluation mode and switch off in-place operations, frozen.

    An in-place activation would overwrite the output of the layer before it.
    """
    network.eval()
    for module in network.modules():
        if getattr(module, "inplace", False):
            module.inplace = False
    return network.requires_grad_(False)


def config_of(network: Any) -> Mapping[str, Any]:
    """Return timm's settings of the network: mean, std, classifier, input size."""
    return dict(getattr(network, "pretrained_cfg", None) or {})


def network_name(network: Any) -> str:
    """Return the architecture's name in timm."""
    return str(config_of(network).get("architecture") or type(network).__name__)


def normalisation_of(network: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return (mean, std) from timm's settings; ImageNet's where absent."""
    config = config_of(network)
    mean, std = config.get("mean") or IMAGENET_MEAN, config.get("std") or IMAGENET_STD
    return tuple(float(value) for value in mean), tuple(float(value) for value in std)
