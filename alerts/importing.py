"""The city's districts out of a GeoJSON file: read, checked, arranged as a tree and stored as one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import shapely
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from shapely.geometry.base import BaseGeometry

from . import areas, audit
from .geojson import BadFile, Feature, Node, Progress, no_progress, read_features, read_tree, swapped_words
from .models import Area

# Latitude 34 to 72, longitude -25 to 45: where a city in a European time zone must lie.
EUROPE = shapely.box(-25, 34, 45, 72)
WIDE_OVERLAP = 0.1


@dataclass(frozen=True, slots=True)
class Place:
    """An area as it will be stored; places stand in the city's order, each after its parent."""

    code: str
    name: str
    parent: str
    shape: BaseGeometry
    outline: BaseGeometry
    leaf: bool


@dataclass(frozen=True, slots=True)
class Result:
    """How many areas are new, changed, unchanged and no longer in use; ``notes`` is what was mended."""

    new: int
    changed: int
    same: int
    retired: int
    notes: tuple[str, ...] = field(default=())


def import_file(
    path: Path,
    *,
    tree: Path | None = None,
    name: str = "name",
    code: str = "",
    parent: str = "",
    city: str = "",
    progress: Progress = no_progress,
) -> Result:
    """Make the districts of a GeoJSON file the city's districts, in one transaction.

    ``name``, ``code`` and ``parent`` are names of properties; where there is no ``code``, the name is
    the key. What the file no longer has stays as a row that is not in use. Raises BadFile.
    """
    if tree and parent:
        raise BadFile(_("Give either a tree file or the property of the parent, not both."))
    nodes = read_tree(tree) if tree else None
    features = read_features(path, name=name, code=code, parent=parent, progress=progress)
    _check_position(features)
    places = arrange(features, nodes, city or settings.CITY_SHORT if nodes is None else city)
    notes = [
        *(_("“{name}” crosses itself; its boundary was mended.").format(name=f.name) for f in features if f.mended),
        *_wide_overlaps(features),
    ]
    return replace(store(places, progress=progress), notes=tuple(notes))


# Checking where it lies


def _check_position(features: Sequence[Feature]) -> None:
    """Refuse latitude and longitude swapped: told by the districts there are, else by the city's time zone."""
    west, south, east, north = shapely.total_bounds([feature.shape for feature in features])
    here, swapped = (
        shapely.Point((west + east) / 2, (south + north) / 2),
        shapely.Point((south + north) / 2, (west + east) / 2),
    )
    regions = [EUROPE] if settings.TIME_ZONE.startswith("Europe/") else []
    known = [
        shapely.geometry.shape(row.boundary) for row in Area.objects.filter(active=True, parent=None) if row.boundary
    ]
    regions += [shapely.union_all(known).envelope.buffer(3)] if known else []
    if any(region.contains(swapped) and not region.contains(here) for region in regions):
        raise BadFile(swapped_words())


def _wide_overlaps(features: Sequence[Feature]) -> Iterator[str]:
    """Districts that lie upon each other: most likely two levels in one file."""
    shapes = [feature.shape for feature in features]
    pairs = shapely.STRtree(shapes).query(shapes, predicate="intersects").T
    for one, other in pairs:
        if one < other:
            smaller = min(shapes[one].area, shapes[other].area)
            if shapes[one].intersection(shapes[other]).area > WIDE_OVERLAP * smaller:
                words = _("“{one}” and “{other}” lie upon each other. Does the file hold two levels?")
                yield words.format(one=features[one].name, other=features[other].name)


# Arranging


def arrange(features: Sequence[Feature], tree: Node | None, city: str) -> list[Place]:
    """The areas to store: city › parts › districts, with unions as the parents' boundaries; raises BadFile."""
    root = _with_districts(tree, features) if tree else _grouped(features)
    root = replace(root, name=city or root.name, code=root.code or city or root.name)
    outlines = simplified([feature.shape for feature in features])
    shapes = {f.code: (f.shape, outline) for f, outline in zip(features, outlines, strict=True)}
    places = list(_places(root, "", shapes))
    seen: dict[str, Place] = {}
    for place in places:
        if place.code in seen:
            words = _("The key “{code}” stands for two areas. Give one of them a “code” of its own in the tree file.")
            raise BadFile(words.format(code=place.code))
        if len(place.code) > 80 or len(place.name) > 120:
            raise BadFile(_("The name “{name}” is longer than 80 characters.").format(name=place.name))
        seen[place.code] = place
    return places


def _grouped(features: Sequence[Feature]) -> Node:
    """A tree from the features' own parents; where they have none, the city has the districts as its parts."""
    groups: dict[str, list[Node]] = {}
    for feature in features:
        groups.setdefault(feature.parent, []).append(Node(name=feature.name, code=feature.code))
    if set(groups) == {""}:
        return Node(name="", children=tuple(groups[""]))
    return Node(name="", children=tuple(Node(name=name, children=tuple(parts)) for name, parts in groups.items()))


def _with_districts(tree: Node, features: Sequence[Feature]) -> Node:
    """The tree with each of its ends bound to a district of the file, by key, number or name."""
    by_code = {feature.code: feature for feature in features}
    by_name: dict[str, list[Feature]] = {}
    for feature in features:
        by_name.setdefault(feature.name, []).append(feature)
    bound: set[str] = set()

    def bind(node: Node) -> Node:
        if node.children:
            return replace(node, children=tuple(map(bind, node.children)))
        feature = by_code.get(node.code) or by_code.get(node.number)
        if feature is None and len(by_name.get(node.name, ())) == 1:
            feature = by_name[node.name][0]
        if feature is None:
            raise BadFile(_("The tree names “{name}”, but the file has no such district.").format(name=node.name))
        if feature.code in bound:
            raise BadFile(_("The tree names “{name}” twice.").format(name=node.name))
        bound.add(feature.code)
        return Node(name=feature.name, code=feature.code)

    result = bind(tree)
    missing = [feature.name for feature in features if feature.code not in bound]
    if missing:
        names = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
        raise BadFile(_("The tree does not say where these districts belong: {names}.").format(names=names))
    return result


def _places(node: Node, parent: str, shapes: Mapping[str, tuple[BaseGeometry, BaseGeometry]]) -> Iterator[Place]:
    code = node.code or node.name
    if not node.children:
        yield Place(code, node.name, parent, *shapes[code], leaf=True)
        return
    below = [place for child in node.children for place in _places(child, code, shapes)]
    leaves = [place for place in below if place.leaf]
    shape = shapely.union_all([place.shape for place in leaves])
    outline = shapely.union_all([place.outline for place in leaves])
    yield Place(code, node.name, parent, shape, outline, leaf=False)
    yield from below


def simplified(shapes: Sequence[BaseGeometry]) -> list[BaseGeometry]:
    """Outlines for maps, to a two-thousandth of the city's extent; neighbours still meet. Pure.

    Neighbouring borders are simplified together (GEOS 3.12 and later), else each for itself.
    """
    west, south, east, north = shapely.total_bounds(list(shapes))
    narrow = math.cos(math.radians((south + north) / 2))
    flat = shapely.transform(list(shapes), lambda points: points * (narrow, 1.0))
    tolerance = math.hypot((east - west) * narrow, north - south) / 2000
    if shapely.geos_version >= (3, 12, 0):
        simple = shapely.coverage_simplify(flat, tolerance)
    else:
        simple = shapely.simplify(flat, tolerance)
    rounded = shapely.transform(simple, lambda points: (points / (narrow, 1.0)).round(5))
    return [
        found if found.is_valid and not found.is_empty else shape for found, shape in zip(rounded, shapes, strict=True)
    ]


# Storing


def store(places: Sequence[Place], progress: Progress = no_progress) -> Result:
    """Make these the city's areas, in one transaction; rows that are not among them are no longer in use."""
    wanted = [
        (place, {
            "name": place.name,
            "boundary": _as_json(place.shape),
            "outline": _as_json(place.outline),
            "order": order,
            "active": True,
        })
        for order, place in enumerate(places)
    ]  # fmt: skip
    new = changed = 0
    with transaction.atomic():
        rows = {row.code: row for row in Area.objects.select_for_update()}
        for place, values in progress(wanted, _("Storing areas")):
            values["parent"] = rows.get(place.parent)
            row = rows.get(place.code)
            if row is None:
                rows[place.code] = Area.objects.create(code=place.code, **values)
                new += 1
            elif any(getattr(row, name) != value for name, value in values.items()):
                for name, value in values.items():
                    setattr(row, name, value)
                row.save()
                changed += 1
        codes = [place.code for place in places]
        retired = Area.objects.filter(active=True).exclude(code__in=codes).update(active=False)
        result = Result(new=new, changed=changed, same=len(places) - new - changed, retired=retired)
        audit.record(None, "areas-imported", areas.SUBJECT, new=new, changed=changed, same=result.same, retired=retired)
    return result


def _as_json(geometry: BaseGeometry) -> dict[str, Any]:
    """A GeoJSON geometry of lists, as the database gives it back, so that both compare."""
    value: dict[str, Any] = json.loads(shapely.to_geojson(geometry))
    return value
