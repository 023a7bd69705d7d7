"""DKIM signatures (RFC 6376, rsa-sha256, relaxed/relaxed) over mails that differ in a few known places alone.

dkimpy multiplies its RSA in Python and reads each message anew: 6.5 ms a mail, eleven minutes for a
city of 100,000. Here OpenSSL signs and what all mails share is put into canonical form once; dkimpy
checks the result in the tests.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

SIGNED = (
    "from", "to", "subject", "date", "message-id", "list-unsubscribe", "list-unsubscribe-post", "list-id",
    "references", "mime-version", "content-type", "content-language", "auto-submitted",
)  # fmt: skip
"""Headers that are signed where they are there; RFC 8058 §4 asks for both List-Unsubscribe ones."""
ONCE = ("from", "to", "subject", "date", "list-unsubscribe", "list-unsubscribe-post")
"""Named once more than they occur: another one added on the way breaks the signature (RFC 6376 §5.4)."""


@dataclass(frozen=True, slots=True)
class Key:
    """The private RSA key and where its public half stands in DNS: ``<selector>._domainkey.<domain>``."""

    private: RSAPrivateKey
    selector: str
    domain: str

    def __repr__(self) -> str:
        return f"Key({self.selector}._domainkey.{self.domain})"


def load(pem: str, selector: str, domain: str) -> Key | None:
    """The key, or None where nothing is said. Raises ValueError where half of it is."""
    if not (pem or selector or domain):
        return None
    if not (pem and selector and domain):
        raise ValueError("dkim_key, dkim_selector and dkim_domain go together")
    if not all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in (selector, domain)):
        raise ValueError("dkim_selector and dkim_domain are names as in DNS")
    try:
        private = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError) as error:
        raise ValueError("dkim_key is no private key in PEM without a passphrase") from error
    if not isinstance(private, RSAPrivateKey) or private.key_size < 1024:
        raise ValueError("dkim_key must be an RSA key of at least 1024 bits, better 2048")
    return Key(private, selector, domain)


class Signer:
    """Signs the mails of one template. ``headers`` are those that all share, in wire form."""

    def __init__(self, key: Key, headers: Sequence[tuple[str, bytes]], own: Sequence[str]) -> None:
        shared = {name.lower(): canonical(name, value) for name, value in headers}
        there = [name for name in SIGNED if name in shared or name in own]
        self._key = key
        self._order = [(name, shared.get(name, b"")) for name in there]
        named = ":".join([*there, *(name for name in ONCE if name in there)])
        self._start = (
            f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={key.domain}; s={key.selector};\r\n\th={named};\r\n\tbh="
        ).encode()

    def header(self, own: dict[str, bytes], body: bytes) -> bytes:
        """The DKIM-Signature line. ``own`` holds the mail's own headers by lower-case name, ``body`` is ``relaxed``."""
        bodyhash = base64.b64encode(hashlib.sha256(body).digest())
        unsigned = self._start + bodyhash + b";\r\n\tb="
        signed = b"".join(line or canonical(name, own[name]) for name, line in self._order)
        signed += canonical("DKIM-Signature", unsigned)[:-2]
        raw = base64.b64encode(self._key.private.sign(signed, PKCS1v15(), hashes.SHA256()))
        folded = b"\r\n\t ".join(raw[at : at + 72] for at in range(0, len(raw), 72))
        return b"DKIM-Signature: " + unsigned + folded + b"\r\n"


def canonical(name: str, value: bytes) -> bytes:
    """A header in relaxed form (RFC 6376 §3.4.2)."""
    return name.lower().encode() + b":" + b" ".join(value.split()) + b"\r\n"


def relaxed(body: bytes) -> bytes:
    """A body in relaxed form (RFC 6376 §3.4.4)."""
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)
