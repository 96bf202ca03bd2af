from __future__ import annotations

from pathlib import Path

import pytest

from ecglens.errors import UsageError, WindowError
from ecglens.labels import LabelMap, list_label_maps, load_label_map


@pytest.mark.parametrize("name", list_label_maps())
def test_presets_load_under_their_own_name_and_describe_themselves(name: str) -> None:
    label_map = load_label_map(name)
    assert label_map.name == name
    assert label_map.description


def test_rhythm4_maps_the_paper_s_patterns() -> None:
    label_map = load_label_map("rhythm4")
    assert list(label_map.classes) == ["N", "AF", "VF", "ST"]
    assert {r: label_map.class_of(r) for r in ("N", "AFIB", "VFL", "VFIB", "VT", "NOISE")} == {
        "N": "N",
        "AFIB": "AF",
        "VFL": "VF",
        "VFIB": "VF",
        "VT": None,
        "NOISE": None,
    }


def test_an_unknown_rhythm_is_an_error_with_a_cure() -> None:
    with pytest.raises(WindowError, match=r"does not know rhythm 'AFIBB'; did you mean 'AFIB'"):
        load_label_map("rhythm4").class_of("AFIBB")


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[classes]\nsick = ["AFIB", "AFL"]\nwell = ["N"]\n[ignore]\nrhythms = ["VT"]\n')
    label_map = load_label_map(path)
    assert (label_map.name, label_map.class_of("AFL"), label_map.class_of("VT")) == (
        "mine",
        "sick",
        None,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[classes]\n", "has no class"),
        ("", "has no class"),
        ('[classes]\na = ["N"]\nb = ["N"]', "rhythm 'N' stands under 'a' and 'b'"),
        ('[classes]\na = ["N"]\n[ignore]\nrhythms = ["N"]', "stands under 'ignore' and 'a'"),
        ("[classes]\na = []", "class 'a' has no rhythm"),
        ('[classes]\nunreadable = ["N"]', "'unreadable' is what a window is called"),
        ('[classes]\na = "N"', "'a' must be a list of rhythm names"),
        ("[classes]\na = [1]", "'a' must be a list of rhythm names"),
        ('[clases]\na = ["N"]', "unknown key 'clases'; did you mean 'classes'"),
        ("classes = 3", "must be tables"),
        ("[classes", "is not TOML"),
    ],
)
def test_a_broken_file_names_the_rule(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_label_map(path)


def test_a_missing_file_and_an_unknown_preset_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read label map .*none.toml: No such file"):
        load_label_map(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="no label map 'rythm4'; did you mean 'rhythm4'"):
        load_label_map("rythm4")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot read label map"):
        load_label_map(path)


def test_a_map_made_in_python_obeys_the_same_rules() -> None:
    with pytest.raises(UsageError, match="has no class"):
        LabelMap(name="empty", classes={})
