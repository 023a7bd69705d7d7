"""Text in lines that fit: the size steps down first, then words go to new lines, then they are cut."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from alerts.notice import ELLIPSIS

from .fonts import Weight, width

Measure = Callable[[str], float]

# Second halves of the compounds that warnings are full of: the best place to part one is before them
HALVES = re.compile(
    r"(?<=[^\W\d_]{3})(?=alarm|anlage|ausfall|austritt|bahn|brand|dienst|einsturz|entschärfung|entwicklung|fund|gebiet"
    r"|gefahr|gesellschaft|leitung|maßnahme|schaden|schutz|sperrung|straße|unfall|unterkunft|verunreinigung|viertel"
    r"|warnung|wasser|werk|zentrum)"
)
# Elsewhere near enough: before a consonant that a vowel follows
JOINT = re.compile(
    r"(?<=[^\W\d_]{3})(?=[^\W\d_]{3})(?=(?:sch|ch|ph|th|qu|[bcdfghjklmnpqrstvwxzß])[aeiouyäöü])"
    r"(?<!s(?=ch))(?<![cpt](?=h))(?<!c(?=k))(?<!t(?=r))"
)
OPEN = re.compile(r"(?<=[-–/])(?=.)")


@dataclass(frozen=True, slots=True)
class Lines:
    """A text as it stands on the card: ``size`` and ``leading`` in pixels; ``cut`` where words are missing."""

    lines: tuple[str, ...]
    weight: Weight
    size: int
    leading: int
    cut: bool = False

    @property
    def height(self) -> int:
        """From above the first line's accents to below the last line's descenders; 0 without a line."""
        return self.leading * (len(self.lines) - 1) + round(self.size * 1.17) if self.lines else 0

    @property
    def width(self) -> float:
        return max((width(line, self.weight, self.size) for line in self.lines), default=0)


NOTHING = Lines((), "plain", 1, 1)


def fitted(text: str, weight: Weight, steps: Sequence[tuple[int, int]], wide: float, high: float) -> Lines:
    """The text in the first of ``steps`` (size in pixels, most lines) that holds it whole, else cut in the last.

    No line is wider than ``wide`` and all of them no higher than ``high`` pixels. Words are only
    parted where no step holds them unparted. Empty where not even one line has room.
    """
    if not text:
        return NOTHING
    sized = [(size, min(most, _room(size, high))) for size, most in steps]
    sized = [(size, most) for size, most in sized if most > 0]
    parted: Lines | None = None
    for size, most in sized:
        lines, broken = wrapped(text, _measure(weight, size), wide)
        if len(lines) <= most:
            found = Lines(tuple(lines), weight, size, _leading(size))
            if not broken:
                return _balanced(text, found, wide)
            parted = parted or found
    if parted is not None or not sized:
        return parted or NOTHING
    size, most = sized[-1]
    measure = _measure(weight, size)
    lines, _broken = wrapped(text, measure, wide)
    kept = lines[:most]
    if most > 1 and kept[-1].endswith("-") and " " not in kept[-1] and not kept[-2].endswith("-"):
        kept.pop()  # half a word alone on the last line
    kept[-1] = _cut(kept[-1], measure, wide)
    return Lines(tuple(kept), weight, size, _leading(size), cut=True)


def wrapped(text: str, measure: Measure, wide: float) -> tuple[list[str], bool]:
    """The text in lines no wider than ``wide``, and whether a word had to be parted with a hyphen."""
    lines: list[str] = []
    line, broken = "", False
    for word in text.split():
        if line and measure(f"{line} {word}") <= wide:
            line = f"{line} {word}"
            continue
        if line:
            lines.append(line)
        line = word
        while measure(line) > wide and len(line) > 1:
            part, line, hyphened = _parted(line, measure, wide)
            broken |= hyphened
            lines.append(part)
    return ([*lines, line] if line else lines), broken


def _parted(word: str, measure: Measure, wide: float) -> tuple[str, str, bool]:
    """As much of a word as fits, and the rest: after a hyphen of its own, between two parts of it, or anywhere."""
    for places, sign in ((OPEN, ""), (HALVES, "-"), (JOINT, "-")):
        last = 0
        for found in places.finditer(word):
            if measure(word[: found.start()] + sign) > wide:
                break
            last = found.start()
        if last:
            return word[:last] + sign, word[last:], bool(sign)
    at = 1
    while at < len(word) - 1 and measure(f"{word[: at + 1]}-") <= wide:
        at += 1
    sign = "-" if at > 1 and word[at - 1].isalpha() and word[at].isalpha() else ""
    return word[:at] + sign, word[at:], True


def _balanced(text: str, found: Lines, wide: float) -> Lines:
    """The same number of lines, none much shorter than the others."""
    if len(found.lines) < 2:
        return found
    measure = _measure(found.weight, found.size)
    least, most, best = wide / 2, wide, list(found.lines)
    while most - least > 8:
        middle = (least + most) / 2
        lines, broken = wrapped(text, measure, middle)
        if len(lines) == len(found.lines) and not broken:
            most, best = middle, lines
        else:
            least = middle
    return Lines(tuple(best), found.weight, found.size, found.leading)


def _cut(line: str, measure: Measure, wide: float) -> str:
    if line.endswith("-"):  # the first half of a word is left out, unless nothing else would be left
        line = line.rpartition(" ")[0] or line.removesuffix("-")
    while line and measure(line.rstrip(" ,;:.–-") + ELLIPSIS) > wide:
        shorter = line.rpartition(" ")[0]
        line = shorter or line[:-1]
    return line.rstrip(" ,;:.–-") + ELLIPSIS


def _measure(weight: Weight, size: int) -> Measure:
    return lambda text: width(text, weight, size)


def _leading(size: int) -> int:
    return round(size * (1.13 if size >= 48 else 1.22))


def _room(size: int, high: float) -> int:
    return int((high - round(size * 1.17)) // _leading(size)) + 1
