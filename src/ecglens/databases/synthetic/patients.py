"""Virtual patients: what stays the same about a person in all of their recordings."""

from __future__ import annotations

from dataclasses import dataclass

from ecglens.databases.synthetic.leads import Vector


@dataclass(frozen=True, slots=True)
class Wave:
    """One Gaussian event of a beat.

    Attributes:
        vector: peak in mV on the axes left, feet and back.
        offset_s: from the R peak to its own peak, at an R-R interval of 1 s.
        rise_s: standard deviation before the peak, at an R-R interval of 1 s.
        fall_s: standard deviation behind the peak.
        rate_power: offset and widths go with the R-R interval to this power.
    """

    vector: Vector
    offset_s: float
    rise_s: float
    fall_s: float
    rate_power: float = 0.0


@dataclass(frozen=True, slots=True)
class HeartRate:
    """The sinus node: a mean rate and relative deviations of the R-R interval.

    Attributes:
        mean_bpm: beats per minute at the start of a recording.
        slow_share: standard deviation of the part below 0.02 Hz.
        lf_share: of the part around 0.1 Hz (Mayer waves).
        rsa_share: amplitude of the part that goes with respiration.
        night_share: how much the rate is lower twelve hours after the start.
        respiration_hz: mean breathing rate.
        pvc_per_min: ventricular premature beats in a minute.
        pac_per_min: atrial ones.
    """

    mean_bpm: float
    slow_share: float
    lf_share: float
    rsa_share: float
    night_share: float
    respiration_hz: float
    pvc_per_min: float
    pac_per_min: float


@dataclass(frozen=True, slots=True)
class AtrialFibrillation:
    """Atrial fibrillation of a person.

    Attributes:
        impulses_hz: rate at which atrial impulses reach the AV node.
        slow_path_s: refractory period of its slow pathway.
        fast_path_s: of its fast pathway.
        spread_s: length of the relative refractory period behind either.
        slow_share: share of beats that come by the slow pathway.
        f_wave_hz: mean frequency of the f-waves.
        f_wave: their amplitude in mV on the axes left, feet and back.
    """

    impulses_hz: float
    slow_path_s: float
    fast_path_s: float
    spread_s: float
    slow_share: float
    f_wave_hz: float
    f_wave: Vector


@dataclass(frozen=True, slots=True)
class VentricularFibrillation:
    """Ventricular fibrillation of a person.

    Attributes:
        hz: dominant frequency at the onset.
        coarse_mv: amplitude at the onset.
        fine_mv: amplitude that remains.
        decay_s: time in which it goes from coarse to fine.
    """

    hz: float
    coarse_mv: float
    fine_mv: float
    decay_s: float


@dataclass(frozen=True, slots=True)
class Ischaemia:
    """ST change of a person.

    Attributes:
        vector: direction of a depression or elevation; its length has no meaning.
        peak_mv: deviation at its height in the lead that shows it most.
        slope_per_s: how the deviation grows (or falls, if negative) from 65 ms behind the J point
            on, relative to what it is there.
        t_share: change of the T wave's amplitude at the height of the deviation, relative.
    """

    vector: Vector
    peak_mv: float
    slope_per_s: float
    t_share: float


@dataclass(frozen=True, slots=True)
class NoiseLevels:
    """Usual noise of a person's recordings, rms in mV, and the mains frequency in Hz."""

    baseline: float
    muscle: float
    mains: float
    recorder: float
    motion: float
    mains_hz: float


@dataclass(frozen=True, slots=True)
class VirtualPatient:
    """A person who does not exist, with an ECG of their own.

    Attributes:
        subject: such as ``"virtual-0007"``.
        number: place in the sequence of patients of one seed.
        seed: from which every recording of the person is drawn.
        waves: P, Q, R, S and T of a beat.
        premature_p: the P wave of an atrial premature beat.
        premature_waves: the waves of a ventricular premature beat.
        breath_share: how much respiration changes the amplitude of beats, relative.
        rate: the sinus rhythm.
        af: atrial fibrillation.
        vf: ventricular fibrillation.
        st: ST change.
        noise: usual noise.
    """

    subject: str
    number: int
    seed: int
    waves: tuple[Wave, ...]
    premature_p: Wave
    premature_waves: tuple[Wave, ...]
    breath_share: float
    rate: HeartRate
    af: AtrialFibrillation
    vf: VentricularFibrillation
    st: Ischaemia
    noise: NoiseLevels
