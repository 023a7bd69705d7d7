"""SMS over one gateway or several in order; each text counted, paced, tracked, and never sent twice unasked."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.utils import translation
from django.utils.translation import gettext as _

from alerts.notice import Notice, Rendering
from alerts.terms import ui_language
from channels.base import (
    Broadcaster,
    ChannelError,
    Forged,
    Hop,
    Inbound,
    Outcome,
    Permanent,
    Receipt,
    Recipient,
    Reply,
    Service,
    Temporary,
    Uncertain,
)

from . import wording
from .aside import Aside
from .failover import Dispatch
from .gateways import Gateway, Text, made
from .lines import Line
from .text import characters, encoding, plain, segments

BUDGET = 25.0
"""Seconds in which the texts of one checkpoint are begun; the last answers come within a time-out of it."""

TELLING = 5.0
"""Seconds in which a service text is begun: somebody waits for it."""


def _hop(gateway: Gateway) -> Hop:
    """Who takes the texts of a gateway; each text goes by one of them."""
    return Hop("Twilio", "abroad") if gateway.kind == "twilio" else Hop(gateway.name, "eu")


class Sms(Broadcaster):
    """Texts to residents who subscribed by number.

    ``gateways``: what they leave by, in order (``gateways.KINDS``; each may have per_second, in_flight,
    timeout). ``segments``: what one text may cost. ``leave``: how it says to end it (``wording.LEAVE``).
    ``in_flight``: requests open at once. ``slow_seconds``: a gateway that takes longer, as a median, is
    left for the next one. ``price``: cents that one segment costs, for the estimate at the desk.
    """

    way: ClassVar[str] = "sms"
    city: ClassVar[bool] = True
    idempotent: ClassVar[bool] = False
    one_by_one: ClassVar[bool] = True
    seconds: ClassVar[float] = 45.0

    def __init__(
        self,
        name: str,
        *,
        address: str = "",
        data_dir: str = "",
        gateways: Sequence[Mapping[str, object]] = ({"kind": "folder"},),
        segments: int = 3,
        leave: str = "link",
        checkpoint: int = 50,
        in_flight: int = 50,
        slow_seconds: float = 5.0,
        price: float = 0.0,
    ) -> None:
        super().__init__(name)
        if leave not in wording.LEAVE:
            raise ValueError(_("leave is one of {words}").format(words=", ".join(wording.LEAVE)))
        if not (1 <= segments <= 10 and 1 <= in_flight <= 50 and 1 <= checkpoint <= 500 and slow_seconds > 0):
            raise ValueError(_("segments is 1 to 10, in_flight 1 to 50, checkpoint 1 to 500, slow_seconds above 0"))
        if price < 0:
            raise ValueError(_("price is a number of cents, 0 or more"))
        self.cents = price
        self.segments = segments
        self.leave = leave
        self.in_flight = in_flight
        self.gateways = made(gateways, {"callback": f"{address}/s/hooks/{name}/", "data_dir": data_dir})
        self.hops = tuple(_hop(one) for one in self.gateways if one.kind != "folder")
        limits = [one.per_second for one in self.gateways if one.per_second is not None]
        # one checkpoint must end in time even where the slowest sender carries all of it
        self.checkpoint = max(1, min(checkpoint, int(BUDGET / 2 * min(limits)))) if limits else checkpoint
        self._lines = [Line(gateway, slow=slow_seconds) for gateway in self.gateways]
        self._aside = Aside(self._lines)

    def compose(self, notice: Notice) -> Rendering:
        """The text, and what it costs: ``encoding``, ``segments`` and, as networks count them, ``characters``."""
        with translation.override(ui_language(notice.words_language)):
            words, tails = wording.said(notice, self.leave)
        text = wording.together(words, tails, self.segments)
        fields = {
            "text": text,
            "encoding": encoding(text),
            "segments": segments(text),
            "characters": characters(text),
        }
        return Rendering(self.name, notice.language, fields)

    def measure(self, rendering: Rendering) -> tuple[int, int] | None:
        text = str(rendering.fields["text"])
        return characters(text), wording.room(text, self.segments)

    def price(self, rendering: Rendering) -> float | None:
        return self.cents * segments(str(rendering.fields["text"])) or None

    def send(
        self, rendering: Rendering, recipients: Sequence[Recipient], *, key: str
    ) -> Generator[Outcome, None, None]:
        """Hand the text over for each recipient; yields outcomes as answers arrive, in any order.

        Raises Temporary or Permanent where no gateway carries what is left: whoever has no outcome then
        surely got nothing.
        """
        sms = _text(rendering)
        if sms.expires is not None and sms.expires <= dt.datetime.now(dt.UTC):
            raise Permanent(_("The warning has ended before its texts went out."))
        return self._over(sms, recipients, BUDGET)

    def _over(self, sms: Text, recipients: Sequence[Recipient], budget: float) -> Generator[Outcome, None, None]:
        def work(tell: Callable[[Outcome], None]) -> Coroutine[Any, Any, None]:
            return Dispatch(self._lines, sms, tell, in_flight=self.in_flight, budget=budget).run(recipients)

        return self._aside.stream(work)

    def tell(self, service: Service, recipient: Recipient) -> Outcome:
        """Send one service text now: accepted, or permanent where the number is refused. Raises ChannelError."""
        text = wording.fitted(plain(service.body), service.url, self.segments)
        [outcome] = self._over(Text(text), [recipient], TELLING)
        if outcome.state == "temporary":
            raise Temporary(outcome.words, after=outcome.after)
        if outcome.state == "uncertain":
            raise Uncertain(outcome.words)
        return outcome

    def look_up(
        self, rendering: Rendering, recipients: Sequence[Recipient], *, since: dt.datetime
    ) -> Generator[Outcome, None, None]:
        """Ask those gateways that can tell. ``temporary`` only where all can and none has it."""
        sms = _text(rendering)

        async def work(tell: Callable[[Outcome], None]) -> None:
            at_once = asyncio.Semaphore(self.in_flight)

            async def one(recipient: Recipient) -> None:
                async with at_once:
                    tell(await self._found(sms, recipient, since))

            async with asyncio.TaskGroup() as group:
                for recipient in recipients:
                    group.create_task(one(recipient))

        return self._aside.stream(work)

    async def _found(self, sms: Text, recipient: Recipient, since: dt.datetime) -> Outcome:
        sure = all(gateway.finds for gateway in self.gateways)
        words = _("The gateway can't tell whether it took this text.")
        for gateway in self.gateways:
            try:
                found = await gateway.find(sms, recipient, since) if gateway.finds else None
            except ChannelError as error:
                sure, words = False, str(error)
            else:
                if found is not None:
                    return found
        return Outcome(recipient.id, "temporary" if sure else "uncertain", "" if sure else words)

    def receive(self, inbound: Inbound) -> Iterable[Receipt | Reply]:
        """What a provider's call says, once one of the gateways has found it genuine. Raises Forged, ValueError."""
        for gateway in self.gateways:
            told = gateway.receive(inbound)
            if told is not None:
                return told
        raise Forged(self.name)

    def arrived(self) -> list[Receipt | Reply]:
        """Receipts and replies that came over the gateways' own connections (SMPP) since last asked."""
        return [one for gateway in self.gateways for one in gateway.arrived()]

    def probe(self) -> str:
        """Whether each gateway would take a text now. Raises ChannelError where none would."""

        async def all_() -> list[str | BaseException]:
            return await asyncio.gather(*(one.probe() for one in self.gateways), return_exceptions=True)

        found = self._aside.ask(all_())
        failed = [one for one in found if isinstance(one, BaseException)]
        for one in failed:
            if not isinstance(one, ChannelError):
                raise one
        words = " ".join(f"{gateway.name}: {told}" for gateway, told in zip(self.gateways, found, strict=True))
        if len(failed) == len(found):
            raise (Permanent if all(isinstance(one, Permanent) for one in failed) else Temporary)(words)
        return words

    def close(self) -> None:
        """End all connections. The next text opens them anew."""
        self._aside.close()


def _text(rendering: Rendering) -> Text:
    ends = rendering.slots.get("expires")
    return Text(str(rendering.fields["text"]), dt.datetime.fromisoformat(ends) if ends else None, tracked=True)
