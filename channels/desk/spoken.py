"""How each channel's words will look where people read them: phone-like previews of a draft, the city's first."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.template.loader import select_template
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from alerts import public
from alerts.desk.approving import Spoken
from alerts.models import Draft
from alerts.notice import Rendering, level_of
from alerts.terms import MSG_TYPE, Kind, direction, language_name

from .. import registry
from ..base import Broadcaster, Channel
from ..subscriptions import matching
from . import counters

log = logging.getLogger(__name__)

TEXTS = ("title", "text", "description", "tags")
"""Fields of a post that people read."""
APART = {"link", "preview"}
"""Addresses that the text ends in anyway."""


@dataclass(frozen=True, slots=True)
class Way:
    """One channel of a preview: its name and its counter."""

    name: str
    counter: counters.Counter
    rehearsal: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """An image card as a preview shows it; ``names`` are the channels that carry it in this shape.

    ``again``: it stands further up already, and is only named.
    """

    src: str
    width: int
    height: int
    alt: str
    names: tuple[str, ...] = ()
    again: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """What one channel says, or several that say the same. ``body`` is made by its template.

    ``alt`` is how its pictures are read out, at the first one that has any: they all are described alike.
    """

    words: Rendering
    template: str
    city: bool
    site: bool
    ways: tuple[Way, ...]
    drawings: tuple[Drawing, ...] = ()
    cost: str = ""
    alt: str = ""
    body: SafeString = field(default_factory=SafeString)

    @property
    def names(self) -> str:
        return ", ".join(way.name for way in self.ways)


@dataclass(frozen=True, slots=True)
class Tongue:
    """One language's previews; ``short`` is its name on a tab."""

    language: str
    name: str
    dir: str
    previews: list[Preview]


def tongues(spoken: Iterable[Spoken], draft: Draft) -> list[Tongue]:
    """The previews of each language, the city's channels before all others, those with one text as one."""
    listed = list(spoken)
    cost = _cost([words for tongue in listed for words in tongue.renderings], draft)
    return [
        Tongue(
            one.language, language_name(one.language), direction(one.language), _previews(one.renderings, draft, cost)
        )
        for one in listed
    ]


def _previews(renderings: Iterable[Rendering], draft: Draft, cost: str) -> list[Preview]:
    made: dict[object, Preview] = {}
    for words in renderings:
        one = _preview(words, draft, cost)
        key = _same(one) or words.channel
        before = made.get(key)
        made[key] = one if before is None else _joined(before, one)
    ordered = sorted(made.values(), key=lambda one: not one.city)  # else as they were composed: page and feeds first
    told: set[str] = set()
    drawn: set[str] = set()
    for place, each in enumerate(ordered):
        one = replace(each, drawings=tuple(replace(card, again=card.src in drawn) for card in each.drawings))
        drawn |= {card.src for card in one.drawings}
        alt = ", ".join(dict.fromkeys(drawing.alt for drawing in one.drawings))
        ordered[place] = replace(one, body=_body(one, draft), alt="" if alt in told else alt)
        told.add(alt)
    return ordered


def _preview(words: Rendering, draft: Draft, cost: str) -> Preview:
    name = words.channel
    channel = _channel(name)
    way = Way(registry.label(name), _counter(words, channel), channel is not None and registry.rehearsal(name))
    drawings = tuple(_drawing(value, words, draft, way.name) for value in words.fields.values() if _is_card(value))
    site = channel is not None and channel.site
    return Preview(
        words,
        _template(words, channel),
        channel is not None and channel.city,
        site,
        (way,),
        () if site else drawings,
        cost if _price(words, channel) else "",
    )


def _channel(name: str) -> Channel | None:
    """The channel as it is set now; None where it was removed or can't be made: what is frozen is read all the same."""
    try:
        return registry.channel(name) if registry.configured(name) else None
    except (ImportError, TypeError, ValueError) as error:
        log.error("channel %s can't be made: %s", name, error)
        return None


def _counter(words: Rendering, channel: Channel | None) -> counters.Counter:
    try:
        measured = channel.measure(words) if channel is not None else None
    except (KeyError, TypeError):  # frozen for another adapter than is set now
        measured = None
    return counters.counter(words.fields, measured)


def _price(words: Rendering, channel: Channel | None) -> float:
    """Cents for each recipient; 0 where nobody has said."""
    try:
        return (channel.price(words) or 0.0) if isinstance(channel, Broadcaster) else 0.0
    except (KeyError, TypeError):
        return 0.0


def _template(words: Rendering, channel: Channel | None) -> str:
    """By the channel's name, else by its kind: a second SMS channel looks like the first."""
    kind = type(channel).__name__.lower() if channel is not None else "plain"
    names = [words.channel, kind, "plain"]
    return select_template([f"desk/renderings/{one}.html" for one in names]).template.name or ""


def _same(preview: Preview) -> object:
    """What posts have in common that are shown as one: every word that people read. None for all but plain posts."""
    fields = preview.words.fields
    known = {*TEXTS, *APART, "picture"}
    if preview.site or not preview.template.endswith("plain.html"):
        return None
    if "text" not in fields or not fields.keys() <= known:
        return None
    return (preview.city, *(fields.get(name, "") for name in TEXTS))


def _joined(one: Preview, other: Preview) -> Preview:
    drawings = {drawing.src: drawing for drawing in one.drawings}
    for drawing in other.drawings:
        before = drawings.get(drawing.src)
        drawings[drawing.src] = replace(drawing, names=(*before.names, *drawing.names)) if before else drawing
    return replace(one, ways=(*one.ways, *other.ways), drawings=tuple(drawings.values()))


def _body(preview: Preview, draft: Draft) -> SafeString:
    return _made(preview.words, preview.template, draft, preview.drawings, several=len(preview.ways) > 1)


def body(words: Rendering, draft: Draft) -> SafeString:
    """One rendering as its channel shows it, alone: what was recorded or sent, to be read again."""
    return _made(words, _template(words, _channel(words.channel)), draft)


def _made(
    words: Rendering, template: str, draft: Draft, drawings: Sequence[Drawing] = (), *, several: bool = False
) -> SafeString:
    context = {
        "words": words,
        "fields": _shown(words.fields),
        "draft": draft,
        "content": draft.content,
        "level": level_of(draft.content),
        "drawings": drawings,
        "several": several,
        "msg_type": MSG_TYPE[Kind(draft.kind)],
        "city": public.city(),
    }
    return SafeString(select_template([template]).render(context))


def everything(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every field of a rendering as name and text; lists as lines."""
    return [(name, _text(value)) for name, value in fields.items() if value]


def _shown(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The fields that people read, as name and text; what a channel of its own kind has besides, too."""
    text = str(fields.get("text", ""))
    rows = [(name, _text(value)) for name, value in fields.items() if value and not _is_card(value)]
    shown = []
    for name, said in rows:
        words, _line, link = said.rpartition("\n") if name == "text" else ("", "", "")
        if link.startswith(("https://", "http://")):
            shown += [(name, words), ("url", link)]
        elif not (name in APART and said in text):  # the address stands in the text's last line already
            shown.append((name, said))
    return shown


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{name}: {_text(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return "\n".join(_text(item) for item in value)
    return str(value)


def _is_card(value: object) -> bool:
    return isinstance(value, Mapping) and {"sha256", "shape", "width", "height", "alt"} <= value.keys()


def _drawing(card: Mapping[str, Any], words: Rendering, draft: Draft, name: str) -> Drawing:
    """The frozen card, or one that is drawn when the page asks for it."""
    if card["sha256"]:
        src = reverse("admin:card", args=[card["sha256"]])
    else:
        src = reverse("admin:draft-card", args=[draft.pk, words.language, card["shape"]]) + f"?v={draft.version}"
    return Drawing(src, int(card["width"]), int(card["height"]), str(card["alt"]), (name,))


def _cost(renderings: Sequence[Rendering], draft: Draft) -> str:
    """What the texts of all languages may cost together, where a price is set."""
    most: dict[str, tuple[float, str]] = {}
    for words in renderings:
        channel = _channel(words.channel)
        cents = _price(words, channel)
        if cents and isinstance(channel, Broadcaster):
            most[words.channel] = max(most.get(words.channel, (0.0, "")), (cents, channel.way))
    said = []
    for cents, way in most.values():
        people = matching.would_reach(draft.content, way)
        said.append(_("{each}, {all}").format(each=counters.each(cents), all=counters.altogether(cents, people)))
    return "; ".join(said)
