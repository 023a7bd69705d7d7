"""Notice: a frozen, pure view of a message in one language; all that an adapter sees."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .content import Circle, Content, District, Polygon, Text
from .terms import Kind, MsgType, Severity, ui_language

ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class City:
    """Who speaks: names for texts, ``address`` the public base URL without a slash at its end."""

    name: str
    short: str
    publisher: str
    hotline: str
    address: str


@dataclass(frozen=True, slots=True)
class Picture:
    """An image card of one message in one language, as a rendering names it; its bytes are known by ``sha256``.

    ``shape`` is a key of ``alerts.cards.SHAPES``; sizes in pixels; ``url`` is where the city's site shows it.
    """

    shape: str
    mime: str
    width: int
    height: int
    sha256: str
    alt: str
    url: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What one message says in one language, ready for a channel.

    In an exercise, ``headline``, ``description`` and ``steps`` are the fixed text of
    ``exercise_text``; the order itself is nowhere in it. ``words_language`` is the language the words
    really are in: where a message lacks ``language``, the city's first language stands in.
    """

    slug: str
    url: str
    city: City
    language: str
    words_language: str
    kind: Kind
    msg_type: MsgType
    status: str
    event: str
    headline: str
    description: str
    steps: tuple[str, ...]
    short: str
    place: str
    area: str
    level: str
    level_word: str
    category: tuple[str, ...]
    urgency: str
    severity: str
    certainty: str
    response: tuple[str, ...]
    districts: tuple[District, ...]
    circles: tuple[Circle, ...]
    polygons: tuple[Polygon, ...]
    effective: dt.datetime | None
    onset: dt.datetime | None
    expires: dt.datetime | None
    facts_at: dt.datetime | None
    next_by: dt.datetime | None
    contact: str
    web: str
    note: str
    exercise: bool
    pictures: tuple[Picture, ...] = ()
    """Its image cards, in the shapes that channels ask for; none while a draft is only previewed."""

    def picture(self, shape: str) -> dict[str, Any] | None:
        """The card of this shape as JSON values for a rendering's ``fields``; None where none was drawn."""
        return next((asdict(one) for one in self.pictures if one.shape == shape), None)


@dataclass(frozen=True, slots=True)
class Rendering:
    """What one channel will say for one notice, word for word; ``fields`` are JSON values.

    ``slots`` is empty until the message is released: only its values are filled in afterwards
    (DESIGN, rule 2). ``pictures`` are the bytes of the cards that ``fields`` name, by SHA-256; ``begun`` is
    what ``Publisher.begin`` came to at an earlier try.
    """

    channel: str
    language: str
    fields: Mapping[str, Any]
    slots: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    begun: Mapping[str, Any] = field(default_factory=dict)


def level_of(content: Content) -> str:
    """The class that colours a message: a severity in lower case, ``clear`` or ``exercise``."""
    if content.exercise:
        return "exercise"
    return "clear" if content.all_clear else ("severe" if content.severity == "Unknown" else content.severity.lower())


def level_word(content: Content, kind: str = "") -> str:
    """The level as residents read it, in the active language."""
    if content.exercise:
        return _("Exercise, no danger")
    if kind == Kind.FALSE_ALARM:
        return _("False alarm")
    return _("All-clear") if content.all_clear else str(Severity(content.severity).label)


def notice(
    content: Content, *, slug: str, kind: str, msg_type: str, language: str, fallback: str, city: City
) -> Notice:
    """The notice of one message in ``language``; ``fallback`` is the city's first language."""
    words_language = language if language in content.texts else fallback
    text = content.texts.get(words_language, Text())
    with translation.override(ui_language(words_language)):
        if content.exercise:
            text = exercise_text(text.event, content.place)
            # Nothing that an officer wrote for the real case but event and place, and nobody to call
            content = replace(content, contact="", web="", note=text.headline)
        return Notice(
            slug=slug,
            url=f"{city.address}{page_path(slug, language, fallback)}",
            city=city,
            language=language,
            words_language=words_language,
            kind=Kind(kind),
            msg_type=MsgType(msg_type),
            status=content.status,
            event=text.event,
            headline=text.headline,
            description=text.description,
            steps=text.steps,
            short=text.short,
            place=content.place,
            area=area_text(content),
            level=level_of(content),
            level_word=level_word(content, kind),
            category=content.category,
            urgency=content.urgency,
            severity=content.severity,
            certainty=content.certainty,
            response=content.response,
            districts=content.touched or content.districts,
            circles=content.circles,
            polygons=content.polygons,
            effective=content.effective,
            onset=content.onset,
            expires=content.expires,
            facts_at=content.facts_at,
            next_by=content.next_by,
            contact=content.contact,
            web=content.web,
            note=content.note,
            exercise=content.exercise,
        )


def page_path(slug: str, language: str, default: str) -> str:
    """The path of an alert's page: ``/alerts/<slug>/``, other languages below ``/<language>/``."""
    prefix = "" if language == default else f"/{language}"
    return f"{prefix}/alerts/{slug}/"


def exercise_text(event: str, place: str) -> Text:
    """The fixed words of an exercise, from event and place alone (DESIGN, rule 7), in the active language."""
    what = f"{event}, {place}" if place and place not in event else event
    return Text(
        event=_("EXERCISE: {what}").format(what=event),
        headline=_("EXERCISE: {what}").format(what=what),
        description=_(
            "This is an exercise. There is no danger. Do nothing. "
            "In an emergency this text would say what to do, where and until when. EXERCISE"
        ),
        instruction=_("Do nothing. This is an exercise."),
        short=_("EXERCISE: {what}. No danger. Do nothing. EXERCISE").format(what=what),
    )


def area_text(content: Content) -> str:
    """Where it holds, in one sentence part: radius and place first, then the districts; active language."""
    parts = []
    for circle in content.circles:
        radius = metres(circle.km)
        parts.append(
            _("{radius} around {place}").format(radius=radius, place=content.place)
            if content.place
            else _("{radius} around {lat}, {lon}").format(radius=radius, lat=circle.lat, lon=circle.lon)
        )
    if content.polygons and not content.circles:
        count = len(content.polygons)
        parts.append(
            content.place
            or ngettext("one area drawn on the map", "%(count)d areas drawn on the map", count) % {"count": count}
        )
    # Where districts alone were chosen, their own names: "Mitte", not the seven that it is made of
    districts = content.touched or content.districts if parts else content.districts or content.touched
    names = ", ".join(district.name for district in districts)
    if parts and names:
        return f"{'; '.join(parts)} ({names})"
    return "; ".join(parts) or names


def metres(km: float) -> str:
    """A radius as people say it: metres below ten kilometres, else kilometres; active language."""
    if km < 10:
        return _("{count} metres").format(count=formats.number_format(round(km * 1000), force_grouping=True))
    return _("{count} kilometres").format(count=formats.number_format(round(km, 1), force_grouping=True))


def moment(value: dt.datetime, *, year: bool = False) -> str:
    """A time as residents read it ("13. September, 19:35 Uhr"), in the city's time zone and active language.

    The year stands in it where it is another than this one, or always (``year``).
    """
    local = timezone.localtime(value)
    in_year = f" {local.year}" if year or local.year != timezone.localtime().year else ""
    if ui_language(translation.get_language() or "de") == "de":
        return f"{local.day}. {formats.date_format(local, 'F')}{in_year}, {local:%H:%M} Uhr"
    return f"{local.day} {formats.date_format(local, 'F')}{in_year}, {local:%H:%M}"


def fit(text: str, tail: str, limit: int, count: Callable[[str], int] = len) -> str:
    """``text`` then ``tail`` within ``limit`` as ``count`` counts: words are cut, never the tail (the link).

    Cuts at a word and marks the cut with an ellipsis. Raises ValueError where the tail alone does
    not fit: a channel with no room for the link can't be used.
    """
    text = text.strip()
    if not tail:
        joined = text
    else:
        joined = f"{text} {tail}" if text else tail
    if count(joined) <= limit:
        return joined
    if count(tail) > limit:
        raise ValueError("the link does not fit into the limit")
    words = text.split(" ")
    while words:
        words.pop()
        cut = " ".join(words).rstrip(" ,;:.–-") + ELLIPSIS if words else ""
        joined = f"{cut} {tail}".strip() if tail else cut
        if count(joined) <= limit and words:
            return joined
    return tail
