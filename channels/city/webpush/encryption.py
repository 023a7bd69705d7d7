"""A push message's encryption: aes128gcm (RFC 8188) with keys for web push (RFC 8291); pure but for its random bytes.

The key pair, the ECDH and the first step of the key derivation depend on the subscription alone and
may be made before the message exists (``prepare``): 65 bytes of public key and 32 of IKM. The salt
is drawn when the message is encrypted (``salts``), so that no key and nonce come twice, not even
where one prepared set is used twice.
"""

from __future__ import annotations

import binascii
import os
from collections.abc import Iterator
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

LIMIT = 3993
"""Bytes of plaintext: services need take no more than 4,096 encrypted (RFC 8030 §7.2, RFC 8291 §4)."""
POINT, SECRET, SALT = 65, 16, 16
PREPARED = POINT + 32

CURVE, AGREEMENT = SECP256R1(), ECDH()
BASE64 = bytes.maketrans(b"-_", b"+/")
# What precedes a point of P-256 in a SubjectPublicKeyInfo (RFC 5480); so wrapped it is read in half the time
SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")

BLOCK = 64
INNER, OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))

KEY_INFO = b"Content-Encoding: aes128gcm\0\x01"
NONCE_INFO = b"Content-Encoding: nonce\0\x01"
# record size 4096 in 4 bytes, then the length of the key that follows (RFC 8188 §2.1)
HEADER = (4096).to_bytes(4, "big") + bytes([POINT])


def subscriber_keys(p256dh: str, auth: str) -> tuple[bytes, bytes]:
    """A browser's public key (65 bytes) and secret (16) out of base64url without padding. Raises ValueError."""
    point, secret = _decoded(p256dh), _decoded(auth)
    if len(point) != POINT or point[0] != 4:
        raise ValueError("the p256dh key of a push subscription must be an uncompressed point of 65 bytes")
    if len(secret) != SECRET:
        raise ValueError("the auth secret of a push subscription must have 16 bytes")
    return point, secret


def prepare(point: bytes, secret: bytes, *, key: EllipticCurvePrivateKey | None = None) -> bytes:
    """What one message to this subscriber needs of a key pair: its public key, then the IKM (RFC 8291 §3.4).

    ``key`` for the standard's own example alone. Raises ValueError where the point is not on the curve.
    """
    theirs = load_der_public_key(SPKI + point)
    if not isinstance(theirs, EllipticCurvePublicKey):
        raise ValueError("the p256dh key of a push subscription must be a point of P-256")
    key = key or generate_private_key(CURVE)
    ours = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = _hmac(_keyed(secret), key.exchange(AGREEMENT, theirs))
    return ours + _hmac(_keyed(shared), b"WebPush: info\0" + point + ours + b"\x01")


def salts(count: int) -> Iterator[bytes]:
    """So many fresh random salts, drawn at once."""
    drawn = os.urandom(SALT * count)
    return (drawn[start : start + SALT] for start in range(0, SALT * count, SALT))


def encrypt(record: bytes, prepared: bytes, salt: bytes) -> bytes:
    """The body of a push: header, public key and the one record. ``record`` is what ``padded`` made."""
    key = _keyed(_hmac(_keyed(salt), prepared[POINT:]))
    cipher = AESGCM(_hmac(key, KEY_INFO)[:16])
    sealed = cipher.encrypt(_hmac(key, NONCE_INFO)[:12], record, None)
    return b"".join((salt, HEADER, prepared[:POINT], sealed))


def padded(plain: bytes) -> bytes:
    """The message as the last record of its stream (RFC 8188 §2). Raises ValueError above ``LIMIT``."""
    if len(plain) > LIMIT:
        raise ValueError(f"a push message holds {LIMIT} bytes at most")
    return plain + b"\x02"


def _keyed(key: bytes) -> tuple[bytes, bytes]:
    """The two blocks that a key of at most 64 bytes makes for ``_hmac``."""
    return key.translate(INNER).ljust(BLOCK, b"\x36"), key.translate(OUTER).ljust(BLOCK, b"\x5c")


def _hmac(key: tuple[bytes, bytes], message: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104). OpenSSL 3 looks its own up anew at every call, which takes twice as long as all of this;
    three for each message are a tenth of what a message costs."""
    inner, outer = key
    return sha256(outer + sha256(inner + message).digest()).digest()


def _decoded(text: str) -> bytes:
    try:
        # three times as quick as base64.b64decode, which matters for every message with a fresh key
        return binascii.a2b_base64(text.encode("ascii").translate(BASE64) + b"=" * (-len(text) % 4), strict_mode=True)
    except ValueError as error:
        raise ValueError("the keys of a push subscription must be base64url") from error
