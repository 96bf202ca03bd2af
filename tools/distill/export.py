"""A taught student to the ONNX file and the card that the package ships."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ecglens.backbones import onnx_graph
from ecglens.backbones.backbone import IMAGENET_MEAN, IMAGENET_STD, sha256_of
from ecglens.backbones.timm_convert import OPSET
from ecglens.files import write_atomically, write_json
from tools.distill.students import LAYERS, Student
from tools.distill.training import Scaling


class Shipped(nn.Module):
    """A student whose layers have the teacher's own means and deviations.

    ``norm5`` of the teacher ends in a ReLU, so here it does too.
    """

    def __init__(self, student: Student, scaling: Scaling) -> None:
        super().__init__()
        self.student = student
        with torch.no_grad():
            for i, head in enumerate(student.heads):
                deviation, mean = scaling.deviations[i], scaling.means[i]
                head.weight.mul_(deviation[:, None, None, None])
                head.bias.mul_(deviation).add_(mean)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the layers' maps."""
        *layers, last = self.student(images)
        return (*layers, torch.relu(last))


def to_onnx(student: Student, scaling: Scaling, name: str) -> bytes:
    """Return the network as ONNX with free batch and image sizes, batch norms folded."""
    network = Shipped(student.cpu().eval(), scaling).eval()
    file = io.BytesIO()
    axes = {0: "n", 2: "height", 3: "width"}
    # As in ecglens.backbones.timm_convert, by the exporter that keeps the graph plain.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, 128, 128),),
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=["images"],
            output_names=list(LAYERS),
            dynamic_axes={"images": axes, **{layer: {0: "n"} for layer in LAYERS}},
        )
    model = onnx_graph.parse_onnx(file.getvalue(), name)
    _rename(model)
    metadata = onnx_graph.describe(
        name=name, weights="distilled", mean=IMAGENET_MEAN, std=IMAGENET_STD
    )
    return onnx_graph.serialize(model, metadata)


def _rename(model: Any) -> None:
    """Free the outputs' sizes and drop what the exporter says of itself."""
    model.producer_name, model.producer_version = "ecglens", ""
    for node in model.graph.node:
        node.doc_string = ""
    for output in model.graph.output:
        for dimension in output.type.tensor_type.shape.dim[2:]:
            dimension.Clear()


def write_backbone(onnx: bytes, card: dict[str, Any], folder: Path, name: str) -> Path:
    """Write ``<name>.onnx`` and its card ``<name>.json`` with the hash; return the first."""
    path = folder / f"{name}.onnx"
    write_atomically(path, lambda file: file.write(onnx))
    write_json(path.with_suffix(".json"), {**card, "sha256": sha256_of(onnx), "bytes": len(onnx)})
    return path
