"""A message's signed CAP document: for the feeds, and for partners who are handed one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import override

from alerts import areas, cap, public
from alerts.cap import CapAlert, CapInfo, Reference, cap_time
from alerts.public import PublicMessage
from alerts.signature import Signer, SigningFailed
from alerts.terms import MsgType, ResponseType, Urgency, ui_language
from channels.base import Permanent, Temporary

WITHDRAWN_FOR = dt.timedelta(hours=1)
"""How long at least a withdrawal is said to hold."""


def released(identifier: str) -> PublicMessage:
    """The message of this identifier. Raises Permanent where there is none."""
    message = public.message(identifier)
    if message is None:
        raise Permanent(_("The message {identifier} is not in the database.").format(identifier=identifier))
    return message


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


def withdrawn(message: PublicMessage, now: dt.datetime) -> CapAlert:
    """The Cancel by which a partner learns that a message was handed over in error: fixed words, no order."""
    document = composed(message, approved(message))
    sent = now.astimezone(dt.UTC)
    before = Reference(message.sender, message.identifier, cap_time(message.sent.astimezone(dt.UTC)))
    return replace(
        document,
        identifier=f"{message.identifier}.withdrawn",
        sent=sent,
        msg_type=str(MsgType.CANCEL),
        references=(before,),
        info=tuple(_withdrawn(info, message, sent) for info in document.info),
    )


def _withdrawn(info: CapInfo, message: PublicMessage, sent: dt.datetime) -> CapInfo:
    with override(ui_language(info.language)):
        return replace(
            info,
            response_type=(str(ResponseType.ALL_CLEAR),),
            urgency=str(Urgency.PAST),
            effective=None,
            onset=None,
            expires=max(info.expires or sent, sent + WITHDRAWN_FOR),
            headline=_("Withdrawn: {headline}").format(headline=info.headline),
            description=_("This message was handed over in error and is withdrawn. What holds is said at {url}").format(
                url=message.notice(info.language).url
            ),
            instruction="",
        )
