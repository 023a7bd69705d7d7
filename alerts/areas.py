"""Districts: which of them an alert's circles and polygons touch, what is wrong with its area, their tree."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from django.db.models import Max, TextField
from django.db.models.functions import MD5, Cast, Coalesce
from django.utils.translation import gettext as _
from numpy.typing import NDArray
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from .content import Circle, Content, District, Polygon
from .coordinates import MOST_KM
from .models import Area, AuditEntry

Shape = Circle | Polygon
Ring = tuple[tuple[float, float], ...]
"""A closed ring of ``(lat, lon)`` pairs, as in ``content.Polygon``."""

SUBJECT = "areas"
"""How the record names the list of districts; a new line under it renews every process's districts."""

MOST_SHAPES = 50
MOST_POINTS = 2000
RING_POINTS = 200

# WGS 84
EQUATOR = 6_378_137.0
ECCENTRICITY2 = 0.00669437999014


@dataclass(frozen=True, slots=True)
class AreaFault:
    """What is wrong with an alert's area. ``field`` is circles, polygons or districts; a ``hard`` one stops it."""

    field: str
    code: str
    words: str
    hard: bool = True


# What an area touches


def touched(content: Content) -> tuple[District, ...]:
    """The districts of the lowest level where the alert holds; what is malformed in its area touches nothing.

    Chosen districts come first, in the order chosen; one that has parts stands for its parts. Then
    follow those that circles and polygons touch, the one with the largest part of them first.
    """
    city = _city()
    found: dict[str, District] = {}
    for chosen in content.districts:
        for code in city.leaves_below(chosen.code) or (chosen.code,):
            found.setdefault(code, chosen if code == chosen.code else District(code, city.rows[code].name))
    overlaps: dict[int, float] = {}
    if not _too_much(content):
        shapes: list[Shape] = [*content.circles, *content.polygons]
        for shape in shapes:
            if _fault(shape) is None:
                for place, overlap in city.overlaps(shape):
                    overlaps[place] = overlaps.get(place, 0.0) + overlap
    for place in sorted(overlaps, key=lambda place: (-overlaps[place], place)):
        code = city.codes[place]
        found.setdefault(code, District(code, city.rows[code].name))
    return tuple(found.values())


def faults_of_area(content: Content) -> list[AreaFault]:
    """What keeps this area from going out (hard) or deserves a second look, in plain words."""
    if too_much := _too_much(content):
        return [too_much]
    return [*_faults_of_districts(content), *_faults_of_shapes(content)]


def _faults_of_districts(content: Content) -> Iterator[AreaFault]:
    city = _city()
    for chosen in content.districts:
        row = city.rows.get(chosen.code)
        if row is None:
            words = _("The city has no district “{name}”. Choose it anew from the list.")
            yield AreaFault("districts", "unknown", words.format(name=chosen.name or chosen.code))
        elif not row.active:
            words = _("The district “{name}” is no longer in the city's list. Choose what has taken its place.")
            yield AreaFault("districts", "retired", words.format(name=chosen.name), hard=False)


def _faults_of_shapes(content: Content) -> Iterator[AreaFault]:
    named = [
        *_named("circles", content.circles, _("Circle"), _("Circle {number}")),
        *_named("polygons", content.polygons, _("Drawn area"), _("Drawn area {number}")),
    ]
    city = _city()
    for where, name, shape in named:
        swapped = _swapped(shape)
        fits_swapped = _fault(swapped) is None and any(city.overlaps(swapped))
        fault = _fault(shape)
        if fits_swapped and (fault is not None or not any(city.overlaps(shape))):
            words = _("latitude and longitude are swapped. Latitude comes first.")
            yield AreaFault(where, "swapped", f"{name}: {words}")
        elif fault is not None:
            yield AreaFault(where, fault[0], f"{name}: {fault[1]}")
        elif city.codes and not any(city.overlaps(shape)):
            words = _("lies outside the city and touches none of its districts. Check the place on the map.")
            yield AreaFault(where, "outside", f"{name}: {words}", hard=False)


def _named(where: str, shapes: Sequence[Shape], one: str, many: str) -> Iterator[tuple[str, str, Shape]]:
    for number, shape in enumerate(shapes, start=1):
        yield where, one if len(shapes) == 1 else many.format(number=number), shape


def _too_much(content: Content) -> AreaFault | None:
    """Counted before anything is computed: a million points must not hold up the desk."""
    if len(content.circles) + len(content.polygons) > MOST_SHAPES:
        words = _("At most {count} circles and drawn areas fit into one message.").format(count=MOST_SHAPES)
        return AreaFault("polygons" if content.polygons else "circles", "too-many", words)
    if sum(len(polygon.points) for polygon in content.polygons) > MOST_POINTS:
        words = _("The drawn areas have more than {count} corners. Draw them more simply.").format(count=MOST_POINTS)
        return AreaFault("polygons", "too-many", words)
    return None


def _fault(shape: Shape) -> tuple[str, str] | None:
    """The first thing that keeps a shape from having a meaning: code and words."""
    points = ((shape.lat, shape.lon),) if isinstance(shape, Circle) else shape.points
    if not all(-90 <= lat <= 90 and -180 <= lon <= 180 for lat, lon in points):
        return "range", _("there is no such place. Latitude runs from −90 to 90, longitude from −180 to 180.")
    if isinstance(shape, Circle):
        if not 0 < shape.km <= MOST_KM:
            return "radius", _("the radius must be more than 0 and at most {km} kilometres.").format(km=MOST_KM)
        return None
    if len(points) < 4:
        return "few", _("at least three corners are needed, and the first one again at the end.")
    if points[0] != points[-1]:
        return "open", _("the line is not closed. Its last corner must be its first one.")
    drawn = _drawn(shape)
    if not drawn.is_valid:
        spot = re.search(r"\[(\S+) (\S+)\]", shapely.is_valid_reason(drawn))
        if spot is None:
            return "crossing", _("the line encloses nothing. Draw it anew.")
        words = _("the line crosses or touches itself near {lat}, {lon}. Draw it anew without crossing.")
        return "crossing", words.format(lat=f"{float(spot[2]):.4f}", lon=f"{float(spot[1]):.4f}")
    return None


def _swapped(shape: Shape) -> Shape:
    if isinstance(shape, Circle):
        return Circle(shape.lon, shape.lat, shape.km)
    return Polygon(tuple((lon, lat) for lat, lon in shape.points))


def _drawn(polygon: Polygon) -> shapely.Polygon:
    return shapely.Polygon([(lon, lat) for lat, lon in polygon.points])


# The tree


def ancestors(code: str) -> tuple[str, ...]:
    """What a district is part of, the nearest first; empty for the city itself and for unknown keys."""
    rows = _city().rows
    found: list[str] = []
    while (row := rows.get(code)) is not None and row.parent and row.parent not in found:
        code = row.parent
        found.append(code)
    return tuple(found)


def leaves(code: str) -> tuple[str, ...]:
    """The districts in use without parts at or below this one."""
    return _city().leaves_below(code)


# Outlines for CAP


def cap_rings(codes: Iterable[str]) -> dict[str, list[Ring]]:
    """The outer boundaries of these districts, simplified to at most 200 points each, six decimals.

    Districts without a boundary are left out. Also tells those no longer in use, for old messages.
    """
    city = _city()
    found = {code: city.rings((code,)) for code in dict.fromkeys(codes)}
    return {code: rings for code, rings in found.items() if rings}


def union_rings(codes: Iterable[str]) -> list[Ring]:
    """The outer boundary of these districts taken together: fewer polygons than ``cap_rings``, as fine."""
    return _city().rings(tuple(dict.fromkeys(codes)))


def rings_of(geometry: BaseGeometry, most: int = RING_POINTS) -> list[Ring]:
    """The outer rings of a polygon or several, the largest first, simplified to ``most`` points in all; pure.

    CAP's polygons have no holes: an enclave counts as part of what surrounds it.
    """
    tolerance = 0.0
    shape = geometry
    for _round in range(16):
        found = _rounded_rings(shape)
        if sum(map(len, found)) <= most:
            return found
        tolerance = tolerance * 2 or 0.00002
        shape = shapely.simplify(geometry, tolerance)
    return _rounded_rings(shapely.simplify(shapely.convex_hull(geometry), tolerance))


def _rounded_rings(geometry: BaseGeometry) -> list[Ring]:
    snapped = shapely.set_precision(geometry, 1e-6)
    parts = [part for part in shapely.get_parts(snapped) if part.geom_type == "Polygon" and not part.is_empty]
    parts.sort(key=lambda part: -part.area)
    return [tuple((round(lat, 6), round(lon, 6)) for lon, lat in part.exterior.coords) for part in parts]


# The districts as each process keeps them


@dataclass(frozen=True, slots=True)
class _Row:
    code: str
    name: str
    parent: str
    active: bool
    shape: BaseGeometry | None


@dataclass(frozen=True, slots=True)
class _City:
    """All districts at one time. ``codes`` are the leaves with a boundary, in the order of ``tree``."""

    rows: Mapping[str, _Row]
    children: Mapping[str, Sequence[str]]
    codes: tuple[str, ...]
    shapes: NDArray[Any]
    tree: STRtree
    known_rings: dict[tuple[str, ...], list[Ring]] = field(default_factory=dict)

    def below(self, code: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
        for child in self.children.get(code, ()):
            if child not in seen:
                yield child
                yield from self.below(child, seen | {code})

    def leaves_below(self, code: str) -> tuple[str, ...]:
        if code not in self.rows:
            return ()
        if not self.children.get(code):
            return (code,)
        return tuple(child for child in self.below(code) if not self.children.get(child))

    def overlaps(self, shape: Shape) -> Iterator[tuple[int, float]]:
        """The places in ``codes`` that a sound shape touches, each with the overlap in square metres."""
        return self._of_circle(shape) if isinstance(shape, Circle) else self._of_polygon(shape)

    def _of_circle(self, circle: Circle) -> Iterator[tuple[int, float]]:
        metres = circle.km * 1000
        high = math.degrees(metres / (EQUATOR * 0.99))
        wide = high / max(0.01, math.cos(math.radians(min(89.0, abs(circle.lat) + high))))
        box = shapely.box(circle.lon - wide, circle.lat - high, circle.lon + wide, circle.lat + high)
        near = np.sort(self.tree.query(box))
        plane = shapely.transform(self.shapes[near], _Plane(circle.lat, circle.lon))
        centre = shapely.Point(0, 0)
        disc = centre.buffer(metres, quad_segs=32)
        for place, shape in zip(near, plane, strict=True):
            if shape.distance(centre) <= metres:
                yield int(place), shape.intersection(disc).area

    def _of_polygon(self, polygon: Polygon) -> Iterator[tuple[int, float]]:
        drawn = _drawn(polygon)
        square = (math.radians(1) * EQUATOR) ** 2 * math.cos(math.radians(drawn.centroid.y))
        for place in np.sort(self.tree.query(drawn, predicate="intersects")):
            overlap = self.shapes[place].intersection(drawn).area
            # A common border is no overlap: who draws round a district does not mean its neighbours.
            if overlap > 0:
                yield int(place), overlap * square

    def rings(self, codes: tuple[str, ...]) -> list[Ring]:
        if codes not in self.known_rings:
            shapes = [shape for code in codes for shape in self._shapes_of(code)]
            if len(self.known_rings) > 1000:
                self.known_rings.clear()
            self.known_rings[codes] = rings_of(shapely.union_all(shapes)) if shapes else []
        return self.known_rings[codes]

    def _shapes_of(self, code: str) -> list[BaseGeometry]:
        row = self.rows.get(code)
        if row is None:
            return []
        if row.shape is not None:
            return [row.shape]
        return [shape for child in self.below(code) if (shape := self.rows[child].shape) is not None]


@dataclass(frozen=True, slots=True)
class _Plane:
    """Degrees (lon, lat) to metres (east, north) on the plane that touches WGS 84 at a centre.

    The plane stands off the curved earth: at 100 km a distance comes out 0.004 % short.
    """

    lat: float
    lon: float

    def __call__(self, degrees: NDArray[np.float64]) -> NDArray[np.float64]:
        lat, lon = np.radians(degrees[:, 1]), np.radians(degrees[:, 0] - self.lon)
        lat0 = math.radians(self.lat)
        radius = EQUATOR / np.sqrt(1 - ECCENTRICITY2 * np.sin(lat) ** 2)
        radius0 = EQUATOR / math.sqrt(1 - ECCENTRICITY2 * math.sin(lat0) ** 2)
        out = radius * np.cos(lat) * np.cos(lon) - radius0 * math.cos(lat0)
        up = (1 - ECCENTRICITY2) * (radius * np.sin(lat) - radius0 * math.sin(lat0))
        east = radius * np.cos(lat) * np.sin(lon)
        return np.column_stack((east, up * math.cos(lat0) - out * math.sin(lat0)))


_kept: tuple[object, _City] | None = None


def _city() -> _City:
    """The districts, read anew only when they have changed: their geometry takes a hundred times the check."""
    global _kept
    stamp = _stamp()
    if _kept is None or _kept[0] != stamp:
        _kept = stamp, _read()
    return _kept[1]


def _stamp() -> object:
    """What is different when any district is; without reading boundaries, which are large."""
    outline = MD5(Cast(Coalesce("outline", "boundary"), TextField()))
    rows = Area.objects.order_by("pk").values_list("pk", "code", "name", "parent_id", "order", "active", outline)
    line = AuditEntry.objects.filter(subject=SUBJECT).aggregate(newest=Max("number"))
    return line["newest"], tuple(rows)


def _read() -> _City:
    rows = {
        row.code: _Row(
            code=row.code,
            name=row.name,
            parent=row.parent.code if row.parent else "",
            active=row.active,
            shape=_sound(row.boundary) if row.boundary else None,
        )
        for row in Area.objects.select_related("parent").order_by("order", "name", "pk")
    }
    children: dict[str, list[str]] = {}
    for row in rows.values():
        if row.parent and row.active:
            children.setdefault(row.parent, []).append(row.code)
    codes = tuple(row.code for row in rows.values() if row.active and row.shape and row.code not in children)
    shapes = np.array([rows[code].shape for code in codes], dtype=object)
    shapely.prepare(shapes)
    return _City(rows=rows, children=children, codes=codes, shapes=shapes, tree=STRtree(shapes))


def _sound(boundary: dict[str, Any]) -> BaseGeometry:
    """A boundary that can be computed with; the import keeps no other, but rows can be changed by hand."""
    shape = shapely.geometry.shape(boundary)
    return shape if shape.is_valid else shapely.make_valid(shape)
