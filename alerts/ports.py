"""What the domain needs of the channels: Protocols, bound to dotted paths in settings.

The domain never imports ``channels``; ``alerts.checks`` refuses to start where a binding is
missing or is no callable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from .notice import Notice, Rendering

BINDINGS = {
    "ALERTS_RING": "Ring",
    "ALERTS_COMPOSE": "Compose",
    "ALERTS_PICTURES": "Pictures",
    "ALERTS_PROGRESS": "Progress",
    "ALERTS_NOTIFY": "Notify",
    "ALERTS_MAIL": "Mail",
    "ALERTS_BOUNCE": "Bounce",
}


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

    Raises OSError on failure, so that it is tried again.
    """

    def __call__(self, subject: str, body: str, *, approvers: bool = False) -> None: ...


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


def notify(subject: str, body: str, *, approvers: bool = False) -> None:
    port: Notify = import_string(settings.ALERTS_NOTIFY)
    port(subject, body, approvers=approvers)


def mail(to: str, subject: str, body: str, *, key: str, answers: str = "") -> None:
    port: Mail = import_string(settings.ALERTS_MAIL)
    port(to, subject, body, key=key, answers=answers)


def bounce(raw: bytes) -> bool:
    port: Bounce = import_string(settings.ALERTS_BOUNCE)
    return port(raw)
