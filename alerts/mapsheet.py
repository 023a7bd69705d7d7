"""A sheet of SVG and the window of ground that it shows; from degrees to whole pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import shapely
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from .content import Circle, Polygon
from .geojson import only_polygons

METRES = 111_250.0
"""Metres in a degree of latitude, here."""

LEAST_HEIGHT = 900.0
"""Metres: the smallest window. Around a still smaller circle nothing would show where it lies."""

MOST_BYTES = 9_500
"""For all outlines of a map: with its words and tags it stays under 12 KB."""

MOST_HITS = 100
HIT_BYTES = 45
"""A coloured district has a tag of its own, up to so many of them."""

STEP_BYTES = 4.7
"""What a point of a path takes, seldom less."""


def disc_of(circle: Circle) -> BaseGeometry:
    high = circle.km * 1000 / METRES
    disc = shapely.Point(0, 0).buffer(1, quad_segs=24)
    scale = (high / math.cos(math.radians(circle.lat)), high)
    return shapely.transform(disc, lambda points: points * scale + (circle.lon, circle.lat))


def shape_of(polygon: Polygon) -> BaseGeometry:
    """As drawn; mended where it crosses itself, so that a preview shows what was meant."""
    shape = shapely.Polygon([(lon, lat) for lat, lon in polygon.points])
    return only_polygons(shape if shape.is_valid else shapely.make_valid(shape))


@dataclass(frozen=True, slots=True)
class Frame:
    """A window on the ground: the middle, pixels for a degree of longitude and of latitude, and its size."""

    lon: float
    lat: float
    scale: tuple[float, float]
    width: int
    height: int

    @classmethod
    def around(cls, shapes: Sequence[BaseGeometry], fill: tuple[float, float], width: int, height: int) -> Frame:
        west, south, east, north = shapely.total_bounds(list(shapes))
        lon, lat = (west + east) / 2, (south + north) / 2
        narrow = math.cos(math.radians(lat))
        wide, high = max((east - west) * narrow, 1e-9), max(north - south, 1e-9)
        scale = min(width * fill[0] / wide, height * fill[1] / high, height / LEAST_HEIGHT * METRES)
        return cls(lon, lat, (scale * narrow, scale), width, height)

    @classmethod
    def whole(cls, shapes: Sequence[BaseGeometry], width: int) -> Frame:
        """A window of a given width whose height follows the shapes' own proportions."""
        west, south, east, north = shapely.total_bounds(list(shapes))
        narrow = math.cos(math.radians((south + north) / 2))
        ratio = (north - south) / max((east - west) * narrow, 1e-9)
        height = round(min(1.5, max(0.5, ratio)) * (width - 44)) + 44
        return cls.around(shapes, (1 - 44 / width, 1 - 44 / height), width, height)

    def project(self, shape: BaseGeometry) -> BaseGeometry:
        return shapely.transform(shape, self._pixels)

    def _pixels(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        x = self.width / 2 + (points[:, 0] - self.lon) * self.scale[0]
        y = self.height / 2 - (points[:, 1] - self.lat) * self.scale[1]
        return np.column_stack((x, y))

    def circle(self, circle: Circle) -> tuple[int, int, int]:
        """Middle and radius in pixels."""
        x = self.width / 2 + (circle.lon - self.lon) * self.scale[0]
        y = self.height / 2 - (circle.lat - self.lat) * self.scale[1]
        return round(x), round(y), round(circle.km * 1000 / METRES * self.scale[1])

    def districts(self, districts: Mapping[str, tuple[str, BaseGeometry]], hits: int = 0) -> dict[str, BaseGeometry]:
        """What is seen of the districts, in pixels, simple enough for a small map with ``hits`` of them coloured."""
        most = MOST_BYTES - HIT_BYTES * min(hits, MOST_HITS)
        edge = shapely.box(-8, -8, self.width + 8, self.height + 8)
        near = {code: self.project(shape) for code, (_name, shape) in districts.items()}
        near = {code: shape for code, shape in near.items() if shape.intersects(edge)}
        shapes = np.array(list(near.values()), dtype=object)
        tolerance = 1.2
        while tolerance < 60:
            shapes = shapely.coverage_simplify(shapes, tolerance)
            found = shapely.clip_by_rect(shapes, *edge.bounds)
            points = int(shapely.get_num_coordinates(found).sum())
            if points * STEP_BYTES <= most and sum(len(_path(shape)) for shape in found) <= most:
                break
            tolerance *= max(1.15, (points * STEP_BYTES / most) ** 0.8)
        return {code: shape for code, shape in zip(near, found, strict=True) if not shape.is_empty}


@dataclass(slots=True)
class Sheet:
    """The SVG as it grows; what is added later lies above."""

    frame: Frame
    parts: list[str] = field(default_factory=list)

    def add(self, markup: str) -> None:
        self.parts.append(markup)

    def path(self, kind: str, shape: BaseGeometry) -> None:
        if line := _path(shape):
            self.add(f'<path class="{kind}" d="{line}"/>')

    def plain(self, shapes: Iterable[BaseGeometry]) -> None:
        """All districts without a warning as one path: with many of them the tags would outweigh the lines."""
        if line := "".join(map(_path, shapes)):
            self.add(f'<path class="map-area" d="{line}"/>')

    def hits(self, kind: str, shapes: Sequence[BaseGeometry]) -> None:
        if len(shapes) > MOST_HITS:
            self.add(f'<path class="{kind}" d="{"".join(map(_path, shapes))}"/>')
        else:
            for shape in shapes:
                self.path(kind, shape)

    def text(self, kind: str, words: str | Sequence[str], x: float, y: float, step: int = 20) -> None:
        lines = [words] if isinstance(words, str) else words
        spans = [f'<tspan x="{round(x)}" dy="{step}">{escape(line)}</tspan>' for line in lines[1:]]
        self.add(f'<text class="{kind}" x="{round(x)}" y="{round(y)}">{escape(lines[0])}{"".join(spans)}</text>')

    def svg(self, kind: str, prefix: str, title: str, words: str) -> SafeString:
        mark = escape(prefix)
        width, height = self.frame.width, self.frame.height
        return mark_safe(  # noqa: S308 - every text in it went through escape()
            f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{mark}-t {mark}-d" '
            f'focusable="false"><title id="{mark}-t">{escape(title)}</title><desc id="{mark}-d">{escape(words)}</desc>'
            f'<rect class="map-ground" width="{width}" height="{height}"/>{"".join(self.parts)}</svg>'
        )


def _path(shape: BaseGeometry) -> str:
    """A polygon or several as path data: absolute start, relative steps, whole pixels."""
    return "".join(_rings(shapely.orient_polygons(shape)))


def _rings(shape: BaseGeometry) -> Iterator[str]:
    for part in shapely.get_parts(shape):
        if part.geom_type == "Polygon":
            for ring in (part.exterior, *part.interiors):
                yield _ring(np.rint(shapely.get_coordinates(ring)).astype(int).tolist())


def _ring(points: list[list[int]]) -> str:
    steps = []
    for before, after in pairwise(points):
        dx, dy = after[0] - before[0], after[1] - before[1]
        if dx or dy:
            steps.append(f"{dx}{' ' if dy >= 0 else ''}{dy}")
    if len(steps) < 3:
        return ""
    line = steps[0]
    for step in steps[1:-1]:
        line += step if step.startswith("-") else f" {step}"
    return f"M{points[0][0]} {points[0][1]}l{line}z"
