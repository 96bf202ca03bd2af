"""open_record: any stretch holds, bit for bit, what read_record gives; little else is read."""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecglens.errors import RecordError, UsageError
from ecglens.readers import find_records, open_record, read_record
from ecglens.readers.wfdb_signals import FLAC, SAMPLE_BYTES, quiet_wfdb
from ecglens.records import Record, Recording

N = 997
FORMATS = sorted([*SAMPLE_BYTES, *FLAC], key=int)
QUICK = settings(max_examples=4)


def check_stretches(source: Recording, whole: Record, cuts: list[int]) -> None:
    """Compare stretches between the cuts, and each alone from the end to the start."""
    assert (source.n_samples, source.leads, source.fs) == (whole.n_samples, whole.leads, whole.fs)
    assert (source.notes, source.rhythms) == (whole.notes, whole.rhythms)
    assert source.subject_id == whole.subject_id
    edges = [0, *sorted(min(cut, whole.n_samples) for cut in cuts), whole.n_samples]
    for start, stop in reversed(list(itertools.pairwise(edges))):
        found = source.read(start, stop)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, whole.signal[:, start:stop])
    last = whole.lead_names[-1]
    np.testing.assert_array_equal(source.read(edges[1], edges[-1], [last]),
                                  whole.signal[-1:, edges[1] :])  # fmt: skip


def write_format(folder: Path, fmt: str) -> Path:
    """Write two leads in any format: random bytes, which all mean something, or FLAC by wfdb."""
    rng = np.random.default_rng(int(fmt))
    if int(fmt) < 500:
        n_bytes, n_samples = SAMPLE_BYTES[fmt]
        (folder / "rt.dat").write_bytes(rng.bytes(-(-2 * N // n_samples) * n_bytes))
        lines = "".join(f"rt.dat {fmt} 200(7)/mV 0 0 3 0 0 L{i}\n" for i in range(2))
        (folder / "rt.hea").write_text(f"rt 2 250 {N}\n{lines}")
        return folder / "rt"
    signal = rng.uniform(-0.6, 0.6, (N, 2))
    signal[300:340] = np.nan
    with quiet_wfdb() as wfdb:
        wfdb.wrsamp(
            "rt", fs=250, units=["mV"] * 2, sig_name=["L0", "L1"], fmt=[fmt] * 2,
            p_signal=signal, adc_gain=[200.0] * 2, baseline=[0] * 2, write_dir=str(folder),
        )  # fmt: skip
    return folder / "rt"


@pytest.mark.parametrize("fmt", FORMATS)
@QUICK
@given(cuts=st.lists(st.integers(0, N), max_size=4))
def test_stretches_of_every_wfdb_format(tmp_path: Path, fmt: str, cuts: list[int]) -> None:
    path = write_format(tmp_path, fmt)
    check_stretches(open_record(path), read_record(path), cuts)


@QUICK
@given(cuts=st.lists(st.integers(0, 60), max_size=4))
def test_stretches_of_leads_with_skew_and_mixed_rates(write_wfdb, cuts: list[int]) -> None:
    frames = np.random.default_rng(0).integers(-999, 999, (20, 6)).astype("<i2")
    text = (
        "rec 3 100 20\nrec.dat 16x3 1/mV 0 0 0 0 0 fast\nrec.dat 16x2:4 1/mV 0 0 0 0 0 slow\n"
        "rec.dat 16 1/uV 0 0 0 0 0 slowest\n"
    )
    path = write_wfdb(text, data=frames.tobytes())
    whole = read_record(path)
    assert whole.signal.shape == (3, 60)
    assert np.isnan(whole.signal[1, -9:]).all()
    check_stretches(open_record(path), whole, cuts)


@QUICK
@given(cuts=st.lists(st.integers(0, 350), max_size=4))
def test_stretches_across_segments_and_gaps(write_wfdb, tmp_path: Path, cuts: list[int]) -> None:
    counts = np.arange(100, dtype="<i2").tobytes()
    (tmp_path / "layout.hea").write_text("layout 2 250 0\n~ 0 0 0 0 0 0 0 II\n~ 0 0 0 0 0 0 0 V\n")
    line = "{0}.dat 16:{3} 1/{2} 0 0 0 0 0 {1}\n"
    write_wfdb("a 1 250 100\n" + line.format("a", "II", "mV", 7), name="a", data=counts)
    write_wfdb("b 1 250 100\n" + line.format("b", "V", "uV", 0), name="b", data=counts)
    (tmp_path / "m.hea").write_text("m/5 2 250 350\nlayout 0\na 100\n~ 50\nb 100\n~ 100\n")
    check_stretches(open_record(tmp_path / "m"), read_record(tmp_path / "m"), cuts)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(2, N), (N, 2), (N,)])
def test_stretches_of_npy(tmp_path: Path, shape: tuple[int, ...], order: str) -> None:
    signal = np.asarray(np.random.default_rng(0).normal(size=shape), order=order)
    signal.flat[5] = np.inf
    signal.flat[99] = np.nan
    np.save(tmp_path / "a.npy", signal)
    source, whole = open_record(tmp_path / "a.npy", fs=100), read_record(tmp_path / "a.npy", fs=100)
    assert "1 infinite samples are taken as missing" in source.notes
    check_stretches(source, whole, [1, 98, 500, 996])


def test_stretches_of_npz_and_csv(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).integers(-500, 500, (3, N))
    np.savez(
        tmp_path / "a.npz", signal=counts, gain=[100, 200, 300], fs=250, leads=["I", "PPG", "V"]
    )
    source = open_record(tmp_path / "a.npz")
    assert source.lead_names == ("I", "V")
    check_stretches(source, read_record(tmp_path / "a.npz"), [10, 500])
    np.testing.assert_allclose(source.read(7, 9, ["V"])[0], counts[2, 7:9] / 300, rtol=1e-6)
    np.savetxt(tmp_path / "a.csv", counts.T[:, :2] / 7, delimiter=",", header="I,II", comments="")
    check_stretches(
        open_record(tmp_path / "a.csv", fs=100), read_record(tmp_path / "a.csv", fs=100), [10, 500]
    )


def test_doubts_are_noted_when_a_record_is_opened(tmp_path: Path) -> None:
    # Beyond the first stretch that is looked at.
    signal = np.zeros(2**20 + 50)
    signal[-1] = 5000
    np.save(tmp_path / "a.npy", signal)
    assert open_record(tmp_path / "a.npy", fs=250).notes == (
        "no unit is given; mV is assumed",
        "values reach 5000 mV, too much for an ECG; name the unit",
    )


def test_a_gain_beyond_float32_gives_missing_samples_and_a_note(write_wfdb) -> None:
    source = open_record(write_wfdb("rec 1 250 1000\nrec.dat 16 1e-38(0)/mV\n"))
    assert np.isnan(source.read(1, 1000)).sum() > 900
    assert "infinite samples are taken as missing" in source.notes[-1]


@pytest.mark.parametrize("stretch", [(-1, 10), (5, 4), (0, 1001)])
def test_a_stretch_outside_the_record_is_refused(write_wfdb, stretch: tuple[int, int]) -> None:
    path = write_wfdb()
    for record in (open_record(path), read_record(path)):
        with pytest.raises(UsageError, match=r"'rec': samples .* must lie within 0 to 1000"):
            record.read(*stretch)


def test_a_lead_that_is_not_there(write_wfdb) -> None:
    with pytest.raises(RecordError, match="record 'rec' has no lead 'V9'; it has II"):
        open_record(write_wfdb()).read(0, 10, ["V9"])


def test_an_empty_stretch(write_wfdb) -> None:
    assert open_record(write_wfdb()).read(500, 500).shape == (1, 0)


def test_samples_that_are_damaged_later_on_stop_the_reading_there(tmp_path: Path) -> None:
    path = write_format(tmp_path, "516")
    data = tmp_path / "rt.dat"
    whole = data.read_bytes()
    source = open_record(path)
    data.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordError, match=r"cannot decode the signals of .*rt\.hea"):
        source.read(0, N)
    data.unlink()
    with pytest.raises(RecordError, match=r"'rt\.dat', which is not in its folder"):
        source.read(0, 10)


def test_an_array_that_is_gone(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(100))
    source = open_record(tmp_path / "a.npy", fs=100)
    (tmp_path / "a.npy").unlink()
    with pytest.raises(RecordError, match=r"cannot read .*a\.npy: No such file"):
        source.read(0, 10)


@pytest.mark.parametrize("kind", ["wfdb", "npy"])
def test_a_stretch_takes_the_memory_of_a_stretch(tmp_path: Path, kind: str) -> None:
    n = 20_000_000
    path = tmp_path / ("a.hea" if kind == "wfdb" else "a.npy")
    if kind == "wfdb":
        path.write_text(f"a 1 250 {n}\na.dat 16 200/mV 16 0 0 0 0 II\n")
        with path.with_suffix(".dat").open("wb") as file:
            file.truncate(2 * n)
    else:
        np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n,)).flush()
    given = 250 if kind == "npy" else None
    open_record(path, fs=given).read(0, 10)  # what is imported is not counted
    tracemalloc.start()
    try:
        assert open_record(path, fs=given).read(n - 1000, n).shape == (1, 1000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A header is read through a buffer of 4 MB; an NPY file is looked at in blocks of 4 MB.
    assert peak < 0.3 * 4 * n


@pytest.mark.parametrize("folder", ["wfdb_variants", "wfdb_edge_cases"])
def test_stretches_of_real_recordings(real_data: Path, folder: str) -> None:
    for path in find_records(real_data / "formats" / folder):
        try:
            whole = read_record(path)
        except RecordError:
            continue  # tests of real recordings say which and why
        n = whole.n_samples
        source = open_record(path)
        for start in (0, 1, n // 3, n - 5):
            stop = min(n, start + 4001)
            np.testing.assert_array_equal(source.read(start, stop), whole.signal[:, start:stop])
