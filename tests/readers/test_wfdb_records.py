"""WFDB signals: units, leads, missing samples, skew, mixed rates, segments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ecglens.errors import RecordError
from ecglens.readers import read_record
from ecglens.readers.wfdb_signals import quiet_wfdb

QUICK = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def wrsamp(folder: Path, signal: np.ndarray, fmt: str = "16", gain: float = 200.0) -> Path:
    """Write (n_samples, n_leads) with wfdb itself."""
    n = signal.shape[1]
    with quiet_wfdb() as wfdb:
        wfdb.wrsamp(
            "rt", fs=250, units=["mV"] * n, sig_name=[f"L{i}" for i in range(n)], fmt=[fmt] * n,
            p_signal=signal, adc_gain=[gain] * n, baseline=[0] * n, write_dir=str(folder),
        )  # fmt: skip
    return folder / "rt"


@pytest.mark.parametrize("fmt", ["16", "212", "80", "24", "32", "516", "524"])
@QUICK
@given(data=st.data())
def test_round_trip(tmp_path: Path, fmt: str, data: st.DataObject) -> None:
    # Within half a count; NaN stays NaN.
    limit = {"80": 0.6}.get(fmt, 10.0)
    shape = (data.draw(st.integers(2, 40)), data.draw(st.integers(1, 3)))
    element = st.floats(-limit, limit) | st.just(float("nan"))
    signal = data.draw(hnp.arrays(np.float64, shape, elements=element))
    record = read_record(wrsamp(tmp_path, signal, fmt))
    np.testing.assert_allclose(record.signal.T, signal, atol=0.5 / 200 + 1e-5)
    assert record.lead_names == tuple(f"L{i}" for i in range(shape[1]))


def test_leads_with_equal_lines_are_told_apart(write_wfdb) -> None:
    counts = np.arange(20, dtype="<i2").tobytes()
    line = "rec.dat 16 1/mV 0 0 0 0 0 ECG\n"
    record = read_record(write_wfdb("rec 2 250 10\n" + line * 2, data=counts))
    np.testing.assert_array_equal(record.signal[0], np.arange(0, 20, 2))
    np.testing.assert_array_equal(record.signal[1], np.arange(1, 20, 2))


@pytest.mark.parametrize(
    ("gain", "mv"),
    [("200/mV", 1.0), ("200", 1.0), ("0", 1.0), ("200/uV", 1e-3), ("200/µV", 1e-3),
     ("200/V", 1e3), ("2e2(100)/mV", 0.5), ("-200/mV", -1.0)],
)  # fmt: skip
def test_units_and_gains(write_wfdb, gain: str, mv: float) -> None:
    counts = np.full(100, 200, dtype="<i2").tobytes()
    text = f"rec 1 250 100\nrec.dat 16 {gain}\n"
    record = read_record(write_wfdb(text, data=counts))
    np.testing.assert_allclose(record.signal, mv, rtol=1e-6)
    assert record.leads[0].unit == "mV"
    assert record.lead_names == ("lead1",)
    assert any("gain 0" in note for note in record.notes) == (gain == "0")


def test_missing_gain_and_adc_zero_as_baseline(write_wfdb) -> None:
    counts = np.full(100, 1224, dtype="<i2").tobytes()
    plain = read_record(write_wfdb("rec 1 250 100\nrec.dat 16\n", data=counts))
    np.testing.assert_allclose(plain.signal, 1224 / 200)
    zero = read_record(write_wfdb("rec 1 250 100\nrec.dat 16 200 11 1024\n", data=counts))
    np.testing.assert_allclose(zero.signal, 1.0)


def header_of(*leads: str) -> str:
    lines = [f"rec.dat 16 {gain} 16 0 0 0 0 {name}" for gain, name in (s.split() for s in leads)]
    return f"rec {len(leads)} 250 100\n" + "\n".join(lines)


def test_only_the_ecg_is_kept(write_wfdb) -> None:
    text = header_of("200/mmHg ABP", "200/mV II", "200/NU PLETH", "200 RESP", "1/mV EEG1", "1/mV V")
    record = read_record(write_wfdb(text))
    assert record.lead_names == ("II", "V")
    assert record.notes == (
        "left out, not an ECG voltage: ABP (mmHg), PLETH (NU), RESP, EEG1 (mV)",
    )


def test_lead_in_another_unit_is_kept_alone(write_wfdb) -> None:
    record = read_record(write_wfdb(header_of("200/adu ECG", "200/mmHg ABP")))
    assert [(lead.name, lead.unit) for lead in record.leads] == [("ECG", "adu")]
    assert any("not in mV, the unit is not a voltage: ECG (adu)" in n for n in record.notes)


def test_no_ecg_at_all(write_wfdb) -> None:
    with pytest.raises(RecordError, match=r"holds no ECG lead, only ABP \(mmHg\), PLETH"):
        read_record(write_wfdb(header_of("200/mmHg ABP", "200 PLETH")))


def test_skew_shifts_and_leaves_the_end_missing(write_wfdb) -> None:
    counts = np.arange(20, dtype="<i2").tobytes()
    text = "rec 2 250 10\nrec.dat 16 1/mV 0 0 0 0 0 a\nrec.dat 16:3 1/mV 0 0 0 0 0 b\n"
    record = read_record(write_wfdb(text, data=counts))
    np.testing.assert_array_equal(record.signal[0], np.arange(0, 20, 2))
    np.testing.assert_array_equal(record.signal[1], [*range(7, 21, 2), *[np.nan] * 3])
    assert [(gap.start_s, gap.end_s, gap.lead) for gap in record.gaps] == [(7 / 250, 10 / 250, "b")]


def test_mixed_rates_take_the_fastest_ecg_lead(write_wfdb) -> None:
    # Frames of 2 + 1 + 4 samples: only the ECG leads decide the rate.
    frames = np.arange(10)[:, None] * np.array([[2, 2, 2, 0, 0, 0, 0]]) + [[0, 1, 0, 0, 0, 0, 0]]
    text = (
        "rec 3 100 10\nrec.dat 16x2 1/mV 0 0 0 0 0 fast\nrec.dat 16 1/mV 0 0 0 0 0 slow\n"
        "rec.dat 16x4 1/mmHg 0 0 0 0 0 ABP\n"
    )
    record = read_record(write_wfdb(text, data=frames.astype("<i2").tobytes()), fs=200)
    assert record.fs == 200
    np.testing.assert_array_equal(record.signal[0], np.arange(20))
    np.testing.assert_array_equal(record.signal[1], [*np.arange(19), 18])
    assert "slower leads are interpolated to 200 Hz" in record.notes


def test_frame_rate_below_10_hz_is_fine_when_leads_are_faster(write_wfdb) -> None:
    assert read_record(write_wfdb("rec 1 1 4\nrec.dat 16x250 200/mV\n")).fs == 250


@pytest.mark.parametrize("layout", ["fixed", "variable"])
def test_segments(write_wfdb, tmp_path: Path, layout: str) -> None:
    one = np.arange(100, dtype="<i2")
    (tmp_path / "layout.hea").write_text("layout 2 250 0\n~ 0 0 0 0 0 0 0 II\n~ 0 0 0 0 0 0 0 V\n")
    line = "{0}.dat 16 1/{2} 0 0 0 0 0 {1}\n"
    write_wfdb("a 1 250 100\n" + line.format("a", "II", "mV"), name="a", data=one.tobytes())
    unit = "mV" if layout == "fixed" else "uV"
    lead = "II" if layout == "fixed" else "V"
    write_wfdb("b 1 250 100\n" + line.format("b", lead, unit), name="b", data=one.tobytes())
    if layout == "fixed":
        (tmp_path / "m.hea").write_text("m/2 1 250 200\na 100\nb 100\n")
        signal = read_record(tmp_path / "m").signal
        np.testing.assert_array_equal(signal, [[*one, *one]])
        return
    (tmp_path / "m.hea").write_text("m/5 2 250 350\nlayout 0\na 100\n~ 50\nb 100\n~ 100\n")
    record = read_record(tmp_path / "m")
    none = np.full(350, np.nan)
    first, second = none.copy(), none.copy()
    first[:100], second[150:250] = one, one / 1000
    np.testing.assert_allclose(record.signal, [first, second], rtol=1e-6)
    assert record.lead_names == ("II", "V")
    assert record.duration_s == 350 / 250


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("m/2 1 250 250\na 100\na 100\n", "declares 250 samples, but its segments have 200"),
        ("m/1 1 250 200\na 200\n", "declares 200 samples for segment a, which has 100"),
        ("m/1 1 360 100\na 100\n", r"a\.hea is sampled at 250 Hz, but m\.hea says 360 Hz"),
        ("m/2 1 250\na 100\n~ 999999999999\n", "more than 33554432 values; read the segments"),
        ("m/1 1 250 100\ngone 100\n", r"'gone\.hea', which is not in its folder"),
    ],
)
def test_refused_segments(write_wfdb, tmp_path: Path, text: str, message: str) -> None:
    write_wfdb(name="a", samples=100)
    (tmp_path / "m.hea").write_text(text)
    with pytest.raises(RecordError, match=message):
        read_record(tmp_path / "m")


def flac_head(samples: int, channels: int = 1) -> bytes:
    """A STREAMINFO block that announces any number of samples."""
    rate_channels_bits = (250 << 44) | ((channels - 1) << 41) | (15 << 36) | samples
    return b"fLaC\x80\0\0\x22" + b"\x10\0\x10\0" + bytes(6) + rate_channels_bits.to_bytes(8, "big")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (flac_head(2**35) + bytes(16), "announces 34359738368 samples, too many for 42 bytes"),
        (flac_head(10) + bytes(16), "declares 100 samples, but rec.dat holds 10"),
        (flac_head(100, channels=2) + bytes(16), "has 2 channels, but its header describes 1"),
        (flac_head(100) + bytes(16), "cannot decode the signals of .*rec.hea: .*damaged"),
    ],
)
def test_damaged_flac(write_wfdb, data: bytes, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        read_record(write_wfdb("rec 1 250 100\nrec.dat 516 200/mV\n", data=data))


def test_copies_where_links_are_not_allowed(write_wfdb, monkeypatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError("not permitted")

    header = write_wfdb()
    expected = read_record(header).signal
    monkeypatch.setattr(Path, "symlink_to", refuse)
    np.testing.assert_array_equal(read_record(header).signal, expected)


@QUICK
@given(noise=st.binary(max_size=300))
def test_noise_as_header_gives_only_record_errors(tmp_path: Path, noise: bytes) -> None:
    (tmp_path / "n.hea").write_bytes(b"n 1 250 10\n" + noise)
    (tmp_path / "n.dat").write_bytes(bytes(20))
    with pytest.raises(RecordError):
        read_record(tmp_path / "n.hea")
