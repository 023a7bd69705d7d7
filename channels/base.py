"""What every adapter is: Channel, Publisher, Broadcaster; its outcomes and errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from alerts.notice import Notice, Rendering


class ChannelError(Exception):
    """Why a channel did not carry a message. ``str()`` is read by officers: plain words, no secret, no address."""


class Temporary(ChannelError):
    """Nothing went out; try again after ``after`` seconds, or by back-off where None."""

    def __init__(self, words: str, *, after: float | None = None) -> None:
        super().__init__(words)
        self.after = after


class Permanent(ChannelError):
    """Nothing went out and never will."""


class Uncertain(ChannelError):
    """It may have gone out."""


@dataclass(frozen=True, slots=True)
class Post:
    """What a Publisher put out: the platform's id, the address people see, and what it needs to go on."""

    remote_id: str
    url: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipient:
    """One address of a batch; ``id`` is the row's."""

    id: int
    address: str
    token: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One recipient's result: ``state`` is accepted, temporary, permanent or uncertain."""

    recipient: int
    state: str
    words: str = ""
    remote_id: str = ""
    after: float | None = None


class Channel:
    """A configured way out. Options come through the constructor; ``name`` is its key in CHANNELS."""

    city: ClassVar[bool] = False
    """Owned by the city; others wait for the gate."""
    site: ClassVar[bool] = False
    """Website and feeds: they make the gate, run on the ``site`` queue and are never superseded."""
    idempotent: ClassVar[bool] = False
    """Trying twice is harmless."""
    seconds: ClassVar[float] = 30.0
    """The time one publish or one checkpoint may take."""

    def __init__(self, name: str) -> None:
        self.name = name

    def compose(self, notice: Notice) -> Rendering:
        """What this channel will say for this notice. Pure; raises ValueError where it can't be said."""
        raise NotImplementedError

    def probe(self) -> str:
        """A harmless look whether it would work now: words for the desk. Raises ChannelError."""
        return ""


class Publisher(Channel):
    """One post for everybody, in each of ``languages`` (empty: all that the city writes)."""

    languages: Sequence[str] = ()

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        """Put it out. ``key`` is the same for every try. Raises Temporary, Permanent, Uncertain."""
        raise NotImplementedError

    def update(self, rendering: Rendering, post: Post, *, key: str) -> Post:
        """A later message of the same alert; by default a reply under its first post."""
        return self.publish(rendering, key=key, reply_to=post)

    def retract(self, post: Post) -> None:
        """Take back a post made in error (an all-clear is an update). Raises as ``publish``."""
        raise NotImplementedError


class Broadcaster(Channel):
    """One send to each subscriber."""

    checkpoint: ClassVar[int] = 500
    """Recipients handed to one ``send``, all of one language."""

    def send(self, rendering: Rendering, recipients: Sequence[Recipient], *, key: str) -> Iterable[Outcome]:
        """Send to these; yields each outcome as its answer arrives. One recipient's failure is one outcome."""
        raise NotImplementedError
