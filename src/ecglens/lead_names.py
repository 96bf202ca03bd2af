"""Names of leads, which each format, country and recorder wraps in words of its own."""

from __future__ import annotations

import re
import unicodedata

_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "-aVR", *(f"V{i}" for i in range(1, 10)))
_LEADS += (*(f"V{i}R" for i in range(2, 8)), "MLI", "MLII", "MLIII", "MCL1", "MCL6")
_LEADS += ("CM2", "CM4", "CM5", "CC5")
_BY_FOLDED = {lead.casefold(): lead for lead in _LEADS}
_WORDS = (
    r"mdc|ecg|ekg|экг|lead|channel|kanal|chan|ch|ableitung|abl|d[ée]rivation|derivaci[óo]n"
    r"|deriva[çc][ãa]o|derivazione|odprowadzenie|отведение|отв|導出|导联|導聯|誘導|유도"
)
# "Lead II", "ECG II", "MDC_ECG_LEAD_AVR", "Lead I (Einthoven)", "Lead aVR, augmented voltage,
# right", "II отведение", "II 导联", and what "lead" is called elsewhere.
_BEFORE, _AFTER = rf"(?:(?:{_WORDS})[\s_:.]*-?\s*)*", rf"(?:[\s_:.]*(?:{_WORDS}))*\.?"
_WRAPPED = re.compile(
    rf"{_BEFORE}({'|'.join(_LEADS)}){_AFTER}(?:\s*[(,].*)?",
    re.IGNORECASE,
)
# "DII" and "D2", as the limb leads are called in French, Spanish and Portuguese.
_LIMB = re.compile(rf"{_BEFORE}D[\s_]?(?:(I{{1,3}})|([123])){_AFTER}", re.IGNORECASE)
_NUMBERED = re.compile(rf"{_BEFORE}0*(\d{{1,3}}){_AFTER}", re.IGNORECASE)
_ECG = re.compile(r"ecg|ekg|экг", re.IGNORECASE)
# Recorded from the trunk and not the limbs, and read as the limb leads.
_MODIFIED = {"mli": "i", "mlii": "ii", "mliii": "iii"}


def plain_lead(name: str) -> str:
    """Return the bare lead, as ``"II"`` for ``"Lead II"`` or ``"D2"``; any other name as it is."""
    text = unicodedata.normalize("NFKC", name).strip()
    if found := _WRAPPED.fullmatch(text):
        return _BY_FOLDED[found[1].casefold()]
    if found := _LIMB.fullmatch(text):
        return found[1].upper() if found[1] else "I" * int(found[2])
    return name.strip()


def names_ecg(name: str) -> bool:
    """Tell whether a name says that the signal is an ECG, by this word or by a lead."""
    text = unicodedata.normalize("NFKC", name).strip()
    return bool(_ECG.search(name)) or _WRAPPED.fullmatch(text) is not None


def names_limb(name: str) -> bool:
    """Tell whether a name is that of a limb lead beside an ECG: ``"D2"`` alone may be anything."""
    return _LIMB.fullmatch(unicodedata.normalize("NFKC", name).strip()) is not None


def lead_key(name: str) -> str:
    """Return what is the same for all spellings of a lead.

    Names that are but a number with or without such words, as ``"EKG1"``, ``"Kanal 1"`` and
    ``"lead1"``, are the same; ``"lead 2"`` is therefore not ``"II"``.
    """
    plain = plain_lead(name)
    if plain.casefold() in _BY_FOLDED:
        return plain.casefold()
    if found := _NUMBERED.fullmatch(unicodedata.normalize("NFKC", plain)):
        return f"lead{int(found[1])}"
    return " ".join(plain.casefold().split())


def limb_key(name: str) -> str:
    """Return :func:`lead_key` of the limb lead that a modified one stands for (MLII for II)."""
    key = lead_key(name)
    return _MODIFIED.get(key, key)
