"""Gateway: one way of handing an SMS to a network; what it must say about each text."""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from channels.base import Inbound, Outcome, Receipt, Recipient, Reply

KINDS = {
    "twilio": "channels.city.sms.twilio.Twilio",
    "smpp": "channels.city.sms.smpp.Smpp",
    "http": "channels.city.sms.httpgateway.HttpGateway",
    "folder": "channels.city.sms.folder.Folder",
}
"""kind -> class; only those in use are loaded, with their vendor's library."""

PUT_ASIDE: list[object] = []
"""A parent's connections in a forked process: never used, and never freed, which would say goodbye on them."""


class Refused(Exception):
    """This one text to this one number was not taken; nothing went out. ``str()`` is read by officers.

    ``state`` is permanent, or temporary where the number is to be tried again later. ``gone``: it is no
    number any more, or its holder wants no texts. ``elsewhere``: another gateway may take it.
    """

    def __init__(self, words: str, *, state: str = "permanent", gone: bool = False, elsewhere: bool = False) -> None:
        super().__init__(words)
        self.state = state
        self.gone = gone
        self.elsewhere = elsewhere


@dataclass(frozen=True, slots=True)
class Text:
    """What one resident is to read. ``expires`` ends its use; ``tracked``: receipts belong to the recipient's row."""

    text: str
    expires: dt.datetime | None = None
    tracked: bool = False

    def seconds_left(self, most: int) -> int | None:
        """How long it may still wait in a network, 1 to ``most`` seconds; None where nothing is said."""
        if self.expires is None:
            return None
        return max(1, min(most, int((self.expires - dt.datetime.now(dt.UTC)).total_seconds())))


class Gateway:
    """One entry of ``gateways``. All ``async`` methods run in one event loop, which ends with ``close``.

    ``name`` is what officers read. ``per_second``: texts that its sender may put out each second.
    ``in_flight``: requests open at once. ``timeout``: seconds that one of them may take.
    """

    kind: ClassVar[str] = ""
    finds: ClassVar[bool] = False
    """It can tell afterwards what it took."""

    def __init__(
        self, name: str, *, per_second: float | None = None, in_flight: int = 50, timeout: float = 10.0
    ) -> None:
        if (per_second is not None and per_second <= 0) or in_flight < 1 or not 0 < timeout <= 15:
            raise ValueError(
                _("{name}: per_second and in_flight are above 0, timeout is at most 15 seconds").format(name=name)
            )
        self.name = name
        self.per_second = per_second
        self.in_flight = in_flight
        self.timeout = timeout

    async def submit(self, sms: Text, to: Recipient) -> str:
        """Hand it over; the remote id. Raises Refused, or for the gateway itself, which took nothing: Temporary
        (away, busy) and Permanent (wrongly set up); Uncertain where it may have gone out."""
        raise NotImplementedError

    async def find(self, sms: Text, to: Recipient, since: dt.datetime) -> Outcome | None:
        """What it knows of a text that it may have taken; None where it surely has none. Raises ChannelError."""
        raise NotImplementedError

    async def probe(self) -> str:
        """A harmless look whether it would take a text now: words for the desk. Raises ChannelError."""
        return ""

    async def close(self) -> None:
        """End its connections."""

    def forget(self) -> None:
        """Put aside connections that belong to the process this one was forked from."""

    def receive(self, inbound: Inbound) -> Iterable[Receipt | Reply] | None:
        """What its provider's call says; None where it does not prove to be its provider's. Raises ValueError."""
        return None

    def arrived(self) -> list[Receipt | Reply]:
        """Receipts and replies that came over its own connection since last asked."""
        return []


def made(entries: Sequence[Mapping[str, object]], shared: Mapping[str, object]) -> list[Gateway]:
    """The gateways of ``channels.toml`` in their order. ``shared`` holds what some need: callback, data_dir.

    Raises ValueError in plain words, without any value of an option.
    """
    found: list[Gateway] = []
    for entry in entries:
        options = dict(entry)
        kind = str(options.pop("kind", ""))
        if kind not in KINDS:
            raise ValueError(
                _('a gateway of kind "{kind}" is not known; there are: {kinds}').format(
                    kind=kind, kinds=", ".join(KINDS)
                )
            )
        name = str(options.pop("name", kind))
        if any(gateway.name == name for gateway in found):
            raise ValueError(_('two gateways are called "{name}": give each a name').format(name=name))
        adapter = import_string(KINDS[kind])
        known = _options(adapter)
        given = {**{key: value for key, value in shared.items() if key in known}, **options}
        if unknown := sorted(set(options) - set(known)):
            text = _('the gateway "{name}" has no option {options}')
            raise ValueError(text.format(name=name, options=", ".join(unknown)))
        if missing := sorted(key for key, needed in known.items() if needed and given.get(key) in {None, ""}):
            text = _('the gateway "{name}" lacks {options}')
            raise ValueError(text.format(name=name, options=", ".join(missing)))
        found.append(adapter(name, **given))
    if not found:
        raise ValueError(_("no gateway is set up: without one, no SMS leaves"))
    return found


def _options(adapter: type[Gateway]) -> dict[str, bool]:
    """What a gateway can be told, its own and those of all; whether it must be."""
    return {
        name: parameter.default is inspect.Parameter.empty
        for known in reversed(adapter.__mro__)
        if issubclass(known, Gateway)
        for name, parameter in inspect.signature(known.__init__).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
