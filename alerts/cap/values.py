"""The values of a CAP 1.2 document: frozen dataclasses whose fields mirror the schema; pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from alerts.content import Circle, Polygon

# Every field below is named like its CAP element (msg_type: msgType) and stands in the XSD's order:
# writing and reading go through them as they stand. A tuple is an element that may come several times,
# an empty text one that is left out.


class Reference(NamedTuple):
    """An earlier message; ``sent`` is the time as its document writes it, letter by letter."""

    sender: str
    identifier: str
    sent: str


@dataclass(frozen=True, slots=True)
class Named:
    """``valueName`` and ``value``, of an eventCode, parameter or geocode."""

    value_name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CapResource:
    """A picture or file; ``deref_uri`` is its content in base64, ``digest`` its SHA-1."""

    resource_desc: str
    mime_type: str
    size: int | None = None
    uri: str = ""
    deref_uri: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapArea:
    """Where it holds: polygons, circles and geocodes together; altitude and ceiling in feet."""

    area_desc: str
    polygon: tuple[Polygon, ...] = ()
    circle: tuple[Circle, ...] = ()
    geocode: tuple[Named, ...] = ()
    altitude: Decimal | None = None
    ceiling: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CapInfo:
    """One language's block. Times carry their offset from UTC."""

    language: str = ""
    category: tuple[str, ...] = ()
    event: str
    response_type: tuple[str, ...] = ()
    urgency: str
    severity: str
    certainty: str
    audience: str = ""
    event_code: tuple[Named, ...] = ()
    effective: dt.datetime | None = None
    onset: dt.datetime | None = None
    expires: dt.datetime | None = None
    sender_name: str = ""
    headline: str = ""
    description: str = ""
    instruction: str = ""
    web: str = ""
    contact: str = ""
    parameter: tuple[Named, ...] = ()
    resource: tuple[CapResource, ...] = ()
    area: tuple[CapArea, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CapAlert:
    """A whole CAP 1.2 document, apart from its signature."""

    identifier: str
    sender: str
    sent: dt.datetime
    status: str
    msg_type: str
    source: str = ""
    scope: str
    restriction: str = ""
    addresses: str = ""
    code: tuple[str, ...] = ()
    note: str = ""
    references: tuple[Reference, ...] = ()
    incidents: str = ""
    info: tuple[CapInfo, ...] = ()
