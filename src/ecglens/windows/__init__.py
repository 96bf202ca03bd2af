"""Windows: slices of records that get one decision each."""

from ecglens.windows.cutting import (
    LeadChoice,
    WindowRule,
    count_windows,
    cut_record,
    lead_rows,
    read_padded,
    window_blocks,
)
from ecglens.windows.data import Windows, balance_windows, concatenate_windows, share_out
from ecglens.windows.files import load_windows, save_windows
from ecglens.windows.labelling import make_windows
from ecglens.windows.tables import is_windows_table, load_windows_table

__all__ = [
    "LeadChoice",
    "WindowRule",
    "Windows",
    "balance_windows",
    "concatenate_windows",
    "count_windows",
    "cut_record",
    "is_windows_table",
    "lead_rows",
    "load_windows",
    "load_windows_table",
    "make_windows",
    "read_padded",
    "save_windows",
    "share_out",
    "window_blocks",
]
