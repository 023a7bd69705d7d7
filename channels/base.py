"""What every adapter is: Channel, Publisher, Broadcaster; its outcomes and errors."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from django.utils.translation import gettext as _

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
    """It may have gone out. ``begun``, where given, is kept as if ``begin`` had returned it, for ``look_up``."""

    def __init__(self, words: str, *, begun: Mapping[str, Any] | None = None) -> None:
        super().__init__(words)
        self.begun = begun


class ByHand(ChannelError):
    """Everything lies ready; an officer does the rest and says so at the desk."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One party that a message passes on its way through a channel: ``where`` it is subject to the law.

    ``where`` is ``city`` (the city's own), ``eu`` or ``abroad``.
    """

    name: str
    where: str


@dataclass(frozen=True, slots=True)
class Post:
    """What a Publisher put out: the platform's id, the address people see, and what it needs to go on."""

    remote_id: str
    url: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class Recipient(NamedTuple):
    """One resident of a batch; ``id`` is the row's.

    ``address`` is a number in E.164 (``+49…``), a mail address, or for web push endpoint, p256dh and
    auth, the keys in base64url without padding, separated by a space each. ``token`` is the signed
    word (36 characters) of the resident's own link. ``prepared`` is what ``Broadcaster.prepare`` made
    ahead for this one send, or empty.
    """

    id: int
    address: str
    token: str = ""
    prepared: bytes = b""


class Outcome(NamedTuple):
    """One recipient's result: ``state`` is accepted, temporary, permanent or uncertain.

    ``gone`` says that the address is none any more: its subscription is removed.
    """

    recipient: int
    state: str
    words: str = ""
    remote_id: str = ""
    after: float | None = None
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """A fixed service text to one resident (a confirmation, a self-test, a code): a template, no Message.

    ``subject`` is left out where a channel has no room for one; ``url`` stands at the end, or is what a
    tap opens. ``name`` tells it from others in the same channel (a Topic, a Message-ID).
    """

    name: str
    language: str
    subject: str
    body: str
    url: str = ""


class Forged(Exception):
    """A provider's call that does not prove to be the provider's."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A provider's call as it came in: ``url`` the full public address, ``form`` its decoded body, if it was a form."""

    method: str
    url: str
    headers: Mapping[str, str]
    form: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became later of something that a provider accepted.

    Found by ``remote_id``, or by the ``recipient``'s id. ``state`` is accepted, delivered or failed.
    """

    state: str
    remote_id: str = ""
    recipient: int = 0
    words: str = ""
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What a resident sent back: STOP, a code."""

    address: str
    text: str


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
    hops: Sequence[Hop] = ()
    """Whom a message passes on its way, the city's own host apart."""
    pictures: ClassVar[Sequence[str]] = ()
    """Shapes of image cards that it wants (``alerts.cards.SHAPES``)."""

    def __init__(self, name: str) -> None:
        self.name = name

    def compose(self, notice: Notice) -> Rendering:
        """What this channel will say for this notice. Pure; raises ValueError where it can't be said."""
        raise NotImplementedError

    def measure(self, rendering: Rendering) -> tuple[int, int] | None:
        """How long the words of this rendering are and may be, as the channel counts; None where nothing limits them.

        Pure, and the same count that ``compose`` cut by.
        """
        return None

    def probe(self) -> str:
        """A harmless look whether it would work now: words for the desk. Raises ChannelError."""
        return ""

    def valid_until(self) -> dt.datetime | None:
        """When its credentials end, as far as anybody knows; asks nobody."""
        return None

    def audience(self) -> int | None:
        """How many follow it there; None where the platform does not tell. Raises ChannelError."""
        return None


class Publisher(Channel):
    """One post for everybody, in each of ``languages`` (empty: all that the city writes)."""

    languages: Sequence[str] = ()

    def begin(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Mapping[str, Any]:
        """Do what nobody sees yet: upload a picture, make a container. JSON values, kept before ``publish`` is called
        and given to it, and to every later try, as ``rendering.begun``. Raises as ``publish``, but never Uncertain."""
        return {}

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        """Put it out. ``key`` is the same for every try. Raises Temporary, Permanent, Uncertain, ByHand."""
        raise NotImplementedError

    def update(self, rendering: Rendering, post: Post, *, key: str) -> Post:
        """A later message of the same alert; by default a reply under its first post."""
        return self.publish(rendering, key=key, reply_to=post)

    def look_up(
        self, rendering: Rendering, *, key: str, since: dt.datetime, reply_to: Post | None = None
    ) -> Post | None:
        """What an earlier try with this ``key`` put out, whose outcome is uncertain: its post, or None where it surely
        put out nothing. ``since`` is when the message was sent. Raises Uncertain where the platform can't tell, as
        here; Temporary where it can't be asked now."""
        raise Uncertain(_("Whether it went out is not known: look at the channel yourself."))

    def retract(self, post: Post) -> None:
        """Take back a post made in error (an all-clear is an update). Raises as ``publish``."""
        raise NotImplementedError


class Broadcaster(Channel):
    """One send to each subscriber."""

    way: ClassVar[str] = ""
    """Whose subscriptions it serves: push, sms or email (``channels.models.Way``)."""
    checkpoint: int = 500
    """Recipients handed to one ``send``, all of one language; each takes less than ``seconds``."""
    one_by_one: ClassVar[bool] = False
    """One batch at a time in the whole city, since the provider's limits are per sender."""
    personal: ClassVar[bool] = False
    """Its texts hold the resident's own link: recipients come with their ``token``."""
    prepares: ClassVar[bool] = False
    """Part of a send can be made ahead (``prepare``)."""

    def send(self, rendering: Rendering, recipients: Sequence[Recipient], *, key: str) -> Iterable[Outcome]:
        """Send to these; yields each outcome as its answer arrives. One recipient's failure is one outcome."""
        raise NotImplementedError

    def tell(self, service: Service, recipient: Recipient) -> Outcome:
        """Send a service text to one resident, here and now. Raises as ``Publisher.publish``."""
        raise NotImplementedError

    def prepare(self, address: str) -> bytes:
        """What one later send to this address can use, once. Pure. Raises ValueError for a malformed address."""
        raise NotImplementedError

    def price(self, rendering: Rendering) -> float | None:
        """Cents that this rendering costs for each recipient; None where nobody has said."""
        return None

    def look_up(
        self, rendering: Rendering, recipients: Sequence[Recipient], *, since: dt.datetime
    ) -> Iterable[Outcome]:
        """What became of recipients whose outcome is uncertain: accepted (the provider has it), temporary (it
        surely has not) or uncertain (it can't tell, as here)."""
        return [Outcome(recipient.id, "uncertain") for recipient in recipients]

    def arrived(self) -> Sequence[Receipt | Reply]:
        """What came over the channel's own connections (an SMPP session's) since last asked."""
        return []

    def receive(self, inbound: Inbound) -> Iterable[Receipt | Reply]:
        """What a provider's call says (a receipt, a bounce, a resident's answer). Raises Forged, ValueError."""
        raise Forged(self.name)
