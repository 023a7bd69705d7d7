"""What a preview counts: characters as the channel counts them, SMS and what they cost; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

Measured = tuple[int, int] | None
"""Used and allowed (``Channel.measure``)."""


@dataclass(frozen=True, slots=True)
class Counter:
    """The line at a preview's head: in short what was ``counted``. ``over`` says that it is more than allowed."""

    counted: str = ""
    over: bool = False


def counter(fields: Mapping[str, Any], measured: Measured) -> Counter:
    """The counter of one rendering."""
    over = measured is not None and measured[0] > measured[1]
    if {"encoding", "segments", "characters"} <= fields.keys():
        return Counter(_sms(fields), over)
    said = pushed(fields)
    if said:
        words = _("{title} + {text} characters")
        return Counter(words.format(title=number(len(said["title"])), text=number(len(said["body"]))), over)
    if measured is None:
        return Counter()
    words = _("{used} of {limit}").format(used=number(measured[0]), limit=number(measured[1]))
    return Counter(_("Subject {count}").format(count=words) if "subject" in fields else words, over)


def _sms(fields: Mapping[str, Any]) -> str:
    count = int(fields["characters"])
    characters = ngettext("%(count)s character", "%(count)s characters", count) % {"count": number(count)}
    return f"{characters}, {sms(int(fields['segments']))}, {fields['encoding']}"


def pushed(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The notification of a push; empty where the rendering is none."""
    payload = fields.get("payload")
    said = payload.get("notification") if isinstance(payload, Mapping) else None
    return said if isinstance(said, Mapping) and {"title", "body"} <= said.keys() else {}


def sms(segments: int) -> str:
    """How many SMS a text is: what it costs, in the only coin that is always known."""
    return _("{count} SMS").format(count=number(segments))


def each(cents: float) -> str:
    """What one recipient costs."""
    return _("{price} for each recipient").format(price=euros(cents))


def altogether(cents: float, people: int) -> str:
    """What all recipients may cost, where each costs so much at the most."""
    words = ngettext(
        "at the most %(price)s for %(count)s subscription", "at the most %(price)s for %(count)s subscriptions", people
    )
    return words % {"price": euros(cents * people), "count": number(people)}


def euros(cents: float) -> str:
    """A price, rounded up: to whole euros from a hundred on, as an estimate deserves."""
    whole = 100 if cents >= 10_000 else 1
    rounded = Decimal(math.ceil(round(cents / whole, 6)) * whole) / 100
    return _("{amount} €").format(amount=formats.number_format(rounded, 0 if whole == 100 else 2, force_grouping=True))


def number(value: int) -> str:
    return formats.number_format(value, 0, force_grouping=True)
