"""Mails for tests: the samples of real clients' shapes, and small ones made on the spot."""

from __future__ import annotations

from pathlib import Path

SAMPLES = Path(__file__).with_name("samples")
NAMES = sorted(path.stem for path in SAMPLES.glob("*.eml"))


def sample(name: str) -> bytes:
    """A sample as it travels, its lines ended by CR LF."""
    return (SAMPLES / f"{name}.eml").read_bytes().replace(b"\n", b"\r\n")


def mail(body: str | bytes = "", **headers: str) -> bytes:
    """A plain mail; ``content_type="…"`` sets Content-Type. A header given as empty is left out."""
    given = {
        "from": "erika@city.example",
        "subject": "Lage",
        "message_id": "<1@city.example>",
        "content_type": "text/plain; charset=utf-8",
    } | headers
    lines = [f"{name.replace('_', '-').title()}: {value}" for name, value in given.items() if value]
    words = body if isinstance(body, bytes) else body.encode()
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + words
