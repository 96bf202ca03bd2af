"""Names of leads, which each format wraps in words of its own."""

from __future__ import annotations

import re

_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "-aVR", *(f"V{i}" for i in range(1, 10)))
_LEADS += (*(f"V{i}R" for i in range(2, 8)), "MLI", "MLII", "MLIII", "MCL1", "MCL6")
_LEADS += ("CM2", "CM4", "CM5", "CC5")
_BY_FOLDED = {lead.casefold(): lead for lead in _LEADS}
# "Lead II", "ECG II", "MDC_ECG_LEAD_AVR", "Lead I (Einthoven)", "Lead aVR, augmented voltage,
# right", and what "lead" is called elsewhere.
_WRAPPED = re.compile(
    r"(?:(?:mdc|ecg|ekg|lead|channel|ableitung|d[ée]rivation|derivaci[óo]n|deriva[çc][ãa]o"
    rf"|derivazione|отведение)[\s_:.]*-?\s*)*({'|'.join(_LEADS)})(?:\s*[(,].*)?",
    re.IGNORECASE,
)
_ECG = re.compile(r"ecg|ekg|экг", re.IGNORECASE)


def plain_lead(name: str) -> str:
    """Return the bare lead, as ``"II"`` for ``"Lead II"``; any other name as it is."""
    found = _WRAPPED.fullmatch(name.strip())
    return _BY_FOLDED[found[1].casefold()] if found else name.strip()


def names_ecg(name: str) -> bool:
    """Tell whether a name says that the signal is an ECG, by this word or by a lead."""
    return bool(_ECG.search(name)) or _WRAPPED.fullmatch(name.strip()) is not None
