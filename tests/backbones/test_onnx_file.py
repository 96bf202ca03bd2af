from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.tiny_onnx import make_tiny_onnx

from ecglens.backbones import Backbone, Layer, backbone_from_onnx, load_backbone, onnx_graph
from ecglens.errors import BackboneError, UsageError


def edited(path: Path, edit: Callable[[onnx.ModelProto], object]) -> Path:
    model = onnx.load(path)
    edit(model)
    path.write_bytes(model.SerializeToString())
    return path


def set_input(*sizes: int, kind: int = TensorProto.FLOAT) -> Callable[[onnx.ModelProto], object]:
    def edit(model: onnx.ModelProto) -> None:
        value = helper.make_tensor_value_info("images", kind, list(sizes))
        model.graph.input[0].CopyFrom(value)

    return edit


def add_metadata(**entries: str) -> Callable[[onnx.ModelProto], object]:
    def edit(model: onnx.ModelProto) -> None:
        for key, value in entries.items():
            model.metadata_props.add(key=f"ecglens.{key}", value=value)

    return edit


def test_layers_and_settings(tiny: Backbone, tiny_path: Path) -> None:
    assert tiny.layers == (
        Layer("stage1", 4, 16, 24),
        Layer("stage2", 6, 8, 12),
        Layer("stage3", 8, 4, 6),
    )
    assert (tiny.name, tiny.weights) == ("tiny", "file:tiny.onnx")
    assert tiny.image_size == (32, 48)
    assert tiny.mean == (0.485, 0.456, 0.406)
    assert tiny.std == (0.229, 0.224, 0.225)
    assert load_backbone(str(tiny_path), image_size=(32, 48)) == tiny


def test_the_hash_tells_weights_and_image_sizes_apart(tmp_path: Path) -> None:
    first, second = (make_tiny_onnx(tmp_path / f"{seed}.onnx", seed) for seed in (0, 1))
    hashes = [
        load_backbone(first).sha256,
        load_backbone(first, image_size=(64, 64)).sha256,
        load_backbone(second).sha256,
    ]
    assert len(set(hashes)) == 3


def test_a_fixed_size_in_the_file_wins(tmp_path: Path) -> None:
    path = make_tiny_onnx(tmp_path / "fixed.onnx", image_size=(40, 24))
    assert load_backbone(path, image_size=(128, 128)).image_size == (40, 24)


def test_bytes_and_saved_copies_give_the_same_backbone(tiny: Backbone, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere.onnx"
    copy.write_bytes(tiny.onnx)
    assert load_backbone(copy, image_size=(64, 64)) == tiny
    again = backbone_from_onnx(tiny.onnx)
    assert again == tiny
    assert again.onnx == tiny.onnx


def test_the_bytes_stay_out_of_the_representation(tiny: Backbone) -> None:
    assert len(repr(tiny)) < 500


def test_normalisation_from_metadata(tiny_path: Path) -> None:
    edited(tiny_path, add_metadata(mean="[0.5, 0.5, 0.5]", std="[0.5, 0.25, 1]"))
    backbone = load_backbone(tiny_path)
    assert backbone.mean == (0.5, 0.5, 0.5)
    assert backbone.std == (0.5, 0.25, 1.0)


@pytest.mark.parametrize("std", ["[0.5, 0, 1]", "[1, 1]", "one", "[1, 1, NaN]", '{"a": 1}'])
def test_bad_normalisation(tiny_path: Path, std: str) -> None:
    edited(tiny_path, add_metadata(mean="[0.5, 0.5, 0.5]", std=std))
    with pytest.raises(BackboneError, match=r"ecglens.std is .*must be three numbers"):
        load_backbone(tiny_path)


def test_intermediate_maps_become_layers_and_logits_do_not(tmp_path: Path) -> None:
    """Norm, activation, sum, SiLU and pool are layers; convolutions, gates and logits are not."""
    rng = np.random.default_rng(0)
    weight = numpy_helper.from_array(rng.normal(size=(3, 3, 3, 3)).astype(np.float32), "w")
    ones = [numpy_helper.from_array(np.ones(3, dtype=np.float32), name) for name in "abcd"]
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["conv", *"abcd"], ["norm"]),
        helper.make_node("Sigmoid", ["norm"], ["sigmoid"]),
        helper.make_node("Mul", ["norm", "sigmoid"], ["silu"]),
        helper.make_node("GlobalAveragePool", ["silu"], ["squeezed"]),
        helper.make_node("Relu", ["squeezed"], ["excited"]),
        helper.make_node("Mul", ["silu", "excited"], ["scaled"]),
        helper.make_node("Add", ["scaled", "x"], ["sum"]),
        helper.make_node("MaxPool", ["sum"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["pool"], ["logits"]),
    ]
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", None])
    graph = helper.make_graph(nodes, "g", [image], [logits], [weight, *ones])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "many.onnx"
    path.write_bytes(model.SerializeToString())
    layers = load_backbone(path, image_size=(32, 32)).layers
    assert [layer.name for layer in layers] == ["norm", "silu", "sum", "pool"]
    assert layers[-1] == Layer("pool", 3, 16, 16)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (set_input(1, 1, 32, 32), r"sizes \[1, 1, 32, 32\].*three channels"),
        (set_input(1, 32, 32, 3), "three channels"),
        (set_input(3, 32, 32), "three channels"),
        (set_input(1, 3, 32, 32, kind=TensorProto.FLOAT16), "takes float32"),
        (lambda model: model.graph.ClearField("node"), "holds no graph"),
        (lambda model: model.graph.node[0].ClearField("input"), "not a usable ONNX model"),
        (
            lambda model: model.graph.input.append(
                helper.make_tensor_value_info("second", TensorProto.FLOAT, [1])
            ),
            "has the inputs images, second; a backbone takes one",
        ),
    ],
)
def test_foreign_models(
    tiny_path: Path, edit: Callable[[onnx.ModelProto], object], message: str
) -> None:
    with pytest.raises(BackboneError, match=message):
        load_backbone(edited(tiny_path, edit))


def test_weights_in_another_file(tiny_path: Path) -> None:
    def external(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="../secret.bin")

    with pytest.raises(BackboneError, match="keeps weights in another file"):
        load_backbone(edited(tiny_path, external))


def of_shape(*sizes: int) -> Callable[[onnx.ModelProto], None]:
    def edit(model: onnx.ModelProto) -> None:
        weight = model.graph.initializer[0]
        del weight.dims[:]
        weight.dims.extend(sizes)

    return edit


def in_a_node(model: onnx.ModelProto) -> None:
    """Move a weight into a constant and let it be of terabytes there."""
    of_shape(1 << 20, 1 << 20, 3, 3)(model)
    weight = model.graph.initializer.pop(0)
    model.graph.node.insert(0, helper.make_node("Constant", [], [weight.name], value=weight))


@pytest.mark.parametrize(
    ("edit", "shape"),
    [
        (of_shape(1 << 20, 1 << 20, 3, 3), "(1048576, 1048576, 3, 3)"),
        (of_shape(5, 3, 3, 3), "(5, 3, 3, 3)"),
        (of_shape(-1, 3, 3, 3), "(-1, 3, 3, 3)"),
        (in_a_node, "(1048576, 1048576, 3, 3)"),
    ],
)
def test_weights_of_more_than_the_file_holds(
    tiny_path: Path, edit: Callable[[onnx.ModelProto], object], shape: str
) -> None:
    """Some releases of onnx let them pass."""
    with pytest.raises(BackboneError, match=rf"not a usable .*has the shape {re.escape(shape)}"):
        load_backbone(edited(tiny_path, edit))


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(
    ("kind", "bits"), [(TensorProto.FLOAT, 32), (TensorProto.INT64, 64), (TensorProto.INT4, 4)]
)
@pytest.mark.parametrize("sizes", [(0,), (64,), (1, 8, 8), ()])
def test_weights_of_any_kind_pass(
    tiny_path: Path, kind: int, bits: int, raw: bool, sizes: tuple[int, ...]
) -> None:
    n = math.prod(sizes)
    zeros = bytes(math.ceil(n * bits / 8)) if raw else [0] * n
    tensor = helper.make_tensor("w", kind, sizes, zeros, raw=raw)
    model = onnx.load(tiny_path)
    model.graph.initializer.append(tensor)
    onnx_graph.parse_onnx(model.SerializeToString(), "here")


def test_a_graph_without_maps(tmp_path: Path) -> None:
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 16, 16])
    flat = helper.make_tensor_value_info("flat", TensorProto.FLOAT, ["n", None])
    node = helper.make_node("Flatten", ["x"], ["flat"])
    graph = helper.make_graph([node], "g", [image], [flat])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "flat.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BackboneError, match=r"flat\.onnx has no layer"):
        load_backbone(path)


@pytest.mark.parametrize("size", [0, 10, 500, -1])
def test_damaged_files(tiny_path: Path, size: int) -> None:
    data = tiny_path.read_bytes()
    tiny_path.write_bytes(data[:size] if size >= 0 else b"\x00" * len(data))
    with pytest.raises(BackboneError, match="not a usable ONNX model"):
        load_backbone(tiny_path)


def test_missing_and_too_large_files(
    tiny_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BackboneError, match=r"cannot read backbone .*absent.onnx: No such file"):
        load_backbone(tmp_path / "absent.onnx")
    monkeypatch.setattr(onnx_graph, "MAX_BYTES", 100)
    with pytest.raises(BackboneError, match="more than the 100 allowed"):
        load_backbone(tiny_path)


def test_foreign_bytes_are_no_backbone(tiny_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"has ecglens.format None, not '1'"):
        backbone_from_onnx(tiny_path.read_bytes(), "member backbone.onnx")


def test_an_onnx_file_takes_no_weights(tiny_path: Path) -> None:
    with pytest.raises(UsageError, match="brings its own weights; leave out weights=random"):
        load_backbone(tiny_path, weights="random")


def test_unknown_layer(tiny: Backbone) -> None:
    assert tiny.layer("stage2").channels == 6
    message = r"tiny has no layer 'stage22'; did you mean 'stage2'\? it has stage1, stage2, stage3"
    with pytest.raises(BackboneError, match=message + "; see all with `ecglens backbones tiny`"):
        tiny.layer("stage22")
