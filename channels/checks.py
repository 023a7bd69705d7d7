"""System checks of the channels: an entry that can't work speaks at start."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as Caution

from . import registry, vapid
from .base import Publisher
from .subscriptions import limits

SITE = ("website", "feeds")


@register()
def channels(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """channels.E001–E010: channels.toml is read, every entry makes an adapter, page and feeds are there."""
    if settings.CHANNELS_ERROR:
        return [
            Error(
                f"channels.toml can't be read: {settings.CHANNELS_ERROR}",
                hint="Mend the file; deploy/channels.toml is a sample.",
                id="channels.E001",
            )
        ]
    found: list[CheckMessage] = [
        Error(
            f"CHANNELS has no \"{name}\": the city's own page and feeds can't be switched off.",
            hint=f"Add [{name}] to channels.toml as in deploy/channels.toml.",
            id="channels.E002",
        )
        for name in SITE
        if name not in settings.CHANNELS
    ]
    found += [
        Error(
            f"{lack}, which is not set.",
            hint="Set it in the environment or belfry.env (or NAME_FILE, the path of a file that holds it).",
            id="channels.E007",
        )
        for lack in settings.CHANNELS_LACK
    ]
    for name, entry in settings.CHANNELS.items():
        found += _entry(name, entry)
    found += [
        Error(
            f"BELFRY_SUBSCRIBE_LIMITS: {wrong}.",
            hint='Write it as in {"sms total": "30000/hour"}; channels/subscriptions/limits.py has the names.',
            id="channels.E009",
        )
        for wrong in limits.wrong(settings.SUBSCRIBE_LIMITS)
    ]
    return found + list(_push_key()) + list(_regional_key())


def _regional_key() -> Iterator[CheckMessage]:
    """channels.E010: the regional key by which NINA's clients find the city is one."""
    if settings.ARS and not (settings.ARS.isascii() and settings.ARS.isdigit() and len(settings.ARS) == 12):
        yield Error(
            "BELFRY_ARS is no regional key (ARS): those have 12 digits.",
            hint="Write the city's own, like 147130000000 for Leipzig; or leave it empty, and nothing is written "
            "for NINA's clients.",
            id="channels.E010",
        )


def _push_key() -> Iterator[CheckMessage]:
    """channels.E008: the key that browsers know the city by is there, or can be made."""
    if "push" in registry.ways():
        try:
            vapid.public_key(str(settings.KEYS_DIR))
        except (vapid.KeyUnreadable, OSError) as error:
            yield Error(str(error), hint=f"Look at {vapid.FILE} in the folder keys of BELFRY_DATA.", id="channels.E008")


def _entry(name: str, entry: Any) -> list[CheckMessage]:
    if not isinstance(entry, dict) or not isinstance(entry.get("adapter"), str):
        return [
            Error(
                f'CHANNELS["{name}"] has no "adapter".',
                hint="Name its class, such as channels.city.website.Website.",
                id="channels.E003",
            )
        ]
    try:
        channel = registry.channel(name)
        registry.least(name)
    except (ImportError, TypeError, ValueError) as error:
        return [
            Error(
                f'CHANNELS["{name}"] can\'t be made: {error}.',
                hint="Mend its entry in channels.toml; its options are those of the adapter's constructor.",
                id="channels.E004",
            )
        ]
    found: list[CheckMessage] = []
    languages = set(channel.languages) if isinstance(channel, Publisher) else set()
    unknown = languages - set(settings.CONTENT_LANGUAGES)
    if unknown:
        found.append(
            Error(
                f'CHANNELS["{name}"] speaks {", ".join(sorted(unknown))}, which BELFRY_LANGUAGES lacks.',
                hint="Mend its languages or BELFRY_LANGUAGES.",
                id="channels.E005",
            )
        )
    if channel.seconds >= settings.LEASE_SECONDS:
        found.append(
            Error(
                f'CHANNELS["{name}"] may take {channel.seconds:.0f} s, longer than BELFRY_LEASE_SECONDS.',
                hint="Raise BELFRY_LEASE_SECONDS.",
                id="channels.E006",
            )
        )
    return found


@register()
def redis(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """channels.W001: Redis on another host is encrypted and asks for a password."""
    url = urlsplit(settings.REDIS_URL)
    host = url.hostname or ""
    if "SENTINELS" in settings.RQ_QUEUES["site"] or url.scheme == "unix" or _here(host):
        return []
    lacking = [
        words for words, there in (("TLS", url.scheme == "rediss"), ("a password", bool(url.password))) if not there
    ]
    if not lacking:
        return []
    return [
        Caution(
            f"REDIS_URL leads to another host ({host}) without {' and without '.join(lacking)}: "
            "who reaches that Redis or the way to it can have the workers run jobs.",
            hint="Write rediss://:PASSWORD@HOST:PORT/0 (or put it in a file and name that in REDIS_URL_FILE). "
            "Only a network that nothing but Belfry reaches, such as that of deploy/compose.yaml, can do without.",
            id="channels.W001",
        )
    ]


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in {"", "localhost"}
