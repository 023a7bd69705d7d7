"""Hands a service text to the channel of its way, here and now, in the request that asks for it."""

from __future__ import annotations

import logging
import threading

from ..base import Broadcaster, ChannelError, Outcome, Recipient, Service, Uncertain
from . import limits, tokens, ways

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Texts that a process sends at a time: half of its threads (``deploy/gunicorn.conf.py``).

A provider that hangs, or ten thousand who sign up, must not take the threads that the officers' desk needs.
"""
_room = threading.BoundedSemaphore(AT_ONCE)


class NotSent(Exception):
    """Nothing went out; the same may go out later."""


def tell(way: str, service: Service, address: str, *, subscription: int = 0) -> Outcome:
    """Send a service text to one address; what became of it. Raises NotSent where it may work later.

    A refusal of this one address is an outcome, and so is one that nobody knows of. What was not sent
    does not count for the address (``limits``).
    """
    found = ways.broadcaster(way)
    if found is None:
        raise NotSent(way)
    try:
        return _with_room(*found, service, address, subscription)
    except NotSent:
        limits.give_back(way, address)
        raise


def _with_room(name: str, channel: Broadcaster, service: Service, address: str, subscription: int) -> Outcome:
    if not _room.acquire(blocking=False):
        log.warning("%s: %s: %d others are being sent", name, service.name, AT_ONCE)
        raise NotSent(name)
    try:
        return _tell(name, channel, service, address, subscription)
    finally:
        _room.release()


def _tell(name: str, channel: Broadcaster, service: Service, address: str, subscription: int) -> Outcome:
    token = tokens.make("own", subscription) if subscription else ""
    try:
        outcome = channel.tell(service, Recipient(subscription, address, token))
    except Uncertain as error:
        log.warning("%s: %s: %s", name, service.name, error)
        return Outcome(subscription, "uncertain")
    except ChannelError as error:
        log.warning("%s: %s: %s", name, service.name, error)
        raise NotSent(name) from error
    if outcome.state != "accepted":
        log.info("%s: %s: %s", name, service.name, outcome.state)
    if outcome.state == "temporary":
        raise NotSent(name)
    return outcome
