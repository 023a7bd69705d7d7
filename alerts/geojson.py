"""Districts and trees of districts as files: GeoJSON and our own JSON, read with a clear word for each fault."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from django.utils.translation import gettext as _
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

MOST_BYTES = 256 * 1024 * 1024
LEVELS = ("name", "city", "stadt", "stadtbezirk", "bezirk", "ortsteil", "district")
"""The properties of a tree's node that may hold its name; the first that is there counts."""

Progress = Callable[[Sequence[Any], str], Iterable[Any]]


class BadFile(Exception):
    """The file can't be imported; ``str()`` is one sentence that says why. Nothing has changed."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One district of the file. ``mended`` where its boundary crossed itself and was taken apart."""

    code: str
    name: str
    parent: str
    shape: BaseGeometry
    mended: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the tree file; ``number`` is its ``nr``, which may match a district's key."""

    name: str
    code: str = ""
    number: str = ""
    children: tuple[Node, ...] = ()


def no_progress(steps: Sequence[Any], _words: str) -> Iterable[Any]:
    return steps


def read_features(
    path: Path, *, name: str, code: str = "", parent: str = "", progress: Progress = no_progress
) -> list[Feature]:
    """The districts of a GeoJSON FeatureCollection of polygons (WGS 84, longitude first); raises BadFile."""
    data = _read_json(path)
    kind = data.get("type") if isinstance(data, dict) else None
    if kind == "Topology":
        raise BadFile(_("{file} is TopoJSON. Convert it to GeoJSON first.").format(file=path.name))
    rows = data.get("features") if isinstance(data, dict) else None
    if kind != "FeatureCollection" or not isinstance(rows, list):
        raise BadFile(_("{file} is no GeoJSON FeatureCollection.").format(file=path.name))
    if not rows:
        raise BadFile(_("{file} holds no district.").format(file=path.name))
    _check_system(data, path)
    found: dict[str, tuple[int, Feature]] = {}
    for number, row in enumerate(progress(rows, _("Reading districts")), start=1):
        feature = _feature(row, number, name=name, code=code, parent=parent)
        if feature.code in found:
            words = _("The key “{code}” occurs twice (districts {first} and {second}). Name a property with --code.")
            raise BadFile(words.format(code=feature.code, first=found[feature.code][0], second=number))
        found[feature.code] = number, feature
    return [feature for _number, feature in found.values()]


def _feature(row: Any, number: int, *, name: str, code: str, parent: str) -> Feature:
    properties = row.get("properties") if isinstance(row, dict) else None
    if not isinstance(row, dict) or row.get("type") != "Feature" or not isinstance(properties, dict | None):
        raise BadFile(_("District {number} is no GeoJSON Feature.").format(number=number))
    properties = properties or {}
    title = _property(properties, name, number, "--name", 120)
    key = _property(properties, code, number, "--code", 80) if code else title
    if len(key) > 80:
        words = _("The name “{name}” is longer than 80 characters and can't be a key. Name one with --code.")
        raise BadFile(words.format(name=title))
    above = _property(properties, parent, number, "--parent", 80) if parent else ""
    shape = shapely.MultiPolygon(list(_polygons(row.get("geometry"), title)))
    sound = only_polygons(shape if shape.is_valid else shapely.make_valid(shape))
    if sound.is_empty or sound.area <= 0:
        raise BadFile(_("The boundary of “{name}” encloses nothing.").format(name=title))
    return Feature(code=key, name=title, parent=above, shape=sound, mended=not shape.is_valid)


def _property(properties: Mapping[str, Any], name: str, number: int, option: str, most: int) -> str:
    value = properties.get(name)
    if name not in properties:
        words = _("District {number} has no property “{name}”, but: {others}. Choose one with {option}.")
        others = ", ".join(sorted(map(str, properties))) or "–"
        raise BadFile(words.format(number=number, name=name, others=others, option=option))
    text = " ".join(str(value).split()) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    if not text or not text.isprintable():
        words = _("District {number}: the property “{name}” is empty or unreadable.")
        raise BadFile(words.format(number=number, name=name))
    if len(text) > most:
        words = _("District {number}: the property “{name}” is longer than {most} characters.")
        raise BadFile(words.format(number=number, name=name, most=most))
    return text


def _polygons(geometry: Any, name: str) -> Iterator[Polygon]:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind == "GeometryCollection" and isinstance(geometry.get("geometries"), list):
        parts = [part for part in geometry["geometries"] if not _is_mark(part)]
        if not parts:
            raise BadFile(_("“{name}” has no boundary, only points or lines.").format(name=name))
        for part in parts:
            yield from _polygons(part, name)
    elif kind in ("Polygon", "MultiPolygon"):
        coordinates = geometry.get("coordinates")
        polygons = [coordinates] if kind == "Polygon" else coordinates
        if not isinstance(polygons, list) or not polygons:
            raise BadFile(_("The boundary of “{name}” has no coordinates.").format(name=name))
        for rings in polygons:
            if not isinstance(rings, list) or not rings:
                raise BadFile(_("The boundary of “{name}” has no coordinates.").format(name=name))
            lines = [_ring(ring, name) for ring in rings]
            yield Polygon(lines[0], lines[1:])
    elif _is_mark(geometry):
        raise BadFile(_("“{name}” has no boundary, only points or lines.").format(name=name))
    else:
        raise BadFile(_("“{name}” has no boundary that can be read (Polygon or MultiPolygon).").format(name=name))


def _is_mark(geometry: Any) -> bool:
    """Points and lines, such as where a label stands, beside the boundary."""
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    return kind in ("Point", "MultiPoint", "LineString", "MultiLineString")


def _ring(ring: Any, name: str) -> Any:
    """A ring as an array of (lon, lat), to the centimetre."""
    try:
        points = np.array([(position[0], position[1]) for position in ring], dtype=np.float64)
    except (TypeError, ValueError, IndexError, KeyError, OverflowError):
        raise BadFile(_("The boundary of “{name}” holds something that is no coordinate.").format(name=name)) from None
    if points.ndim != 2 or not np.isfinite(points).all():
        raise BadFile(_("The boundary of “{name}” holds something that is no coordinate.").format(name=name))
    if len(points) < 4:
        raise BadFile(_("A ring of “{name}” has fewer than four points.").format(name=name))
    if not np.array_equal(points[0], points[-1]):
        raise BadFile(_("A ring of “{name}” is not closed: its last point must be its first.").format(name=name))
    wide, high = np.abs(points).max(axis=0)
    if wide > 180 or (high > 90 and wide > 90):
        words = _(
            "“{name}” has coordinates that are no degrees ({value}). Convert the file to WGS 84 (EPSG:4326), "
            "longitude first."
        )
        raise BadFile(words.format(name=name, value=f"{max(wide, high):.6g}"))
    if high > 90:
        raise BadFile(swapped_words())
    return points.round(7)


def only_polygons(geometry: BaseGeometry) -> BaseGeometry:
    """The polygons of what ``make_valid`` returns, without the points and lines that it may leave; pure."""
    parts: list[BaseGeometry] = [
        part for part in shapely.get_parts(shapely.get_parts(geometry)) if part.geom_type == "Polygon"
    ]
    if len(parts) == 1:
        return parts[0]
    return geometry if geometry.geom_type == "MultiPolygon" else shapely.union_all(parts)


def read_tree(path: Path) -> Node:
    """The tree file's root; the shape of the file is told by ``import_areas --help``; raises BadFile."""
    data = _read_json(path)
    if not isinstance(data, dict):
        raise BadFile(_("{file} is no tree of districts: it must be one JSON object.").format(file=path.name))
    root = _node(data, path)
    if not root.children:
        raise BadFile(_("{file} is no tree of districts: it has no list of parts.").format(file=path.name))
    return root


def _node(value: Any, path: Path) -> Node:
    if isinstance(value, str):
        value = {"name": value}
    lists = [part for part in value.values() if isinstance(part, list)] if isinstance(value, dict) else []
    name = next((_words(value[level]) for level in LEVELS if value.get(level)), "") if isinstance(value, dict) else ""
    if not name or len(lists) > 1:
        shown = json.dumps(value, ensure_ascii=False)[:60]
        words = _("{file}: a part needs a name and at most one list of its own parts, but here stands {shown}.")
        raise BadFile(words.format(file=path.name, shown=shown))
    children = tuple(_node(part, path) for part in (lists[0] if lists else ()))
    return Node(name=name, code=_words(value.get("code")), number=_words(value.get("nr")), children=children)


def _words(value: Any) -> str:
    return " ".join(str(value).split()) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _read_json(path: Path) -> Any:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadFile(_("{file} is larger than 256 MB. Simplify its boundaries first.").format(file=path.name))
        return json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_no_number)
    except OSError as error:
        words = _("{file} can't be read: {reason}.").format(file=path, reason=error.strerror)
        raise BadFile(words) from None
    except UnicodeDecodeError:
        raise BadFile(_("{file} is no text in UTF-8.").format(file=path.name)) from None
    except RecursionError:
        raise BadFile(_("{file} is nested too deeply to be GeoJSON.").format(file=path.name)) from None
    except ValueError as error:
        line = f"{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        words = _("{file} is no valid JSON (line {line}). Is it complete?").format(file=path.name, line=line)
        raise BadFile(words) from None


def _no_number(word: str) -> float:
    raise ValueError(word)


def _check_system(data: Mapping[str, Any], path: Path) -> None:
    """Refuse a coordinate system named by the old ``crs`` member, unless it is WGS 84."""
    crs = data.get("crs")
    properties = crs.get("properties") if isinstance(crs, dict) else None
    named = str(properties.get("name", "")) if isinstance(properties, dict) else ""
    if named and not named.upper().endswith(("CRS84", "EPSG::4326", "EPSG:4326")):
        words = _("{file} is in {system}. Convert it to WGS 84 (EPSG:4326) first.")
        raise BadFile(words.format(file=path.name, system=named))


def swapped_words() -> str:
    return _("Latitude and longitude are swapped: GeoJSON writes longitude first. Swap them and import again.")
