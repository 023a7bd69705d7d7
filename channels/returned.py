"""A mail that came back by the mail gateway, for the e-mail channel that sent it."""

from __future__ import annotations

from django.conf import settings

from . import receipts, registry
from .base import Forged
from .city.email import Email


def take(raw: bytes) -> bool:
    """Whether it is a bounce of one of our channels (``alerts.ports.Bounce``); written down then."""
    for name in settings.CHANNELS:
        adapter = registry.channel(name) if registry.configured(name) else None
        if not isinstance(adapter, Email):
            continue
        try:
            found = adapter.bounced(raw)
        except Forged:
            continue
        if found is not None:
            receipts.take(name, [found])
            return True
    return False
