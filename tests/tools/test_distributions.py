"""What is said of the files of a wheel and an sdist, and what the workflow may do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tools.distributions import METADATA, SDIST_TOPS, package_files, sdist_faults, wheel_faults

ROOT = Path(__file__).parents[2]
PACKAGE = {"ecglens/__init__.py", "ecglens/label_maps/rhythm4.toml"}
WHEEL = PACKAGE | {f"ecglens-1.dist-info/{name}" for name in METADATA}
SDIST = {f"ecglens-1/src/{name}" for name in PACKAGE} | {
    f"ecglens-1/{top}" for top in SDIST_TOPS if top != "src"
}


def test_whole_ones_have_no_fault() -> None:
    assert wheel_faults(WHEEL, PACKAGE) == []
    assert sdist_faults(SDIST, PACKAGE) == []


@pytest.mark.parametrize("name", sorted(WHEEL))
def test_what_a_wheel_lacks_is_named(name: str) -> None:
    (fault,) = wheel_faults(WHEEL - {name}, PACKAGE)
    assert fault.startswith(f"the wheel lacks {name.removeprefix('ecglens-1.dist-info/')}")


@pytest.mark.parametrize("name", sorted(SDIST))
def test_what_an_sdist_lacks_is_named(name: str) -> None:
    assert sdist_faults(SDIST - {name}, PACKAGE) == [
        f"the sdist lacks {name.removeprefix('ecglens-1/')}"
    ]


@pytest.mark.parametrize("name", ["tests/test_a.py", "ecglens/left.tmp", "ecglens-1.dist-info/x"])
def test_what_a_wheel_should_not_hold_is_named(name: str) -> None:
    (fault,) = wheel_faults(WHEEL | {name}, PACKAGE)
    assert fault.startswith("the wheel should not hold")


@pytest.mark.parametrize("name", [".env", "data/a.dat", "src/other.py", "tests/__pycache__/a.pyc"])
def test_what_an_sdist_should_not_hold_is_named(name: str) -> None:
    (fault,) = sdist_faults(SDIST | {f"ecglens-1/{name}"}, PACKAGE)
    assert fault == f"the sdist should not hold {name.removesuffix('/a.dat')}"


@pytest.mark.skipif(not (ROOT / "src").is_dir(), reason="the wheel is tested without src/")
def test_data_is_a_part_of_the_package() -> None:
    endings = {Path(name).suffix for name in package_files(ROOT)}
    assert {".py", ".toml", ".onnx", ".json", ".html", ".css", ".typed"} <= endings


@pytest.mark.parametrize("name", ["base", "dev", "tools"])
def test_every_pin_has_a_hash_and_no_address(name: str) -> None:
    lock = (ROOT / "locks" / f"{name}.txt").read_text()
    pins = re.split(r"\n(?=[a-z])", lock)[1:]
    assert len(pins) > 40
    assert all(
        re.match(r"[a-z0-9-]+(\[[a-z,-]+\])?==\S+.* \\\n +--hash=sha256:[0-9a-f]{64}", pin)
        for pin in pins
    )
    assert "://" not in lock


def test_locks_hold_what_ci_is_pinned_to() -> None:
    pinned = dict(
        line.lower().replace("_", "-").split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    )
    lock = (ROOT / "locks" / "dev.txt").read_text()
    locked = dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z,-]+\])?==(\S+)", lock, flags=re.MULTILINE))
    shared = locked.keys() & pinned.keys()
    assert {"numpy", "scikit-learn", "openvino", "pytest", "ruff", "mypy"} <= shared
    assert {name: locked[name] for name in shared} == {name: pinned[name] for name in shared}


@pytest.mark.skipif(not (ROOT / ".github").is_dir(), reason="an sdist has no workflows")
def test_workflows_read_only_and_take_actions_by_commit() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = path.read_text()
        assert "\npermissions:\n  contents: read\n" in text
        assert "secrets." not in text
        assert text.count("permissions:") == 1
        used = re.findall(r"uses: (\S+)", text)
        assert used
        assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action) for action in used)
