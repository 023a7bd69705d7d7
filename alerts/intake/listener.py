"""Mail by SMTP or LMTP: stored within its quotas, and only then accepted (aiosmtpd)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from . import store

log = logging.getLogger(__name__)

SECONDS = 60
"""So long a server that hands in mail may be silent."""
MOST_CONNECTIONS = 100
IDENT = "Belfry"


class Handler:
    """Takes mail for the gateway and for the bounces of the e-mail channel; for nobody else.

    ``stored`` is called after each mail, from the thread that stored it: one thread, so that quotas count right.
    """

    def __init__(self, stored: Callable[[], object]) -> None:
        self.stored = stored
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="intake-store")

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if envelope.rcpt_tos:
            return "452 4.5.3 one recipient at a time"
        if not ours(address):
            return "550 5.1.1 no such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        peer = session.peer[0] if isinstance(session.peer, tuple) else "local"
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self.thread, self.keep, content, envelope.mail_from or "", envelope.rcpt_tos[0], str(peer)
        )

    def keep(self, content: bytes, sender: str, recipient: str, peer: str) -> str:
        """Store one mail; what the other server is told."""
        now = timezone.now()
        try:
            raw = _path(sender, recipient, peer, now.timestamp()) + content
            store.keep(raw, store.reached(content, now), sender=sender)
        except store.Full as full:
            return f"{452 if full.again else 552} {full}"
        except (DatabaseError, OSError) as error:
            log.error("a mail could not be stored: %s", type(error).__name__)
            return "451 4.3.0 not stored, try again"
        finally:
            connection.close_if_unusable_or_obsolete()
        self.stored()
        return "250 2.0.0 stored"

    def close(self) -> None:
        self.thread.submit(connection.close)
        self.thread.shutdown()


def ours(address: str) -> bool:
    """Whether mail to this address is for us: the gateway's, or a word of the e-mail channel's bounces."""
    local, _at, domain = address.lower().rpartition("@")
    mine, _at, host = settings.INTAKE_ADDRESS.lower().rpartition("@")
    if domain == host and local.partition("+")[0] == mine:
        return True
    return any(address.lower() == box or _extends(address.lower(), box) for box in bounce_addresses())


def bounce_addresses() -> list[str]:
    """Where the bounces of the e-mail channel go."""
    found = (entry.get("bounce_address") for entry in settings.CHANNELS.values())
    return [str(one).lower() for one in found if one]


def _extends(address: str, box: str) -> bool:
    local, _at, domain = box.rpartition("@")
    return address.startswith(f"{local}+") and address.endswith(f"@{domain}")


def _path(sender: str, recipient: str, peer: str, at: float) -> bytes:
    """What the last server writes above a mail (RFC 5321 §4.4); nothing of a stranger's can begin a line of its own."""
    return "".join(
        f"{name}: {''.join(letter for letter in value if letter.isprintable())}\r\n"
        for name, value in (
            ("Return-Path", f"<{sender.strip('<>')}>"),
            ("Delivered-To", recipient),
            ("Received", f"from [{peer}] by {settings.INTAKE_ADDRESS.rpartition('@')[2]} (Belfry); {formatdate(at)}"),
        )
    ).encode("utf-8", "replace")


class _Guarded:
    """Only neighbours that a setting names are spoken to, and only so many at once."""

    open = 0

    def connection_made(self, transport: Any) -> None:
        peer = transport.get_extra_info("peername")
        host = peer[0] if isinstance(peer, tuple) else "127.0.0.1"
        _Guarded.open += 1
        if not neighbour(host):
            transport.write(b"554 5.7.1 not from here\r\n")
            transport.close()
            return
        if _Guarded.open > MOST_CONNECTIONS:
            transport.write(b"421 4.3.2 too many connections, try again later\r\n")
            transport.close()
            return
        super().connection_made(transport)  # type: ignore[misc]

    def connection_lost(self, error: Exception | None) -> None:
        _Guarded.open -= 1
        if getattr(self, "session", None) is not None:  # else it was never spoken to
            super().connection_lost(error)  # type: ignore[misc]


class Smtp(_Guarded, SMTP):
    pass


class Lmtp(_Guarded, LMTP):
    pass


def neighbour(host: str) -> bool:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in ip_network(network, strict=False) for network in settings.INTAKE_PEERS)


class Listener(Controller):
    """``where`` is ``smtp://HOST:PORT`` or ``lmtp://HOST:PORT``."""

    def __init__(self, where: str, stored: Callable[[], object]) -> None:
        parts = urlsplit(where)
        self.kind = Lmtp if parts.scheme == "lmtp" else Smtp
        super().__init__(Handler(stored), hostname=parts.hostname or "127.0.0.1", port=parts.port or 8025)

    def factory(self) -> SMTP:
        return self.kind(
            self.handler,
            data_size_limit=store.LARGEST,
            hostname=settings.INTAKE_ADDRESS.rpartition("@")[2],
            ident=IDENT,
            timeout=SECONDS,
            enable_SMTPUTF8=True,
            loop=self.loop,
        )

    def stop(self, *args: Any, **options: Any) -> None:
        super().stop(*args, **options)
        self.handler.close()
