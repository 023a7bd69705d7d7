"""What residents choose from when they subscribe: districts as a tree and as a map, levels, topics, languages."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import shapely
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from shapely.geometry.base import BaseGeometry

from alerts.maps import CITY_WIDTH
from alerts.mapsheet import Frame, Sheet
from alerts.public import PublicArea
from alerts.terms import Severity, direction, language_name, ui_language
from channels.subscriptions.topics import TOPICS

FEW = 12
"""Up to so many districts, all of them are seen without opening anything."""
MOST_NAMES = 16
"""So many names find room on the map."""

MEANT_FOR = {
    Severity.MINOR: gettext_lazy("everything, closed streets too"),
    Severity.MODERATE: gettext_lazy("when you should do something"),
    Severity.SEVERE: gettext_lazy("when your health is in danger"),
    Severity.EXTREME: gettext_lazy("only when lives are in danger"),
}
"""Least severity -> when a warning comes then."""


@dataclass(frozen=True, slots=True)
class Ticks:
    """What is ticked when the form comes: area codes, least severity, names of topics (None: all), language, tests."""

    areas: Collection[str] = ()
    least: str = Severity.MODERATE
    topics: Collection[str] | None = None
    language: str = ""
    tests: bool = False


@dataclass(slots=True)
class Node:
    """A district in the tree. ``count`` is how many of the smallest ones it is made of; ``open`` has a tick below."""

    code: str
    name: str
    parts: list[Node] = field(default_factory=list)
    checked: bool = False
    count: int = 1
    open: bool = False


def choices(areas: Sequence[PublicArea], languages: Sequence[str], ticks: Ticks) -> dict[str, Any]:
    """The context of ``public/wishes.html``, in the active language.

    ``whole`` is the city itself, where the tree has one root; where it has several, all of them are
    ``groups`` and ``tops`` are their codes.
    """
    tops = tree(areas, ticks.areas)
    count = sum(top.count for top in tops)
    if count <= FEW:
        for group in (part for top in tops for part in (top, *top.parts)):
            group.open = True
    # Unknown counts as Severe (DESIGN, matching), and is none of the levels to choose
    least = Severity.SEVERE if ticks.least == Severity.UNKNOWN else ticks.least
    whole = tops[0] if len(tops) == 1 else None
    if whole and not whole.parts:
        whole.checked = True
    return {
        "whole": whole,
        "groups": whole.parts if whole else tops,
        "tops": [] if whole else [top.code for top in tops],
        "flat": not any(node.parts for node in (whole.parts if whole else tops)),
        "count": count,
        "map": pick_map(areas),
        "levels": [
            {
                "value": str(severity),
                "level": severity.lower(),
                "word": severity.label,
                "meant_for": MEANT_FOR[severity],
                "checked": severity == least,
            }
            for severity in MEANT_FOR
        ],
        "topics": [
            {"name": name, "label": label, "checked": ticks.topics is None or name in ticks.topics}
            for name, (_bit, label, _categories) in TOPICS.items()
        ],
        "spoken": [
            {
                "tag": tag,
                "name": language_name(tag),
                "lang": ui_language(tag),
                "dir": direction(tag),
                "checked": tag == ticks.language,
            }
            for tag in languages
        ],
        "tests": ticks.tests,
    }


def tree(areas: Sequence[PublicArea], ticked: Collection[str] = ()) -> list[Node]:
    """The districts that lie in no other, each with its parts, in the city's order."""
    nodes = {area.code: Node(area.code, area.name, checked=area.code in ticked) for area in areas}
    tops: list[Node] = []
    for area in areas:
        above = nodes.get(area.parent)
        (above.parts if above else tops).append(nodes[area.code])
    for top in tops:
        _sum_up(top)
    return tops


def _sum_up(node: Node) -> None:
    for part in node.parts:
        _sum_up(part)
    if node.parts:
        node.count = sum(part.count for part in node.parts)
        node.open = any(part.checked or part.open for part in node.parts)


def _name(sheet: Sheet, areas: Sequence[PublicArea], view: Mapping[str, BaseGeometry]) -> None:
    """Write the names of the groups of districts on the map; of the districts where there are no groups."""
    parents = {area.parent for area in areas}
    groups = [area for area in areas if area.code in parents and area.parent]
    named = groups or [area for area in areas if area.code in view]
    if len(named) > MOST_NAMES:
        return
    for one in named:
        parts = [view[area.code] for area in areas if one.code in {area.code, area.parent} and area.code in view]
        if parts:
            spot = shapely.union_all(parts).representative_point()
            sheet.text("map-name", one.name, spot.x, spot.y + 9)


def pick_map(areas: Sequence[PublicArea]) -> SafeString:
    """The smallest districts, each a shape of its own with its key; empty where none has an outline.

    A picture to those who can't see it: the list beside it does the same.
    """
    parents = {area.parent for area in areas}
    leaves = {
        area.code: (area.name, shapely.from_geojson(json.dumps(area.outline)))
        for area in areas
        if area.outline and area.code not in parents
    }
    if not leaves:
        return mark_safe("")
    frame = Frame.whole([shape for _name, shape in leaves.values()], CITY_WIDTH)
    view = frame.districts(leaves)
    sheet = Sheet(frame)
    for code, shape in view.items():
        sheet.add(f'<g data-area="{escape(code)}"><title>{escape(leaves[code][0])}</title>')
        sheet.path("map-area", shape)
        sheet.add("</g>")
    _name(sheet, areas, view)
    return sheet.svg("map map-pick", "pick", _("Map to choose districts on"), _("The list does the same as this map."))
