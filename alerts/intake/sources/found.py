"""What a source says of one danger, whatever form it came in; and what is common to reading it; pure."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import datetime

from alerts.content import Content

MOST = 500
"""Entries of one list that are read."""

BREAK = re.compile(r"<(?:br|/p|/li|/div)\b[^<>]{0,200}>", re.IGNORECASE)
TAG = re.compile(r"</?[a-z!][^<>]{0,2000}>", re.IGNORECASE)


class Unreadable(Exception):
    """This can't be read; ``str()`` says why in plain words."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a source's list. ``stamp`` is different when what it leads to is; ``document`` came along with it."""

    key: str
    stamp: str = ""
    link: str = ""
    document: bytes = b""


@dataclass(frozen=True, slots=True)
class Listing:
    """``whole`` is False where the list had more entries than are read."""

    entries: tuple[Entry, ...]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """One message. ``references`` are the identifiers of those that it goes on from."""

    identifier: str
    sender: str
    sent: datetime
    status: str
    msg_type: str
    references: tuple[str, ...]
    event: str
    headline: str
    area: str
    signature: str
    content: Content
    raw: str
    local: bool = False
    """The source itself says that it concerns the city."""


def plain(text: object, longest: int) -> str:
    """Foreign text, with HTML or without, as lines of plain words, cut at ``longest``."""
    if not isinstance(text, str):
        return ""
    text = html.unescape(TAG.sub("", BREAK.sub("\n", text[:50_000])))
    lines = (" ".join("".join(c for c in line if c.isprintable() or c == "\t").split()) for line in text.splitlines())
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return text if len(text) <= longest else text[: longest - 1] + "…"


def line(text: object, longest: int) -> str:
    """The same in one line."""
    whole = " ".join(plain(text, 50_000).split())
    return whole if len(whole) <= longest else whole[: longest - 1] + "…"
