"""Maps as inline SVG, drawn on the server from simplified outlines; coloured by class, without script or style."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import shapely
from django.utils import formats
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from shapely.geometry.base import BaseGeometry

from .content import Circle, Polygon
from .coordinates import MOST_KM
from .maplabels import BIG, NOTE, SMALL, Labels, lines_of
from .mapsheet import Frame, Sheet, disc_of, shape_of
from .notice import metres
from .public import PublicArea

WIDTH, HEIGHT = 480, 411
CITY_WIDTH = 800
LEVELS = ("minor", "moderate", "severe", "extreme", "clear", "exercise")

# The drawn shape fills so much of the frame: enough around it to see where it lies.
FILL = (0.7, 0.667)
MOST_NAMES = 12
LEAST_RING = 20


Districts = Mapping[str, tuple[str, BaseGeometry]]


@dataclass(frozen=True, slots=True)
class Mark:
    """A circle to be pointed out on the map of the city, with its place in words and its level."""

    circle: Circle
    place: str
    level: str


def alert_map(
    areas: Sequence[PublicArea],
    circles: Iterable[Circle],
    polygons: Iterable[Polygon],
    hit: Collection[str],
    *,
    place: str,
    level: str,
    prefix: str,
    exercise: bool = False,
    ended: bool = False,
    chosen: Collection[str] = (),
) -> SafeString:
    """Where one alert holds: the drawn shapes among the districts, or the districts themselves.

    ``hit`` are the keys of the districts that it touches, ``chosen`` those that are meant as a
    whole; a key also stands for what lies below it. Where circles or polygons are given, only
    districts that none of them touches, or chosen ones, are coloured as a whole. Empty where there
    is nothing to draw. ``prefix`` begins the ids in it and differs for each map of a page.
    """
    rounds = [circle for circle in circles if sane_circle(circle)]
    drawn = [polygon for polygon in polygons if sane_polygon(polygon)]
    districts = leaves(areas)
    touched = expanded(areas, hit) | expanded(areas, chosen)
    shapes = [*map(disc_of, rounds), *map(shape_of, drawn)]
    whole = expanded(areas, chosen) | {
        code for code in touched if code in districts and not meets(districts[code][1], shapes)
    }
    focus = [*shapes, *(districts[code][1] for code in whole if code in districts)]
    if not focus:
        focus = [shape for _name, shape in districts.values()]
    if not focus:
        return mark_safe("")
    frame, view = _window(focus, FILL if shapes else (0.9, 0.9), districts, len(whole))
    sheet = Sheet(frame)
    sheet.plain(shape for code, shape in view.items() if code not in whole)
    sheet.hits("map-hit", [shape for code, shape in view.items() if code in whole])
    zone = "map-ring-soft" if exercise and ended else "map-ring"
    for circle in rounds:
        x, y, radius = frame.circle(circle)
        sheet.add(f'<circle class="{zone}" cx="{x}" cy="{y}" r="{max(radius, 8)}"/>')
        if radius < LEAST_RING:
            sheet.add(f'<circle class="map-ring-soft" cx="{x}" cy="{y}" r="{LEAST_RING + 8}"/>')
    for polygon in drawn:
        sheet.path(zone, frame.project(shape_of(polygon)))
    labels = Labels(WIDTH, HEIGHT, [frame.project(shape) for shape in shapes])
    if exercise:
        sheet.text("map-note", _("EXERCISE"), 14, 38)
        labels.block(0, 0, 14 + NOTE.width(_("EXERCISE")), 48)
    _pins(sheet, labels, rounds, drawn, place)
    shown = {code: name for code, (name, _shape) in districts.items() if name != place or not shapes}
    _names(sheet, labels, {code: shape for code, shape in view.items() if code in shown}, shown, touched, whole)
    names = [name for code, (name, _shape) in districts.items() if code in touched]
    words = _alert_words(rounds, drawn, place, names, everywhere=0 < len(districts) == len(names))
    if exercise:
        title, words = _("Map of the exercise"), f"{_('This is an exercise. There is no danger.')} {words}"
    elif ended:
        title, words = _("Map of the area that is free again"), f"{words} {_('All of it is free again.')}"
    else:
        title = _("Map of the area")
    kind = "map-clear" if ended and not exercise else "map-live"
    return sheet.svg(f"map {kind}{_level_class(level)}", prefix, title, words)


def city_map(
    areas: Sequence[PublicArea], hit: Mapping[str, str], *, prefix: str, marks: Sequence[Mark] = ()
) -> SafeString:
    """All districts, those in ``hit`` (key to level) outlined in the colour of their level.

    A key also stands for what lies below it. ``marks`` are pointed out with their place. Empty
    where no district has an outline.
    """
    districts = leaves(areas)
    if not districts:
        return mark_safe("")
    levels: dict[str, str] = {}
    # From the top of the tree down: what is said of a district itself counts more than what is said of the city.
    for area in sorted(areas, key=lambda area: len(_above(areas, area.code))):
        if area.code in hit:
            levels |= dict.fromkeys(expanded(areas, [area.code]), hit[area.code])
    frame, seen = _city_view(tuple((code, shape) for code, (_name, shape) in districts.items()), len(levels))
    view = dict(seen)
    sheet = Sheet(frame)
    sheet.plain(shape for code, shape in view.items() if code not in levels)
    for level in sorted(set(levels.values()), key=_rank):
        hits = [shape for code, shape in view.items() if levels.get(code) == level]
        sheet.hits(f"map-hit{_level_class(level)}", hits)
    labels = Labels(CITY_WIDTH, frame.height, [])
    for mark in marks:
        if sane_circle(mark.circle):
            _mark(sheet, labels, mark)
    root = next((area.name for area in areas if not area.parent and area.code not in districts), "")
    title = _("Map of {city} and its districts").format(city=root) if root else _("Map of the districts")
    names = [name for code, (name, _shape) in districts.items() if code in levels]
    if not names:
        words = _("No district has a warning.")
    elif len(names) == len(districts):
        words = _("All districts have a warning.")
    else:
        words = _("Districts with a warning: {names}.").format(names=", ".join(names))
    return sheet.svg("map", prefix, title, words)


# What is drawn


def leaves(areas: Sequence[PublicArea]) -> Districts:
    """Name and outline (lon, lat) of the districts without parts of their own, by key."""
    parents = {area.parent for area in areas}
    return {
        area.code: (area.name, _outline(json.dumps(area.outline)))
        for area in areas
        if area.outline and area.code not in parents
    }


@lru_cache(maxsize=4096)
def _outline(text: str) -> BaseGeometry:
    shape: BaseGeometry = shapely.from_geojson(text)
    return shape


@lru_cache(maxsize=8)
def _city_view(
    outlines: tuple[tuple[str, BaseGeometry], ...], hits: int
) -> tuple[Frame, tuple[tuple[str, BaseGeometry], ...]]:
    """The city in pixels; kept, since each message draws it anew in each language."""
    frame = Frame.whole([shape for _code, shape in outlines], CITY_WIDTH)
    view = frame.districts({code: ("", shape) for code, shape in outlines}, hits)
    return frame, tuple(view.items())


def _above(areas: Sequence[PublicArea], code: str) -> list[str]:
    parents = {area.code: area.parent for area in areas}
    found: list[str] = []
    while (parent := parents.get(code, "")) and parent not in found:
        found.append(parent)
        code = parent
    return found


def expanded(areas: Sequence[PublicArea], codes: Collection[str]) -> set[str]:
    """These districts and all below them."""
    wanted = set(codes)
    if not wanted:
        return set()
    return {area.code for area in areas if area.code in wanted or not wanted.isdisjoint(_above(areas, area.code))}


def sane_circle(circle: Circle) -> bool:
    """Whether a circle can be drawn; one that is far too large is found out by ``areas``, not here."""
    return _sane_point(circle.lat, circle.lon) and math.isfinite(circle.km) and 0 < circle.km <= 100 * MOST_KM


def sane_polygon(polygon: Polygon) -> bool:
    if len(polygon.points) < 4 or not all(_sane_point(lat, lon) for lat, lon in polygon.points):
        return False
    return shape_of(polygon).area > 0


def _sane_point(lat: float, lon: float) -> bool:
    """What a preview can be asked to draw before anyone has checked it."""
    return abs(lat) < 89 and abs(lon) <= 180


def _window(
    focus: Sequence[BaseGeometry], fill: tuple[float, float], districts: Districts, hits: int
) -> tuple[Frame, dict[str, BaseGeometry]]:
    """The frame and the districts in it; from farther off where not a single border would be seen."""
    frame = Frame.around(focus, fill, WIDTH, HEIGHT)
    view = frame.districts(districts, hits)
    if len(view) == 1 and len(districts) > 1:
        frame = Frame.around(focus, (fill[0] * 0.6, fill[1] * 0.6), WIDTH, HEIGHT)
        view = frame.districts(districts, hits)
    return frame, view


def meets(shape: BaseGeometry, others: Sequence[BaseGeometry]) -> bool:
    return any(shape.intersects(other) for other in others)


# What is written on it


def _pins(sheet: Sheet, labels: Labels, circles: Sequence[Circle], polygons: Sequence[Polygon], place: str) -> None:
    """The middle of each circle, its radius, and once the name of the place."""
    for circle in circles:
        x, y, radius = sheet.frame.circle(circle)
        clear = 8 if radius >= LEAST_RING else LEAST_RING + 10
        labels.block(x - clear, y - clear, x + clear, y + clear)
        words = _short(circle.km)
        if radius >= SMALL.width(words) + 22:
            sheet.add(f'<path class="map-radius" d="M{x} {y}h-{radius}"/>')
            middle = x - round(radius * 0.66)
            sheet.text("map-small map-in", words, middle, y - 7)
            half = SMALL.width(words) / 2 + 4
            labels.block(middle - half, y - 24, middle + half, y + 4)
            labels.block(x - radius, y - 3, x, y + 3)
    if place and circles:
        x, y, radius = sheet.frame.circle(circles[0])
        _place_name(sheet, labels, place, x, y + 27, 2 * radius - 40, y + max(radius, LEAST_RING + 8) + 26)
    elif place and polygons:
        shape = sheet.frame.project(shape_of(polygons[0]))
        spot = shape.representative_point()
        room = _room(shape, spot.x, spot.y)
        _place_name(sheet, labels, place, round(spot.x), round(spot.y) + 6, room, round(shape.bounds[3]) + 26)
    for circle in circles:
        x, y, radius = sheet.frame.circle(circle)
        sheet.add(f'<circle class="map-pin" cx="{x}" cy="{y}" r="{6 if radius >= LEAST_RING else 4}"/>')


def _place_name(sheet: Sheet, labels: Labels, place: str, x: int, y: int, room: float, below: int) -> None:
    """The place in one or two lines at its pin, where ``room`` is wide enough for it, else below the shape."""
    within = lines_of(place, BIG, room) if room >= 100 else []
    if any(line.endswith("…") for line in within) and below < HEIGHT - 40:
        within = []
    lines = within or lines_of(place, BIG, WIDTH * 0.7)
    wide = max(BIG.width(line) for line in lines)
    x = round(min(max(x, wide / 2 + 8), WIDTH - wide / 2 - 8))
    y = min(y if within else below, HEIGHT - 12 - 22 * (len(lines) - 1))
    sheet.text("map-strong map-in" if within else "map-strong", lines, x, y, 22)
    labels.block(x - wide / 2 - 4, y - 20, x + wide / 2 + 4, y + 6 + 22 * (len(lines) - 1))


def _room(shape: BaseGeometry, x: float, y: float) -> float:
    """How wide a text around a point of the shape may be before it meets the shape's edge."""
    line = shapely.LineString([(shape.bounds[0] - 1, y), (shape.bounds[2] + 1, y)])
    here = [part for part in shapely.get_parts(line.intersection(shape)) if part.distance(shapely.Point(x, y)) < 1]
    if not here:
        return 0.0
    left, _top, right, _bottom = here[0].bounds
    return float(2 * min(x - left, right - x) - 20)


def _names(
    sheet: Sheet,
    labels: Labels,
    view: Mapping[str, BaseGeometry],
    names: Mapping[str, str],
    touched: set[str],
    whole: set[str],
) -> None:
    """The districts' names where there is room: those of the alert first and bold, then the largest neighbours."""
    order = sorted(view, key=lambda code: (code not in touched, -view[code].area))
    if len(view) > 2 * MOST_NAMES:
        order = [code for code in order if code in touched]
    if len(order) > 2 * MOST_NAMES:
        return
    for code in order[:MOST_NAMES]:
        strong = code in touched
        tries = [(BIG, 0.85), (SMALL, 0.85), (BIG, 0.75)] if strong else [(SMALL, 0.85)]
        if code in whole and len(whole) <= MOST_NAMES:
            tries.append((SMALL, 0.4))
        for font, need in tries:
            spot = labels.place(names[code], font, view[code], need)
            if spot is None:
                continue
            kind = "map-label" if font is BIG else "map-small"
            filled = spot.within or (code in whole and spot.share > 0.8)
            sheet.text(f"{kind} map-in" if filled else kind, spot.lines, spot.x, spot.y)
            break


def _mark(sheet: Sheet, labels: Labels, mark: Mark) -> None:
    """A ring in the city with a wide soft ring and its name beside it, so that it is found on a small screen."""
    x, y, radius = sheet.frame.circle(mark.circle)
    radius, soft = max(radius, 8), max(44, radius + 20)
    name = lines_of(mark.place, NOTE, CITY_WIDTH / 2)[0]
    width = NOTE.width(name)
    sheet.add(f'<g class="{_level_class(mark.level).strip() or "sev-severe"}">')
    sheet.add(f'<circle class="map-ring" cx="{x}" cy="{y}" r="{radius}"/>')
    if soft < CITY_WIDTH / 3:
        sheet.add(f'<circle class="map-ring-soft" cx="{x}" cy="{y}" r="{soft}"/>')
    # Left end and base line of the name, and the line that leads to it: beside the ring, else below or above it.
    beside = [
        (x + soft + 70, y + 11, f"M{x + soft} {y}h62"),
        (x + soft + 32, y + 11, f"M{x + soft} {y}h24"),
        (x - soft - 70 - width, y + 11, f"M{x - soft} {y}h-62"),
        (x - soft - 32 - width, y + 11, f"M{x - soft} {y}h-24"),
        (x - width / 2, y + soft + 36, ""),
        (x - width / 2, y - soft - 14, ""),
    ]
    for left, base, line in beside:
        box = left, base - 28, left + width, base + 8
        if labels.free(*box):
            labels.block(*box)
            if line:
                sheet.add(f'<path class="map-lead" d="{line}"/>')
            sheet.text("map-note", name, left, base)
            break
    sheet.add("</g>")


def _alert_words(
    circles: Sequence[Circle], polygons: Sequence[Polygon], place: str, names: Sequence[str], *, everywhere: bool
) -> str:
    words = []
    for circle in circles:
        radius = metres(circle.km)
        line = _("Circle of {radius} around {place}.") if place else _("Circle of {radius}.")
        words.append(line.format(radius=radius, place=place))
    if polygons:
        line = ngettext("%(count)d area is drawn.", "%(count)d areas are drawn.", len(polygons))
        words.append(line % {"count": len(polygons)})
    if everywhere:
        words.append(_("It holds in all districts."))
    elif names:
        words.append(_("It touches these districts: {names}.").format(names=", ".join(names)))
    return " ".join(words)


def _short(km: float) -> str:
    """A radius with its sign, for a map: ``600 m``, ``1.5 km``."""
    if km < 1:
        return _("{count} m").format(count=formats.number_format(round(km * 1000)))
    return _("{count} km").format(count=formats.number_format(round(km, 1) if km % 1 else round(km)))


def _level_class(level: str) -> str:
    return f" sev-{level}" if level in LEVELS else ""


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else -1
