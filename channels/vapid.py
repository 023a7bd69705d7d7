"""VAPID: the city's key pair for web push, and the tokens by which push services know the city (RFC 8292)."""

from __future__ import annotations

import os
import re
import secrets
import time
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.utils.translation import gettext as _
from py_vapid import Vapid02, VapidException
from py_vapid.utils import b64urlencode

FILE = "vapid_private.pem"
LIFE = 12 * 3600
"""Seconds that a token holds; RFC 8292 §2 allows 24 hours, some services less."""
RENEW = 3600
"""Seconds before its end at which a token is made anew."""
MOST = 1000
"""Tokens kept at most: origins are, within the allowed hosts, what residents wrote."""
CONTACT = re.compile(r"(?:mailto:[^\s@]+@|https://)(?:localhost|[\w-]+(?:\.[\w-]+)+)")


class KeyUnreadable(Exception):
    """The key file is there and is none; ``str()`` is for administrators."""


class Vapid:
    """The city's key and its tokens, one for each origin, kept until an hour before its end.

    ``contact`` is what a push service may turn to, ``mailto:…`` or ``https://…`` (RFC 8292 §2.1).
    """

    def __init__(self, keys_dir: str, contact: str) -> None:
        check_contact(contact)
        self._signer = _read(Path(keys_dir))
        self._contact = contact
        self._kept: dict[str, tuple[float, str]] = {}

    @property
    def public_key(self) -> str:
        """What browsers ask for when a resident subscribes: ``applicationServerKey`` in base64url, 87 characters."""
        return _public(self._signer)

    def authorization(self, origin: str, *, now: float | None = None) -> str:
        """The value of the ``Authorization`` header for a push service's origin (``https://host[:port]``)."""
        moment = time.time() if now is None else now
        until, value = self._kept.get(origin, (0.0, ""))
        if until - RENEW <= moment:
            until = int(moment) + LIFE
            # a dict of its own each time: the signer's claims are never another origin's
            claims = {"aud": origin, "exp": int(until), "sub": self._contact}
            value = str(self._signer.sign(claims)["Authorization"])
            if len(self._kept) >= MOST:
                self._kept.clear()
            self._kept[origin] = (until, value)
        return value


def public_key(keys_dir: str) -> str:
    """The city's ``applicationServerKey``; its key pair is made where there is none. Raises KeyUnreadable."""
    return _public(_read(Path(keys_dir)))


def contact(address: str, mail_from: str) -> str:
    """Whom push services may turn to: the city's public address, or the sender of its mail where that is not https."""
    parts = urlsplit(address)
    # as ASCII: services read no other names
    host = (parts.hostname or "").encode("idna").decode() if parts.scheme == "https" else ""
    known = (f"https://{host}", f"mailto:{parseaddr(mail_from)[1]}")
    return next((one for one in known if CONTACT.fullmatch(one)), "mailto:belfry@localhost")


def check_contact(given: str) -> None:
    """Raise ValueError for a contact that push services would refuse."""
    if not CONTACT.fullmatch(given):
        raise ValueError("the contact for push services must be mailto:name@host or https://host")


def _public(signer: Vapid02) -> str:
    point = signer.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return str(b64urlencode(point))


def _read(folder: Path) -> Vapid02:
    path = folder / FILE
    if not path.exists():
        _make(path)
    try:
        return Vapid02.from_file(str(path))
    except VapidException as error:
        raise KeyUnreadable(
            _(
                "The key for web push ({file} in the folder of keys) can't be read. Restore it from the backup: "
                "with a new one, every resident would have to subscribe to push again."
            ).format(file=FILE)
        ) from error


def _make(path: Path) -> None:
    """A new key in a whole file for its owner alone; of several processes at once, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    signer = Vapid02()
    signer.generate_keys()
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(signer.private_pem())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass  # somebody else's is there, and is the city's now
    finally:
        fresh.unlink()
