"""A message's CAP document, composed from its notices, and what it refers to; pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence

from django.utils.translation import gettext as _

from alerts.content import District, Polygon
from alerts.notice import Notice
from alerts.terms import ResponseType

from .document import cap_time
from .values import CapAlert, CapArea, CapInfo, Named, Reference


def references(history: Iterable[tuple[str, str, dt.datetime, dt.datetime]], now: dt.datetime) -> list[Reference]:
    """What the next message refers to: all that has not expired, and always the latest, oldest first.

    ``history`` holds ``(sender, identifier, sent, expires)`` of each message of the alert so far.
    """
    said = sorted(history, key=lambda message: message[2])
    return [
        Reference(sender, identifier, cap_time(sent))
        for sender, identifier, sent, expires in said
        if expires > now or identifier == said[-1][1]
    ]


def regional_key(ars: str) -> Named:
    """The geocode of the German warning system for a municipality by its 12-digit key (Leipzig: 147130000000)."""
    if not re.fullmatch(r"[0-9]{12}", ars):
        raise ValueError(_("A regional key (ARS) has 12 digits."))
    return Named("SHN", ars)


def compose(
    notices: Sequence[Notice],
    *,
    identifier: str,
    sender: str,
    sent: dt.datetime,
    references: Iterable[tuple[str, str, str]] = (),
    note: str = "",
    chosen: Iterable[District] | None = None,
    rings: Mapping[str, Sequence[Sequence[tuple[float, float]]]] | None = None,
    geocodes: tuple[Named, ...] = (),
    event_codes: tuple[Named, ...] = (),
) -> CapAlert:
    """One message's document, from its notices: one info block for each language really written.

    ``chosen`` are the districts picked by name (``Content.districts``); without it, those of a notice that
    has neither circle nor polygon. ``rings`` holds their outlines by code, rings of ``(lat, lon)``.
    CAP takes polygons, circles and geocodes together: a geocode of the whole city warns the whole city.
    All times are written in the zone of ``sent``.
    """
    if not notices:
        raise ValueError("a message without a notice has nothing to say")
    first = notices[0]
    spoken: dict[str, Notice] = {}
    for notice in sorted(notices, key=lambda notice: notice.language != notice.words_language):
        spoken.setdefault(notice.words_language, notice)
    named = None if chosen is None else tuple(chosen)
    return CapAlert(
        identifier=identifier,
        sender=sender,
        sent=sent,
        status=str(first.status),
        msg_type=str(first.msg_type),
        scope="Public",
        note=note or first.note or (first.headline if first.exercise else ""),
        references=tuple(Reference(*reference) for reference in references),
        info=tuple(
            _info(notice, sent.tzinfo, _area(notice, named, rings or {}, geocodes), event_codes)
            for notice in spoken.values()
        ),
    )


def _info(notice: Notice, zone: dt.tzinfo | None, area: CapArea, event_codes: tuple[Named, ...]) -> CapInfo:
    def at(value: dt.datetime | None) -> dt.datetime | None:
        return value and value.astimezone(zone)

    parameters = [("belfry:factsAt", at(notice.facts_at)), ("belfry:nextBy", at(notice.next_by))]
    return CapInfo(
        language=notice.words_language,
        category=tuple(str(category) for category in notice.category),
        event=notice.event,
        response_type=_response(notice),
        urgency=str(notice.urgency),
        severity=str(notice.severity),
        certainty=str(notice.certainty),
        event_code=event_codes,
        effective=at(notice.effective),
        onset=at(notice.onset),
        expires=at(notice.expires),
        sender_name=notice.city.name,
        headline=notice.headline,
        description=notice.description,
        instruction="\n".join(notice.steps),
        web=notice.web or notice.url,
        contact=notice.contact,
        parameter=(
            *(Named(name, cap_time(value)) for name, value in parameters if value),
            Named("sender_langname", f"{notice.city.name}, {notice.city.publisher}"),
        ),
        area=(area,),
    )


def _response(notice: Notice) -> tuple[str, ...]:
    """The response types; an exercise orders nothing, not even in a word for machines (DESIGN, rule 7)."""
    if not notice.exercise:
        return tuple(str(response) for response in notice.response)
    clear = ResponseType.ALL_CLEAR in notice.response
    return (str(ResponseType.ALL_CLEAR if clear else ResponseType.NONE),)


def _area(
    notice: Notice,
    chosen: tuple[District, ...] | None,
    rings: Mapping[str, Sequence[Sequence[tuple[float, float]]]],
    geocodes: tuple[Named, ...],
) -> CapArea:
    if chosen is None:
        chosen = () if notice.circles or notice.polygons else notice.districts
    outlines = [tuple(ring) for district in chosen for ring in rings.get(district.code, ())]
    closed = [ring if ring[0] == ring[-1] else (*ring, ring[0]) for ring in outlines if ring]
    return CapArea(
        area_desc=notice.area or notice.place,
        polygon=(*notice.polygons, *(Polygon(ring) for ring in closed)),
        circle=notice.circles,
        geocode=geocodes,
    )
