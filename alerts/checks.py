"""System checks of the domain: a wrong setting speaks at start, and names itself and the mend."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.contrib.auth.models import User
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as Caution
from django.db import DatabaseError
from django.utils import timezone
from django.utils.module_loading import import_string

from . import tiles as tile_server
from .intake.where import parse
from .ports import BINDINGS
from .signature import Signer, SigningFailed

DEMO_DOMAIN = "@demo.belfry.example"
"""Officers with an address here are the demo's."""
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def on_loopback() -> bool:
    """Whether the public address is this machine's own: the only place the demo may run."""
    return (urlsplit(settings.ADDRESS).hostname or "") in LOOPBACK


@register()
def ports(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """alerts.E001: every port is bound to something that can be called."""
    found: list[CheckMessage] = []
    for name in BINDINGS:
        path = getattr(settings, name, "")
        try:
            bound = callable(import_string(path))
        except ImportError:
            bound = False
        if not bound:
            found.append(Error(f"{name} is {path!r}, which can't be called.", hint=f"Set {name}.", id="alerts.E001"))
    return found


@register()
def city(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """alerts.E002–E006: address, languages, sender, word to type."""
    found: list[CheckMessage] = []
    address = urlsplit(settings.ADDRESS)
    if address.scheme not in {"http", "https"} or not address.hostname:
        found.append(
            Error(
                f"BELFRY_ADDRESS is {settings.ADDRESS!r}: no web address.",
                hint="Set BELFRY_ADDRESS to the public address, such as https://warnung.stadt.example.",
                id="alerts.E002",
            )
        )
    elif address.scheme == "http" and not on_loopback():
        found.append(
            Caution(
                "BELFRY_ADDRESS has no https: log-ins travel in the clear.",
                hint="Set it to https://…",
                id="alerts.W001",
            )
        )
    missing = set(settings.REQUIRED_LANGUAGES) - set(settings.CONTENT_LANGUAGES)
    if missing or not settings.CONTENT_LANGUAGES:
        found.append(
            Error(
                f"BELFRY_REQUIRED_LANGUAGES names {', '.join(sorted(missing))}, which BELFRY_LANGUAGES lacks.",
                hint="Add it to BELFRY_LANGUAGES.",
                id="alerts.E003",
            )
        )
    if not settings.CAP_SENDER or set(settings.CAP_SENDER) & set(" ,<&"):
        found.append(
            Error(
                f"BELFRY_CAP_SENDER is {settings.CAP_SENDER!r}: CAP allows no space, comma, < or & in it.",
                hint="Set it to a host name or mail address of the city.",
                id="alerts.E004",
            )
        )
    if (
        settings.WARNING_WORD.strip().casefold() == settings.EXERCISE_WORD.casefold()
        or not settings.WARNING_WORD.strip()
    ):
        found.append(
            Error(
                "BELFRY_WARNING_WORD is empty or the exercise's word.",
                hint="Set it to words that an officer types only for a real alert.",
                id="alerts.E005",
            )
        )
    if settings.DEMO and not on_loopback():
        found.append(
            Error(
                "BELFRY_DEMO is on, but BELFRY_ADDRESS is not this machine's loopback.",
                hint="Remove BELFRY_DEMO and make officers with manage.py first_officer.",
                id="alerts.E006",
            )
        )
    return found


@register()
def mail_gateway(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """alerts.E009–E012: where mails come in, and whom to believe about them."""
    found: list[CheckMessage] = []
    listen = urlsplit(settings.INTAKE_LISTEN)
    if settings.INTAKE_LISTEN and not (listen.scheme in {"smtp", "lmtp"} and listen.hostname and _port(listen)):
        found.append(
            Error(
                f"BELFRY_INTAKE_LISTEN is {settings.INTAKE_LISTEN!r}: no place to listen at.",
                hint="Set it to lmtp://127.0.0.1:8024 or smtp://127.0.0.1:8025.",
                id="alerts.E009",
            )
        )
    if settings.INTAKE_IMAP:
        try:
            parse(settings.INTAKE_IMAP)
        except ValueError as error:
            hint = "Set it to imaps://USER@HOST/INBOX, the password in BELFRY_INTAKE_IMAP_PASSWORD."
            found.append(Error(f"BELFRY_INTAKE_IMAP: {error}.", hint=hint, id="alerts.E010"))
    wide = False
    for network in settings.INTAKE_PEERS:
        try:
            wide |= ip_network(network, strict=False).prefixlen == 0
        except ValueError:
            hint = "Set it to networks such as 127.0.0.0/8,10.1.2.3/32."
            found.append(Error(f"BELFRY_INTAKE_PEERS: {network!r} is no network.", hint=hint, id="alerts.E011"))
    if wide and settings.INTAKE_RELAY and settings.INTAKE_LISTEN:
        found.append(
            Error(
                "BELFRY_INTAKE_RELAY is believed, but anybody may hand in mail that claims to come from it.",
                hint="Name the relay's own network in BELFRY_INTAKE_PEERS.",
                id="alerts.E012",
            )
        )
    return found


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        return None


@register()
def tiles(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """alerts.E014: tiles come from one host, over https; a forged template never gets into the CSP."""
    wrong = tile_server.fault(settings.TILES, settings.ADDRESS)
    if not wrong:
        return []
    return [
        Error(
            f"BELFRY_TILES is {settings.TILES!r}: {wrong}.",
            hint="Set it to a template such as https://tiles.stadt.example/{z}/{x}/{y}.png, or remove it.",
            id="alerts.E014",
        )
    ]


@register()
def officers(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """alerts.E008: the demo's officers, whose passwords are printed on the screen, are nowhere but in the demo."""
    if settings.DEMO and on_loopback():
        return []
    try:
        left = User.objects.filter(is_active=True, email__iendswith=DEMO_DOMAIN).exists()
    except DatabaseError:
        return []  # no database, or none with tables yet: no officers either
    if not left:
        return []
    return [
        Error(
            "The demo's officers are in this database, and this is not the demo.",
            hint="Make officers with manage.py first_officer, and take the demo's out of use (active) at the desk "
            "of the demo, or begin with an empty database.",
            id="alerts.E008",
        )
    ]


@register()
def sources(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """alerts.E020: hosts of our own network that sources may be asked at are named one by one."""
    wrong = [one for one in settings.SOURCES_INSIDE if not re.fullmatch(r"[a-z0-9.-]+(:[0-9]{1,5})?", one)]
    if not wrong:
        return []
    return [
        Error(
            f"BELFRY_SOURCES_INSIDE holds {', '.join(wrong)}, which is no host.",
            hint="Name hosts such as lage.stadt.example or 10.1.2.3:8080, separated by commas; no networks, no paths.",
            id="alerts.E020",
        )
    ]


@register()
def certificate(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """alerts.W002: the certificate that signs CAP documents ends soon."""
    try:
        ends = Signer.load(settings.KEYS_DIR).ends
    except (SigningFailed, OSError):
        return []  # none made yet; the feeds' probe and every delivery say so loudly
    if ends - timezone.now() > dt.timedelta(days=30):
        return []
    return [
        Caution(
            f"The certificate that signs CAP documents ends on {ends:%Y-%m-%d}.",
            hint="Make a new one with manage.py make_keys --force and publish its fingerprint.",
            id="alerts.W002",
        )
    ]


@register()
def keys(app_configs: Sequence[AppConfig] | None, **_kwargs: Any) -> list[CheckMessage]:
    """alerts.E007: secrets that others can read."""
    folder = settings.KEYS_DIR
    loose = [
        path.name
        for path in folder.glob("*")
        if path.suffix != ".crt" and "cert" not in path.name and path.stat().st_mode & 0o077
    ]
    if not loose:
        return []
    return [
        Error(
            f"Keys that others on this machine can read: {', '.join(sorted(loose))}.",
            hint="Set their mode to 600 (chmod 600 in the folder keys of BELFRY_DATA).",
            id="alerts.E007",
        )
    ]
