"""Hostile model files, each with the reason for which it must be refused."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from robust_files import members_of, rehashed, zip_of

Members = Mapping[str, bytes]
_NETWORK, _HEAD, _MANIFEST = "backbone.onnx", "head.skops", "manifest.json"


class Hostile(NamedTuple):
    """A way to make a hostile file of a good model's members, and a pattern of the refusal."""

    make: Callable[[Members], bytes]
    reason: str


class _Trap:
    """A pickle of this would end the process when it is opened."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        import os

        return os._exit, (99,)


def _more(name: str, data: bytes = b"x") -> Callable[[Members], bytes]:
    return lambda members: zip_of({**members, name: data})


def _link(members: Members) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            if name == _HEAD:
                info.external_attr = 0o120777 << 16
            archive.writestr(info, b"/etc/passwd" if name == _HEAD else data)
    return buffer.getvalue()


def _twice(members: Members) -> bytes:
    buffer = io.BytesIO()
    import warnings

    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")  # of the name that comes again
        for name, data in [*members.items(), (_HEAD, b"other")]:
            archive.writestr(name, data)
    return buffer.getvalue()


def _encrypted(members: Members) -> bytes:
    data = bytearray(zip_of(members))
    at = data.index(b"PK\x01\x02")
    while at >= 0:
        data[at + 8] |= 1
        at = data.find(b"PK\x01\x02", at + 4)
    return bytes(data)


def _promising(members: Members) -> bytes:
    """Let the directory claim that each member has 3 GB."""
    data = bytearray(zip_of(members))
    at = data.index(b"PK\x01\x02")
    while at >= 0:
        data[at + 20 : at + 28] = (3 << 30).to_bytes(4, "little") * 2
        at = data.find(b"PK\x01\x02", at + 4)
    return bytes(data)


def _said(**manifest: Any) -> Callable[[Members], bytes]:
    return lambda members: rehashed(members, **manifest)


def _said_deep(*keys: str, value: Any) -> Callable[[Members], bytes]:
    """Put a value deep in the manifest."""

    def make(members: Members) -> bytes:
        table = json.loads(members[_MANIFEST])
        inner = table
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        return rehashed(members, **table)

    return make


def _manifest(text: bytes) -> Callable[[Members], bytes]:
    return lambda members: zip_of({**members, _MANIFEST: text})


def _member(name: str, data: bytes) -> Callable[[Members], bytes]:
    return lambda members: rehashed({**members, name: data})


def _head(change: Callable[[dict[str, bytes]], object]) -> Callable[[Members], bytes]:
    """Change the members of the head."""

    def make(members: Members) -> bytes:
        head = members_of(members[_HEAD])
        change(head)
        return rehashed({**members, _HEAD: zip_of(head)})

    return make


def _described(change: Callable[[str], str]) -> Callable[[Members], bytes]:
    def apply(head: dict[str, bytes]) -> None:
        head["schema.json"] = change(head["schema.json"].decode()).encode()

    return _head(apply)


def _array_of(
    attribute: str, change: Callable[[np.ndarray], np.ndarray]
) -> Callable[[Members], bytes]:
    """Change an array of the support vector machine, or of the machine that remembers."""

    def apply(head: dict[str, bytes]) -> None:
        name = _find(json.loads(head["schema.json"]), attribute)
        buffer = io.BytesIO()
        np.save(buffer, change(np.load(io.BytesIO(head[name]))))
        head[name] = buffer.getvalue()

    return _head(apply)


def _find(node: Any, attribute: str) -> str:
    """Return the member that holds an attribute's array."""
    if isinstance(node, dict):
        found = node.get(attribute)
        if isinstance(found, dict) and "file" in found:
            return str(found["file"])
        return next(filter(None, (_find(each, attribute) for each in node.values())), "")
    if isinstance(node, list):
        return next(filter(None, (_find(each, attribute) for each in node)), "")
    return ""


def _skops(make: Callable[[], object]) -> Callable[[Members], bytes]:
    """Put something else that skops can write in the place of the head."""

    def pack(members: Members) -> bytes:
        import skops.io

        return rehashed({**members, _HEAD: skops.io.dumps(make())})

    return pack


def _forest() -> object:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(2).fit(np.eye(4), ["N", "VF"] * 2)


def _graph(change: Callable[[Any], object]) -> Callable[[Members], bytes]:
    """Change the network."""

    def make(members: Members) -> bytes:
        import onnx

        model = onnx.load_model_from_string(members[_NETWORK])
        change(model)
        return rehashed({**members, _NETWORK: model.SerializeToString()})

    return make


def _outside(model: Any) -> None:
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = 1
    weight.external_data.add(key="location", value="/etc/passwd")


def _unknown(model: Any) -> None:
    model.graph.node[0].op_type = "RunShell"


def _huge_weight(model: Any) -> None:
    weight = model.graph.initializer[0]
    del weight.dims[:]
    weight.dims.extend([1 << 20, 1 << 20, 3, 3])


def _huge_layer(model: Any) -> None:
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 1 << 40


def _huge_image(model: Any) -> None:
    for dimension in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dimension.dim_value = 1 << 30


def _loop(model: Any) -> None:
    from onnx import helper

    body = helper.make_graph([], "body", [], [])
    node = helper.make_node("Loop", ["", ""], ["never"], body=body)
    model.graph.node.append(node)


_DEEP = b'{"a":' * 200_000
_UNTRUSTED = "types that ecglens does not trust"
_APART = "its head does not fit together"

HOSTILE: Mapping[str, Hostile] = {
    "a pickle beside the head": Hostile(_more("head.pkl", pickle.dumps(_Trap())), "members are"),
    "a pickle as the head": Hostile(_member(_HEAD, pickle.dumps(_Trap())), "head is damaged"),
    "a pickle as the file": Hostile(lambda _: pickle.dumps(_Trap()), "not an ecglens model"),
    "a name that leads up": Hostile(_more("../../evil.py"), r"members are .*\.\./\.\./evil\.py"),
    "an absolute name": Hostile(_more("/etc/cron.d/evil"), "members are .*/etc/cron.d/evil"),
    "a link as member": Hostile(_link, "head.skops does not have the hash"),
    "one name twice": Hostile(_twice, "members are .*head.skops"),
    "100,000 members": Hostile(
        lambda members: zip_of({**members, **{f"m{i}": b"" for i in range(100_000)}}), "members are"
    ),
    "compressed members": Hostile(
        lambda members: zip_of(members, zipfile.ZIP_DEFLATED), "members are compressed"
    ),
    "a zip bomb": Hostile(
        lambda members: zip_of({**members, _HEAD: bytes(100 << 20)}, zipfile.ZIP_DEFLATED),
        "members are compressed",
    ),
    "members of 3 GB in the directory": Hostile(_promising, "promise more than it holds|not an"),
    "members that claim to be encrypted": Hostile(_encrypted, "encrypted"),
    "half of a file": Hostile(lambda members: zip_of(members)[:20_000], "not an ecglens model"),
    "a wrong hash": Hostile(
        lambda members: zip_of({**members, _NETWORK: b"other"}), "onnx does not have the hash"
    ),
    "no hashes": Hostile(
        lambda members: zip_of(
            {**members, _MANIFEST: b'{"format": "ecglens-model", "schema": 2}'}
        ),
        "does not have the hash",
    ),
    "a newer schema": Hostile(_said(schema=99), "schema 99.*upgrade ecglens"),
    "a schema that is no number": Hostile(_said(schema="2"), "with schema 2"),
    "a deep manifest": Hostile(_manifest(_DEEP), "not an ecglens model"),
    "a manifest of a long number": Hostile(_manifest(b'{"schema": ' + b"9" * 9000 + b"}"), "4300"),
    "a manifest in UTF-16": Hostile(_manifest('{"format": 1}'.encode("utf-16")), "another kind"),
    "a rate of nothing": Hostile(_said(fs=float("nan")), "fs must be"),
    "a rate in words": Hostile(_said(fs="fast"), "fs must be a number"),
    "windows of a year": Hostile(_said(length_s=3e7), "length_s must be"),
    "classes of one name": Hostile(_said(classes=["N", "N"]), "classes must differ"),
    "classes that are numbers": Hostile(_said(classes=[1, 2]), "classes must be a list of names"),
    "a million classes": Hostile(
        _said(classes=[f"c{i}" for i in range(1_000_000)]), "not for its classes"
    ),
    "thresholds that are no numbers": Hostile(
        _said_deep("reject_rule", "thresholds", value=[float("nan")] * 2), "thresholds must be"
    ),
    "thresholds without end": Hostile(
        _said_deep("reject_rule", "thresholds", value=[float("inf")] * 2), "thresholds must be"
    ),
    "an unknown rule": Hostile(_said_deep("reject_rule", "shell", value="ls"), "unknown setting"),
    "an unknown recipe setting": Hostile(
        _said_deep("recipe", "run", value="ls"), "unknown recipe setting"
    ),
    "images of a terapixel": Hostile(
        _said_deep("recipe", "image", "height", value=1 << 20), "from 16 to 1024"
    ),
    "a card in words": Hostile(_said(card="trust me"), "card must be a table"),
    "people that are a number": Hostile(_said_deep("card", "subjects", value=5), "list of names"),
    "a card of infinities": Hostile(
        _said_deep("card", "accuracy", value=float("inf")), "card holds inf"
    ),
    "an evaluation in words": Hostile(
        _said_deep("card", "evaluation", value={"results": {"a": "good"}}), "must be an evaluation"
    ),
    "a type that is not trusted": Hostile(
        _described(lambda text: text.replace("sklearn.pipeline", "subprocess").replace(
            '"Pipeline"', '"Popen"')), "subprocess.Popen"
    ),
    "a function as a type": Hostile(
        _described(lambda text: text.replace("sklearn.pipeline", "os").replace(
            '"Pipeline"', '"system"')), "os.system"
    ),
    "a forest, whose trees could lead anywhere": Hostile(_skops(_forest), _UNTRUSTED),
    "a table as the head": Hostile(_skops(lambda: {"a": 1}), "is a dict, not a classifier"),
    "a deep description": Hostile(
        _head(lambda head: head.update({"schema.json": _DEEP})), "head is damaged"
    ),
    "a description of nothing": Hostile(
        _head(lambda head: head.pop("schema.json")), "head is damaged"
    ),
    "arrays of objects in the head": Hostile(
        _array_of("support_", lambda array: array.astype(object)), "object values|damaged"
    ),
    "counts of vectors that are not there": Hostile(
        _array_of("_n_support", lambda counts: counts + 1_000_000), _APART
    ),
    "negative counts of vectors": Hostile(
        _array_of("_n_support", lambda counts: counts * 0 + [-(1 << 20), 1 << 20]), _APART
    ),
    "one vector fewer": Hostile(_array_of("support_vectors_", lambda x: x[:-1]), _APART),
    "vectors of fewer features": Hostile(
        _array_of("support_vectors_", lambda x: np.ascontiguousarray(x[:, :-1])), _APART
    ),
    "weights of fewer vectors": Hostile(
        _array_of("_dual_coef_", lambda x: np.ascontiguousarray(x[:, :-1])), _APART
    ),
    "no intercept": Hostile(_array_of("_intercept_", lambda x: x[:0]), _APART),
    "a kernel of numbers given": Hostile(
        _described(lambda text: text.replace('"\\"rbf\\""', '"\\"precomputed\\""')), _APART
    ),
    "members of no class": Hostile(
        _array_of("memory_class_", lambda classes: classes + 1000), _APART
    ),
    "a memory of other features": Hostile(_array_of("memory_", lambda x: x[:, :-1]), _APART),
    "probabilities that are no numbers": Hostile(
        _array_of("scale_", lambda x: x * np.nan), _APART
    ),
    "weights in another file": Hostile(_graph(_outside), "keeps weights in another file"),
    "an unknown operation": Hostile(_graph(_unknown), "not a usable ONNX model"),
    "a weight of terabytes": Hostile(_graph(_huge_weight), "not a usable ONNX model"),
    "a layer of terabytes": Hostile(_graph(_huge_layer), "it takes 12 features, its recipe makes"),
    "an image of an exapixel": Hostile(_graph(_huge_image), "images are 32 x 48 but"),
    "a loop in the network": Hostile(_graph(_loop), "without loops"),
    "a network that is none": Hostile(_member(_NETWORK, b"\x08\x08"), "not a usable ONNX model"),
    "a distance of another space": Hostile(
        lambda members: rehashed({**members, "distance_axes.npy": _npy(np.ones((3, 2))),
                                  "distance_centres.npy": _npy(np.ones((2, 2)))}),
        "its distance is of 3 features",
    ),
    "a distance of terabytes": Hostile(
        _member("distance_axes.npy", b"\x93NUMPY\1\0v\0" + str(
            {"descr": "<f8", "fortran_order": False, "shape": (1 << 20, 1 << 20)}
        ).encode().ljust(117) + b"\n"), "declares an array of shape"
    ),
}  # fmt: skip


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
