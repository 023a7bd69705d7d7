"""Quoted-printable text in which a resident's own word stands on a short line of its own, never broken."""

from __future__ import annotations

import binascii

PLACE = "THE-WORD-OF-EACH-RESIDENT-GOES-HERE_"
"""What stands for the word in approved texts: as long as the word (36 characters), as harmless in a link."""


def quoted(text: str) -> bytes:
    """``text`` (lines end in LF alone) as quoted-printable with CRLF (RFC 2045 §6.7).

    Each PLACE stands between two soft line breaks, so that no other one can fall into it.
    """
    if "\r" in text:
        raise ValueError("a bare CR would be read as the end of a line")
    pieces = text.split(PLACE)
    out = bytearray()
    for piece in pieces[:-1]:
        # the x keeps the room for the soft break that takes its place
        out += binascii.b2a_qp(f"{piece}x".encode(), istext=True)[:-1]
        if out and out[-1:] != b"\n":
            out += b"=\n"
        out += PLACE.encode() + b"=\n"
    out += binascii.b2a_qp(pieces[-1].encode(), istext=True)
    return bytes(out.replace(b"\n", b"\r\n"))
