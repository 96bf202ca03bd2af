"""What `import ecglens` offers, and what the README shows."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ecglens

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_public_names_are_these_and_exist() -> None:
    assert sorted(ecglens.__all__) == [
        "CNNFeatures",
        "EcglensError",
        "ImageSettings",
        "Record",
        "Windows",
        "__version__",
        "balance_windows",
        "evaluate",
        "find_recipe",
        "find_records",
        "load_backbone",
        "load_label_map",
        "load_model",
        "load_windows",
        "make_classifier",
        "make_images",
        "make_windows",
        "open_record",
        "predict_record",
        "read_record",
        "save_model",
        "save_windows",
        "sweep_layers",
        "train_model",
    ]
    assert dir(ecglens) == sorted(ecglens.__all__)
    for name in ecglens.__all__:
        assert getattr(ecglens, name) is not None


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'read_records'"):
        _ = ecglens.read_records


def test_every_exit_code_is_in_the_readme() -> None:
    codes = {error.exit_code for error in _tree(ecglens.EcglensError)} | {0, 130}
    table = {int(code) for code in re.findall(r"^\| (\d+) \|", README, flags=re.MULTILINE)}
    assert table == codes


def _tree(error: type[ecglens.EcglensError]) -> list[type[ecglens.EcglensError]]:
    return [error, *(e for child in error.__subclasses__() for e in _tree(child))]


@pytest.mark.slow
def test_the_five_lines_of_python_run(real_folders: tuple[Path, Path], tmp_path: Path) -> None:
    data, _ = real_folders
    for name in ("mitdb", "vfdb"):
        shutil.copytree(data / name, tmp_path / name)
    record = ecglens.read_record(data / "vfdb" / "422")
    np.savetxt(tmp_path / "new_recording.csv", record.signal[:1, : 250 * 60].T, fmt="%.4f")
    block = re.search(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert block is not None
    done = subprocess.run(
        [sys.executable, "-c", block[1]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(Episode(start_s=0.0, end_s=")
