"""A message's signed CAP document: for the feeds, and for partners who are handed one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path

from alerts import areas, cap
from alerts.cap import CapAlert
from alerts.public import PublicMessage
from alerts.signature import Signer, SigningFailed
from channels.base import Permanent, Temporary


def composed(message: PublicMessage, languages: Sequence[str]) -> CapAlert:
    """The document of these languages, not yet signed. Raises ValueError."""
    content = message.content
    return cap.compose(
        [message.notice(language) for language in languages],
        identifier=message.identifier,
        sender=message.sender,
        sent=message.sent.astimezone(dt.UTC),  # as ``approval`` writes it into later references
        references=message.references,
        chosen=content.districts,
        rings=areas.cap_rings(district.code for district in content.districts) if content.districts else {},
    )


def signed(document: CapAlert, keys_dir: str) -> bytes:
    """The document with the city's signature. Raises SigningFailed, ValueError."""
    return Signer.load(Path(keys_dir)).sign(cap.write(document))


def handed_over(make: Callable[[], CapAlert], keys_dir: str) -> bytes:
    """As ``signed``. Raises Temporary where it can't be signed, Permanent where it can't be written."""
    try:
        return signed(make(), keys_dir)
    except SigningFailed as error:
        raise Temporary(str(error), after=5) from error
    except ValueError as error:
        raise Permanent(str(error)) from error


def approved(message: PublicMessage) -> list[str]:
    """The languages that anything was approved in, in the city's order: those of the document in the feeds."""
    return list(dict.fromkeys(language for _channel, language in message.renderings)) or list(message.content.texts)
