"""What is wrong with a CAP file, in plain words: the schema, and the rules of CAP 1.2 that it can't check; pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import shapely
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from lxml import etree

from alerts.terms import MsgType, Status

from .document import DECIMALS, circle_of, moment_of, polygon_of, references_of, time_of
from .schema import Fault, NotCap, line_of, local, parse, schema_faults, shown, tag

# What readers can live with; everything else is an error.
WARNINGS = {"references-self", "no-language", "no-expires", "decimals"}

_MUST_REFER = {MsgType.UPDATE, MsgType.CANCEL, "Ack", "Error"}
_FORBIDDEN = re.compile(r"[\s,<&]")
_TOO_FINE = re.compile(rf"\.\d{{{DECIMALS + 1},}}")


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, in the order of the file; a file with warnings alone may go out."""

    errors: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.errors


def faults(body: bytes) -> Report:
    """Everything that is wrong with a CAP file, in the active language; never raises for what the file says."""
    try:
        root = parse(body)
    except NotCap as error:
        return Report(errors=(error.fault,))
    found = sorted([*schema_faults(root), *_alert(root), *_across(root)], key=lambda fault: fault.line)
    return Report(
        errors=tuple(fault for fault in found if fault.code not in WARNINGS),
        warnings=tuple(fault for fault in found if fault.code in WARNINGS),
    )


def _alert(root: etree._Element) -> Iterator[Fault]:
    for name in ("identifier", "sender"):
        yield from _name_in_references(root, name)
    sent = _moment(root, "sent")
    yield from _references(root, sent)
    if _says(root, "status") == Status.EXERCISE and not _says(root, "note"):
        text = _("An exercise must be named in “note”, so that nobody takes it for the real thing.")
        yield _at(root, "status", "note-missing", text)
    if _says(root, "scope") == "Restricted" and not _says(root, "restriction"):
        text = _("A message of scope “Restricted” must say in “restriction” who may see it.")
        yield _at(root, "scope", "restriction-missing", text)
    if _says(root, "scope") == "Private" and not _says(root, "addresses"):
        text = _("A message of scope “Private” must name its receivers in “addresses”.")
        yield _at(root, "scope", "addresses-missing", text)
    for info in root.iterchildren(tag("info")):
        yield from _info(info, sent)


def _name_in_references(root: etree._Element, name: str) -> Iterator[Fault]:
    element = root.find(tag(name))
    if element is None:
        return
    text = element.text or ""
    if not text.strip():
        yield _at(root, name, name, _("“{element}” is empty.").format(element=name))
    elif found := _FORBIDDEN.search(text):
        words = _("“{element}” holds “{char}”. It must have no space, comma, < or &: others refer to it by name.")
        yield _at(root, name, name, words.format(element=name, char=shown(found[0]) or " "))


def _references(root: etree._Element, sent: dt.datetime | None) -> Iterator[Fault]:
    kind = _says(root, "msgType")
    element = root.find(tag("references"))
    if element is None or not (element.text or "").strip():
        if kind in _MUST_REFER:
            text = _("A message of type “{kind}” must say in “references” which message it follows.")
            yield _at(root, "msgType", "references-missing", text.format(kind=kind))
        return
    try:
        references = references_of(element)
    except NotCap as error:
        yield error.fault
        return
    for reference in references:
        if (reference.sender, reference.identifier) == (_says(root, "sender"), _says(root, "identifier")):
            yield _fault(element, "references-self", _("The message refers to itself."))
        elif sent and moment_of(reference.sent) > sent:
            text = _("The message refers to {identifier}, which was sent later than itself.")
            yield _fault(element, "references-future", text.format(identifier=shown(reference.identifier)))


def _info(info: etree._Element, sent: dt.datetime | None) -> Iterator[Fault]:
    for name in ("effective", "onset"):
        _moment(info, name)
    expires = _moment(info, "expires")
    if sent and expires and expires <= sent:
        text = _("“expires” is not later than “sent”: the message would end before it begins.")
        yield _at(info, "expires", "expires-before-sent", text)
    event = info.find(tag("event"))
    if event is not None and not (event.text or "").strip():
        yield _fault(event, "empty", _("“{element}” is empty.").format(element="event"))
    web = info.find(tag("web"))
    if web is not None and web.text and not _absolute(web.text):
        text = _("“web” must be a whole address, with https://, not “{value}”.")
        yield _fault(web, "web-relative", text.format(value=shown(web.text)))
    for resource in info.iterchildren(tag("resource")):
        yield from _resource(resource)
    for area in info.iterchildren(tag("area")):
        yield from _area(area)


def _resource(resource: etree._Element) -> Iterator[Fault]:
    if resource.find(tag("mimeType")) is not None and not _says(resource, "mimeType"):
        yield _at(resource, "mimeType", "empty", _("“{element}” is empty.").format(element="mimeType"))
    uri = _says(resource, "uri")
    if uri and not _absolute(uri) and not _says(resource, "derefUri"):
        text = _("“uri” is not a whole address, and the file is not enclosed in “derefUri”: nobody can fetch it.")
        yield _at(resource, "uri", "uri-relative", text)


def _area(area: etree._Element) -> Iterator[Fault]:
    description = area.find(tag("areaDesc"))
    if description is not None and not (description.text or "").strip():
        yield _fault(description, "empty", _("“{element}” is empty.").format(element="areaDesc"))
    for circle in area.iterchildren(tag("circle")):
        try:
            circle_of(circle)
        except NotCap as error:
            yield error.fault
    for polygon in area.iterchildren(tag("polygon")):
        yield from _polygon(polygon)


def _polygon(element: etree._Element) -> Iterator[Fault]:
    try:
        points = polygon_of(element).points
    except NotCap as error:
        yield error.fault
        return
    if len(points) < 4:
        text = ngettext(
            "The polygon has {count} point. It needs four at least, the last like the first.",
            "The polygon has {count} points. It needs four at least, the last like the first.",
            len(points),
        )
        yield _fault(element, "polygon-few", text.format(count=len(points)))
    elif points[0] != points[-1]:
        text = _("The polygon is not closed: it must end with its first point, {lat},{lon}.")
        yield _fault(element, "polygon-open", text.format(lat=points[0][0], lon=points[0][1]))
    elif len(set(points)) < 3:
        yield _fault(element, "polygon-few", _("The polygon has fewer than three different corners: it has no area."))
    else:
        reason, _bracket, place = shapely.is_valid_reason(shapely.Polygon(points)).partition("[")
        if reason == "Self-intersection":  # a ring that only touches itself is allowed
            text = _("The polygon crosses itself near {place}.")
            yield _fault(element, "polygon-crossing", text.format(place=_near(place)))


def _near(place: str) -> str:
    lat, lon = (float(number) for number in place.rstrip("]").split())
    return f"{lat:.5f},{lon:.5f}"


def _across(root: etree._Element) -> Iterator[Fault]:
    """What is told once for the whole file, however often it occurs."""
    infos = list(root.iterchildren(tag("info")))
    silent = [info for info in infos if not _says(info, "language")]
    if silent:
        text = ngettext(
            "{count} info block names no language. Readers then take it for US English.",
            "{count} info blocks name no language. Readers then take them for US English.",
            len(silent),
        )
        yield _fault(silent[0], "no-language", text.format(count=len(silent)))
    endless = [info for info in infos if not _says(info, "expires")]
    if endless:
        text = ngettext(
            "{count} info block has no “expires”. Readers then don't know when it ends.",
            "{count} info blocks have no “expires”. Readers then don't know when they end.",
            len(endless),
        )
        yield _fault(endless[0], "no-expires", text.format(count=len(endless)))
    fine = [shape for shape in root.iter(tag("polygon"), tag("circle")) if _TOO_FINE.search(shape.text or "")]
    if fine:
        text = ngettext(
            "{count} shape has coordinates with more than 6 decimals: finer than a hand's breadth.",
            "{count} shapes have coordinates with more than 6 decimals: finer than a hand's breadth.",
            len(fine),
        )
        yield _fault(fine[0], "decimals", text.format(count=len(fine)))


def _says(parent: etree._Element, name: str) -> str:
    return (parent.findtext(tag(name)) or "").strip()


def _moment(parent: etree._Element, name: str) -> dt.datetime | None:
    """A child's time; None where it is missing or where the schema has complained of it already."""
    element = parent.find(tag(name))
    if element is None:
        return None
    try:
        return time_of(element)
    except NotCap:
        return None


def _absolute(address: str) -> bool:
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path))


def _fault(element: etree._Element, code: str, text: str) -> Fault:
    return Fault(code, text, local(element), line_of(element))


def _at(parent: etree._Element, name: str, code: str, text: str) -> Fault:
    element = parent.find(tag(name))
    return _fault(parent if element is None else element, code, text)
