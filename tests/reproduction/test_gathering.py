"""From records to windows: how many of which class, whose, and what is said of the rest."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecglens.databases import open_record
from ecglens.errors import WindowError
from ecglens.reproduction import ReproductionSettings, Telling
from ecglens.reproduction.gathering import Gathered, first_minutes, gather, gather_from
from ecglens.reproduction.sources import plan_sources
from tests.reproduction.world import names_of

pytestmark = pytest.mark.usefixtures("small")


def gathered(data: Path, **options: object) -> Gathered:
    settings = ReproductionSettings(data=data, quick=True, **options)  # type: ignore[arg-type]
    return gather(plan_sources(settings, data), settings, Telling())


@pytest.fixture(scope="module")
def without_edb(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("partly")
    for name in ("afdb", "vfdb", "cudb"):
        (top / name).symlink_to(world / name)
    return top


def test_every_class_is_of_the_databases_made_for_it(world: Path) -> None:
    found = gathered(world, n_windows=64)
    main = found.main
    pairs = set(zip(main.databases.tolist(), main.labels.tolist(), strict=True))
    assert pairs == {
        ("nsrdb", "N"), ("afdb", "AF"), ("vfdb", "VF"), ("cudb", "VF"), ("edb", "ST"),
    }  # fmt: skip
    counts = [int((main.labels == label).sum()) for label in main.classes]
    assert counts == [16] * 4
    for label in main.classes:
        _, per_person = np.unique(main.subjects[main.labels == label], return_counts=True)
        assert per_person.max() - per_person.min() <= 1
    assert found.beside is not None
    rows = {(row["database"], row["class"]): row for row in found.rows()}
    assert rows["afdb", "N"]["windows"] == 0
    assert rows["afdb", "N"]["controls"] == 20  # at most, of each other class
    assert ("nsrdb", "AF") not in rows
    assert found.notes == ()


def test_scarce_classes_give_all_and_the_others_make_up_for_them(world: Path) -> None:
    main = gathered(world, n_windows=80).main
    counts = {label: int((main.labels == label).sum()) for label in main.classes}
    # Of edb 4 windows of 4 people lie within the episode, in the one lead that has it.
    assert counts == {"ST": 16, "AF": 20, "N": 22, "VF": 22}


def test_databases_stand_in_where_the_first_choice_is_missing(without_edb: Path) -> None:
    found = gathered(without_edb, n_windows=60, without=("ST",))
    assert "N is of afdb, vfdb, for want of nsrdb" in found.notes
    assert "nsrdb is not in the folder, so it gives nothing" in found.notes
    assert set(found.main.databases[found.main.labels == "N"]) == {"afdb", "vfdb"}


def test_a_class_with_no_data_is_an_error_with_its_cure(without_edb: Path) -> None:
    with pytest.raises(
        WindowError,
        match=r"no window of ST \(edb\) in the records of afdb, vfdb, cudb; add a database that "
        r"has it \('ecglens fetch'\), or leave it out: --without ST",
    ):
        gathered(without_edb)


def test_a_database_that_gives_nothing_says_what_it_annotates(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world, tmp_path / "w")
    for name in names_of("cudb"):
        (tmp_path / "w" / "cudb" / f"{name}.atr").unlink()
    notes = gathered(tmp_path / "w").notes
    assert any(
        note.startswith("cudb: no window of any class in 4 records (it annotates: [ and ]")
        for note in notes
    )


def test_only_the_first_minutes_of_a_record_count(world: Path) -> None:
    record = open_record(world / "afdb" / f"{names_of('afdb')[0]}.hea")
    part = first_minutes(record, 1.0)
    assert part.duration_s == 60
    assert [(span.start_s, span.end_s) for span in part.rhythms] == [(0.0, 55.0), (55.0, 60.0)]
    np.testing.assert_array_equal(part.to_record().signal, record.to_record().signal[:, :15000])
    assert first_minutes(record, None) is record
    assert first_minutes(record, 60) is record


def test_the_same_seed_gives_the_same_windows(world: Path) -> None:
    first, again = gathered(world, n_windows=60), gathered(world, n_windows=60)
    np.testing.assert_array_equal(first.all.X, again.all.X)
    other = gathered(world, n_windows=60, random_state=1)
    assert not np.array_equal(first.main.start_s, other.main.start_s)


def test_windows_of_a_file_are_all_of_the_experiment(world: Path) -> None:
    windows = gathered(world).all
    found = gather_from(windows, ReproductionSettings(windows=Path("w.npz")))
    assert len(found.main) == len(windows)
    assert found.beside is None
    fewer = gather_from(windows, ReproductionSettings(windows=Path("w.npz"), n_windows=60))
    assert len(fewer.main) == 60
    three = windows.subset(windows.labels != "ST")
    with pytest.raises(WindowError, match=r"the windows have no ST, only AF, N, VF.*--without ST"):
        gather_from(three, ReproductionSettings(windows=Path("w.npz")))
    none = replace(windows, labels=np.full(len(windows), "X"))
    for empty, only in ((none, "X"), (none.subset(np.zeros(len(none), bool)), "none")):
        with pytest.raises(
            WindowError,
            match=rf"no window has a class .* \(N, AF, VF, ST\), only {only}; .* --map rhythm4$",
        ):
            gather_from(empty, ReproductionSettings(windows=Path("w.npz")))
    strange = replace(windows, labels=np.where(windows.labels == "ST", "X", windows.labels))
    settings = ReproductionSettings(windows=Path("w.npz"), without=("ST",))
    assert gather_from(strange, settings).notes == ("windows of X are left out",)
