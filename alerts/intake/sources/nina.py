"""NINA's api31: the list (dashboard/<ARS>.json or …/mapData.json), warnings/<id>.json, <id>.geojson; pure."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import shapely
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from shapely.geometry.base import BaseGeometry

from alerts.content import Content, District, Polygon, Text
from alerts.terms import Category, Certainty, MsgType, ResponseType, Severity, Status, Urgency

from ..capreading import language_of
from . import outlines
from .found import MOST, Entry, Found, Listing, Unreadable, line, plain

ID = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
"""Ids become parts of addresses: no slash, no percent sign, no two dots."""
PREFIX = re.compile(r"^(?:mow|dwd|dwdmap|kat|biw|lhp|pol)\.")
"""NINA's own, before the identifier that the authority gave."""
FOLDERS = {"dashboard", "mowas", "dwd", "katwarn", "biwapp", "lhp", "police"}
MOST_INFOS, MOST_KEYS = 20, 1000
HINTS = {"Alert": MsgType.ALERT, "Update": MsgType.UPDATE, "Cancel": MsgType.CANCEL}


def listing(body: bytes) -> Listing:
    """What is in the list; raises Unreadable."""
    rows = _json(body)
    if not isinstance(rows, list):
        raise Unreadable(_("This is no list of NINA."))
    return Listing(tuple(_entries(rows[:MOST])), whole=len(rows) <= MOST)


def _entries(rows: Sequence[Any]) -> Iterator[Entry]:
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not ID.fullmatch(row["id"]):
            continue
        inner = row.get("payload")
        payload: dict[str, Any] = inner if isinstance(inner, dict) else {}
        said = (row.get("version"), payload.get("version"), payload.get("hash"), row.get("sent"), row.get("startDate"))
        yield Entry(row["id"], " ".join(str(value)[:80] for value in said if value is not None))


def is_local(url: str) -> bool:
    """Whether this list is of one place alone, so that all in it concerns the city."""
    return "/dashboard/" in urlsplit(url).path


def address(url: str, key: str, kind: str = "json") -> str:
    """Where the warning ``key`` of the list at ``url`` lies. Raises Unreadable for an id with tricks."""
    if not ID.fullmatch(key):
        raise Unreadable(_("An id of the list can't be part of an address."))
    split = urlsplit(url)
    folders = split.path.split("/")[:-1]
    if folders and folders[-1] in FOLDERS:
        folders.pop()
    return urlunsplit(split._replace(path="/".join([*folders, "warnings", f"{key}.{kind}"]), query="", fragment=""))


def found(body: bytes, geometry: bytes, languages: Sequence[str], *, local: bool) -> Found:
    """One warning; ``geometry`` is its GeoJSON, or nothing. Raises Unreadable."""
    whole = _json(body)
    if not isinstance(whole, dict):
        raise Unreadable(_("This is no warning of NINA."))
    identifier, sender = line(whole.get("identifier"), 255), line(whole.get("sender"), 255)
    sent = _time(whole.get("sent"))
    msg_type, status = HINTS.get(str(whole.get("msgType"))), str(whole.get("status"))
    listed = whole.get("info")
    infos = [info for info in listed if isinstance(info, dict)][:MOST_INFOS] if isinstance(listed, list) else []
    if not identifier or sent is None or msg_type is None or status not in Status.values or not infos:
        raise Unreadable(_("The warning lacks its identifier, time, type or words."))
    content = _content(infos, status, sent, languages, _polygons(geometry))
    return Found(
        identifier=identifier,
        sender=_parameter(infos[0], "sender_langname") or sender,
        sent=sent,
        status=status,
        msg_type=msg_type,
        references=tuple(_references(whole.get("references"))),
        event=line(infos[0].get("event"), 200),
        headline=line(infos[0].get("headline") or infos[0].get("event"), 300),
        area=content.place,
        signature="",
        content=content,
        raw=body.decode("utf-8", "replace"),
        local=local,
    )


def _content(
    infos: Sequence[Mapping[str, Any]],
    status: str,
    sent: dt.datetime,
    languages: Sequence[str],
    polygons: tuple[Polygon, ...],
) -> Content:
    first = infos[0]
    texts: dict[str, Text] = {}
    for info in infos:
        language = language_of(str(info.get("language") or "de"), languages)
        if language and language not in texts:
            texts[language] = Text(
                event=line(info.get("event"), 200),
                headline=line(info.get("headline"), 400),
                description=plain(info.get("description"), 12_000),
                instruction="\n".join(row for row in plain(info.get("instruction"), 8_000).splitlines() if row),
            )
    keys = re.findall(r"\b[0-9]{12}\b", _parameter(first, "warnVerwaltungsbereiche"), re.ASCII)[:MOST_KEYS]
    areas = first.get("area") if isinstance(first.get("area"), list) else []
    names = [line(area.get("areaDesc"), 200) for area in areas or [] if isinstance(area, dict)]
    web = line(first.get("web"), 501)
    return Content(
        status=status,
        category=tuple(word for word in _words(first.get("category")) if word in Category.values),
        urgency=_known(first.get("urgency"), Urgency.values),
        severity=_known(first.get("severity"), Severity.values),
        certainty=_known(first.get("certainty"), Certainty.values),
        response=tuple(word for word in _words(first.get("responseType")) if word in ResponseType.values),
        texts=texts,
        place=line(", ".join(dict.fromkeys(filter(None, names))), 120),
        # who draws a part of the city and names the city's key beside it means the drawn part
        districts=() if polygons else tuple(District(key, key) for key in dict.fromkeys(keys)),
        polygons=polygons,
        effective=_time(first.get("effective")),
        onset=_time(first.get("onset")),
        expires=_time(first.get("expires")),
        facts_at=sent,
        contact=line(first.get("contact"), 400),
        web=web if web.startswith(("https://", "http://")) and len(web) <= 500 else "",
    )


def _polygons(geometry: bytes) -> tuple[Polygon, ...]:
    """The outlines of a GeoJSON, simplified; what is no area in it is left out."""
    if not geometry:
        return ()
    whole = _json(geometry)
    features = whole.get("features") if isinstance(whole, dict) else None
    shapes: list[BaseGeometry] = []
    for feature in features if isinstance(features, list) else []:
        try:
            shapes.append(shapely.from_geojson(json.dumps(feature["geometry"])))
        except (shapely.errors.ShapelyError, ValueError, TypeError, KeyError):
            continue
    if outlines.corners(shapes) > outlines.MOST:
        raise Unreadable(_("The area of the warning has more than {count} corners.").format(count=outlines.MOST))
    if not shapes:
        return ()
    found = outlines.simple(shapes)
    there = [all(abs(lat) <= 90 and abs(lon) <= 180 for lat, lon in polygon.points) for polygon in found]
    return tuple(polygon for polygon, sound in zip(found, there, strict=True) if sound)


def _references(value: Any) -> Iterator[str]:
    for triple in str(value or "").split()[:100]:
        parts = triple.split(",")
        if len(parts) >= 2 and parts[1]:
            yield parts[1][:255]


def _parameter(info: Mapping[str, Any], name: str) -> str:
    listed = info.get("parameter")
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, dict) and one.get("valueName") == name:
            return line(one.get("value"), 20_000)
    return ""


def _words(value: Any) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []


def _known(value: Any, words: Sequence[str]) -> str:
    return value if isinstance(value, str) and value in words else "Unknown"


def _time(value: Any) -> dt.datetime | None:
    """A time that names its distance from UTC; any other could mean an hour earlier or later."""
    try:
        found = parse_datetime(value) if isinstance(value, str) else None
        return found.astimezone(dt.UTC) if found is not None and found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(_("This is no JSON that can be read.")) from error
