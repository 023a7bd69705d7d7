"""What NINA's interface (api31) says of the city's messages, so that its clients can read them here too; pure.

The shape is that of ``dashboard/<ARS>.json``, ``mapData.json``, ``warnings/<id>.json`` and ``.geojson`` as the
federal servers gave them in 2026.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from alerts.notice import City, level_of
from alerts.public import PublicMessage

from .shapes import Ring, geometry

FOLDER = "nina"
SIMPLE = "-LS"
"""Leichte Sprache: ours is ``de-simple``, NINA's ``de-LS``."""
COLOURS = {"extreme": "#AF0F0F", "severe": "#C8470E", "moderate": "#E4A00A", "minor": "#2B6CA3"}


@dataclass(frozen=True, slots=True)
class Said:
    """One message with its approved words by language, the first one first. ``rings`` as in ``data.Live``."""

    message: PublicMessage
    words: Mapping[str, Mapping[str, Any]]
    rings: Sequence[Ring] = ()

    @property
    def headline(self) -> str:
        return str(next(iter(self.words.values()))["headline"])


def warning_id(identifier: str) -> str:
    """A CAP identifier as a name of one file: letters, digits, dots, dashes. Two never become one."""
    plain = re.sub(r"[^A-Za-z0-9.-]", "-", identifier)[:120].strip(".")
    if plain == identifier and plain.strip(".-") and plain[0] != "-":
        return plain
    return f"{plain}-{hashlib.sha256(identifier.encode()).hexdigest()[:12]}".lstrip(".-")


def warning_path(identifier: str) -> str:
    return f"{FOLDER}/warnings/{warning_id(identifier)}.json"


def shape_path(identifier: str) -> str:
    return f"{FOLDER}/warnings/{warning_id(identifier)}.geojson"


def dashboard_path(ars: str) -> str:
    return f"{FOLDER}/dashboard/{ars}.json"


MAP_PATH = f"{FOLDER}/mapData.json"


def language_tag(language: str) -> str:
    return language.replace("-simple", SIMPLE)


def warning(said: Said, city: City, ars: str) -> bytes:
    """One message in full: CAP as JSON, an info block for each language; texts are HTML, as NINA's clients expect."""
    message = said.message
    value: dict[str, Any] = {
        "identifier": warning_id(message.identifier),
        "sender": message.sender,
        "sent": _time(message.sent),
        "status": str(message.status),
        "msgType": str(message.msg_type),
        "scope": "Public",
        "code": [f"DVN:{message.number}"],
        "references": " ".join(f"{sender},{warning_id(name)},{sent}" for sender, name, sent in message.references),
        "info": [_info(message, language, words, city, ars) for language, words in said.words.items()],
    }
    return _bytes({name: inner for name, inner in value.items() if inner != ""})


def _info(message: PublicMessage, language: str, words: Mapping[str, Any], city: City, ars: str) -> dict[str, Any]:
    content = message.content
    parameters = {
        "sender_langname": f"{city.name}, {city.publisher}",
        "sender_signature": f"{city.name}\n{city.publisher}",
        "warnVerwaltungsbereiche": ars,
    }
    value = {
        "language": language_tag(language),
        "category": list(content.category),
        "event": words["event"],
        "responseType": list(content.response),
        "urgency": content.urgency,
        "severity": content.severity,
        "certainty": content.certainty,
        "effective": _time(content.effective),
        "onset": _time(content.onset),
        "expires": _time(content.expires),
        "senderName": f"{city.name}, {city.publisher}",
        "headline": words["headline"],
        "description": _lines(words["description"]),
        "instruction": _lines(words["steps"]),
        "web": content.web or words["link"],
        "contact": html.escape(content.contact),
        "parameter": [{"valueName": name, "value": text} for name, text in parameters.items()],
        "area": [{"areaDesc": words["area"], "geocode": [{"valueName": "AreaId", "value": "0"}]}],
    }
    return {name: inner for name, inner in value.items() if inner not in (None, "", [])}


def shape(said: Said) -> bytes:
    """Where it holds, as its map draws it; no feature where a message names places without an outline."""
    content = said.message.content
    found = geometry(content.circles, content.polygons, said.rings)
    colour = COLOURS.get(level_of(content), "#4A7A3A")
    name = warning_id(said.message.identifier)
    drawn = {"strokeColor": colour, "strokeOpacity": 1.0, "strokeWeight": 1, "fillColor": colour, "fillOpacity": 0.5}
    feature = {"type": "Feature", "geometry": found, "properties": {"warnId": name, "areaId": 0, **drawn}, "id": "0"}
    return _bytes({"type": "FeatureCollection", "features": [feature] if found else []})


def dashboard(live: Iterable[tuple[Said, str]]) -> bytes:
    """What holds now; each with the SHA-256 of its warning, by which a client sees that it has changed."""
    return _bytes([_entry(said, digest) for said, digest in live])


def _entry(said: Said, digest: str) -> dict[str, Any]:
    message, content = said.message, said.message.content
    name = warning_id(message.identifier)
    told = {
        "headline": said.headline,
        "provider": message.sender,
        "severity": content.severity,
        "urgency": content.urgency,
        "msgType": str(message.msg_type),
        "area": {"type": "ZGEM", "data": ""},  # numbers of a map that only the federal servers have
        "valid": True,
    }
    value = {
        "id": name,
        "payload": {
            "version": message.number,
            "type": str(message.msg_type).upper(),
            "id": name,
            "hash": digest,
            "data": told,
        },
        "i18nTitle": _titles(said),
        "sent": _time(message.sent),
        "onset": _time(content.onset),
        "expires": _time(content.expires),
        "effective": _time(content.effective),
    }
    return {key: inner for key, inner in value.items() if inner is not None}


def map_data(live: Iterable[Said]) -> bytes:
    """What holds now, in brief, for maps."""
    found = []
    for said in live:
        message, content = said.message, said.message.content
        value = {
            "id": warning_id(message.identifier),
            "version": message.number,
            "startDate": _time(content.effective or message.sent),
            "expiresDate": _time(content.expires),
            "severity": content.severity,
            "urgency": content.urgency,
            "type": str(message.msg_type),
            "i18nTitle": _titles(said),
        }
        found.append({key: inner for key, inner in value.items() if inner is not None})
    return _bytes(found)


def _titles(said: Said) -> dict[str, str]:
    return {language_tag(language): words["headline"] for language, words in said.words.items()}


def _lines(lines: Iterable[str]) -> str:
    # NINA's clients undo references in HTML and take <br/> for the end of a line
    return "<br/>".join(html.escape(line) for line in lines)


def _time(value: dt.datetime | None) -> str | None:
    return timezone.localtime(value).isoformat(timespec="seconds") if value else None


def _bytes(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"
