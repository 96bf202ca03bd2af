"""Teaching and export on a few small images; needs the extra ``distill`` (torch)."""

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs ecglens[distill]")
pytest.importorskip("safetensors", reason="needs ecglens[distill]")

import torch
from tools.distill import shards as shards_module
from tools.distill import training
from tools.distill.export import Shipped, to_onnx
from tools.distill.shards import ShardStore
from tools.distill.students import CANDIDATES, LAYERS
from tools.distill.training import Scaling, Schedule, Teaching, normalised

from ecglens.backbones import backbone_from_onnx, make_engine, onnx_graph
from ecglens.backbones.backbone import IMAGENET_MEAN, IMAGENET_STD

pytestmark = pytest.mark.slow  # imports torch

SIZE = 32
N = 32
CHANNELS = list(LAYERS.values())
SCHEDULE = Schedule(n_shards=3, n_judge=1, epochs=3, general=1, batch=16)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small shards, and one thread: layers this small lose by more."""
    monkeypatch.setattr(training, "SHARD", N)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def store(tmp_path):
    """Shards whose targets are fixed linear functions of the pictures: something to learn."""
    store = ShardStore(tmp_path / "shards", SIZE, tuple(LAYERS), 0)
    store.folder.mkdir()
    rng = np.random.default_rng(0)
    mixing = [rng.normal(size=(channels, 3)) for channels in CHANNELS]
    for index in range(4):
        coarse = rng.integers(0, 256, (N, 3, 4, 4), dtype=np.uint8)
        store.save(index, "images", coarse.repeat(8, axis=2).repeat(8, axis=3))
        for name, matrix, side in zip(LAYERS, mixing, (4, 2, 1, 1), strict=True):
            pooled = coarse.reshape(N, 3, side, 4 // side, side, 4 // side).mean(axis=(3, 5))
            store.save(index, name, np.einsum("cd,ndhw->nchw", matrix, pooled / 255).astype("f2"))
    return store


def teaching(store, folder, schedule=SCHEDULE):
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    return Teaching(CANDIDATES["inverted-patch"](), store, schedule, "cpu", folder)


@pytest.mark.parametrize("name", CANDIDATES)
def test_candidates_make_the_teachers_shapes(name):
    layers = CANDIDATES[name]().eval()(torch.zeros(1, 3, 64, 96))
    shapes = [tuple(layer.shape) for layer in layers]
    sides = [(8, 12), (4, 6), (2, 3), (2, 3)]
    assert shapes == [(1, c, *side) for c, side in zip(CHANNELS, sides, strict=True)]


def test_a_student_learns(store, tmp_path):
    job = teaching(store, tmp_path / "job", Schedule(3, 1, epochs=12, general=0, batch=16))
    before = job.judge()
    job.run()
    after = job.judge()
    assert set(after) == {*LAYERS, *(f"{name}:mean" for name in LAYERS)}
    assert after["transition1"] > before["transition1"] + 0.2
    assert after["transition1"] > 0.1


def test_an_interrupted_run_ends_as_an_uninterrupted_one(store, tmp_path):
    whole = teaching(store, tmp_path / "whole")
    whole.run()
    steps = SCHEDULE.steps_before(2)

    class StoppedError(Exception):
        pass

    def stop(done, _total, _loss):
        if done > steps:
            raise StoppedError

    broken = teaching(store, tmp_path / "broken")
    with pytest.raises(StoppedError):
        broken.run(stop)
    resumed = teaching(store, tmp_path / "broken")
    assert resumed.epoch == 2
    resumed.run()
    for a, b in zip(
        whole.student.state_dict().values(), resumed.student.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b)


def test_another_schedule_does_not_go_on_in_the_same_folder(store, tmp_path):
    teaching(store, tmp_path / "job").run()
    other = Schedule(n_shards=3, n_judge=1, epochs=4, general=1, batch=16)
    with pytest.raises(SystemExit, match="holds another schedule's run"):
        teaching(store, tmp_path / "job", other)


def test_the_first_passes_leave_out_virtual_patients():
    schedule = Schedule(n_shards=32, general=2)
    kinds = [{shards_module.kind_of(i) for i in schedule.shards_of(epoch)} for epoch in (0, 1, 2)]
    assert kinds[0] == kinds[1] == {"signals", "pictures"}
    assert kinds[2] == {"signals", "pictures", "virtual"}


def test_the_learning_rate_rises_then_falls():
    schedule = Schedule(n_shards=1)
    rates = [schedule.rate_at(share) for share in (0.0, 0.05, 0.5, 0.999)]
    assert rates[0] < rates[1] > rates[2] > rates[3]


def test_what_is_shipped_computes_what_was_taught(store, tmp_path):
    job = teaching(store, tmp_path / "job")
    job.run()
    images, _ = store.load(0)
    job.student.eval()
    with torch.inference_mode():
        made = job.student(normalised(torch.from_numpy(images), "cpu"))
    expected = [
        layer.numpy() * job.scaling.deviations[i].numpy()[:, None, None]
        + job.scaling.means[i].numpy()[:, None, None]
        for i, layer in enumerate(made)
    ]
    expected[-1] = np.maximum(expected[-1], 0)
    backbone = sized(to_onnx(job.student, job.scaling, "ecglens-s"))
    maps = make_engine(backbone, list(LAYERS), precision="fp32").run(images.astype("f4") / 255)
    for name, layer in zip(LAYERS, expected, strict=True):
        scale = np.abs(layer).max()
        np.testing.assert_allclose(maps[name], layer, atol=1e-4 * scale)


def sized(data):
    model = onnx_graph.parse_onnx(data, "student")
    metadata = onnx_graph.metadata_of(model)
    onnx_graph.fix_image_size(model, (SIZE, SIZE))
    return backbone_from_onnx(onnx_graph.serialize(model, metadata))


def test_export_frees_sizes_folds_norms_and_says_nothing_of_this_machine():
    torch.manual_seed(0)
    ones = [torch.ones(c) for c in CHANNELS]
    data = to_onnx(CANDIDATES["inverted-patch"](), Scaling(ones, ones), "ecglens-s")
    model = onnx_graph.parse_onnx(data, "student")
    assert {node.op_type for node in model.graph.node} <= {"Conv", "Relu", "Add", "Identity"}
    assert not any(node.doc_string for node in model.graph.node)
    assert onnx_graph.sizes_of(onnx_graph.image_input(model, "student")) == [0, 3, 0, 0]
    metadata = onnx_graph.metadata_of(model)
    assert json.loads(metadata["mean"]) == list(IMAGENET_MEAN)
    assert json.loads(metadata["std"]) == list(IMAGENET_STD)


def test_scaling_goes_into_the_last_convolutions():
    torch.manual_seed(0)
    student = CANDIDATES["plain"]().eval()
    images = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        plain = student(images)[0]
    means, deviations = ([torch.full((c,), v) for c in CHANNELS] for v in (3.0, 2.0))
    with torch.inference_mode():
        shipped = Shipped(student, Scaling(means, deviations))(images)[0]
    torch.testing.assert_close(shipped, 2 * plain + 3, atol=1e-4, rtol=1e-4)
