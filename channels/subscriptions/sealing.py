"""Addresses of residents, sealed for the database and found by a keyed hash; the keys lie in files beside it.

``contact_keys`` in the keys folder holds one AES-256 key a line, ``number:base64``; the last line
seals, all of them open. A sealed address is the key's number (2 bytes), a random nonce (12 bytes) and
AES-GCM's ciphertext, bound to its way. ``lookup_key`` makes the hash (HMAC-SHA256).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

CONTACT_KEYS, LOOKUP_KEY = "contact_keys", "lookup_key"
NONCE = 12


class CannotOpen(Exception):
    """A sealed address that no key of this host opens."""


@dataclass(frozen=True, slots=True)
class Keys:
    """All keys as read from the files: ``ciphers`` by number, the newest seals."""

    ciphers: dict[int, AESGCM]
    newest: int
    lookup: bytes


_lock = threading.Lock()
_kept: tuple[object, Keys] | None = None


def seal(way: str, address: str) -> bytes:
    """An address as the database may keep it; differs each time."""
    keys = _keys()
    nonce = secrets.token_bytes(NONCE)
    return (
        keys.newest.to_bytes(2, "big")
        + nonce
        + keys.ciphers[keys.newest].encrypt(nonce, address.encode(), way.encode())
    )


def unseal(way: str, sealed: bytes) -> str:
    """The address. Raises CannotOpen."""
    number = int.from_bytes(sealed[:2], "big")
    try:
        plain = _keys().ciphers[number].decrypt(sealed[2 : 2 + NONCE], bytes(sealed[2 + NONCE :]), way.encode())
    except (KeyError, InvalidTag, ValueError) as error:
        raise CannotOpen(f"key {number} of {CONTACT_KEYS} is missing or another") from error
    return plain.decode()


def unseal_all(way: str, sealed: Iterable[bytes]) -> list[str]:
    """As ``unseal``, quickly for many; the empty string where no key opens one."""
    ciphers, bound, found = _keys().ciphers, way.encode(), []
    for body in sealed:
        try:
            plain = ciphers[int.from_bytes(body[:2], "big")].decrypt(body[2 : 2 + NONCE], body[2 + NONCE :], bound)
        except (KeyError, InvalidTag, ValueError):
            plain = b""
        found.append(plain.decode())
    return found


def lookup(way: str, address: str) -> str:
    """The keyed hash that an address is found by: 64 hexadecimal digits. ``address`` as ``addresses`` normalises it."""
    return hmac.new(_keys().lookup, f"{way}:{address}".encode(), hashlib.sha256).hexdigest()


def newest_key() -> int:
    """The number of the key that seals now."""
    return _keys().newest


def add_key() -> int:
    """Append a new key, which seals from now on; returns its number. Re-sealing what is there is the caller's."""
    with _lock:
        keys = _read(_folder())
        number = keys.newest + 1
        path = _folder() / CONTACT_KEYS
        _replace(path, path.read_text() + _line(number))
    return number


def drop_keys(before: int) -> None:
    """Forget all keys older than number ``before``, once nothing is sealed with them any more."""
    with _lock:
        path = _folder() / CONTACT_KEYS
        kept = [line for line in path.read_text().splitlines() if line and int(line.partition(":")[0]) >= before]
        _replace(path, "".join(f"{line}\n" for line in kept))


def make_keys() -> None:
    """Make the files that are missing; safe to run by several at once."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _make(folder / CONTACT_KEYS, _line(1))
    _make(folder / LOOKUP_KEY, base64.b64encode(secrets.token_bytes(32)).decode() + "\n")


def _line(number: int) -> str:
    return f"{number}:{base64.b64encode(secrets.token_bytes(32)).decode()}\n"


def _folder() -> Path:
    return Path(settings.KEYS_DIR)


def _keys() -> Keys:
    """The keys as the file says now: it is looked at each time, read when it has changed."""
    global _kept
    folder = _folder()
    try:
        stat = (folder / CONTACT_KEYS).stat()
    except FileNotFoundError:
        make_keys()
        stat = (folder / CONTACT_KEYS).stat()
    stamp = (str(folder), stat.st_ino, stat.st_mtime_ns)
    if _kept is None or _kept[0] != stamp:
        with _lock:
            _kept = stamp, _read(folder)
    return _kept[1]


def _read(folder: Path) -> Keys:
    make_keys()
    ciphers: dict[int, AESGCM] = {}
    for line in (folder / CONTACT_KEYS).read_text().split():
        number, _colon, key = line.partition(":")
        ciphers[int(number)] = AESGCM(base64.b64decode(key))
    return Keys(ciphers, max(ciphers), base64.b64decode((folder / LOOKUP_KEY).read_text()))


def _make(path: Path, text: str) -> None:
    """A whole file or none, for its owner alone; one that is there stays."""
    if path.exists():
        return
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    _write(fresh, text)
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    _write(fresh, text)
    os.replace(fresh, path)


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
