"""Hands a service text to the channel of its way, here and now."""

from __future__ import annotations

import logging

from ..base import ChannelError, Outcome, Recipient, Service, Uncertain
from . import tokens, ways

log = logging.getLogger(__name__)


class NotSent(Exception):
    """Nothing went out; the same may go out later."""


def tell(way: str, service: Service, address: str, *, subscription: int = 0) -> Outcome:
    """Send a service text to one address; what became of it. Raises NotSent where it may work later.

    A refusal of this one address is an outcome, and so is one that nobody knows of.
    """
    found = ways.broadcaster(way)
    if found is None:
        raise NotSent(way)
    name, channel = found
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
