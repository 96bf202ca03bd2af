from __future__ import annotations

import weakref
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import openvino
import pytest
from onnx.reference import ReferenceEvaluator
from tests.tiny_onnx import TINY_LAYERS

from ecglens.backbones import (
    Backbone,
    backbone_from_onnx,
    load_backbone,
    make_engine,
    openvino_engine,
)
from ecglens.backbones.backbone import Layer
from ecglens.errors import BackboneError, UsageError

Images = npt.NDArray[np.float32]


def reference(backbone: Backbone, images: Images) -> dict[str, npt.NDArray[np.float32]]:
    """Evaluate the graph by onnx's own slow and independent evaluator."""
    mean = np.array(backbone.mean, dtype=np.float32).reshape(1, 3, 1, 1)
    std = np.array(backbone.std, dtype=np.float32).reshape(1, 3, 1, 1)
    evaluator = ReferenceEvaluator(onnx.load_model_from_string(backbone.onnx))
    outputs = evaluator.run(None, {"images": (images - mean) / std})
    return dict(zip(TINY_LAYERS, outputs, strict=True))


def has_bf16() -> bool:
    return openvino_engine.has_bf16(openvino.Core())


def test_maps_agree_with_the_reference(tiny: Backbone, images: Images) -> None:
    engine = make_engine(tiny, TINY_LAYERS, precision="fp32")
    expected = reference(tiny, images)
    for name, maps in engine.run(images).items():
        assert maps.dtype == np.float32
        np.testing.assert_allclose(maps, expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not has_bf16(), reason="this processor has no bf16")
def test_bf16_is_close_and_chosen_by_itself(tiny: Backbone, images: Images) -> None:
    engine = make_engine(tiny, ["stage3"])
    assert engine.precision == "bf16"
    maps, expected = engine.run(images)["stage3"], reference(tiny, images)["stage3"]
    assert np.linalg.norm(maps - expected) < 0.01 * np.linalg.norm(expected)


@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_a_window_does_not_depend_on_its_neighbours(
    tiny: Backbone, images: Images, precision: str
) -> None:
    """Bitwise, over positions in the batch, neighbours and calls."""
    engine = make_engine(tiny, TINY_LAYERS, precision=precision, batch_size=4)
    together = engine.run(images)
    order = np.random.default_rng(0).permutation(len(images))
    shuffled = engine.run(images[order])
    alone = engine.run(images[7:8])
    for name in TINY_LAYERS:
        np.testing.assert_array_equal(shuffled[name], together[name][order])
        np.testing.assert_array_equal(alone[name], together[name][7:8])


def test_batch_size_and_threads_change_no_feature(tiny: Backbone, images: Images) -> None:
    expected = make_engine(tiny, ["stage3"], precision="fp32").run(images)["stage3"]
    for batch_size, threads in ((1, 1), (3, 2), (32, None)):
        engine = make_engine(
            tiny, ["stage3"], precision="fp32", batch_size=batch_size, threads=threads
        )
        assert engine.batch_size == batch_size
        maps = engine.run(images)["stage3"]
        np.testing.assert_allclose(maps, expected, rtol=1e-5, atol=1e-6)


def test_the_network_is_cut_behind_the_deepest_layer(tiny: Backbone) -> None:
    def convolutions(*names: str) -> int:
        layers = [tiny.layer(name) for name in names]
        model = openvino_engine.cut_model(openvino.Core(), tiny, layers)
        return sum(op.get_type_name() == "Convolution" for op in model.get_ops())

    assert convolutions("stage1") == 1
    assert convolutions("stage2", "stage1") == 2
    assert convolutions("stage3") == 3


def test_a_small_network_is_given_more_images_at_once(
    tiny: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert make_engine(tiny, ["stage3"]).batch_size == openvino_engine.LARGEST_BATCH
    monkeypatch.setattr(openvino_engine, "WORTHWHILE", 1)
    assert make_engine(tiny, ["stage3"], precision="fp32").batch_size == 8


def test_how_many_images_a_request_holds() -> None:
    densenet121, small = 900_000_000, 60_000_000
    assert openvino_engine.best_batch(densenet121, "bf16") == 2
    assert openvino_engine.best_batch(densenet121, "fp32") == 8
    assert openvino_engine.best_batch(small, "bf16") == 8


def test_layers_come_in_the_order_asked_for(tiny: Backbone, images: Images) -> None:
    engine = make_engine(tiny, ["stage3", "stage1", "stage3"], precision="fp32")
    assert engine.layers == ("stage3", "stage1")
    maps = engine.run(images)
    assert list(maps) == ["stage3", "stage1"]
    assert maps["stage1"].shape == (11, 4, 16, 24)


def test_no_images_give_no_maps(tiny: Backbone, images: Images) -> None:
    assert make_engine(tiny, ["stage2"]).run(images[:0])["stage2"].shape == (0, 6, 8, 12)


def test_images_are_read_and_left_alone(tiny: Backbone, images: Images) -> None:
    before = images.copy()
    engine = make_engine(tiny, ["stage2"], precision="fp32")
    maps = engine.run(images)["stage2"]
    np.testing.assert_array_equal(images, before)
    strided = np.asfortranarray(images.astype(np.float64))
    np.testing.assert_array_equal(engine.run(strided)["stage2"], maps)


def test_images_of_another_size(tiny: Backbone) -> None:
    engine = make_engine(tiny, ["stage2"])
    with pytest.raises(UsageError, match=r"images for tiny must be \(n, 3, 32, 48\), got \(2, 3"):
        engine.run(np.zeros((2, 3, 32, 32), dtype=np.float32))
    gray = make_engine(tiny, ["stage2"], gray=True)
    with pytest.raises(UsageError, match=r"images for tiny must be \(n, 1, 32, 48\), got \(2, 3"):
        gray.run(np.zeros((2, 3, 32, 48), dtype=np.float32))


@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_a_gray_image_is_three_equal_channels(
    tiny: Backbone, images: Images, precision: str
) -> None:
    three = make_engine(tiny, TINY_LAYERS, precision=precision)
    one = make_engine(tiny, TINY_LAYERS, precision=precision, gray=True)
    expected = three.run(np.repeat(images[:, :1], 3, axis=1))
    # Its first convolution sums the three channels beforehand, which rounds differently.
    tolerance = 1e-5 if one.precision == "fp32" else 0.03
    for name, maps in one.run(images[:, :1]).items():
        within = tolerance * np.abs(expected[name]).max()
        np.testing.assert_allclose(maps, expected[name], rtol=0, atol=within)


def test_a_gray_image_needs_a_first_convolution_of_one_channel(tiny: Backbone) -> None:
    core = openvino.Core()
    model = openvino_engine.cut_model(core, tiny, [tiny.layer("stage2")], gray=True)
    weights = {tuple(op.input(1).get_shape())[1] for op in _convolutions_of_images(model)}
    assert weights == {1}


def test_the_first_convolution_of_a_gray_image_may_be_a_layer(
    images: Images, tmp_path: Path
) -> None:
    kernel = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    sizes = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    nodes = [
        onnx.helper.make_node("Conv", ["images", "kernel"], ["first"], **sizes),
        onnx.helper.make_node("Relu", ["first"], ["second"]),
    ]
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "two",
        [value("images", onnx.TensorProto.FLOAT, ["n", *images.shape[1:]])],
        [value(name, onnx.TensorProto.FLOAT, ["n", 4, None, None]) for name in ("first", "second")],
        [onnx.numpy_helper.from_array(kernel, "kernel")],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.save(model, tmp_path / "two.onnx")
    two = load_backbone(str(tmp_path / "two.onnx"), image_size=images.shape[2:])
    three = make_engine(two, ["first", "second"], precision="fp32")
    expected = three.run(np.repeat(images[:, :1], 3, axis=1))
    one = make_engine(two, ["first", "second"], precision="fp32", gray=True)
    for name, maps in one.run(images[:, :1]).items():
        np.testing.assert_allclose(maps, expected[name], rtol=1e-4, atol=1e-4)


def _convolutions_of_images(model: openvino.Model) -> list[openvino.Node]:
    (images,) = model.get_parameters()
    return [target.get_node() for target in images.output(0).get_target_inputs()]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "openvivo"}, r"unknown engine 'openvivo'; did you mean 'openvino'\?"),
        ({"device": "cuda"}, "unknown device of engine openvino 'cuda'; choose cpu"),
        ({"engine": "torch", "device": "cudu"}, r"did you mean 'cuda'\? choose cpu or cuda"),
        ({"precision": "fp16"}, "unknown precision 'fp16'"),
        ({"threads": 0}, "threads must be 1 or more, got 0"),
        ({"batch_size": -1}, "batch_size must be 1 or more, got -1"),
    ],
)
def test_unknown_options(tiny: Backbone, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_engine(tiny, ["stage1"], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("layers", [[], "stage1"])
def test_layers_must_be_a_list(tiny: Backbone, layers: list[str]) -> None:
    with pytest.raises(UsageError, match="must be a list of one or more layer names"):
        make_engine(tiny, layers)


def test_unknown_layer(tiny: Backbone) -> None:
    with pytest.raises(BackboneError, match="tiny has no layer 'norm5'"):
        make_engine(tiny, ["norm5"])


def test_bf16_where_there_is_none(tiny: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_engine, "has_bf16", lambda _core: False)
    assert make_engine(tiny, ["stage1"]).precision == "fp32"
    with pytest.raises(BackboneError, match="this processor cannot compute in bf16; take --prec"):
        make_engine(tiny, ["stage1"], precision="bf16")


def test_a_network_that_lies_about_its_maps(tiny: Backbone) -> None:
    layers = [Layer("stage1", 4, 99, 24)]
    with pytest.raises(BackboneError, match=r"tiny is damaged: layer stage1 makes maps of sizes"):
        openvino_engine.OpenVinoEngine(tiny, layers, "fp32", None, None, False)


def test_a_batch_size_fixed_in_the_file_is_kept(tiny: Backbone, images: Images) -> None:
    model = onnx.load_model_from_string(tiny.onnx)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    fixed = backbone_from_onnx(model.SerializeToString())
    engine = make_engine(fixed, ["stage3"], precision="fp32", batch_size=8)
    assert engine.batch_size == 1
    expected = make_engine(tiny, ["stage3"], precision="fp32").run(images)["stage3"]
    np.testing.assert_allclose(engine.run(images)["stage3"], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow  # imports torch
def test_an_onnx_file_does_not_run_on_torch(tiny: Backbone) -> None:
    pytest.importorskip("timm", reason="needs ecglens[timm]")
    with pytest.raises(BackboneError, match="only timm networks run on torch; take --engine open"):
        make_engine(tiny, ["stage1"], engine="torch")


def test_an_engine_and_its_results_are_let_go(tiny: Backbone, images: Images) -> None:
    engine = make_engine(tiny, ["stage3"])
    maps = engine.run(images)["stage3"]
    watched = [weakref.ref(maps), weakref.ref(engine)]
    del maps
    assert watched[0]() is None
    del engine
    assert watched[1]() is None


@pytest.mark.parametrize("what", ["Core", "AsyncInferQueue"])
def test_no_memory_while_an_engine_is_made(
    tiny: Backbone, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("Exception from allocator.cpp:79:\nstd::bad_alloc\n\n")

    monkeypatch.setattr(f"openvino.{what}", fail)
    with pytest.raises(MemoryError, match="OpenVINO has no memory to run tiny"):
        make_engine(tiny, ["stage3"])


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ("Exception from plugin:\nstd::bad_alloc", MemoryError, "has no memory to run tiny"),
        ("Exception from plugin:\ncannot allocate 4 GB", MemoryError, "cannot allocate 4 GB"),
        ("can't alloc", MemoryError, "has no memory to run tiny"),
        ("Resource temporarily unavailable", MemoryError, "has no memory to run tiny"),
        ("Exception from plugin:\nodd layer", BackboneError, "OpenVINO cannot run tiny: odd layer"),
    ],
)
def test_what_openvino_says_while_it_runs_is_told(
    tiny: Backbone, images: Images, said: str, error: type[Exception], words: str
) -> None:
    class Failing:
        def start_async(self, *_: object, **__: object) -> None:
            raise RuntimeError(said)

    engine = make_engine(tiny, ["stage3"])
    engine._queue = Failing()
    with pytest.raises(error, match=words):
        engine.run(images)
