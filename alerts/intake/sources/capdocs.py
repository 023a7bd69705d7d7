"""A CAP document of a source as Found; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..capreading import BadCap, read
from .found import Found, Unreadable, line


def found(xml: bytes, languages: Sequence[str], trusted: Sequence[bytes] = ()) -> Found:
    """``trusted`` are certificates in PEM. Raises Unreadable for what ``capreading`` can't take."""
    try:
        document = read(xml, languages=languages, trusted=trusted)
    except BadCap as error:
        raise Unreadable(" ".join(error.faults)[:200]) from error
    content = replace(document.content, note="")
    texts = list(content.texts.values())
    return Found(
        identifier=document.identifier,
        sender=document.sender,
        sent=document.sent,
        status=document.status,
        msg_type=document.msg_type,
        references=tuple(reference[1] for reference in document.references),
        event=texts[0].event if texts else "",
        headline=line(document.headline, 300),
        area=line(document.area, 300),
        signature=document.signature,
        content=content,
        raw=xml.decode("utf-8", "replace"),
    )
