"""CAP documents for tests: values that Hypothesis makes up, and the acceptance story as documents."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from alerts import cap
from alerts.content import Circle, Polygon
from alerts.notice import City, Notice, notice
from alerts.terms import MSG_TYPE
from tests.story import SENDER, STEPS, Step

CITY = City("Stadt Leipzig", "Leipzig", "Branddirektion", "115", "https://warnung.leipzig.example")
LANGUAGES = ("de", "de-simple", "en")
SENT = dt.datetime(2022, 9, 13, 11, 20, tzinfo=dt.timezone(dt.timedelta(hours=2)))


def notices(step: Step, languages: Sequence[str] = LANGUAGES) -> list[Notice]:
    return [
        notice(
            step.content,
            slug="k7f3x",
            kind=step.kind,
            msg_type=MSG_TYPE[step.kind],
            language=language,
            fallback="de",
            city=CITY,
        )
        for language in languages
    ]


def told(steps: Sequence[Step] = tuple(STEPS)) -> list[cap.CapAlert]:
    """The story's messages, each referring to those before it as a release would make it."""
    history: list[tuple[str, str, dt.datetime, dt.datetime]] = []
    documents = []
    for number, step in enumerate(steps, start=1):
        identifier = f"{SENDER}.k7f3x.{number}"
        documents.append(
            cap.compose(
                notices(step),
                identifier=identifier,
                sender=SENDER,
                sent=step.sent.astimezone(dt.UTC),
                references=cap.references(history, step.sent),
            )
        )
        assert step.content.expires is not None
        history.append((SENDER, identifier, step.sent.astimezone(dt.UTC), step.content.expires))
    return documents


def minimal(**changes: Any) -> cap.CapAlert:
    """A warning with one German block; ``info`` entries of ``changes`` go into the block, the others to the alert."""
    block: dict[str, Any] = {
        "language": "de",
        "category": ("Safety",),
        "event": "Bombenfund",
        "urgency": "Immediate",
        "severity": "Extreme",
        "certainty": "Observed",
        "expires": SENT + dt.timedelta(hours=4),
        "area": (cap.CapArea(area_desc="Zentrum", circle=(Circle(51.3348, 12.3727, 0.6),)),),
    }
    whole: dict[str, Any] = {
        "identifier": "test.1",
        "sender": SENDER,
        "sent": SENT,
        "status": "Actual",
        "msg_type": "Alert",
        "scope": "Public",
    }
    known = cap.CapAlert.__dataclass_fields__
    block |= {name: value for name, value in changes.items() if name not in known}
    whole |= {name: value for name, value in changes.items() if name in known}
    return cap.CapAlert(**{"info": (cap.CapInfo(**block),)} | whole)


# What XML can carry, line breaks of every kind among it.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), max_size=60).filter(
    lambda text: all(char in "\t\n\r" or ord(char) > 31 for char in text)
)
_times = st.datetimes(
    dt.datetime(1000, 1, 2),
    dt.datetime(9999, 12, 30),
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes))),
).map(lambda value: value.replace(microsecond=0))
_lat = st.floats(-90, 90).map(lambda value: round(value, 6))
_lon = st.floats(-180, 180).map(lambda value: round(value, 6))
_names = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20)
_named = st.builds(cap.Named, texts, texts)


def _some(strategy: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, min_size=least, max_size=3).map(tuple)


def _feet() -> st.SearchStrategy[Decimal | None]:
    return st.none() | st.decimals(-1000, 100000, places=4)


_areas = st.builds(
    cap.CapArea,
    area_desc=texts,
    polygon=_some(st.builds(Polygon, st.lists(st.tuples(_lat, _lon), min_size=1, max_size=6).map(tuple))),
    circle=_some(st.builds(Circle, _lat, _lon, st.floats(0, 20000).map(lambda value: round(value, 6)))),
    geocode=_some(_named),
    altitude=_feet(),
    ceiling=_feet(),
)
_resources = st.builds(
    cap.CapResource,
    resource_desc=texts,
    mime_type=texts,
    size=st.none() | st.integers(0, 10**12),
    uri=st.sampled_from(["", "https://example.org/card.png", "card.png"]),
    deref_uri=texts,
    digest=texts,
)
_infos = st.builds(
    cap.CapInfo,
    language=st.sampled_from(["", "de", "de-simple", "en-GB", "zh-Hant-TW"]),
    category=_some(st.sampled_from(["Geo", "Met", "CBRNE"]), least=1),
    event=texts,
    response_type=_some(st.sampled_from(["Shelter", "Evacuate", "None"])),
    urgency=st.sampled_from(["Immediate", "Past", "Unknown"]),
    severity=st.sampled_from(["Extreme", "Minor"]),
    certainty=st.sampled_from(["Observed", "Unlikely"]),
    audience=texts,
    event_code=_some(_named),
    effective=st.none() | _times,
    onset=st.none() | _times,
    expires=st.none() | _times,
    sender_name=texts,
    headline=texts,
    description=texts,
    instruction=texts,
    web=st.sampled_from(["", "https://example.org/?a=1&b=2"]),
    contact=texts,
    parameter=_some(_named),
    resource=_some(_resources),
    area=_some(_areas),
)
alerts = st.builds(
    cap.CapAlert,
    identifier=texts,
    sender=texts,
    sent=_times,
    status=st.sampled_from(["Actual", "Exercise", "System", "Test", "Draft"]),
    msg_type=st.sampled_from(["Alert", "Update", "Cancel", "Ack", "Error"]),
    source=texts,
    scope=st.sampled_from(["Public", "Restricted", "Private"]),
    restriction=texts,
    addresses=texts,
    code=_some(texts),
    note=texts,
    references=_some(st.builds(cap.Reference, _names, _names, _times.map(cap.cap_time))),
    incidents=texts,
    info=_some(_infos),
)
