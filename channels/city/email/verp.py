"""Envelope senders that name their recipient, so that a bounce can be believed and matched (VERP)."""

from __future__ import annotations

import hashlib
import hmac
import re
from functools import lru_cache

WORD = re.compile(r"\+r([0-9a-z]{1,13})-([0-9a-f]{16})@", re.IGNORECASE)
ROOM = 32
"""Characters of the bounce address before its @: with the word they stay below 64 (RFC 5321 §4.5.3.1.1)."""
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def sender(bounce_address: str, recipient: int, secret: str) -> str:
    """``bounces+r<id in base 36>-<16 hexadecimal digits>@domain`` for ``bounces@domain``."""
    local, _at, domain = bounce_address.rpartition("@")
    number = base36(recipient)
    return f"{local}+r{number}-{_proof(number, secret)}@{domain}"


def recipients(text: str, secret: str) -> tuple[list[int], bool]:
    """The recipients whom words in ``text`` prove, and whether any word was there that proves nothing."""
    found, forged = [], False
    for match in WORD.finditer(text):
        number, proof = match[1].lower(), match[2].lower()
        if hmac.compare_digest(proof, _proof(number, secret)):
            found.append(int(number, 36))
        else:
            forged = True
    return list(dict.fromkeys(found)), forged


def base36(number: int) -> str:
    """A positive number in digits and lower-case letters."""
    found = ""
    while True:
        number, digit = divmod(number, 36)
        found = DIGITS[digit] + found
        if not number:
            return found


def _proof(number: str, secret: str) -> str:
    return hmac.digest(_key(secret), number.encode(), "sha256").hex()[:16]


@lru_cache(maxsize=8)
def _key(secret: str) -> bytes:
    return hashlib.sha256(b"channels.city.email.verp:" + secret.encode()).digest()
