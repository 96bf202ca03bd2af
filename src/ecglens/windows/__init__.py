"""Windows: slices of records that get one decision each."""

from ecglens.windows.cutting import (
    LeadChoice,
    WindowRule,
    count_windows,
    cut_record,
    lead_rows,
    window_blocks,
)
from ecglens.windows.data import Windows, balance_windows, concatenate_windows
from ecglens.windows.files import load_windows, save_windows
from ecglens.windows.labelling import make_windows
from ecglens.windows.noisy import add_noise_to_windows

__all__ = [
    "LeadChoice",
    "WindowRule",
    "Windows",
    "add_noise_to_windows",
    "balance_windows",
    "concatenate_windows",
    "count_windows",
    "cut_record",
    "lead_rows",
    "load_windows",
    "make_windows",
    "save_windows",
    "window_blocks",
]
