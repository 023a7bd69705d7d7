"""Where a mailbox is, as a setting names it; pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Where:
    """``imaps://USER@HOST:PORT/FOLDER``; ``imap+tls`` for STARTTLS, plain ``imap`` on this machine alone."""

    scheme: str
    host: str
    port: int
    user: str
    folder: str


def parse(url: str) -> Where:
    """Raises ValueError with words about the setting."""
    parts = urlsplit(url)
    if parts.scheme not in {"imap", "imaps", "imap+tls"} or not parts.hostname or not parts.username:
        raise ValueError("it must read imaps://USER@HOST/FOLDER")
    if parts.scheme == "imap" and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise ValueError("a password goes over imap:// to this machine alone; use imaps:// or imap+tls://")
    port = parts.port or (993 if parts.scheme == "imaps" else 143)
    return Where(parts.scheme, parts.hostname, port, unquote(parts.username), unquote(parts.path.strip("/")) or "INBOX")
