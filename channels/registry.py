"""settings.CHANNELS -> adapters, made once for each process; composes what they will say."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Sequence
from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from alerts import public
from alerts.notice import Notice, Rendering
from alerts.ports import CannotCompose
from alerts.terms import Severity

from . import vapid
from .base import Broadcaster, Channel, Publisher
from .http import Http

log = logging.getLogger(__name__)

OURS = {"adapter", "rehearsal", "label", "least"}
"""Keys of an entry that are the engine's; all others go to the adapter's constructor."""


@cache
def channel(name: str) -> Channel:
    """The adapter of a channel. Raises KeyError where CHANNELS has no such entry.

    Its constructor takes by name what it asks for: its entry's own options and, of the city's
    settings, ``shared()``.
    """
    entry = settings.CHANNELS[name]
    adapter = import_string(entry["adapter"])
    options = {key: value for key, value in entry.items() if key not in OURS}
    known = inspect.signature(adapter).parameters
    given = {key: value for key, value in shared().items() if key in known and key not in options}
    made = adapter(name, **given, **options)
    if not isinstance(made, Channel):
        raise TypeError(f'CHANNELS["{name}"]: {entry["adapter"]} is no Channel')
    return made


def shared() -> dict[str, Any]:
    """What of the settings an adapter may ask for."""
    return {
        "folder": str(settings.PUBLIC_DIR),
        "address": settings.ADDRESS,
        "languages": list(settings.CONTENT_LANGUAGES),
        "city": public.city(),
        "http": Http(),
        "keys_dir": str(settings.KEYS_DIR),
        "imprint_url": settings.IMPRINT_URL,
        "privacy_url": settings.PRIVACY_URL,
        "accessibility_url": settings.ACCESSIBILITY_URL,
        "websub_hub": settings.WEBSUB_HUB,
        "ars": settings.ARS,
        "data_dir": str(settings.DATA),
        "mail_from": settings.DEFAULT_FROM_EMAIL,
        "mail_url": settings.EMAIL_CONFIG,
        "mail_password": settings.EMAIL_PASSWORD,
        "signing_secret": settings.SECRET_KEY,
        "ways": ways(),
        "vapid_key": vapid_key(),
    }


def ways() -> list[str]:
    """How residents can be reached with what is configured: of push, sms and email.

    Not by a channel in rehearsal: who subscribed to it would wait for warnings that are never sent.
    """
    found = [
        _adapter(name).way
        for name in settings.CHANNELS
        if issubclass(_adapter(name), Broadcaster) and not settings.CHANNELS[name].get("rehearsal", True)
    ]
    return [way for way in ("push", "sms", "email") if way in found]


def vapid_key() -> str:
    """What browsers need to subscribe; empty without push, and where the key can't be read: ``checks`` tells of it."""
    if "push" not in ways():
        return ""
    try:
        return vapid.public_key(str(settings.KEYS_DIR))
    except (vapid.KeyUnreadable, OSError) as error:
        log.error("%s", error)  # page and all other channels go on without it
        return ""


def _adapter(name: str) -> type[Any]:
    """The class of a channel; ``object`` where its entry names none: that mistake must not keep others from work."""
    entry = settings.CHANNELS[name]
    try:
        adapter = import_string(entry["adapter"])
    except (ImportError, TypeError, KeyError, AttributeError):
        return object
    return adapter if isinstance(adapter, type) else object


def names() -> list[str]:
    """The configured channels, those that make the gate first."""
    return sorted(settings.CHANNELS, key=lambda name: (not channel(name).site, not channel(name).city))


def configured(name: str) -> bool:
    """Whether a channel is still in the settings: deliveries planned before may outlive it."""
    return name in settings.CHANNELS


def label(name: str) -> str:
    """What officers call a channel."""
    known = {
        "website": _("Website"),
        "feeds": _("Feeds"),
        "webpush": _("Push"),
        "sms": _("SMS"),
        "email": _("E-mail"),
        "mastodon": "Mastodon",
        "bluesky": "Bluesky",
        "x": "X",
        "facebook": "Facebook",
        "instagram": "Instagram",
        "threads": "Threads",
        "linkedin": "LinkedIn",
        "telegram": "Telegram",
        "tiktok": "TikTok",
        "youtube": "YouTube",
    }
    entry = settings.CHANNELS.get(name, {})
    return str(entry.get("label") or known.get(name) or name)


def least(name: str) -> Severity | None:
    """The severity from which on a channel is used, where its entry names one (``least = "Severe"``)."""
    word = settings.CHANNELS[name].get("least")
    return Severity(word) if word else None


def rehearsal(name: str) -> bool:
    """Whether a channel records what it would send instead of sending it. Website and feeds never do."""
    return not channel(name).site and bool(settings.CHANNELS[name].get("rehearsal", True))


def compose(notices: Sequence[Notice]) -> list[Rendering]:
    """Every channel's renderings, in each of its languages (``alerts.ports.Compose``)."""
    made = []
    for name in names():
        adapter = channel(name)
        wanted = adapter.languages if isinstance(adapter, Publisher) else ()
        for notice in notices:
            if wanted and notice.language not in wanted:
                continue
            try:
                made.append(adapter.compose(notice))
            except ValueError as error:
                raise CannotCompose(
                    _("{channel} can't say this: {reason}").format(channel=label(name), reason=error)
                ) from error
    return made


def pictures() -> set[str]:
    """The shapes of image cards that any channel wants (``alerts.ports.Pictures``)."""
    return {shape for name in names() for shape in channel(name).pictures}


def _forget(*, setting: str, **_kwargs: Any) -> None:
    if setting in {"CHANNELS", "PUBLIC_DIR", "ADDRESS", "CONTENT_LANGUAGES", "KEYS_DIR", "WEBSUB_HUB", "CITY", "ARS"}:
        channel.cache_clear()


setting_changed.connect(_forget)
