"""What docs/virtual_patients.md shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecglens import read_record
from ecglens.databases.synthetic import NOISES, RHYTHMS

DOCUMENT = (Path(__file__).parents[3] / "docs/virtual_patients.md").read_text(encoding="utf-8")


def test_the_snippet_makes_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    block = re.search(r"```python\n(.*?)```", DOCUMENT, flags=re.DOTALL)
    assert block is not None
    monkeypatch.chdir(tmp_path)
    exec(block[1], {})
    record = read_record(tmp_path / capsys.readouterr().out.strip())
    assert record.lead_names == ("II", "V1")
    assert [span.rhythm for span in record.rhythms] == ["N", "AFIB", "N", "ST", "VFIB"]


def test_every_rhythm_and_noise_is_described() -> None:
    for name in (*RHYTHMS, *NOISES):
        assert f"`{name}`" in DOCUMENT
