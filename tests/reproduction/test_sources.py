"""Which records are taken, where they are found, and how much is to be fetched."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ecglens.databases import find_database
from ecglens.errors import RecordError, UsageError
from ecglens.reproduction import ReproductionSettings
from ecglens.reproduction.sources import (
    QUICK_SOURCES,
    SOURCES,
    Source,
    folders_of,
    plan_sources,
    spread,
)
from ecglens.reproduction.words import CLASSES
from tests.reproduction.world import names_of


@pytest.mark.parametrize("sources", [SOURCES, QUICK_SOURCES])
def test_every_class_has_a_database_made_for_it(sources: tuple[Source, ...]) -> None:
    assert {label for source in sources for label in source.classes} == set(CLASSES)
    for source in sources:
        database = find_database(source.database)
        assert source.n_records is None or source.n_records < len(database.records)
        assert source.minutes is None or source.minutes <= 240


def test_names_are_spread() -> None:
    assert spread("abcdefghij", 3) == ("a", "d", "g")
    assert spread("abc", None) == spread("abc", 7) == ("a", "b", "c")
    assert len(set(spread([f"{i}" for i in range(86)], 20))) == 20


def test_what_is_to_be_fetched_and_how_much(tmp_path: Path) -> None:
    planned = {p.source.database: p for p in plan_sources(ReproductionSettings(), tmp_path)}
    assert len(planned["afdb"].records) == 23  # two have no signal
    assert not {"00735", "03665"} & set(planned["afdb"].records)
    # 120 of the 611 minutes that each record lasts, of 633 MB.
    assert planned["afdb"].fetch_mb == pytest.approx(
        1.1 * 632.6 * 120 / (234.3 * 60 / 23), rel=0.01
    )
    assert planned["cudb"].fetch_mb == pytest.approx(1.1 * 6.7)
    assert all(each.folder is None for each in planned.values())
    quick = plan_sources(ReproductionSettings(quick=True), tmp_path)
    assert sum(each.fetch_mb for each in quick) < 0.15 * sum(
        each.fetch_mb for each in planned.values()
    )


def test_the_document_has_the_plan(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "salem2018.md").read_text(encoding="utf-8")
    for each in plan_sources(ReproductionSettings(), tmp_path):
        source = each.source
        cells = (
            f"`{source.database}`",
            ", ".join(source.classes) or "controls",
            str(len(each.records)),
            "all" if source.minutes is None else f"{source.minutes:g} min",
            f"{each.fetch_mb:.0f}",
        )
        assert f"| {' | '.join(cells)} |" in text


@pytest.mark.usefixtures("small")
def test_whole_records_that_are_there_are_not_fetched(world: Path, tmp_path: Path) -> None:
    settings = ReproductionSettings(quick=True)
    assert all(each.folder and not each.fetch_mb for each in plan_sources(settings, world))
    shutil.copytree(world / "afdb", tmp_path / "afdb")
    (tmp_path / "afdb" / f"{names_of('afdb')[2]}.dat").unlink()
    planned = {each.source.database: each for each in plan_sources(settings, tmp_path)}
    assert planned["afdb"].folder is None
    assert planned["afdb"].fetch_mb > 0


@pytest.mark.parametrize(
    "name",
    ["edb", "edb/1.0.0", "european-st-t-database-1.0.0", "edb-first-60-min"],
)
def test_folders_of_all_names_are_found(world: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(world / "edb", tmp_path / name)
    (tmp_path / "edb-notes.txt").touch()
    assert tmp_path / name in folders_of(find_database("edb"), tmp_path)
    settings = ReproductionSettings(data=tmp_path)
    planned = {each.source.database: each for each in plan_sources(settings, Path("none"))}
    assert planned["edb"].records == names_of("edb")
    assert planned["nsrdb"].records == ()


def test_a_folder_without_any_database(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"has no folder of nsrdb, afdb, .*name the folder that"):
        plan_sources(ReproductionSettings(data=tmp_path), tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"windows": Path("w"), "data": Path("d")}, "windows from a file need no database"),
        ({"data": Path("d"), "mirror": "https://x/"}, "--data names folders that are here"),
        ({"without": ("AFL",)}, "no class 'AFL' to leave out; the experiment has N, AF, VF, ST"),
        ({"without": ("N", "AF", "ST")}, "fewer than two classes are left"),
        ({"n_windows": 20}, "windows must be 40 or more, got 20; the paper has 7000"),
    ],
)
def test_settings_that_do_not_go_together(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ReproductionSettings(**options)  # type: ignore[arg-type]
