"""A draft's image cards: drawn when it is submitted, in the shapes that channels ask for, and kept as they were then.

The draft's digest covers them. ``alerts.cards`` draws; it is read only where a card is wanted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from . import ports, public
from .models import Card as CardRow
from .models import Draft
from .notice import Notice

if TYPE_CHECKING:
    from .cards import Card


def drawn(notices: Sequence[Notice]) -> list[Card]:
    """The cards of these notices; empty where no channel asks for one."""
    shapes = ports.pictures()
    if not shapes:
        return []
    from .cards import drawn as draw  # noqa: PLC0415 (Pillow and its fonts, which nobody else needs)

    areas = public.areas()
    return [card for notice in notices for card in draw(notice, shapes, areas)]


def imagined(notices: Sequence[Notice]) -> list[Notice]:
    """These notices with the cards that a submission would draw: all that renderings say of them, but no file yet."""
    shapes = ports.pictures()
    if not shapes:
        return list(notices)
    from .cards import imagined  # noqa: PLC0415

    areas = public.areas()
    return [replace(notice, pictures=imagined(notice, shapes, areas)) for notice in notices]


def draw(notice: Notice, shape: str) -> Card:
    """One card, here and now. Raises KeyError for a shape that no channel asks for."""
    from .cards import drawn  # noqa: PLC0415

    if shape not in ports.pictures():
        raise KeyError(shape)
    [card] = drawn(notice, [shape], public.areas())
    return card


def noticed(notices: Iterable[Notice], cards: Sequence[Card]) -> list[Notice]:
    """These notices, each with the cards of its language."""
    return [
        replace(notice, pictures=tuple(card.picture for card in cards if card.language == notice.language))
        for notice in notices
    ]


def keep(draft: Draft, cards: Iterable[Card]) -> None:
    """Write them for the draft's present round."""
    CardRow.objects.bulk_create(
        CardRow(
            draft=draft,
            round=draft.round,
            language=card.language,
            shape=card.picture.shape,
            mime=card.picture.mime,
            width=card.picture.width,
            height=card.picture.height,
            sha256=card.picture.sha256,
            alt=card.picture.alt,
            body=card.body,
        )
        for card in cards
    )


def covered(cards: Iterable[Card]) -> list[list[str]]:
    """What a digest covers of cards that were just drawn."""
    return sorted([card.language, card.picture.shape, card.picture.sha256, card.picture.alt] for card in cards)


def covered_of(draft: Draft) -> list[list[str]]:
    """The same of those that are kept; each file is read and its own digest taken anew."""
    rows = CardRow.objects.filter(draft=draft, round=draft.round)
    return sorted([row.language, row.shape, hashlib.sha256(row.body).hexdigest(), row.alt] for row in rows)
