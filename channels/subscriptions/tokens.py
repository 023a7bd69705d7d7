"""Signed words for links and envelopes: 36 characters that name a row, a purpose and a day, and nothing else.

Made by the hundred thousand while a message goes out, so one HMAC each and always the same length;
``SECRET_KEY`` signs, ``SECRET_KEY_FALLBACKS`` still open.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
import time
from functools import lru_cache

from django.conf import settings

LENGTH = 36
DAY = 86_400
PURPOSES = {"own": (1, 400), "confirm": (2, 1), "bounce": (3, 30), "code": (4, 1)}
"""purpose -> (its number, days that such a word holds). *own* manages and leaves; *bounce* stands in envelopes."""
LEAVE_ONLY = 30
"""After so many days an *own* word from an old message still leaves, but no longer shows or changes anything."""

# row, day, purpose
HEAD = struct.Struct(">QHB")


class BadToken(Exception):
    """A word that is altered, expired or for another purpose."""


def make(purpose: str, row: int, *, now: float | None = None) -> str:
    """The word for row ``row``, of today."""
    number, _days = PURPOSES[purpose]
    head = HEAD.pack(row, int((now or time.time()) // DAY), number)
    return base64.urlsafe_b64encode(head + _sign(_key(settings.SECRET_KEY), head)).decode()


def row(purpose: str, token: str, *, now: float | None = None, within: int | None = None) -> int:
    """The row that ``token`` names. ``within`` days instead of the purpose's own. Raises BadToken."""
    number, days = PURPOSES[purpose]
    try:
        body = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadToken(purpose) from error
    if len(token) != LENGTH or len(body) != HEAD.size + 16:
        raise BadToken(purpose)
    head, signature = body[: HEAD.size], body[HEAD.size :]
    found, day, given = HEAD.unpack(head)
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    if not any(hmac.compare_digest(signature, _sign(_key(key), head)) for key in keys) or given != number:
        raise BadToken(purpose)
    age = int((now or time.time()) // DAY) - day
    # a day of grace at either end: the word tells the day alone
    if not -1 <= age <= (days if within is None else within):
        raise BadToken(purpose)
    return int(found)


@lru_cache(maxsize=8)
def _key(secret: str) -> bytes:
    return hashlib.sha256(b"channels.subscriptions.tokens:" + secret.encode()).digest()


def _sign(key: bytes, head: bytes) -> bytes:
    return hmac.digest(key, head, "sha256")[:16]
