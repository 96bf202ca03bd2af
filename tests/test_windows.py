from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecglens.errors import OutputError, RecordError, UsageError, WindowError
from ecglens.labels import LabelMap, load_label_map
from ecglens.records import Lead, Record, RhythmSpan
from ecglens.windows import (
    WindowRule,
    Windows,
    balance_windows,
    concatenate_windows,
    cut_record,
    lead_rows,
    load_windows,
    make_windows,
    save_windows,
)
from tests.signals_of import beats, record_of

MAP = load_label_map("rhythm4")


def _spans(*spans: tuple[float, float, str], seconds: float = 60.0) -> Record:
    record = record_of("N", seconds)
    return replace(record, rhythms=tuple(RhythmSpan(*span) for span in spans))


class TestCutting:
    @given(
        length_s=st.sampled_from([2.0, 5.0, 10.0]),
        fs=st.sampled_from([50.0, 100.0, 360.0]),
    )
    @settings(max_examples=9)
    def test_windows_without_overlap_tile_the_record(self, length_s: float, fs: float) -> None:
        record = record_of("N", 43.0, fs)
        rule = WindowRule(length_s=length_s, fs=fs)
        windows = cut_record(record, rule)
        whole = windows.X.ravel()
        np.testing.assert_array_equal(whole, record.signal[0, : whole.size])
        assert record.n_samples - whole.size < rule.n_samples
        np.testing.assert_allclose(np.diff(windows.start_s), length_s)

    def test_windows_are_resampled_to_the_common_rate(self) -> None:
        windows = cut_record(record_of("N", 30.0, 360.0), WindowRule(fs=125))
        assert windows.X.shape == (3, 1250)
        assert windows.X.dtype == np.float32
        np.testing.assert_allclose(windows.X[0].max(), 1.0, atol=0.1)

    @pytest.mark.parametrize("fs", [999.95, 333.3, 2048.0])
    def test_times_are_those_of_the_record_at_any_rate(self, fs: float) -> None:
        record = record_of("N", 600.0, fs)
        record.signal[:] = 0
        record.signal[0, round(588 * fs) : round(588.04 * fs)] = 1
        windows = cut_record(record, WindowRule(fs=125))
        at_s = windows.start_s[:, None] + np.arange(1250) / 125
        assert at_s[windows.X > 0.5].mean() == pytest.approx(588.02, abs=0.006)
        assert windows.start_s[-1] + 10 < record.duration_s + 1 / 125

    def test_overlap(self) -> None:
        windows = cut_record(record_of("N", 30.0), WindowRule(length_s=10, hop_s=2.5, fs=100))
        np.testing.assert_allclose(windows.start_s, np.arange(9) * 2.5)
        np.testing.assert_array_equal(windows.X[1, :750], windows.X[0, 250:])

    def test_missing_samples_stay_missing_through_resampling(self) -> None:
        record = record_of("N", 30.0, 360.0)
        record.signal[0, 3600:5400] = np.nan
        X = cut_record(record, WindowRule(fs=125)).X
        assert np.isfinite(X[0]).all()
        assert np.isnan(X[1, :625]).mean() == pytest.approx(1, abs=0.01)
        assert np.isfinite(X[1, 627:]).all()

    def test_a_short_record_is_named(self) -> None:
        with pytest.raises(WindowError, match=r"'r1' lasts 4.0 s, shorter than one window of 10 s"):
            cut_record(record_of("N", 4.0), WindowRule())

    def test_where_a_window_came_from(self) -> None:
        windows = cut_record(record_of("N", 25.0), WindowRule())
        assert set(windows.records) == {"r1"}
        assert set(windows.subjects) == {"made-r1"}
        assert set(windows.databases) == {"made"}
        assert set(windows.leads) == {"II"}
        assert len(windows) == 2

    def test_two_records_of_one_person_share_the_subject(self) -> None:
        def subject(name: str) -> str:
            record = replace(record_of("N", 20.0, name=name), database="mitdb", subject_id="")
            return str(cut_record(record, WindowRule()).subjects[0])

        assert subject("201") == subject("202")
        assert subject("203") != subject("202")


class TestLeads:
    record = Record(
        signal=np.stack([beats(20, 100), 2 * beats(20, 100)]),
        fs=100,
        leads=(Lead("V5"), Lead("MLII")),
        record_id="two",
    )

    @pytest.mark.parametrize(
        ("choice", "leads"),
        [
            ("first", ["V5"]),
            ("all", ["V5", "MLII"]),
            (["II", "V5"], ["MLII"]),
            (["aVR", "Ableitung V5"], ["V5"]),
            ("best", ["MLII"]),
            ("MLII", ["MLII"]),
        ],
    )
    def test_choices(self, choice: str, leads: list[str]) -> None:
        windows = cut_record(self.record, WindowRule(leads=choice))
        assert list(dict.fromkeys(windows.leads.tolist())) == leads

    def test_one_lead_is_the_best_without_being_read(self) -> None:
        class Unread:
            n_leads = 1

        assert lead_rows(Unread(), "best") == [0]

    def test_a_lead_that_is_not_there_is_named(self) -> None:
        with pytest.raises(RecordError, match="has no lead 'aVR'; it has V5, MLII"):
            cut_record(self.record, WindowRule(leads=["aVR", "V1"]))


class TestLabels:
    def _labels(self, record: Record, **rule: float) -> list[tuple[float, str]]:
        windows = make_windows([record], MAP, WindowRule(fs=100, **rule))
        return list(zip(windows.start_s.tolist(), windows.labels.tolist(), strict=True))

    def test_only_pure_windows_count(self) -> None:
        record = _spans((0, 25, "N"), (25, 60, "AFIB"))
        assert self._labels(record) == [
            (0, "N"),
            (10, "N"),
            (30, "AF"),
            (40, "AF"),
            (50, "AF"),
        ]

    def test_purity_lets_unannotated_seconds_in_but_never_a_second_class(self) -> None:
        record = _spans((0, 8, "AFIB"), (12, 17, "AFIB"), (17, 28, "N"))
        assert self._labels(record, purity=0.8) == [(0, "AF"), (20, "N")]

    def test_two_rhythms_of_one_class_make_a_pure_window(self) -> None:
        assert self._labels(_spans((0, 5, "VFL"), (5, 10, "VFIB"), seconds=10)) == [(0, "VF")]

    def test_time_annotated_twice_counts_once(self) -> None:
        twice = _spans((0, 5, "AFIB"), (0, 5, "AFIB"), (3, 8, "AFIB"), (10, 20, "AFIB"), seconds=20)
        assert self._labels(twice) == [(10, "AF")]
        assert self._labels(twice, purity=0.8) == [(0, "AF"), (10, "AF")]
        with pytest.raises(WindowError, match="gave no window"):
            self._labels(_spans((0, 5, "VFL"), (0, 5, "VFIB"), seconds=10))

    def test_annotations_between_samples_do_not_cost_a_window(self) -> None:
        record = _spans((0.0003, 10.0, "N"), (10.0, 20.0, "AFIB"), seconds=20)
        assert len(self._labels(record)) == 2

    def test_ignored_rhythms_give_nothing(self) -> None:
        record = _spans((0, 30, "NOISE"), (30, 60, "N"))
        assert [start for start, _ in self._labels(record)] == [30, 40, 50]

    def test_an_unknown_rhythm_stops(self) -> None:
        with pytest.raises(WindowError, match=r"'r1' at 0\.0 s: .*does not know rhythm 'WEIRD'"):
            make_windows([_spans((0, 60, "WEIRD"))], MAP)

    def test_unreadable_windows_are_left_out(self) -> None:
        record = record_of("N", 30.0)
        record.signal[0, 1000:2000] = 0.7
        assert [start for start, _ in self._labels(record)] == [0, 20]

    def test_no_window_at_all_says_what_was_found(self) -> None:
        with pytest.raises(WindowError, match=r"1 record\(s\) gave no window.*annotated are NOISE"):
            make_windows([_spans((0, 60, "NOISE"))], MAP)
        with pytest.raises(WindowError, match="rhythms annotated are none"):
            make_windows([replace(record_of("N"), rhythms=())], MAP)

    def test_a_short_record_is_left_out(self) -> None:
        records = [record_of("N", 4.0), record_of("AFIB", 20.0)]
        assert len(make_windows(records, MAP)) == 2

    def test_subjects_can_be_given(self) -> None:
        records = [record_of("N", 20.0, name="a"), record_of("N", 20.0, name="b")]
        windows = make_windows([*records, record_of("N", 20.0)], MAP, subjects={"a": "p", "b": "p"})
        assert windows.subjects.tolist() == ["p"] * 4 + ["made-r1"] * 2

    @pytest.mark.parametrize(
        ("subjects", "message"),
        [
            ({"a": "p", "b.hea": "p"}, r"no record is called 'b\.hea'; did you mean 'b'\?"),
            ({"a": "p", "db/b.dat": "p"}, r"'db/b\.dat'; did you mean 'b'\? records are named"),
            ({"a": "p", "B": "p"}, r"no record is called 'B'; did you mean 'b'\?"),
            ({"a": "p", "735": "p"}, r"no record is called '735'; did you mean '00735'\?"),
            (
                {"x1": "p", "x2": "p"},
                r"none of the 2 names is that of a record, as 'x1'; the first",
            ),
        ],
    )
    def test_subjects_that_miss_their_record(self, subjects: dict[str, str], message: str) -> None:
        records = [record_of("N", 20.0, name=name) for name in ("a", "b", "00735")]
        with pytest.raises(UsageError, match=message):
            make_windows(records, MAP, subjects=subjects)

    def test_subjects_may_name_other_records(self) -> None:
        subjects = {"a": "p", "a.hea": "p", "b": "p", "b.1": "q", "c": "q"}
        records = [record_of("N", 20.0, name=name) for name in ("a", "b")]
        assert set(make_windows(records, MAP, subjects=subjects).subjects) == {"p"}

    def test_a_given_subject_counts_more_than_a_known_database(self) -> None:
        record = replace(record_of("N", 20.0, name="202"), database="mitdb")
        windows = make_windows([record], MAP, subjects={"202": "somebody"})
        assert set(windows.subjects) == {"somebody"}

    def test_progress_is_told_of_each_record(self) -> None:
        seen: list[int] = []
        make_windows([record_of("N", 30.0)], MAP, progress=lambda _, n: seen.append(n))
        assert seen == [3]


class TestRule:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"length_s": 0.5}, "window length must be from 1 to 600 s, got 0.5"),
            ({"hop_s": 0}, "hop must be over 0"),
            ({"hop_s": -1}, "hop must be over 0"),
            ({"purity": 0}, "purity must be over 0"),
            ({"purity": 1.5}, "purity must be over 0 and up to 1"),
            ({"fs": 0}, "fs must be from 10 to 100000 Hz, got 0"),
        ],
    )
    def test_values_out_of_range(self, change: dict, message: str) -> None:
        with pytest.raises(UsageError, match=message):
            WindowRule(**change)


def _windows(counts: dict[tuple[str, str], int]) -> Windows:
    """Return windows with so many of each (class, subject)."""
    labels = [label for (label, _), n in counts.items() for _ in range(n)]
    subjects = [subject for (_, subject), n in counts.items() for _ in range(n)]
    n = len(labels)
    blank = np.full(n, "x")
    return Windows(
        X=np.arange(n * 4, dtype=np.float32).reshape(n, 4),
        fs=100,
        labels=np.array(labels),
        subjects=np.array(subjects),
        databases=blank,
        records=blank,
        leads=blank,
        start_s=np.zeros(n),
    )


class TestBalance:
    def test_small_subjects_give_all_and_the_rest_is_shared(self) -> None:
        windows = _windows({("N", "a"): 2, ("N", "b"): 50, ("N", "c"): 100, ("AF", "d"): 3})
        picked = balance_windows(windows, 30)
        count = {s: int((picked.subjects == s).sum()) for s in "abcd"}
        assert count == {"a": 2, "b": 14, "c": 14, "d": 3}

    @given(
        sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8), per_class=st.integers(1, 100)
    )
    @settings(max_examples=25)
    def test_nobody_is_passed_over_for_somebody_larger(
        self, sizes: list[int], per_class: int
    ) -> None:
        windows = _windows({("N", f"s{i}"): n for i, n in enumerate(sizes)})
        picked = balance_windows(windows, per_class)
        share = [int((picked.subjects == f"s{i}").sum()) for i in range(len(sizes))]
        assert sum(share) == min(per_class, sum(sizes))
        cut = [got for got, size in zip(share, sizes, strict=True) if got < size]
        assert not cut or max(share) - min(cut) <= 1

    def test_the_seed_decides(self) -> None:
        windows = _windows({("N", "a"): 100})
        one, again, other = (balance_windows(windows, 10, random_state=s).X for s in (0, 0, 1))
        np.testing.assert_array_equal(one, again)
        assert not np.array_equal(one, other)

    def test_zero_is_refused(self) -> None:
        with pytest.raises(UsageError, match="1 or more, got 0"):
            balance_windows(_windows({("N", "a"): 1}), 0)


class TestFile:
    def test_windows_come_back_as_they_were(self, tmp_path: Path) -> None:
        windows = make_windows([record_of("N"), record_of("AFIB", name="r2")], MAP)
        save_windows(windows, tmp_path / "w.npz")
        again = load_windows(tmp_path / "w.npz")
        for name in ("X", "labels", "subjects", "databases", "records", "leads", "start_s"):
            np.testing.assert_array_equal(getattr(again, name), getattr(windows, name))
        assert again.fs == windows.fs

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(WindowError, match="no such windows file"):
            load_windows(tmp_path / "none.npz")

    def test_every_truncation_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "w.npz"
        save_windows(make_windows([record_of("N", 10.0)], MAP), path)
        whole = path.read_bytes()
        for size in range(0, len(whole), 301):
            path.write_bytes(whole[:size])
            with pytest.raises(WindowError, match="not a windows file of ecglens"):
                load_windows(path)

    def test_objects_are_never_unpickled(self, tmp_path: Path) -> None:
        path = tmp_path / "w.npz"
        np.savez(path, format=np.array("ecglens-windows-1"), X=np.array([{"a": 1}], dtype=object))
        with pytest.raises(WindowError, match="not a windows file"):
            load_windows(path)

    def test_a_member_that_declares_more_than_it_holds(self, tmp_path: Path) -> None:
        path = tmp_path / "w.npz"
        text = "{'descr': '<f4', 'fortran_order': False, 'shape': (10000000000000,), }".ljust(117)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("X.npy", b"\x93NUMPY\x01\x00\x76\x00" + text.encode() + b"\n1234")
        with pytest.raises(WindowError, match=r"X\.npy declares an array .*holds only 4 bytes"):
            load_windows(path)

    def test_a_changed_byte_is_noticed(self, tmp_path: Path) -> None:
        path = tmp_path / "w.npz"
        save_windows(make_windows([record_of("N", 10.0)], MAP), path)
        data = bytearray(path.read_bytes())
        data[1000] ^= 0xFF
        path.write_bytes(data)
        with pytest.raises(WindowError, match=r"not a windows file of ecglens.*Bad CRC"):
            load_windows(path)

    def test_compressed_archives_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "w.npz"
        np.savez_compressed(path, format=np.array("ecglens-windows-1"), X=np.zeros((9, 9)))
        with pytest.raises(WindowError, match="not a windows file"):
            load_windows(path)

    def test_another_npz_is_refused(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "w.npz", signal=np.zeros(9))
        with pytest.raises(WindowError, match="not a windows file"):
            load_windows(tmp_path / "w.npz")

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        windows = make_windows([record_of("N", 10.0)], MAP)
        with pytest.raises(OutputError, match=r"cannot write .*nowhere.*No such file"):
            save_windows(windows, tmp_path / "nowhere" / "w.npz")


def test_windows_of_different_make_are_not_joined() -> None:
    record = record_of("N", 20.0)
    parts = [cut_record(record, WindowRule(length_s=s)) for s in (5, 10)]
    with pytest.raises(WindowError, match="625 samples at 125 Hz, 1250 samples at 125 Hz"):
        concatenate_windows(parts)
    with pytest.raises(WindowError, match="no windows to join"):
        concatenate_windows([])


def test_parts_that_disagree_are_refused() -> None:
    windows = _windows({("N", "a"): 3})
    with pytest.raises(WindowError, match=r"labels has shape \(2,\) for 3 windows"):
        replace(windows, labels=windows.labels[:2])
    with pytest.raises(WindowError, match="it must be"):
        replace(windows, X=windows.X[:, 0])


def test_a_map_of_other_classes_is_followed() -> None:
    label_map = LabelMap(name="any", classes={"yes": ("AFIB",), "no": ("N",)})
    windows = make_windows([record_of("N"), record_of("AFIB")], label_map)
    assert windows.classes == ("no", "yes")


@pytest.mark.slow
def test_afib_minutes_of_mitdb_agree_with_the_annotations(real_data: Path) -> None:
    from ecglens.readers import find_records, read_record

    records = [read_record(path) for path in find_records(real_data / "mitdb")]
    windows = make_windows(records, MAP)
    af = windows.subset(windows.labels == "AF")
    assert set(af.records) == {"201", "202", "210", "217", "221"}
    assert len(set(af.subjects)) == 4
    annotated_s = sum(
        span.end_s - span.start_s for r in records for span in r.rhythms if span.rhythm == "AFIB"
    )
    assert annotated_s * 0.8 < len(af) * 10 <= annotated_s
