"""alerts.json and alerts.geojson: what is in force now, for other people's programs; pure."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from alerts.notice import level_of
from alerts.public import PublicAlert

from .shapes import Ring, geometry

VERSION = 1


@dataclass(frozen=True, slots=True)
class Live:
    """A live alert with what its latest message says: the approved words by language, and where its files are.

    ``rings`` are the outlines of the districts that were chosen by name, ``(lat, lon)``.
    """

    alert: PublicAlert
    words: Mapping[str, Mapping[str, Any]]
    cap_url: str
    rings: Sequence[Ring] = ()


def alerts_json(city: str, live: Sequence[Live]) -> bytes:
    """The live alerts, the most dangerous first: ``{"version", "city", "alerts": […]}``.

    Each alert: ``id`` (its page's), ``identifier``, ``sender``, ``sent``, ``kind``, ``msgType``, ``status``,
    ``level``, CAP's ``category``, ``urgency``, ``severity``, ``certainty``, ``responseType``; the times
    ``effective``, ``onset``, ``expires``, ``factsAt``, ``nextBy`` (ISO 8601 or null); ``districts`` that it
    touches, ``circles`` (lat, lon, km) and ``polygons`` ([lat, lon] pairs) as drawn; ``contact``, ``web``,
    ``url`` (page, first language), ``cap`` (signed document), ``references``; ``texts`` by language: ``event``,
    ``headline``, ``description`` and ``instruction`` (lists), ``short``, ``area``, ``level`` (word), ``url``.
    A field may be added within a version, none is taken away.
    """
    return _bytes({"version": VERSION, "city": city, "alerts": [_alert(item) for item in live]})


def alerts_geojson(city: str, live: Sequence[Live]) -> bytes:
    """The live alerts as a FeatureCollection (RFC 7946): what ``alerts.json`` says of each, and its whole area.

    Circles are polygons of 64 corners. ``geometry`` is null where an alert names places without an outline.
    """
    features = [
        {
            "type": "Feature",
            "id": item.alert.slug,
            "geometry": geometry(item.alert.latest.content.circles, item.alert.latest.content.polygons, item.rings),
            "properties": _alert(item),
        }
        for item in live
    ]
    return _bytes({"type": "FeatureCollection", "version": VERSION, "city": city, "features": features})


def _alert(item: Live) -> dict[str, Any]:
    message = item.alert.latest
    content = message.content
    first = next(iter(item.words.values()), {})
    return {
        "id": message.slug,
        "identifier": message.identifier,
        "sender": message.sender,
        "sent": _time(message.sent),
        "kind": str(message.kind),
        "msgType": str(message.msg_type),
        "status": str(message.status),
        "level": level_of(content),
        "category": list(content.category),
        "urgency": content.urgency,
        "severity": content.severity,
        "certainty": content.certainty,
        "responseType": list(content.response),
        "effective": _time(content.effective),
        "onset": _time(content.onset),
        "expires": _time(content.expires),
        "factsAt": _time(content.facts_at),
        "nextBy": _time(content.next_by),
        "districts": [{"code": district.code, "name": district.name} for district in content.touched],
        "circles": [{"lat": circle.lat, "lon": circle.lon, "km": circle.km} for circle in content.circles],
        "polygons": [[list(point) for point in polygon.points] for polygon in content.polygons],
        "contact": content.contact,
        "web": content.web,
        "url": first.get("link", ""),
        "cap": item.cap_url,
        "references": [
            {"sender": sender, "identifier": identifier, "sent": sent}
            for sender, identifier, sent in message.references
        ],
        "texts": {language: _text(words) for language, words in item.words.items()},
    }


def _text(words: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "event": words["event"],
        "headline": words["headline"],
        "description": words["description"],
        "instruction": words["steps"],
        "short": words["short"],
        "area": words["area"],
        "level": words["level_word"],
        "url": words["link"],
    }


def _time(value: dt.datetime | None) -> str | None:
    return timezone.localtime(value).isoformat(timespec="seconds") if value else None


def _bytes(value: dict[str, Any]) -> bytes:
    # Without indent: only then json writes in C
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"
