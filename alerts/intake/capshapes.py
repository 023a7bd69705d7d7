"""Where a foreign CAP document holds, small enough for a draft; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import shapely
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from shapely.geometry.base import BaseGeometry

from alerts.cap import CapInfo
from alerts.cap.schema import shown
from alerts.content import Circle, District, Polygon
from alerts.coordinates import MOST_KM

MOST_SHAPES, MOST_POINTS = 50, 2000
"""What a draft may have (``areas``); said again here, since that module reads the database."""
LONGEST_PLACE = 120
"""Characters that a draft's place may have."""
REGIONAL = "warnVerwaltungsbereiche"
"""The parameter in which the German warning system lists 12-digit keys."""

FINEST = 0.0002
"""Degrees, some 20 metres, that an outline may gain at least when it is drawn more simply."""
MOST_OVERLAPS = 15
"""How many others the line of an outline may come near to on average, by their boxes; real ones, 3 to 6."""


MOST_DRAWN = 500
"""How many outlines are united into fewer."""


class Entangled(ValueError):
    """Areas that can't be simplified in time; ``str()`` says so in plain words."""


Found = tuple[str, tuple[District, ...], tuple[Circle, ...], tuple[Polygon, ...]]


def area_of(infos: Sequence[CapInfo], left_out: list[str]) -> Found:
    """Place, geocodes, circles and polygons of these blocks, each once; ``left_out`` is added to."""
    areas = [area for info in infos for area in info.area]
    place = _place([area.area_desc for area in infos[0].area], left_out)
    geocodes: dict[str, District] = {}
    for area in areas:
        drawn = bool(area.polygon or area.circle)
        for geocode in area.geocode:
            code = geocode.value.strip()
            # Who draws a part of the city and names the city's key beside it means the drawn part
            if drawn and official(code):
                words = _("The key {code} is left out: its area is drawn.").format(code=code)
                if words not in left_out:
                    left_out.append(words)
            elif len(code) <= 80 and "POLYGON" not in geocode.value_name.upper():
                geocodes.setdefault(code, District(code, shown(area.area_desc, LONGEST_PLACE)))
            else:
                words = _("The geocode “{name}” is left out.").format(name=shown(geocode.value_name, 40))
                if words not in left_out:
                    left_out.append(words)
    circles = tuple(dict.fromkeys(circle for area in areas for circle in area.circle))
    polygons = tuple(dict.fromkeys(polygon for area in areas for polygon in area.polygon))
    if not geocodes and not circles and not polygons:
        named = [one.value for info in infos for one in info.parameter if one.value_name == REGIONAL]
        for code in re.findall(r"\b\d{12}\b", " ".join(named))[:1000]:
            geocodes.setdefault(code, District(code, code))
    return place, tuple(geocodes.values()), *_fitting(circles, polygons, left_out)


def _place(names: Iterable[str], left_out: list[str]) -> str:
    whole = ", ".join(dict.fromkeys(line for name in names if (line := " ".join(name.split()))))
    if len(whole) <= LONGEST_PLACE:
        return whole
    left_out.append(_("The names of the places are cut: “{names}”").format(names=shown(whole, 1000)))
    return whole[: LONGEST_PLACE - 1].rpartition(",")[0] + " …" if "," in whole[:LONGEST_PLACE] else shown(whole, 120)


def _fitting(
    circles: tuple[Circle, ...], polygons: tuple[Polygon, ...], left_out: list[str]
) -> tuple[tuple[Circle, ...], tuple[Polygon, ...]]:
    """As few shapes and points as a draft may have; simpler outlines hold all that the exact ones hold."""
    kept = tuple(circle for circle in circles if 0 < circle.km <= MOST_KM)[:MOST_SHAPES]
    if len(kept) < len(circles):
        # a point without a radius, or half a continent
        count = len(circles) - len(kept)
        words = ngettext("{count} circle is left out.", "{count} circles are left out.", count)
        left_out.append(words.format(count=count))
    points = sum(len(polygon.points) for polygon in polygons)
    most = MOST_SHAPES - len(kept)
    if len(polygons) <= most and points <= MOST_POINTS:
        return kept, polygons
    simpler = _simpler(polygons, most)
    words = _("The outlines were drawn more simply: {before} points became {after}. They hold all of the exact ones.")
    after = sum(len(polygon.points) for polygon in simpler)
    left_out.append(words.format(before=points, after=after))
    return kept, simpler


def _simpler(polygons: tuple[Polygon, ...], most: int) -> tuple[Polygon, ...]:
    """Outlines around all of ``polygons``: grown by more than what simplifying takes off. Raises Entangled."""
    exact = np.array([shapely.Polygon([(lon, lat) for lat, lon in polygon.points]) for polygon in polygons])
    rough = shapely.simplify(exact, FINEST, preserve_topology=False)
    lost = shapely.is_empty(rough)
    rough[lost] = shapely.envelope(exact[lost])
    if len(polygons) > MOST_DRAWN or _entangled(rough):
        raise Entangled(_("The areas are too many or cross one another too often. Draw them more simply."))
    grown: BaseGeometry = shapely.union_all(shapely.make_valid(rough)).buffer(FINEST, quad_segs=2)
    tolerance = FINEST
    while True:
        grown = grown.buffer(tolerance * 1.2, quad_segs=2).simplify(tolerance)
        parts = [part for part in shapely.get_parts(grown) if part.geom_type == "Polygon" and not part.is_empty]
        count = sum(len(part.exterior.coords) for part in parts)
        if len(parts) <= max(most, 1) and count <= MOST_POINTS:
            break
        if tolerance > 1:
            raise Entangled(_("The areas lie too far apart for one warning. Draw fewer of them."))
        tolerance *= 2
    return tuple(Polygon(tuple((round(lat, 6), round(lon, 6)) for lon, lat in part.exterior.coords)) for part in parts)


def _entangled(shapes: Iterable[shapely.Geometry]) -> bool:
    """Whether lines lie so close to one another, so often, that uniting them would take minutes: no real ones do."""
    lines = np.array([pair for shape in shapes for pair in pairwise(shapely.get_coordinates(shape))])
    low, high = lines.min(axis=1) - FINEST, lines.max(axis=1) + FINEST
    boxes = shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1])
    tree = shapely.STRtree(boxes)
    found = 0
    # in slices, so that ten thousand lines over ten thousand others never stand in memory together
    for start in range(0, len(boxes), 200):
        found += tree.query(boxes[start : start + 200]).shape[1]
        if found > MOST_OVERLAPS * max(len(boxes), 1000):
            return True
    return False


def official(code: str) -> bool:
    """Whether this is a German key: AGS (8 digits), the weather service's WARNCELLID (9) or ARS (12)."""
    # a WARNCELLID begins with 1 for a district (its AGS follows), with 8 for a municipality
    return re.fullmatch(r"[0-9]{8}|[18][0-9]{8}|[0-9]{12}", code, re.ASCII) is not None
