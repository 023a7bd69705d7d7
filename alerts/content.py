"""What a draft or message says: plain frozen values, kept as JSON, covered by the digest; pure."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cattrs import Converter

from .terms import SEVERITY_RANK, ResponseType, Severity, Status


@dataclass(frozen=True, slots=True)
class Text:
    """One language's words.

    ``instruction`` holds one step a line. ``short`` replaces headline and description where a
    channel has little room. ``event`` is CAP's event: what happened, in a few words.
    """

    event: str = ""
    headline: str = ""
    description: str = ""
    instruction: str = ""
    short: str = ""

    @property
    def steps(self) -> tuple[str, ...]:
        return tuple(line.strip() for line in self.instruction.splitlines() if line.strip())


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle on WGS 84; ``lat``, ``lon`` in degrees, ``km`` the radius in kilometres, as in CAP."""

    lat: float
    lon: float
    km: float


@dataclass(frozen=True, slots=True)
class Polygon:
    """A closed ring of ``(lat, lon)`` pairs in degrees, first = last, in CAP's order."""

    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class District:
    """An Area by its key and the name it had when it was chosen."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Content:
    """All that officers decide on, apart from the release plan.

    Either ``expires`` or ``valid_for`` (minutes from release), and either ``next_by`` or
    ``next_in`` (minutes), is given; submitting turns durations into times (``settled``).
    ``touched`` are the districts that the area covers or crosses; submitting computes them.
    """

    status: str = Status.ACTUAL
    category: tuple[str, ...] = ()
    urgency: str = "Unknown"
    severity: str = "Unknown"
    certainty: str = "Unknown"
    response: tuple[str, ...] = ()
    texts: Mapping[str, Text] = field(default_factory=dict)
    place: str = ""
    districts: tuple[District, ...] = ()
    circles: tuple[Circle, ...] = ()
    polygons: tuple[Polygon, ...] = ()
    touched: tuple[District, ...] = ()
    effective: dt.datetime | None = None
    onset: dt.datetime | None = None
    expires: dt.datetime | None = None
    valid_for: int | None = None
    facts_at: dt.datetime | None = None
    next_by: dt.datetime | None = None
    next_in: int | None = None
    contact: str = ""
    web: str = ""
    note: str = ""

    @property
    def exercise(self) -> bool:
        return self.status == Status.EXERCISE

    @property
    def all_clear(self) -> bool:
        return ResponseType.ALL_CLEAR in self.response

    @property
    def rank(self) -> int:
        """0 (Minor) to 3 (Extreme); Unknown counts as Severe."""
        return SEVERITY_RANK[Severity(self.severity)]

    @property
    def has_area(self) -> bool:
        return bool(self.districts or self.circles or self.polygons)

    def settled(self, start: dt.datetime) -> Content:
        """Durations as times counted from ``start`` (the release); whole seconds, as CAP has no others."""
        start = start.replace(microsecond=0)
        content = self
        if content.valid_for is not None:
            content = replace(content, expires=start + dt.timedelta(minutes=content.valid_for), valid_for=None)
        if content.next_in is not None:
            content = replace(content, next_by=start + dt.timedelta(minutes=content.next_in), next_in=None)
        return content


_json = Converter(forbid_extra_keys=True)
_json.register_unstructure_hook(dt.datetime, lambda value: value.isoformat())
_json.register_structure_hook(dt.datetime, lambda value, _: dt.datetime.fromisoformat(value))


def to_json(content: Content) -> dict[str, Any]:
    """A dict of JSON values, for the database and the digest."""
    # Through JSON once, so that what is in memory (tuples) is what the database gives back (lists).
    value: dict[str, Any] = json.loads(canonical(_json.unstructure(content)))
    return value


def from_json(value: Mapping[str, Any]) -> Content:
    """The content that ``to_json`` wrote; raises cattrs' ``ClassValidationError`` on anything else."""
    return _json.structure(value, Content)


def canonical(value: Any) -> bytes:
    """One byte string for one JSON value: keys sorted, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()
