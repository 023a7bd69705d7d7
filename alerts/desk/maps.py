"""The map of a draft as the server draws it, the outlines that the browser draws, and what an area covers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import shapely
from django.utils.safestring import SafeString
from shapely.geometry.base import BaseGeometry

from .. import maps, public
from ..content import Content
from ..mapsheet import disc_of, shape_of
from ..notice import level_of

WHOLE = 0.995
"""The share of a district from which on it counts as covered: outlines are simplified, circles have corners."""

DECIMALS = 5
"""Of a degree, for outlines in the browser: a metre."""


def map_of(content: Content, key: str) -> SafeString:
    """The districts and the area of a content as inline SVG; ``key`` keeps its ids apart from other maps'."""
    return maps.alert_map(
        public.areas(),
        content.circles,
        content.polygons,
        {district.code for district in content.touched},
        place=content.place,
        level=level_of(content),
        prefix=f"m{key}",
        exercise=content.exercise,
        chosen={district.code for district in content.districts},
    )


@dataclass(frozen=True, slots=True)
class ReadBack:
    """The districts that an area touches, by name: ``wholly`` or, where that is known, in ``parts``; or ``all``."""

    wholly: list[str]
    parts: list[str]
    all: bool

    @property
    def count(self) -> int:
        return len(self.wholly) + len(self.parts)


def read_back(content: Content) -> ReadBack:
    """What a saved draft touches, to be read back to the officer."""
    areas = public.areas()
    districts = maps.leaves(areas)
    chosen = maps.expanded(areas, {district.code for district in content.districts})
    drawn = _drawn(content)
    found = ReadBack([], [], all=len(districts) > 1 and chosen >= set(districts))
    for district in content.touched:
        outline = districts[district.code][1] if district.code in districts else None
        whole = district.code in chosen or outline is None or _share(outline, drawn) >= WHOLE
        (found.wholly if whole else found.parts).append(district.name)
    return found


def _drawn(content: Content) -> BaseGeometry:
    """Circles and polygons as one shape; what can't be drawn covers nothing."""
    circles = [disc_of(circle) for circle in content.circles if maps.sane_circle(circle)]
    polygons = [shape_of(polygon) for polygon in content.polygons if maps.sane_polygon(polygon)]
    return shapely.union_all([*circles, *polygons])


def _share(district: BaseGeometry, drawn: BaseGeometry) -> float:
    return float(district.intersection(drawn).area / district.area) if district.area else 1.0


@dataclass(frozen=True, slots=True)
class Outlines:
    """The districts for the browser's map as JSON, and the stamp that is different when any of them is."""

    body: str
    stamp: str


def outlines() -> Outlines:
    """Districts without parts of their own, simplified as they are kept: code, name, what they are part of, rings.

    Rings hold ``[lat, lon]``, in Leaflet's order: polygons, each with its outer ring and its holes.
    """
    areas = public.areas()
    parents = {area.code: area.parent for area in areas}
    rows = [
        {"code": area.code, "name": area.name, "above": _above(area.code, parents)} | _shape(json.dumps(area.outline))
        for area in areas
        if area.outline and area.code not in parents.values()
    ]
    body = json.dumps(rows, separators=(",", ":"), ensure_ascii=False)
    return Outlines(body, hashlib.sha256(body.encode()).hexdigest()[:16])


def _above(code: str, parents: Mapping[str, str]) -> list[str]:
    found: list[str] = []
    while (code := parents.get(code, "")) and code not in found:
        found.append(code)
    return found


@lru_cache(maxsize=1024)
def _shape(outline: str) -> dict[str, Any]:
    """The rings of an outline, and the point where its name stands."""
    shape = shapely.from_geojson(outline)
    at = shape.representative_point()
    polygons = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    return {
        "at": [round(at.y, DECIMALS), round(at.x, DECIMALS)],
        "rings": [[_ring(ring) for ring in (part.exterior, *part.interiors)] for part in polygons],
    }


def _ring(ring: BaseGeometry) -> list[list[float]]:
    return [[round(lat, DECIMALS), round(lon, DECIMALS)] for lon, lat in shapely.get_coordinates(ring)[:-1].tolist()]
