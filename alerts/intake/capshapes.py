"""Where a foreign CAP document holds, small enough for a draft; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import shapely
from django.utils.translation import gettext as _

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
        left_out.append(_("{count} circles are left out.").format(count=len(circles) - len(kept)))
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
    """Outlines around all of ``polygons``: grown by what simplifying may take off again."""
    union = shapely.union_all(
        [shapely.make_valid(shapely.Polygon([(lon, lat) for lat, lon in polygon.points])) for polygon in polygons]
    )
    tolerance = 0.0002  # degrees: some 20 metres
    while True:
        grown = union.buffer(tolerance, quad_segs=2).simplify(tolerance)
        parts = [part for part in shapely.get_parts(grown) if part.geom_type == "Polygon" and not part.is_empty]
        count = sum(len(part.exterior.coords) for part in parts)
        if (len(parts) <= max(most, 1) and count <= MOST_POINTS) or tolerance > 1:
            break
        tolerance *= 2
    return tuple(
        Polygon(tuple((round(lat, 6), round(lon, 6)) for lon, lat in part.exterior.coords))
        for part in parts[: max(most, 1)]
    )


def official(code: str) -> bool:
    """Whether this is a German key: AGS (8 digits), the weather service's WARNCELLID (9) or ARS (12)."""
    # a WARNCELLID begins with 1 for a district (its AGS follows), with 8 for a municipality
    return re.fullmatch(r"[0-9]{8}|[18][0-9]{8}|[0-9]{12}", code, re.ASCII) is not None
