"""Virtual patients: electrocardiograms with known truth, for rehearsals, tests and benchmarks."""

from ecglens.databases.synthetic.beats import Beats, make_beats
from ecglens.databases.synthetic.drawing import make_patients
from ecglens.databases.synthetic.noise import NOISES, add_noise, make_noise
from ecglens.databases.synthetic.patients import VirtualPatient
from ecglens.databases.synthetic.plans import RHYTHMS
from ecglens.databases.synthetic.records import make_holter, make_record, make_records

__all__ = [
    "NOISES", "RHYTHMS", "Beats", "VirtualPatient", "add_noise", "make_beats", "make_holter",
    "make_noise", "make_patients", "make_record", "make_records",
]  # fmt: skip
