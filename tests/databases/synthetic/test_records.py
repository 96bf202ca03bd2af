"""Records of virtual patients."""

from __future__ import annotations

import re
import tracemalloc

import numpy as np
import pytest

from ecglens.databases.synthetic import (
    VirtualPatient,
    make_holter,
    make_patients,
    make_record,
    make_records,
)
from ecglens.databases.synthetic import records as records_module
from ecglens.errors import UsageError
from ecglens.labels import load_label_map
from ecglens.windows import make_windows

PLAN = [("N", 20.0), ("AFIB", 15.5), ("VFIB", 12.0), ("N", 9.7), ("ST", 30.0), ("VFL", 5.0)]


def test_the_record_says_what_it_is(regular: VirtualPatient) -> None:
    record = make_record(regular, PLAN, fs=360, leads=("MLII", "V1"))
    assert record.signal.shape == (2, round(92.2 * 360))
    assert record.signal.dtype == np.float32
    assert (record.fs, record.lead_names) == (360.0, ("MLII", "V1"))
    assert {lead.unit for lead in record.leads} == {"mV"}
    assert (record.database, record.record_id) == ("virtual", "virtual-0000")
    assert record.subject_id == regular.subject
    assert np.isfinite(record.signal).all()
    assert 0.05 < record.signal.std() < 2
    assert make_record(regular, [("N", 5)], record_id="other").record_id == "other"


@pytest.mark.parametrize("fs", [50.0, 128.7, 4000.0])
def test_the_truth_tiles_the_record(regular: VirtualPatient, fs: float) -> None:
    record = make_record(regular, PLAN, fs=fs)
    assert [span.rhythm for span in record.rhythms] == [rhythm for rhythm, _ in PLAN]
    edges = [0.0, *np.cumsum([seconds for _, seconds in PLAN])]
    for span, start, end in zip(record.rhythms, edges[:-1], edges[1:], strict=True):
        assert span.start_s == pytest.approx(start)
        assert span.end_s == pytest.approx(end, abs=0.5 / fs + 1e-9)
    assert record.rhythms[-1].end_s == record.duration_s


def test_the_same_call_gives_the_same_samples(regular: VirtualPatient) -> None:
    first, again = (make_record(regular, PLAN, random_state=2).signal for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = make_record(regular, PLAN, random_state=3).signal
    assert abs(np.corrcoef(first[0, :5000], other[0, :5000])[0, 1]) < 0.5


@pytest.mark.parametrize("block", [97, 4096])
def test_blocks_change_nothing(
    patients: tuple[VirtualPatient, ...], monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    for patient in patients[:3]:
        whole = make_record(patient, PLAN, fs=100, leads=("II", "V2")).signal
        with monkeypatch.context() as patch:
            patch.setattr(records_module, "BLOCK", block)
            parts = make_record(patient, PLAN, fs=100, leads=("II", "V2")).signal
        np.testing.assert_array_equal(parts, whole)


def test_one_rhythm_goes_over_into_the_next_without_a_jump(
    patients: tuple[VirtualPatient, ...],
) -> None:
    plan = [(rhythm, 7.31) for rhythm in ("N", "AFIB", "VFIB", "AFIB", "ST", "VFL", "N")]
    for patient in patients:
        signal = make_record(patient, plan, fs=1000, noise=0).signal[0]
        steps = np.abs(np.diff(signal))
        edges = (np.cumsum([seconds for _, seconds in plan])[:-1] * 1000).astype(int)
        near = max(steps[edge - 3 : edge + 3].max() for edge in edges)
        assert near <= steps.max()
        assert steps.max() < 0.25, "no faster than a QRS complex"


def test_noise_is_a_factor(regular: VirtualPatient) -> None:
    clean, usual, loud = (
        make_record(regular, [("N", 30)], noise=noise).signal.astype(np.float64)
        for noise in (0, 1, 3)
    )
    np.testing.assert_allclose(loud - clean, 3 * (usual - clean), atol=1e-5)
    assert (usual - clean).std() > 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fs": 49}, "fs of a virtual record must be from 50 to 4000, got 49"),
        ({"fs": float("nan")}, "fs of a virtual record must be from 50 to 4000, got nan"),
        ({"noise": -1}, "noise of a virtual record must be 0 or more, got -1"),
        ({"leads": ()}, "no leads"),
        ({"random_state": -1}, "random_state must be a whole number"),
    ],
)
def test_refused(regular: VirtualPatient, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        make_record(regular, [("N", 5)], **options)  # type: ignore[arg-type]


def test_a_record_that_no_machine_holds_is_refused(regular: VirtualPatient) -> None:
    with pytest.raises(UsageError, match="are more than 536870912 values; make it shorter, slower"):
        make_record(regular, [("N", 7 * 86_400)], fs=1000)


def test_many_records_of_many_people() -> None:
    said: list[tuple[int, int]] = []
    made = list(make_records(6, fs=100, minutes=3, progress=lambda *at: said.append(at)))
    assert said == [(k, 6) for k in range(1, 7)]
    assert [record.subject_id for record in made] == [f"virtual-{k:04d}" for k in range(6)]
    assert {record.duration_s for record in made} == {180.0}
    for record in made:
        rhythms = {span.rhythm for span in record.rhythms}
        assert "N" in rhythms
        assert len(rhythms) >= 2
    assert {s.rhythm for r in made for s in r.rhythms} == {"N", "AFIB", "VFIB", "ST"}
    # The first people of a larger cohort are the same.
    np.testing.assert_array_equal(next(make_records(2, fs=100, minutes=3)).signal, made[0].signal)
    with pytest.raises(UsageError, match=r"minutes of a virtual record must be from 0\.5 to"):
        next(make_records(2, minutes=0))


def test_windows_of_every_class_come_of_them() -> None:
    windows = make_windows(make_records(6, minutes=3), load_label_map("rhythm4"))
    assert windows.classes == ("AF", "N", "ST", "VF")
    _, counts = np.unique(windows.labels, return_counts=True)
    assert counts.min() > 5
    assert len(windows) > 6 * 12


def test_a_holter_has_known_episodes(regular: VirtualPatient) -> None:
    record = make_holter(regular, 1.0, fs=50)
    assert record.record_id == "virtual-0000-holter"
    assert record.n_samples == 3600 * 50
    assert {span.rhythm for span in record.rhythms} == {"N", "AFIB", "VFIB", "ST"}
    assert all(span.end_s - span.start_s >= 30 for span in record.rhythms)
    again = make_holter(regular, 1.0, fs=50)
    np.testing.assert_array_equal(record.signal, again.signal)
    assert make_holter(regular, 1.0, fs=50, random_state=1).rhythms != record.rhythms
    with pytest.raises(UsageError, match=r"hours of a virtual record must be from 0\.1 to 336"):
        make_holter(regular, 0.0)


def test_memory_is_the_signal_and_a_little(
    regular: VirtualPatient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_module, "BLOCK", 1 << 14)

    def peak(hours: float) -> tuple[int, int]:
        tracemalloc.start()
        try:
            record = make_holter(regular, hours, fs=100)
            return tracemalloc.get_traced_memory()[1], record.signal.nbytes
        finally:
            tracemalloc.stop()

    make_holter(regular, 0.1, fs=100)  # imports
    (short, _), (long, signal) = peak(0.5), peak(4.0)
    # What grows with the length beside the signal are beats and slow processes.
    assert long - short < 2.5 * signal


@pytest.mark.slow
def test_two_days(patients: tuple[VirtualPatient, ...]) -> None:
    record = make_holter(patients[1], 48.0, fs=250)
    assert record.n_samples == 48 * 3600 * 250
    assert np.isfinite(record.signal).all()
    assert record.rhythms[-1].end_s == record.duration_s


def test_seeds_of_64_bits(regular: VirtualPatient) -> None:
    make_record(regular, [("N", 1)], random_state=2**64 - 1)
    assert make_patients(1, random_state=2**64 - 1)[0] != make_patients(1)[0]
