"""What providers call: receipts, and what residents answer by SMS (STOP, START, a code)."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Sequence

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from .. import receipts, registry
from ..base import Broadcaster, Forged, Inbound, Receipt, Reply
from ..models import Way
from . import addresses, answers, limits, managing, service_texts, signing_up, wishes
from .doors import door
from .telling import NotSent, tell
from .wishes import Unfit

log = logging.getLogger(__name__)

LEAVE = {"STOP", "STOPP", "ENDE", "ABMELDEN", "UNSUBSCRIBE", "QUIT", "CANCEL", "END"}
BEGIN = {"START"}
MOST_BYTES = 500_000
"""Of a provider's call: a mail that came back holds the whole of it."""
DIGITS = 6
LONGEST_REPLY = 200
"""Characters of a reply that are looked at: a word or a code."""


@door("GET", "POST", refuse=answers.refused_silently, anonymous=False, most=MOST_BYTES)
def hook(request: HttpRequest, channel: str) -> HttpResponse:
    """204 once it is done, 403 for what does not prove to be the provider's. The same call may come twice.

    Some gateways call by GET; what that is worth is for the channel to say.
    """
    if channel not in settings.CHANNELS:
        return HttpResponse(status=403)
    adapter = registry.channel(channel)
    if not isinstance(adapter, Broadcaster):
        return HttpResponse(status=403)
    inbound = Inbound(
        method=request.method or "",
        url=settings.ADDRESS + request.get_full_path(),
        headers=dict(request.headers),
        form={name: str(value) for name, value in request.POST.items()},
        body=request.body,
    )
    try:
        told = list(adapter.receive(inbound))
    except Forged:
        return HttpResponse(status=403)
    except ValueError as error:
        log.warning("%s: a call of the provider can't be read: %s", channel, type(error).__name__)
        return HttpResponse(status=400)
    take(channel, adapter.way, told)
    return HttpResponse(status=204)


def take(channel: str, way: str, told: Sequence[Receipt | Reply]) -> None:
    """Write receipts and do what residents answered; the same may be told twice."""
    receipts.take(channel, [one for one in told if isinstance(one, Receipt)])
    for one in told:
        if isinstance(one, Reply):
            _answer(way, one)


def _answer(way: str, reply: Reply) -> None:
    """Do what a resident asks for; anything that is no such word is ignored."""
    address, word = _sender(way, reply.address), _word(reply.text)
    if word in LEAVE:
        managing.leave_by_address(way, address)
    elif way == Way.SMS and word in BEGIN:
        _begin(address)
    elif way == Way.SMS and _digits(reply.text) == DIGITS:
        _confirm(address, reply.text)


def _begin(typed: str) -> None:
    """A sign-up with what suits most; whoever has subscribed gets his link instead, and keeps his choice."""
    language = managing.default_language()
    try:
        address = addresses.phone(typed)
        limits.begin_again(Way.SMS, address)
        limits.send(Way.SMS, address, client=None)
        if managing.by_address(Way.SMS, address):
            managing.send_link(Way.SMS, address, page=language)
        else:
            sign_up = signing_up.begin(Way.SMS, address, wishes.of_everything(language), page=language)
            signing_up.send(sign_up, by_reply=True)
    except (addresses.BadAddress, limits.TooMany, NotSent) as error:
        log.info("a START was not answered: %s", type(error).__name__)


def _confirm(address: str, text: str) -> None:
    try:
        row = signing_up.try_reply(address, text)
        if row is not None:
            tell(row.way, service_texts.welcome(row.language, row.way, row.pk), address, subscription=row.pk)
    except (Unfit, NotSent) as error:
        log.info("a code that came back by SMS was not answered: %s", type(error).__name__)


def _sender(way: str, given: str) -> str:
    """Who answers. STOP counts for whatever address it comes from, were it one that could not subscribe any more."""
    try:
        return addresses.normalised(way, given)
    except addresses.BadAddress:
        return given


def _digits(text: str) -> int:
    return sum(letter.isdecimal() for letter in text[:LONGEST_REPLY])


def _word(text: str) -> str:
    """The letters alone, in capitals: " Stop! " is STOP."""
    plain = unicodedata.normalize("NFKC", text[:LONGEST_REPLY]).upper()
    return "".join(letter for letter in plain if letter.isalpha())
