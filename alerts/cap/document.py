"""CAP 1.2 values as an XML document, and back; pure."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from dataclasses import MISSING, fields
from decimal import Decimal
from typing import Any, TypeVar

from django.utils.translation import gettext as _
from lxml import etree

from alerts.content import Circle, Polygon

from .schema import NAMESPACE, Fault, NotCap, line_of, local, parse, schema_faults, shown, tag
from .values import CapAlert, CapArea, CapInfo, CapResource, Named, Reference

DECIMALS = 6


def write(alert: CapAlert) -> bytes:
    """The document, UTF-8, indented; coordinates with at most 6 decimals, times without fractions.

    Raises ValueError, in words, for what XML can't carry and for what the schema refuses.
    """
    default: Any = {None: NAMESPACE}  # lxml-stubs know no default namespace
    root = etree.Element(tag("alert"), nsmap=default)
    _fill(root, alert)
    faults = schema_faults(root)
    if faults:
        raise ValueError(faults[0].text)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def read(body: bytes) -> CapAlert:
    """The values of a CAP 1.2 document; coordinates rounded to 6 decimals, signatures passed over.

    Raises NotCap, in words for people, for anything that is not CAP 1.2 by the schema, is larger than
    ``MAX_BYTES`` or has more than ``MAX_POINTS``. What is wrong beyond the schema: ``rules.faults``.
    """
    root = parse(body)
    faults = schema_faults(root)
    if faults:
        raise NotCap(faults[0])
    return _read(CapAlert, root)


def cap_time(value: dt.datetime) -> str:
    """A time as CAP writes it: whole seconds, with the offset; UTC is ``-00:00``. Raises ValueError without a zone."""
    offset = value.utcoffset()
    if offset is None:
        raise ValueError(_("A CAP time needs a time zone."))
    if offset % dt.timedelta(minutes=1):  # local mean time, before 1900
        value = value.astimezone(dt.UTC)
    text = value.isoformat(timespec="seconds")
    return text if value.utcoffset() else text[:-6] + "-00:00"


# Writing

_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _name(field: str) -> str:
    first, *rest = field.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _fill(parent: etree._Element, value: Any) -> None:
    for field in fields(value):
        content = getattr(value, field.name)
        name = _name(field.name)
        if name == "references":
            content = " ".join(",".join(reference) for reference in content)
        if field.default is not MISSING and content in (None, "", ()):
            continue
        for item in content if isinstance(content, tuple) else (content,):
            element = etree.SubElement(parent, tag(name))
            if isinstance(item, Named | CapResource | CapArea | CapInfo):
                _fill(element, item)
            else:
                element.text = _text(item, name)


def _text(value: Any, name: str) -> str:
    match value:
        case str():
            if found := _UNFIT.search(value):
                text = _("“{element}” holds the character {code}, which XML can't carry. Remove it.")
                raise ValueError(text.format(element=name, code=f"U+{ord(found[0]):04X}"))
            return str(value)
        case dt.datetime():
            return cap_time(value)
        case Polygon(points=points):
            return " ".join(f"{_number(lat)},{_number(lon)}" for lat, lon in points)
        case Circle(lat=lat, lon=lon, km=km):
            return f"{_number(lat)},{_number(lon)} {_number(km)}"
        case Decimal():
            return f"{value:f}"
    return str(value)


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(_("A coordinate must be a number."))
    text = f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


# Reading

T = TypeVar("T")


def _read(kind: type[T], parent: etree._Element) -> T:
    found: dict[str, list[Any]] = {}
    for child in parent:
        if child.tag == tag(local(child)):
            found.setdefault(local(child), []).append(child)
    values: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        name = _name(field.name)
        items = [_READERS.get(name, _plain)(child) for child in found.get(name, ())]
        if isinstance(field.default, tuple) and name != "references":
            values[field.name] = tuple(items)
        elif items:
            values[field.name] = items[0]
    return kind(**values)


def _plain(element: etree._Element) -> str:
    return element.text or ""


def _address(element: etree._Element) -> str:
    return _plain(element).strip()


def _refuse(code: str, text: str, element: etree._Element, value: str) -> NotCap:
    name = local(element)
    return NotCap(Fault(code, text.format(element=name, value=shown(value)), name, line_of(element)))


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", re.ASCII)


def moment_of(text: str) -> dt.datetime:
    """The time that a CAP text names; raises ValueError for any other way to write one."""
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    return dt.datetime.fromisoformat(text)


def time_of(element: etree._Element) -> dt.datetime:
    """An element's time; raises NotCap."""
    text = _plain(element).strip()
    try:
        return moment_of(text)
    except ValueError:
        words = _("“{element}” says “{value}”, which is no CAP time. Write it like 2022-09-13T11:20:00+02:00.")
        raise _refuse("time", words, element, text) from None


def references_of(element: etree._Element) -> tuple[Reference, ...]:
    """The triples of ``references``; raises NotCap."""
    found = []
    for triple in _plain(element).split():
        parts = triple.split(",")
        try:
            sender, identifier, sent = parts
            moment_of(sent)
        except ValueError:
            words = _("“{value}” is no reference. Write sender,identifier,sent, and a space between two references.")
            raise _refuse("references-form", words, element, triple) from None
        if not sender or not identifier:
            raise _refuse("references-form", _("“{value}” names no sender or no identifier."), element, triple)
        found.append(Reference(sender, identifier, sent))
    return tuple(found)


_DEGREES = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)


def _point(text: str, element: etree._Element) -> tuple[float, float]:
    parts = text.split(",")
    if len(parts) != 2 or not all(_DEGREES.fullmatch(part) for part in parts):
        words = _("“{value}” in “{element}” is no point. Write latitude,longitude in degrees.")
        raise _refuse("coordinates", words, element, text)
    lat, lon = (round(float(part), DECIMALS) for part in parts)
    if abs(lat) > 90 >= abs(lon) and abs(lat) <= 180:
        words = _("“{value}” in “{element}”: latitude comes first, then longitude. Swap them.")
        raise _refuse("coordinates-swapped", words, element, text)
    # A shape across the date line counts on beyond 180 degrees, as real alerts do.
    if abs(lat) > 90 or abs(lon) > 360:
        words = _("“{value}” in “{element}” is no place on Earth: latitude goes to 90, longitude to 180 degrees.")
        raise _refuse("coordinates", words, element, text)
    return lat, lon


def polygon_of(element: etree._Element) -> Polygon:
    """A polygon's points, closed or not; raises NotCap."""
    return Polygon(tuple(_point(point, element) for point in _plain(element).split()))


def circle_of(element: etree._Element) -> Circle:
    """A circle; raises NotCap."""
    text = _plain(element)
    parts = text.split()
    if len(parts) != 2 or not _DEGREES.fullmatch(parts[1]) or not 0 <= float(parts[1]) < math.inf:
        words = _("“{value}” is no circle. Write latitude,longitude, a space, and the radius in kilometres.")
        raise _refuse("circle", words, element, text)
    return Circle(*_point(parts[0], element), km=round(float(parts[1]), DECIMALS))


def _size(element: etree._Element) -> int:
    text = _plain(element).strip()
    if len(text) > 18:  # a million terabytes
        raise _refuse("size", _("“{element}” says “{value}”, which is too large a number."), element, text)
    return int(text)


_READERS: dict[str, Callable[[etree._Element], Any]] = {
    "sent": time_of,
    "effective": time_of,
    "onset": time_of,
    "expires": time_of,
    "references": references_of,
    "polygon": polygon_of,
    "circle": circle_of,
    "altitude": lambda element: Decimal(_plain(element).strip()),
    "ceiling": lambda element: Decimal(_plain(element).strip()),
    "size": _size,
    "language": _address,
    "web": _address,
    "uri": _address,
    "eventCode": lambda element: _read(Named, element),
    "parameter": lambda element: _read(Named, element),
    "geocode": lambda element: _read(Named, element),
    "resource": lambda element: _read(CapResource, element),
    "area": lambda element: _read(CapArea, element),
    "info": lambda element: _read(CapInfo, element),
}
