"""Roboto in two weights, out of its package, and which texts it can show at all."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Literal

from font_roboto import Roboto, RobotoBold
from PIL import ImageFont
from PIL.ImageFont import FreeTypeFont

Weight = Literal["plain", "bold"]
FILES = {"plain": Roboto, "bold": RobotoBold}
NO_CHARACTER = "\uffff"
"""Never a character: what a font draws for it, it draws for all that it lacks."""
PROBE = 24


@lru_cache(maxsize=96)
def font(weight: Weight, size: int) -> FreeTypeFont:
    """``size`` in pixels. Basic layout: the other one hangs on a library that not every machine has."""
    return ImageFont.truetype(FILES[weight], size, layout_engine=ImageFont.Layout.BASIC)


def width(text: str, weight: Weight, size: int) -> float:
    """Pixels from the text's start to its end."""
    return font(weight, size).getlength(text)


@lru_cache(maxsize=4096)
def has(letter: str) -> bool:
    """Whether there is a picture for this character."""
    return _picture(letter) != _picture(NO_CHARACTER)


def _picture(letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font("bold", PROBE).getmask(letter)
    return mask.size, bytes(mask)


def drawable(text: str) -> str:
    """The text in one line as it can be drawn, or "" where that would not be the same text.

    Signs that the font lacks (emoji), invisible characters and stacked accents are left out. A text
    with a letter or digit that it lacks is empty: half a word says something else.
    """
    kept: list[str] = []
    marked = False
    for letter in unicodedata.normalize("NFC", text):
        kind = unicodedata.category(letter)
        if kind[0] in "CZ":
            kept.append(" " if letter.isspace() else "")
            marked = False
        elif kind[0] == "M":
            # Above the first accent the next would leave its line; a sign without a base has no place either
            if has(letter) and not marked and kept and kept[-1].isalnum():
                kept.append(letter)
            marked = True
        elif has(letter):
            kept.append(letter)
            marked = False
        elif kind[0] in "LN":
            return ""
        else:
            marked = True
    whole = " ".join("".join(kept).split())
    return whole if any(letter.isalnum() for letter in whole) else ""
