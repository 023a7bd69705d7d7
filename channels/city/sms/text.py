"""What an SMS may hold: segments counted as networks do, and characters that would double the price put plainly."""

from __future__ import annotations

import re
import unicodedata

from aiosmpplib.codec import GSM_BASIC_ENCODE_MAP, GSM_EXTENDED_ENCODE_MAP

GSM7, UCS2 = "GSM-7", "UCS-2"
ROOM = {GSM7: (160, 153), UCS2: (70, 67)}
"""Encoding -> units of a single segment, and of each one where there are several (3GPP TS 23.040 §9.2.3.24)."""

# These say the same in GSM-7. One of them left in would make the whole text UCS-2 and double its price.
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("„“”‟«»″〝〞", '"'),
        **dict.fromkeys("‚‘’‛‹›′`´ʼ", "'"),
        **dict.fromkeys("‐‑‒–—―−⁃﹣", "-"),
        **dict.fromkeys("•‣▪●·∙", "-"),
        "…": "...", "‥": "..", "⁄": "/", "∕": "/", "×": "x", "÷": "/", "±": "+-", "≈": "~",
        "≤": "<=", "≥": ">=", "≠": "<>", "→": "->", "←": "<-", "⇒": "=>", "↔": "<->",
        "©": "(c)", "®": "(R)", "ẞ": "ß", "Œ": "OE", "œ": "oe",
    }
)  # fmt: skip
# Letters that no decomposition leads to; readers take them for the plain one.
_LETTERS = str.maketrans("ıłŁđĐðÐħĦŧŦəƏ", "ilLdDdDhHtTeE")
_SPACES = re.compile(r"\s+")


def plain(text: str) -> str:
    """``text`` on one line, in GSM-7 where nothing is lost by it, else as it was but for quotes, dashes and spaces.

    Letters lose accents that GSM-7 lacks, pictures are left out. Text in other scripts stays as it is.
    """
    shown = "".join(char for char in unicodedata.normalize("NFC", text) if _shown(char)).translate(_PLAIN)
    clean = _SPACES.sub(" ", shown).strip()
    if encoding(clean) == GSM7:
        return clean
    spelt = _SPACES.sub(" ", "".join(_spelt(char) for char in clean)).strip()
    return spelt if spelt and encoding(spelt) == GSM7 else clean


def _shown(char: str) -> bool:
    """Whether a reader can see it: no control, no direction mark, no half of a character, nothing of zero width."""
    return char.isspace() or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co"}


def _spelt(char: str) -> str:
    if _known(char):
        return char
    apart = unicodedata.normalize("NFKD", char).translate(_PLAIN).translate(_LETTERS)
    if apart != char:
        # a second time: what came out may be written with a mark or a letter of its own again
        return "".join(_spelt(one) for one in apart)
    return "" if unicodedata.category(char) in {"So", "Sk", "Mn", "Me"} else char


def _known(char: str) -> bool:
    return char in GSM_BASIC_ENCODE_MAP or char in GSM_EXTENDED_ENCODE_MAP


def encoding(text: str) -> str:
    """GSM-7 where every character is in it, else UCS-2."""
    return GSM7 if all(_known(char) for char in text) else UCS2


def parts(text: str) -> list[str]:
    """The texts of the segments. No character is cut in two: not an escaped one, not one outside the first plane."""
    kind = encoding(text)
    single, each = ROOM[kind]
    widths = [_width(char, kind) for char in text]
    if sum(widths) <= single:
        return [text]
    cut: list[str] = []
    begin = used = 0
    for place, width in enumerate(widths):
        if used + width > each:
            cut.append(text[begin:place])
            begin, used = place, 0
        used += width
    return [*cut, text[begin:]]


def _width(char: str, kind: str) -> int:
    if kind == GSM7:
        return 2 if char in GSM_EXTENDED_ENCODE_MAP else 1
    return 2 if ord(char) > 0xFFFF else 1


def segments(text: str) -> int:
    """How many SMS it costs."""
    return len(parts(text))


def characters(text: str) -> int:
    """Its length as a network counts it: septets in GSM-7, UTF-16 units in UCS-2."""
    kind = encoding(text)
    return sum(_width(char, kind) for char in text)
