"""What a card says, word for word, in its notice's language; and the same as its alt text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from alerts.maps import expanded
from alerts.notice import Notice, fit, metres, moment
from alerts.public import PublicArea
from alerts.terms import Kind, Status, ui_language

from .fonts import drawable

MOST_ALT = 400
MOST_WORDS = 600
"""Characters of a text that are looked at: far more than any card has room for."""


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of a card. All of them can be drawn, but for ``alt``; each may be empty.

    ``stamp`` is the word that marks a card for no real danger; ``radius`` stands in the map's circle.
    """

    level: str
    kind: str
    headline: str
    step: str
    where: str
    as_of: str
    city: str
    more: str
    link: str
    stamp: str
    radius: str
    alt: str


def harmless(notice: Notice) -> bool:
    """An exercise or a test: nothing that it says may be taken for the real thing."""
    return notice.exercise or notice.status in {Status.EXERCISE, Status.TEST}


def over(notice: Notice) -> bool:
    return notice.kind in {Kind.ALL_CLEAR, Kind.FALSE_ALARM} or notice.level == "clear"


def look_of(notice: Notice) -> str:
    """The key of ``colours.LOOKS`` and of ``icons.ICONS``."""
    if harmless(notice):
        return "exercise"
    if over(notice):
        return "clear"
    return notice.level


def words_of(notice: Notice, areas: Sequence[PublicArea]) -> Words:
    """What the card of this notice says; ``areas`` are all districts of the city."""
    with override(ui_language(notice.words_language)):
        level, headline, step = _said(notice)
        where = _where(notice, areas)
        as_of = _("As of %(time)s") % {"time": moment(notice.facts_at, year=True)} if notice.facts_at else ""
        # A picture goes round for years: what it was made for must stand on it
        stamp = "" if not harmless(notice) else (_("TEST") if notice.status == Status.TEST else _("EXERCISE"))
        # Where no letter of the headline has a picture, the place says more than an empty card
        shown = _drawn(headline) or _drawn(notice.place) or _drawn(notice.city.name)
        said = "" if level.casefold() in headline.casefold() else level
        return Words(
            level=_drawn(level),
            kind=_drawn(str(notice.kind.label)) if notice.kind in {Kind.UPDATE, Kind.CORRECTION} else "",
            headline=shown,
            step=_drawn(step),
            where=_drawn(where),
            as_of=_drawn(as_of),
            city=_drawn(notice.city.name),
            more=_drawn(_("All details:")),
            link=_drawn(notice.url.partition("://")[2].rstrip("/")),
            stamp=_drawn(stamp),
            radius=_drawn(metres(notice.circles[0].km)) if len(notice.circles) == 1 else "",
            alt=_alt(said, headline, step, where, [as_of, notice.city.name]),
        )


def _said(notice: Notice) -> tuple[str, str, str]:
    """Level, headline and the first thing to do."""
    if notice.exercise:
        return _("EXERCISE – no danger"), notice.headline, notice.steps[0] if notice.steps else ""
    if harmless(notice):
        # Unlike an exercise's, a test's notice holds the officers' own words: the order is not for a picture
        where = notice.place if notice.place not in notice.event else ""
        what = ", ".join(part for part in (notice.event, where) if part)
        return _("TEST – no danger"), _("TEST: {headline}").format(headline=what), _("Do nothing. This is a test.")
    step = notice.steps[0] if notice.steps else ""
    if step.rstrip(".! ").casefold() in notice.headline.casefold():
        step = ""
    return notice.level_word, notice.headline or notice.event, step


def _where(notice: Notice, areas: Sequence[PublicArea]) -> str:
    """Where it holds, short enough to be read in passing; the page names every district."""
    parts = []
    for circle in notice.circles:
        if not notice.place:
            break
        parts.append(_("{radius} around {place}").format(radius=metres(circle.km), place=notice.place))
    if notice.polygons and notice.place and not parts:
        parts.append(notice.place)
    if parts:
        return "; ".join(parts)
    if notice.circles or notice.polygons:
        return notice.area
    chosen = expanded(areas, {district.code for district in notice.districts})
    parents = {area.parent for area in areas}
    if chosen and all(area.code in chosen for area in areas if area.code not in parents):
        return _("All of %(city)s") % {"city": notice.city.short}
    if len(notice.districts) > 3 and len(notice.area) > 60:
        count = len(notice.districts)
        return f"{ngettext('%(count)d district', '%(count)d districts', count) % {'count': count}}: {notice.area}"
    return notice.area


def _drawn(text: str) -> str:
    return drawable(text[:MOST_WORDS])


def _alt(level: str, headline: str, step: str, where: str, tail: Sequence[str]) -> str:
    """These as sentences within ``MOST_ALT`` characters.

    The step stands in it whole or not at all, headline and area are cut where they must be, ``tail``
    (time and city) never.
    """
    level, headline, step, where = (" ".join(part.split()) for part in (level, headline, step, where))
    whole = _sentences([level, headline, step, where, *tail])
    most = MOST_ALT
    while len(whole) > MOST_ALT and most > 10:
        cut = [fit(part, "", most) if part else "" for part in (headline, where)]
        whole = _sentences([level, *cut, *tail])
        most -= 10
    return whole[:MOST_ALT]


def _sentences(parts: Sequence[str]) -> str:
    return " ".join(part if part[-1] in ".!?…:" else f"{part}." for part in parts if part)
