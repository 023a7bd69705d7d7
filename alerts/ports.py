"""What the domain needs of the channels: Protocols, bound to dotted paths in settings.

The domain never imports ``channels``; ``alerts.checks`` refuses to start where a binding is
missing or is no callable.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from .content import Content
from .notice import Notice, Rendering

BINDINGS = {
    "ALERTS_RING": "Ring",
    "ALERTS_COMPOSE": "Compose",
    "ALERTS_PICTURES": "Pictures",
    "ALERTS_PROGRESS": "Progress",
    "ALERTS_NOTIFY": "Notify",
    "ALERTS_MAIL": "Mail",
    "ALERTS_BOUNCE": "Bounce",
    "ALERTS_TEXT": "Text",
    "ALERTS_CALL": "Call",
    "ALERTS_REACHED": "Reached",
}


@dataclass(frozen=True, slots=True)
class Words:
    """What officers are told: ``subject`` is all of it in one line, and all that an SMS says beside the link."""

    subject: str
    body: str
    link: str


class Ring(Protocol):
    """Tell the fan-out that a message is owed. Never raises: what it can't tell, the sweep finds."""

    def __call__(self, message_id: int) -> None: ...


class Compose(Protocol):
    """Every channel's renderings of these notices (one notice a language). Pure; raises ``CannotCompose``."""

    def __call__(self, notices: Sequence[Notice]) -> list[Rendering]: ...


class Pictures(Protocol):
    """The shapes of image cards that any channel wants (``alerts.cards.SHAPES``)."""

    def __call__(self) -> set[str]: ...


class Progress(Protocol):
    """What each channel did for a message so far: rows for the desk (channel, state, words, seconds)."""

    def __call__(self, message_id: int) -> list[dict[str, Any]]: ...


class Notify(Protocol):
    """Mail an alarm to the officers on the roster, without RQ; to all ``approvers`` as well where asked.

    With ``only``, to these addresses and nobody else. Raises OSError on failure, so that it is tried again.
    """

    def __call__(self, subject: str, body: str, *, approvers: bool = False, only: Sequence[str] = ()) -> None: ...


class Text(Protocol):
    """Text an alarm by SMS to the phones of the roster, without RQ; to all ``approvers`` as well where asked.

    How many gateways took it for; 0 where there is no phone or no SMS channel. Raises OSError where none did now.
    """

    def __call__(self, words: str, link: str, *, approvers: bool = False) -> int: ...


class Call(Protocol):
    """Tell these officers (ids) by ``sms`` or ``mail``, one after the other, in this order, without RQ.

    Yields each one's id with ``told``, ``never`` (no address of this way, or refused for good) or ``later``;
    ends where the way is down: of whom it says nothing nobody was told. Never raises for what a server does.
    """

    def __call__(self, way: str, officers: Sequence[int], words: Words) -> Generator[tuple[int, str], None, None]: ...


class Reached(Protocol):
    """How many subscriptions of each way (push, sms, email) a message with this content would go to.

    ``alert`` names the alert that it goes on with, by its key in the database: who got an earlier
    message of it is reached too. A way that no channel serves is left out.
    """

    def __call__(self, content: Content, alert: int) -> dict[str, int]: ...


class Mail(Protocol):
    """Mail an answer to one officer now, with an empty return path where the mail server is ours to ask.

    ``key`` makes its Message-ID, the same at a second try; ``answers`` is the Message-ID that it answers.
    Raises OSError on failure, so that it is tried again.
    """

    def __call__(self, to: str, subject: str, body: str, *, key: str, answers: str = "") -> None: ...


class Bounce(Protocol):
    """Give a mail that came back to the channel that sent it; whether it was one of its own."""

    def __call__(self, raw: bytes) -> bool: ...


class CannotCompose(Exception):
    """A channel can't say this; ``str()`` tells the officer which one and why, in plain words."""


def ring(message_id: int) -> None:
    port: Ring = import_string(settings.ALERTS_RING)
    port(message_id)


def compose(notices: Sequence[Notice]) -> list[Rendering]:
    port: Compose = import_string(settings.ALERTS_COMPOSE)
    return port(notices)


def pictures() -> set[str]:
    port: Pictures = import_string(settings.ALERTS_PICTURES)
    return port()


def progress(message_id: int) -> list[dict[str, Any]]:
    port: Progress = import_string(settings.ALERTS_PROGRESS)
    return port(message_id)


def notify(subject: str, body: str, *, approvers: bool = False, only: Sequence[str] = ()) -> None:
    port: Notify = import_string(settings.ALERTS_NOTIFY)
    port(subject, body, approvers=approvers, **({"only": only} if only else {}))


def text(words: str, link: str, *, approvers: bool = False) -> int:
    port: Text = import_string(settings.ALERTS_TEXT)
    return port(words, link, approvers=approvers)


def call(way: str, officers: Sequence[int], words: Words) -> Generator[tuple[int, str], None, None]:
    port: Call = import_string(settings.ALERTS_CALL)
    return port(way, officers, words)


def reached(content: Content, alert: int) -> dict[str, int]:
    port: Reached = import_string(settings.ALERTS_REACHED)
    return port(content, alert)


def mail(to: str, subject: str, body: str, *, key: str, answers: str = "") -> None:
    port: Mail = import_string(settings.ALERTS_MAIL)
    port(to, subject, body, key=key, answers=answers)


def bounce(raw: bytes) -> bool:
    port: Bounce = import_string(settings.ALERTS_BOUNCE)
    return port(raw)
