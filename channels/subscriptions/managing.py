"""A subscription by its own signed word: find, test, leave; a fresh word to its address."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from ..models import SignUp, Subscription
from . import addresses, sealing, service_texts, tokens
from .telling import tell


@dataclass(frozen=True, slots=True)
class Own:
    """What an *own* word opens: the row (None once it has been left), and whether it may still show and change it."""

    row: Subscription | None
    shows: bool


def find(word: str) -> Own:
    """The subscription of an own word. Raises BadToken before anything is asked of the database."""
    number = tokens.row("own", word)
    try:
        tokens.row("own", word, within=tokens.LEAVE_ONLY)
    except tokens.BadToken:
        shows = False
    else:
        shows = True
    return Own(Subscription.objects.filter(pk=number).first(), shows)


def leave(row: Subscription) -> None:
    """Forget a subscription and every sign-up of its address: nothing of the resident stays. Safe to repeat."""
    with transaction.atomic():
        SignUp.objects.filter(way=row.way, lookup=row.lookup).delete()
        Subscription.objects.filter(pk=row.pk).delete()


def leave_by_address(way: str, address: str) -> None:
    """The same for whoever sends STOP. Safe to repeat."""
    lookup = addresses.lookup(way, address)
    with transaction.atomic():
        SignUp.objects.filter(way=way, lookup=lookup).delete()
        Subscription.objects.filter(way=way, lookup=lookup).delete()


def by_address(way: str, address: str) -> Subscription | None:
    return Subscription.objects.filter(way=way, lookup=addresses.lookup(way, address)).first()


def address_of(row: Subscription) -> str:
    return sealing.unseal(row.way, bytes(row.address))


def test(row: Subscription) -> str:
    """Send the self-test; what became of it, as an Outcome's state. Raises NotSent."""
    outcome = tell(row.way, service_texts.self_test(row.language, row.pk), address_of(row), subscription=row.pk)
    if outcome.gone:
        leave(row)
    return outcome.state


def send_link(way: str, address: str, *, page: str) -> None:
    """Send the link to a subscription's own page; to an address without one, that there is none. Raises NotSent.

    Both send one text, so that the time it takes tells no stranger who has subscribed.
    """
    row = by_address(way, address)
    if row is None:
        tell(way, service_texts.no_subscription(page), address)
    else:
        # to the address as it was confirmed: what was typed may differ from it in capitals
        tell(way, service_texts.fresh_link(row.language, row.pk), address_of(row), subscription=row.pk)


def default_language() -> str:
    """The language of whoever has not chosen one."""
    return str(settings.CONTENT_LANGUAGES[0])
