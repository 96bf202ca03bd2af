"""The head of a model file: rebuilt from known types alone, and tried before it is trusted.

skops rebuilds scikit-learn's estimators from a description and arrays. None of that runs code from
the file, but native code of scikit-learn believes the arrays: indices that point elsewhere would
end the process, or read what they should not. So types with such indices are refused or checked.
"""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ecglens.errors import ModelFileError
from ecglens.lean_skops import import_skops
from ecglens.npy import check_header
from ecglens.threads import one_blas_core

# Types that skops does not trust by itself and that a calibrated head is made of. None of them
# runs anything when it is rebuilt.
TRUSTED_TYPES = (
    "ecglens.experts.ExpertPool",
    "ecglens.experts.ImagePCA",
    "ecglens.heads.MemorySVC",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._TemperatureScaling",
)
# Trees of nodes that name each other by number, which native code follows unchecked.
_NATIVE = (
    "sklearn.tree.",
    "sklearn.ensemble.",
    "sklearn.neighbors._kd_tree.",
    "sklearn.neighbors._ball_tree.",
)
_MAX_DESCRIPTION = 64 << 20
_KERNELS = ("linear", "poly", "rbf", "sigmoid")


def load_head(data: bytes, classes: Sequence[str], n_features: int, what: str) -> Any:
    """Rebuild the head of a model.

    Args:
        data: in the skops format, stored.
        classes: that it must tell apart, in order.
        n_features: length of the vectors that it will get.
        what: what to call the file in messages.

    Raises:
        ModelFileError: it is damaged, holds types that are not trusted, its arrays do not fit
            together, or it does not tell the classes apart.
    """
    refuse_untrusted(data, what)
    try:
        head = import_skops().loads(data, trusted=list(TRUSTED_TYPES))
        told_apart = [str(label) for label in getattr(head, "classes_", ())]
    except Exception as error:  # a damaged head surfaces as one of many classes
        raise ModelFileError(
            f"{what}: its head cannot be loaded: {error}; train or copy it again"
        ) from error
    if not hasattr(head, "predict_proba"):
        raise ModelFileError(
            f"{what}: its head is a {type(head).__name__}, not a classifier; train it again"
        )
    if told_apart != list(classes):
        raise ModelFileError(
            f"{what}: its head does not tell {', '.join(classes)} apart, as its manifest says; "
            "train or copy it again"
        )
    _try(head, n_features, len(classes), what)
    return head


def refuse_untrusted(data: bytes, what: str) -> None:
    """Look at a head before it is rebuilt.

    Raises:
        ModelFileError: it is damaged, compressed, or holds types that are not trusted.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_archive(archive, len(data), what)
            native = sorted(set(_native_types(json.loads(archive.read("schema.json")))))
            untrusted = set(import_skops().get_untrusted_types(data=data)) - set(TRUSTED_TYPES)
            if not (untrusted or native):
                _check_arrays(archive)
    except ModelFileError:
        raise
    except Exception as error:  # a damaged head surfaces as one of many classes
        raise ModelFileError(
            f"{what}: its head is damaged: {error}; train or copy it again"
        ) from error
    if untrusted or native:
        names = ", ".join([*sorted(untrusted), *native][:5])
        raise ModelFileError(
            f"{what} holds types that ecglens does not trust: {names}; "
            "use a scikit-learn classifier without trees"
        )


def _check_archive(archive: zipfile.ZipFile, size: int, what: str) -> None:
    """Refuse an archive that is not as ecglens writes it."""
    infos = archive.infolist()
    if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
        raise ModelFileError(f"{what}: its head is compressed, not as ecglens writes it")
    names = [info.filename for info in infos]
    if len(set(names)) != len(names):
        raise ModelFileError(f"{what}: its head has two members of one name; get it again")
    if sum(info.file_size for info in infos) > size:
        raise ModelFileError(f"{what}: its head promises more than it holds; get it again")
    if archive.getinfo("schema.json").file_size > _MAX_DESCRIPTION:
        raise ModelFileError(f"{what}: its head's description is over 64 MB; that is no head")


def _check_arrays(archive: zipfile.ZipFile) -> None:
    """Raise ValueError for arrays of objects, and for those that promise more than they hold."""
    for info in archive.infolist():
        if info.filename.endswith(".npy"):
            with archive.open(info) as file:
                check_header(file, info.file_size, kinds="biufUS", wanted="numbers or text")


def _native_types(node: Any) -> Iterator[str]:
    """Yield the types in a description whose arrays native code follows unchecked."""
    todo = [node]
    while todo:
        found = todo.pop()
        if isinstance(found, dict):
            name = f"{found.get('__module__')}.{found.get('__class__')}"
            if name.startswith(_NATIVE):
                yield name
            todo += found.values()
        elif isinstance(found, list):
            todo += found


def _try(head: Any, n_features: int, n_classes: int, what: str) -> None:
    """Check the arrays that native code gets, then judge two vectors."""
    try:
        taken = int(getattr(head, "n_features_in_", n_features))
        if taken != n_features:
            raise ValueError(f"it takes {taken} features, its recipe makes {n_features}")
        for part in _parts_of(head):
            _check_part(part)
        with warnings.catch_warnings(), np.errstate(all="ignore"), one_blas_core():
            warnings.simplefilter("ignore")
            p = np.asarray(head.predict_proba(np.zeros((2, n_features), dtype=np.float32)))
        if p.shape != (2, n_classes) or not np.isfinite(p).all():
            raise ValueError(f"it gives probabilities of shape {p.shape} that are {p.flat[:3]}")
    except Exception as error:  # parts that do not fit together surface as one of many classes
        raise ModelFileError(
            f"{what}: its head does not fit together: {error}; train or copy it again"
        ) from error


def _parts_of(head: Any) -> list[Any]:
    """Return the head and everything that it is made of, each once."""
    found: dict[int, Any] = {}
    todo = [head]
    while todo:
        part = todo.pop()
        if id(part) in found or isinstance(part, str | bytes | int | float | np.ndarray | None):
            continue
        found[id(part)] = part
        if isinstance(part, dict):
            todo += part.values()
        elif isinstance(part, list | tuple | set | frozenset):
            todo += part
        else:
            todo += getattr(part, "__dict__", {}).values()
    return list(found.values())


def _check_part(part: Any) -> None:
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm._base import BaseLibSVM

    if isinstance(part, BaseLibSVM) and hasattr(part, "support_vectors_"):
        _check_machine(part)
    elif isinstance(part, KNeighborsClassifier) and hasattr(part, "_fit_X"):
        _check_neighbours(part)


def _check_machine(machine: Any) -> None:
    """Check what libsvm believes of a support vector machine: counts and shapes."""
    vectors, counts = np.asarray(machine.support_vectors_), np.asarray(machine._n_support)
    n, n_classes = len(vectors), len(machine.classes_)
    pairs = n_classes * (n_classes - 1) // 2
    wanted = {
        "support_vectors_": (n, int(machine.n_features_in_)),
        "support_": (n,),
        "_n_support": (n_classes,),
        "_dual_coef_": (n_classes - 1, n),
        "dual_coef_": (n_classes - 1, n),
        "_intercept_": (pairs,),
        "intercept_": (pairs,),
    }
    for name, shape in wanted.items():
        found = np.shape(getattr(machine, name))
        if found != shape:
            raise ValueError(f"{name} of a support vector machine is {found}, not {shape}")
    probability = {np.shape(machine._probA), np.shape(machine._probB)}
    if len(probability) != 1 or not probability <= {(0,), (pairs,)}:
        raise ValueError("a support vector machine has probabilities of other pairs of classes")
    if counts.min() < 0 or int(counts.sum()) != n or machine._sparse:
        raise ValueError(f"a support vector machine has {n} support vectors, not {counts.tolist()}")
    if machine.kernel not in _KERNELS:
        raise ValueError(f"a support vector machine has the kernel {machine.kernel!r:.40}")


def _check_neighbours(head: Any) -> None:
    """Check that each neighbour has a class and that no tree is searched."""
    seen, member = np.asarray(head._fit_X), np.asarray(head._y)
    if head._fit_method != "brute" or getattr(head, "_tree", None) is not None:
        raise ValueError("nearest neighbours are searched in a tree")
    if seen.ndim != 2 or seen.shape != (len(member), int(head.n_features_in_)):
        raise ValueError(f"nearest neighbours have shape {seen.shape} and {member.shape} classes")
    if member.ndim != 1 or member.dtype.kind not in "iu" or not len(member):
        raise ValueError("nearest neighbours have no classes")
    if not 0 <= member.min() <= member.max() < len(head.classes_):
        raise ValueError("a nearest neighbour is of no class")
