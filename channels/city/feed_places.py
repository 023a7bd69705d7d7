"""Which feeds there are, what each lists, and where it lies in the public folder; pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.text import slugify

from alerts.public import PublicArea
from alerts.terms import Status


@dataclass(frozen=True, slots=True)
class Listing:
    """One feed in every language. ``path`` is the file's without language and suffix.

    ``codes`` are the districts whose messages it lists, None for all; ``area`` is the name of its district.
    """

    path: str
    statuses: tuple[Status, ...] = (Status.ACTUAL,)
    suffixes: tuple[str, ...] = (".atom", ".rss")
    codes: frozenset[str] | None = None
    area: str = ""

    def files(self, prefix: str) -> list[str]:
        return [f"{prefix}{self.path}{suffix}" for suffix in self.suffixes]


ALERTS = Listing("feeds/alerts")
# What is not meant in earnest has this one place alone (DESIGN, rule 7)
EXERCISES = Listing("feeds/exercises", statuses=(Status.EXERCISE, Status.TEST), suffixes=(".atom",))


def prefix(language: str, languages: Sequence[str]) -> str:
    """Where a language's files lie in the public folder: nothing for the first, else ``en/``."""
    return "" if language == languages[0] else f"{language}/"


def boroughs(areas: Sequence[PublicArea]) -> list[PublicArea]:
    """The districts that have feeds of their own: the parts of the city, or all on top where there is no city."""
    codes = {area.code for area in areas}
    tops = [area for area in areas if area.parent not in codes]
    if len(tops) == 1:
        return [area for area in areas if area.parent == tops[0].code] or tops
    return tops


def of_areas(areas: Sequence[PublicArea]) -> list[Listing]:
    """The feeds of the boroughs: ``feeds/areas/<key in plain letters>``.

    A feed lists what touches its borough, a part of it, or all that it is part of.
    """
    found, taken = [], set()
    for area in boroughs(areas):
        name = slugify(area.code)
        if not name or name in taken:
            name = f"{name}-{hashlib.sha256(area.code.encode()).hexdigest()[:6]}".lstrip("-")
        taken.add(name)
        codes = frozenset({area.code, *_below(area.code, areas), *_above(area, areas)})
        found.append(Listing(f"feeds/areas/{name}", codes=codes, area=area.name))
    return found


def of_regions(areas: Sequence[PublicArea]) -> dict[str, frozenset[str] | None]:
    """Districts that are municipalities of their own (their code is a regional key of 12 digits), and what lies in,
    above and below each of them, by that key."""
    return {
        area.code: frozenset({area.code, *_below(area.code, areas), *_above(area, areas)})
        for area in areas
        if re.fullmatch(r"[0-9]{12}", area.code)
    }


def _below(code: str, areas: Sequence[PublicArea]) -> set[str]:
    found: set[str] = set()
    layer = {code}
    while layer:
        layer = {area.code for area in areas if area.parent in layer} - found
        found |= layer
    return found


def _above(area: PublicArea, areas: Sequence[PublicArea]) -> set[str]:
    parents = {other.code: other.parent for other in areas}
    found: set[str] = set()
    code = area.parent
    while code and code not in found:
        found.add(code)
        code = parents.get(code, "")
    return found
