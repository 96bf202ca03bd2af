"""Model files that are damaged, foreign, hostile or newer: refused with a cure."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecglens.errors import ModelFileError
from ecglens.models import load_model
from tests.cli.collection import Outcome, Program

Judge = Callable[[bytes], Outcome]
Members = dict[str, bytes]


@pytest.fixture
def judge(ecglens: Program, collection: Path, tmp_path: Path) -> Judge:
    """Predict with bytes as the model file."""

    def run(data: bytes) -> Outcome:
        path = tmp_path / "bad.ecglens"
        path.write_bytes(data)
        done = ecglens("predict", collection / "s00", "--model", path, "--json")
        if done.code:
            assert done.out == ""
            assert str(path) in done.error
        return done

    return run


@pytest.fixture
def members(model: Path) -> Members:
    return unpacked(model.read_bytes())


def unpacked(data: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def rehashed(members: Members, **manifest: Any) -> Members:
    """Return the members with a manifest that is right about them, or changed on purpose."""
    table = json.loads(members["manifest.json"])
    table["sha256"] = {
        name: hashlib.sha256(data).hexdigest()
        for name, data in members.items()
        if name != "manifest.json"
    }
    return {**members, "manifest.json": json.dumps(table | manifest).encode()}


def test_the_helpers_leave_a_model_whole(judge: Judge, members: Members) -> None:
    assert judge(packed(rehashed(members))).code == 0


def test_no_such_file(ecglens: Program, collection: Path, tmp_path: Path) -> None:
    done = ecglens("predict", collection, "--model", tmp_path / "none")
    assert done.code == 7
    assert done.error.startswith("no such model file: ")
    assert "make one with 'ecglens train'" in done.error


def test_cut_short_anywhere(judge: Judge, model: Path) -> None:
    whole = model.read_bytes()
    sizes = {0, 1, 4, len(whole) - 1, len(whole) - 23, *np.linspace(5, len(whole) - 2, 25)}
    for size in sorted(int(size) for size in sizes):
        done = judge(whole[:size])
        assert done.code == 7, size
        assert "is not an ecglens model; make one with 'ecglens train'" in done.error


def test_one_byte_wrong(model: Path, tmp_path: Path) -> None:
    # Members are under a checksum and a hash; the rest is the zip's own book-keeping, where a
    # wrong byte may also do no harm (dates, say).
    whole = model.read_bytes()
    path = tmp_path / "bad.ecglens"
    directory = whole.index(b"PK\x01\x02")
    members_at = np.linspace(60, directory - 1, 20).astype(int).tolist()
    refused = 0
    places = [*range(45), *members_at, *range(directory, len(whole), 3)]
    for at in places:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        if is_refused(path):
            refused += 1
        else:
            assert at not in members_at
    assert refused > len(places) / 2


def is_refused(path: Path) -> bool:
    try:
        load_model(path)
    except ModelFileError:
        return True
    return False


@pytest.mark.parametrize(
    "data",
    [b"hello", b"\x80\x04\x95", packed({}), packed({"readme.txt": b"hello"}), b"PK\x05\x06" * 9],
    ids=["text", "pickle", "empty zip", "foreign zip", "almost a zip"],
)
def test_a_file_of_another_kind(judge: Judge, data: bytes) -> None:
    done = judge(data)
    assert done.code == 7
    assert "is not an ecglens model; make one with 'ecglens train'" in done.error


class _Trap:
    """Fails the test when a pickle of it is opened."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return pytest.fail, ("a pickle was opened",)


def test_a_pickle_inside_is_never_opened(judge: Judge, members: Members) -> None:
    trap = pickle.dumps(_Trap())
    more = judge(packed({**members, "head.pkl": trap}))
    assert more.code == 7
    assert "is not an ecglens model" in more.error
    assert "members are manifest.json, backbone.onnx, head.skops, distance_" in more.error
    assert "head.pkl)" in more.error
    instead = judge(packed(rehashed({**members, "head.skops": trap})))
    assert instead.code == 7
    assert "its head is damaged" in instead.error
    assert "train or copy it again" in instead.error


def test_compressed_members(judge: Judge, members: Members) -> None:
    done = judge(packed(members, zipfile.ZIP_DEFLATED))
    assert done.code == 7
    assert "(its members are compressed)" in done.error
    head = packed(unpacked(members["head.skops"]), zipfile.ZIP_DEFLATED)
    done = judge(packed(rehashed({**members, "head.skops": head})))
    assert done.code == 7
    assert "its head is compressed" in done.error


@pytest.mark.parametrize("name", ["backbone.onnx", "head.skops", "distance_axes.npy"])
def test_a_wrong_hash(judge: Judge, members: Members, name: str) -> None:
    done = judge(packed({**members, name: members[name] + b"\0"}))
    assert done.code == 7
    assert f"{name} does not have the hash its manifest gives; train or copy it again" in done.error


def test_no_hash_at_all(judge: Judge, members: Members) -> None:
    for hashes in ({}, [], None):
        assert "does not have the hash" in judge(packed(rehashed(members, sha256=hashes))).error


@pytest.mark.parametrize(
    ("versions", "said"),
    [({"ecglens": "9.1"}, "ecglens 9.1"), ([], "ecglens of an unknown version")],
)
def test_a_newer_schema(judge: Judge, members: Members, versions: object, said: str) -> None:
    done = judge(packed(rehashed(members, schema=3, versions=versions)))
    assert done.code == 7
    assert f"was saved by {said} with schema 3; this program reads schemas up to 2" in done.error
    assert done.error.endswith("upgrade ecglens")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": ["A", "B", "C"]}, "its rules are not for its classes"),
        ({"classes": 3}, "is damaged"),
        ({"fs": "fast"}, "is damaged"),
        ({"card": 1}, "is damaged"),
        ({"recipe": {"name": "x"}}, "is damaged: a recipe setting is missing"),
        ({"recipe": {"nam": "x"}}, "unknown recipe setting 'nam'; did you mean 'name'?"),
        ({"format": "other"}, "its manifest is of another kind"),
    ],
)
def test_a_manifest_that_is_wrong(
    judge: Judge, members: Members, change: dict[str, Any], message: str
) -> None:
    done = judge(packed(rehashed(members, **change)))
    assert done.code == 7
    assert message in done.error


@pytest.mark.parametrize("text", [b"[]", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_manifest_that_is_none(judge: Judge, members: Members, text: bytes) -> None:
    done = judge(packed({**members, "manifest.json": text}))
    assert done.code == 7
    assert "is not an ecglens model" in done.error


def test_a_head_of_types_that_are_not_trusted(judge: Judge, members: Members) -> None:
    head = unpacked(members["head.skops"])
    schema = head["schema.json"].replace(b'"ecglens.heads"', b'"subprocess"', 1)
    schema = schema.replace(b'"MemorySVC"', b'"Popen"', 1)
    assert schema != head["schema.json"]
    done = judge(
        packed(rehashed({**members, "head.skops": packed({**head, "schema.json": schema})}))
    )
    assert done.code == 7
    assert "holds types that ecglens does not trust: subprocess.Popen" in done.error


@pytest.mark.parametrize("schema", [b"{}", b"[]", b"null", b'{"__class__": 1, "__loader__": "x"}'])
def test_a_head_without_a_sense(judge: Judge, members: Members, schema: bytes) -> None:
    head = {**unpacked(members["head.skops"]), "schema.json": schema}
    done = judge(packed(rehashed({**members, "head.skops": packed(head)})))
    assert done.code == 7
    assert "head" in done.error


def test_a_head_that_is_no_classifier(judge: Judge, members: Members) -> None:
    import skops.io
    from sklearn.preprocessing import StandardScaler

    done = judge(packed(rehashed({**members, "head.skops": skops.io.dumps(StandardScaler())})))
    assert done.code == 7
    assert "its head is a StandardScaler, not a classifier; train it again" in done.error


def test_arrays_in_the_head_that_are_damaged(judge: Judge, members: Members) -> None:
    head = unpacked(members["head.skops"])
    for name in [name for name in head if name.endswith(".npy")][:3]:
        broken = {**head, name: head[name][:20] + b"(" + head[name][21:]}
        done = judge(packed(rehashed({**members, "head.skops": packed(broken)})))
        assert done.code == 7
        assert "train or copy it again" in done.error


def test_a_network_that_is_none(judge: Judge, members: Members) -> None:
    done = judge(packed(rehashed({**members, "backbone.onnx": b"hello"})))
    assert done.code == 7
    assert "backbone.onnx" in done.error
    assert "train or copy it again" in done.error
