"""Virtual patients: electrocardiograms with known truth, for rehearsals, tests and benchmarks."""

from ecglens.databases.synthetic.beats import Beats, make_beats
from ecglens.databases.synthetic.drawing import make_patients
from ecglens.databases.synthetic.noise import add_noise, make_noise
from ecglens.databases.synthetic.noise_sources import NOISES
from ecglens.databases.synthetic.patients import VirtualPatient
from ecglens.databases.synthetic.plans import RHYTHMS
from ecglens.databases.synthetic.records import make_holter, make_record, make_records
from ecglens.databases.synthetic.waves import wave_times

__all__ = [
    "NOISES", "RHYTHMS", "Beats", "VirtualPatient", "add_noise", "make_beats", "make_holter",
    "make_noise", "make_patients", "make_record", "make_records", "wave_times",
]  # fmt: skip
