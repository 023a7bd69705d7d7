"""A passkey in software: answers a site's challenges as a browser with its authenticator would."""

from __future__ import annotations

import hashlib
import json
import secrets
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

USER_PRESENT, USER_VERIFIED, HOLDS_KEY = 1, 4, 64


def text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def raw(value: str) -> bytes:
    return urlsafe_b64decode(value + "=" * (-len(value) % 4))


@dataclass
class SoftKey:
    """One passkey at ``origin``; its private key never leaves it."""

    origin: str = "http://localhost"
    site: str = "localhost"
    ident: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options: dict[str, Any]) -> str:
        """Answer to ``navigator.credentials.create``, as JSON."""
        point = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        held = bytes(16) + struct.pack(">H", len(self.ident)) + self.ident + cbor2.dumps(public)
        attested = {"fmt": "none", "attStmt": {}, "authData": self._data(HOLDS_KEY) + held}
        said = self._said("webauthn.create", options)
        return self._answer(clientDataJSON=said, attestationObject=cbor2.dumps(attested))

    def get(self, options: dict[str, Any]) -> str:
        """Answer to ``navigator.credentials.get``, as JSON."""
        said, data = self._said("webauthn.get", options), self._data()
        signed = self.key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(clientDataJSON=said, authenticatorData=data, signature=signed)

    def _data(self, more: int = 0) -> bytes:
        flags = USER_PRESENT | USER_VERIFIED | more
        return hashlib.sha256(self.site.encode()).digest() + bytes([flags]) + struct.pack(">I", 0)

    def _said(self, kind: str, options: dict[str, Any]) -> bytes:
        return json.dumps({"type": kind, "challenge": options["challenge"], "origin": self.origin}).encode()

    def _answer(self, **response: bytes) -> str:
        parts = {name: text(value) for name, value in response.items()}
        return json.dumps({"id": text(self.ident), "rawId": text(self.ident), "type": "public-key", "response": parts})
