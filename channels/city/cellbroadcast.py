"""Cell broadcast: a message handed over to whoever may trigger it (MoWaS), as a signed CAP document.

Only the responsible authority broadcasts, so what leaves here is a proposal. Each info block carries four
parameters: ``belfry:broadcastText`` (fitted to 15 pages), ``belfry:broadcastEncoding`` (GSM-7 or UCS-2),
``belfry:broadcastLevel`` (1 to 4, test, exercise) and ``belfry:broadcastMessageId`` (3GPP TS 23.041). Identifier and
references are those of the city's feeds, so that nobody takes it for a second event.
"""

from __future__ import annotations

import os
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from alerts.cap import CapAlert, Named
from alerts.notice import ELLIPSIS, Notice, Rendering, fit, moment
from alerts.public import PublicMessage
from alerts.terms import MsgType, Severity, Status, ui_language
from alerts.wording import GSM7, spelt
from channels.base import Hop, Permanent, Post, Publisher, Temporary
from channels.partners import PLACES, Partner

from . import documents

ROOM = {"GSM-7": 1395, "UCS-2": 615}
"""Encoding -> what 15 pages hold: septets, or UTF-16 units."""
EXTENSION = frozenset("^{}\\[~]|€\f")
"""What takes two septets (3GPP TS 23.038)."""
HOME = "de"
"""The language that every telephone here shows; others have message identifiers of their own."""


class Level(NamedTuple):
    """A level of the German service, with its message identifiers in the home language and in others."""

    name: str
    home: int
    other: int


LEVELS = {
    Severity.EXTREME: Level("1", 4370, 4383),
    Severity.SEVERE: Level("2", 4371, 4384),
    Severity.UNKNOWN: Level("2", 4371, 4384),
    Severity.MODERATE: Level("3", 4373, 4386),
    Severity.MINOR: Level("4", 4396, 4397),
}
QUIET = LEVELS[Severity.MINOR]
"""All-clear and false alarm: nobody is woken to hear that nothing is wrong."""
TEST, EXERCISE = Level("test", 4380, 4393), Level("exercise", 4381, 4394)


class CellBroadcast(Publisher):
    """Hands each message over once, in all its languages, to ``endpoint``; without one, as a file in ``directory``.

    ``languages`` that differ in their words alone count as one (``de``, ``de-simple``: the first of them).
    ``token``, ``certificate``, ``certificate_key``, ``authority`` and ``allow`` as ``partners.Partner`` has them;
    ``directory`` is ``cellbroadcast`` in the data folder unless named. ``where`` says whose law holds there.
    """

    city = True
    idempotent = True  # the identifier tells the authority what it has already
    seconds = 35.0

    def __init__(
        self,
        name: str,
        *,
        endpoint: str = "",
        directory: str = "",
        token: str = "",
        certificate: str = "",
        certificate_key: str = "",
        authority: str = "",
        allow: Sequence[str] = (),
        where: str = "eu",
        languages: Sequence[str] = (),
        keys_dir: str = "",
        data_dir: str = "",
        timeout: float = 8.0,
    ) -> None:
        super().__init__(name)
        if where not in PLACES:
            raise ValueError(f'"where" is one of {", ".join(PLACES)}')
        if endpoint and directory:
            raise ValueError('"endpoint" or "directory", not both')
        self.partner = (
            Partner(
                name,
                endpoint,
                allow=allow,
                token=token,
                certificate=certificate,
                certificate_key=certificate_key,
                authority=authority,
                seconds=timeout,
            )
            if endpoint
            else None
        )
        self.directory = Path(directory) if directory else Path(data_dir) / "cellbroadcast"
        self.keys_dir = keys_dir
        self.languages = list({ui_language(one): one for one in reversed(languages)}.values())[::-1]
        self.hops = (Hop(self.partner.host, where),) if self.partner else ()

    def compose(self, notice: Notice) -> Rendering:
        text, encoding = broadcast_text(notice)
        level = level_of(notice)
        home = ui_language(notice.words_language) == HOME
        return Rendering(
            self.name,
            notice.language,
            {
                "text": text,
                "broadcast": {
                    "level": level.name,
                    "messageId": level.home if home else level.other,
                    "encoding": encoding,
                    "characters": units(text, encoding),
                    "language": notice.words_language,
                },
            },
        )

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        """The first language hands over the document of all; the others are in it."""
        identifier = rendering.slots["identifier"]
        message = documents.released(identifier)
        mine = self._mine(message)
        if rendering.language == next(iter(mine), rendering.language):
            # each block's own language before one that stands in for it
            said = {str(fields["broadcast"]["language"]): fields for fields in reversed(mine.values())}
            body = documents.handed_over(
                lambda: with_broadcast(documents.composed(message, documents.approved(message)), said), self.keys_dir
            )
            self._hand_over(identifier, body)
        return Post(identifier)

    def retract(self, post: Post) -> None:
        """Hand over a Cancel, which stops what is still being broadcast."""
        message, now = documents.released(post.remote_id), timezone.now()
        body = documents.handed_over(lambda: documents.withdrawn(message, now), self.keys_dir)
        self._hand_over(f"{post.remote_id}.withdrawn", body)

    def probe(self) -> str:
        if self.partner is not None:
            return self.partner.probe()
        self._ready()
        return _("Documents for cell broadcast are written into a folder, for the control centre.")

    def _mine(self, message: PublicMessage) -> dict[str, Mapping[str, Any]]:
        """What was approved for this channel, by language, in the order in which it is handed over."""
        return {language: said for (channel, language), said in message.renderings.items() if channel == self.name}

    def _hand_over(self, identifier: str, body: bytes) -> None:
        if self.partner is not None:
            headers = {"Content-Type": "application/cap+xml", "Idempotency-Key": identifier}
            self.partner.post(body, headers)
            return
        self._ready()
        try:
            # Under its name stands a whole document or none
            handle, part = tempfile.mkstemp(suffix=".part", dir=self.directory)
            with os.fdopen(handle, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(handle)
            Path(part).chmod(0o644)
            Path(part).replace(self.directory / f"{quote(identifier, safe='')}.xml")
        except OSError as error:
            raise Temporary(_unwritable(error)) from error

    def _ready(self) -> None:
        try:
            self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError as error:
            raise Permanent(_unwritable(error)) from error
        if not os.access(self.directory, os.W_OK):
            raise Permanent(_unwritable(PermissionError(13, os.strerror(13))))


def _unwritable(error: OSError) -> str:
    return _("The folder for cell broadcast can't be written: {reason}").format(reason=error.strerror)


def with_broadcast(document: CapAlert, said: Mapping[str, Mapping[str, Any]]) -> CapAlert:
    """The document with the broadcast's parameters in each block whose language is in ``said``."""
    info = []
    for block in document.info:
        added: list[Named] = []
        if fields := said.get(block.language):
            how = fields["broadcast"]
            added = [
                Named("belfry:broadcastText", fields["text"]),
                Named("belfry:broadcastEncoding", how["encoding"]),
                Named("belfry:broadcastLevel", how["level"]),
                Named("belfry:broadcastMessageId", str(how["messageId"])),
            ]
        info.append(replace(block, parameter=(*block.parameter, *added)))
    return replace(document, info=tuple(info))


def level_of(notice: Notice) -> Level:
    if notice.exercise:
        return EXERCISE
    if notice.status == Status.TEST:
        return TEST
    return QUIET if notice.msg_type == MsgType.CANCEL else LEVELS[Severity(notice.severity)]


def broadcast_text(notice: Notice) -> tuple[str, str]:
    """Text and encoding: level, headline, place, what to do and why, then until when, who speaks and the link."""
    with override(ui_language(notice.words_language)):
        title = notice.headline
        if notice.exercise:
            title = f"{title} ({notice.level_word})"
        elif notice.status == Status.TEST:
            title = _("TEST: {headline}").format(headline=title)
        elif not title.casefold().startswith(notice.level_word.casefold()):
            title = f"{notice.level_word}: {title}"
        lines = [title, notice.area or notice.place, *notice.steps, *notice.description.splitlines()]
        head = "\n".join(line.strip() for line in lines if line.strip())
        tail = f"{notice.city.name}, {notice.city.publisher}: {notice.url}"
        if notice.expires and notice.msg_type != MsgType.CANCEL:
            until = _("Valid until {moment}.").format(moment=moment(notice.expires))
            tail = f"{until} {tail}"
    head, tail, encoding = _encoded(head, tail)
    dots = "..." if encoding == "GSM-7" else ELLIPSIS
    text = fit(head, tail, ROOM[encoding], lambda text: units(text.replace(ELLIPSIS, dots), encoding))
    if text == tail:
        return tail, encoding
    # The link in a line of its own: its end costs no more than the space before it
    return text.removesuffix(f" {tail}").replace(ELLIPSIS, dots) + f"\n{tail}", encoding


def _encoded(head: str, tail: str) -> tuple[str, str, str]:
    """Both texts in GSM-7 where nothing that can be read is lost by it, else as they are; and the encoding."""
    head, tail = (_seen(unicodedata.normalize("NFC", text)) for text in (head, tail))
    letters = {letter: spelt(letter) for letter in {*head, *tail}}
    if all(GSM7.issuperset(plain) for plain in letters.values()):
        table = str.maketrans(letters)
        return head.translate(table), tail.translate(table), "GSM-7"
    return head, tail, "UCS-2"


def _seen(text: str) -> str:
    """Without what nobody sees: controls, marks of direction, halves of a character."""
    return "".join(one for one in text if one == "\n" or unicodedata.category(one) not in {"Cc", "Cf", "Cs", "Co"})


def units(text: str, encoding: str) -> int:
    """Its length as a network counts it: septets in GSM-7, UTF-16 units in UCS-2."""
    if encoding == "GSM-7":
        return len(text) + sum(text.count(letter) for letter in EXTENSION)
    return len(text) + sum(letter > "\uffff" for letter in text)
