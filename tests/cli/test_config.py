"""The TOML file of options: what it may hold, and that the command line wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglens.windows import load_windows
from tests.cli.collection import Program


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "ecglens.toml"


def test_top_level_and_the_table_of_the_verb(
    ecglens: Program, collection: Path, config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "w.npz"
    config.write_text(
        f'out = "{out}"\nper_class = 4\njson = true\n[windows]\nlength-s = 5\nmap = "af"\n'
        "[train]\nfolds = 3\n"
    )
    said = ecglens("windows", collection, "--config", config).json
    assert [row["windows"] for row in said["classes"]] == [4, 4]
    assert load_windows(out).length_s == 5


def test_the_table_wins_over_the_top_and_the_command_line_over_both(
    ecglens: Program, collection: Path, config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "w.npz"
    config.write_text("per-class = 4\n[windows]\nper_class = 5\n")
    asked = ("windows", collection, "--config", config, "--out", out, "--json")
    assert ecglens(*asked).json["classes"][0]["windows"] == 5
    assert ecglens("windows", collection, "--per-class", 6, *asked[2:]).json["windows"] == 18
    assert ecglens(*asked, "--per-class", 6).json["windows"] == 18


@pytest.mark.parametrize("value", ['["s00", "s01"]', '"s00"'])
def test_an_option_that_may_be_repeated(
    ecglens: Program, windows: Path, config: Path, tmp_path: Path, value: str
) -> None:
    out = tmp_path / "w.npz"
    config.write_text(f"exclude = {value}")
    assert ecglens("windows", windows, "--config", config, "--out", out).code == 0
    assert len(load_windows(out)) == 72 - 6 * value.count("s0")


def test_a_switch_and_its_name_in_python(
    ecglens: Program, windows: Path, network: tuple[str, ...], config: Path, tmp_path: Path
) -> None:
    # `evaluate` is an option of train and also a verb.
    config.write_text('evaluate = false\npca = 0\njson = true\nhead = "lda"\n')
    asked = ("train", windows, *network, "--out", tmp_path / "m.ecglens", "--config", config)
    assert "evaluation" not in ecglens(*asked).json["card"]


def test_an_option_named_like_its_verb(
    ecglens: Program, windows: Path, network: tuple[str, ...], config: Path
) -> None:
    config.write_text(
        'layers = "stage2"\nheads = "lda"\npca = 0\nfolds = 2\nbootstrap = 0\njson = true\n'
    )
    said = ecglens("layers", windows, *network, "--config", config).json
    assert [row["layer"] for row in said["rows"]] == ["stage2"]


def test_a_list_for_an_option_with_commas(
    ecglens: Program, collection: Path, config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "w.npz"
    config.write_text('leads = ["V9", "II"]')
    assert ecglens("windows", collection, "--config", config, "--out", out).code == 0
    assert set(load_windows(out).leads.tolist()) == {"II"}


def test_keys_of_a_group_are_for_all_its_verbs(ecglens: Program, config: Path) -> None:
    asked = ("study", "stress", "no.npz", "--out", "no", "--config", config)
    config.write_text('[study]\nrandom_state = "many"')
    assert "--random-state" in ecglens(*asked).err
    config.write_text("[study.strss]\nrandom_state = 1")
    assert "[study.strss] is no verb; did you mean 'stress'?" in ecglens(*asked).error


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fold = 3", "'fold' is no option of 'train'; did you mean 'folds'?; see 'ecglens train"),
        ("[train]\nheads = 'lda'", "'heads' is no option of 'train'; did you mean 'head'?"),
        ("[trian]\nfolds = 3", "[trian] is no verb; did you mean 'train'?"),
        ("train = 5", "'train' is no option of 'train'"),
        ("config = 'a.toml'", "'config' is no option of 'train'"),
        ("sources = ['a']", "'sources' is no option of 'train'"),
        ("folds =", "is not TOML: Invalid value"),
    ],
)
def test_what_is_no_option(
    ecglens: Program, windows: Path, config: Path, tmp_path: Path, text: str, message: str
) -> None:
    config.write_text(text)
    done = ecglens("train", windows, "--out", tmp_path / "m.ecglens", "--config", config)
    assert done.code == 2
    assert done.error.startswith(f"config {config}")
    assert message in done.error


def test_a_file_that_cannot_be_read(ecglens: Program, windows: Path, tmp_path: Path) -> None:
    asked = ("windows", windows, "--out", tmp_path / "w.npz", "--config")
    done = ecglens(*asked, tmp_path / "none.toml")
    assert done.code == 2
    assert done.error == f"cannot read config {tmp_path / 'none.toml'}: No such file or directory"
    assert "Is a directory" in ecglens(*asked, tmp_path).error
    (tmp_path / "latin.toml").write_bytes(b"map = '\xff'")
    done = ecglens(*asked, tmp_path / "latin.toml")
    assert done.code == 2
    assert "can't decode byte 0xff" in done.error


@pytest.mark.parametrize(
    "text",
    [
        "per_class = 'many'", "per_class = 0", "per_class = [1]", "per_class = true",
        "length_s = 'long'", "json = 'perhaps'", "json = [1]", "random_state = -1",
        f"random_state = {2**32}", "random_state = 2020-01-01",
    ],
)  # fmt: skip
def test_values_of_the_wrong_kind_are_refused(
    ecglens: Program, windows: Path, config: Path, tmp_path: Path, text: str
) -> None:
    config.write_text(text)
    done = ecglens("windows", windows / "none", "--out", tmp_path / "w.npz", "--config", config)
    assert done.code == 2
    assert text.split()[0].replace("_", "-") in done.err
    assert "Traceback" not in done.err


def test_values_that_are_text_are_read_as_on_the_command_line(
    ecglens: Program,
    collection: Path,
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    config.write_text("out = 7\nexclude = 2020-01-01\nper_class = '4'")
    done = ecglens("windows", collection, "--config", config)
    assert (done.code, "Traceback" in done.err) == (2, False), done.err
    assert "2020-01-01" in done.error
    config.write_text("out = 7\nper_class = '4'")
    assert ecglens("windows", collection, "--config", config).code == 0
    assert (tmp_path / "7").exists()
