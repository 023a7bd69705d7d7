"""Which channel serves which way to a resident. One in rehearsal serves none: no alert would come over it."""

from __future__ import annotations

from django.conf import settings

from .. import registry
from ..base import Broadcaster


def broadcaster(way: str) -> tuple[str, Broadcaster] | None:
    """The first configured channel of this way with its name; None where there is none."""
    for name in settings.CHANNELS:
        channel = registry.channel(name)
        if isinstance(channel, Broadcaster) and channel.way == way and not registry.rehearsal(name):
            return name, channel
    return None


def offered() -> list[str]:
    """The ways that residents can choose: of push, sms and email."""
    return [way for way in registry.ways() if broadcaster(way)]
