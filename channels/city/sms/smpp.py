"""SMPP 3.4 to a carrier, as a transceiver: parts by user data header, answers by status, receipts over the session."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections import deque
from itertools import cycle
from typing import Any

from aiosmpplib import NPI, TON, DeliverSm, GenericNack, PhoneNumber, SmppCommandStatus, SmppError, SubmitSm
from aiosmpplib.codec import GSM7BitCodec
from aiosmpplib.state import MESSAGE_STATE
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from channels.base import ChannelError, Permanent, Receipt, Recipient, Reply, Temporary, Uncertain

from . import text
from .gateways import PUT_ASIDE, Gateway, Refused, Text
from .smppsession import Session

LONGEST = 172_800
"""Seconds that a carrier may be asked to keep a text."""
KEPT = 10_000
"""Receipts and replies that wait to be fetched; older ones are dropped."""
UDHI = 0b0100_0000
STEPS = 4
"""Times that a further part is tried again while the carrier is busy: the first one is out already."""
STEP = 0.5
MISSET = {
    SmppCommandStatus.ESME_RINVBNDSTS, SmppCommandStatus.ESME_RINVSRCADR, SmppCommandStatus.ESME_RINVSERTYP,
    SmppCommandStatus.ESME_RINVSRCTON, SmppCommandStatus.ESME_RINVSRCNPI, SmppCommandStatus.ESME_RINVDSTTON,
    SmppCommandStatus.ESME_RINVDSTNPI, SmppCommandStatus.ESME_RINVSYSTYP, SmppCommandStatus.ESME_RINVPASWD,
    SmppCommandStatus.ESME_RINVSYSID, SmppCommandStatus.ESME_RBINDFAIL,
}  # fmt: skip
BUSY = {
    SmppCommandStatus.ESME_RTHROTTLED: gettext_lazy("SMPP: the carrier gets too many texts."),
    SmppCommandStatus.ESME_RMSGQFUL: gettext_lazy("SMPP: too many texts wait at the carrier."),
    SmppCommandStatus.ESME_RSYSERR: gettext_lazy("SMPP: the carrier has a fault."),
    SmppCommandStatus.ESME_RSUBMITFAIL: gettext_lazy("SMPP: the carrier has a fault."),
    SmppCommandStatus.ESME_RX_T_APPN: gettext_lazy("SMPP: the carrier has a fault."),
}
STATES = {
    **dict.fromkeys(("DELIVRD", 2), "delivered"),
    **dict.fromkeys(("EXPIRED", "DELETED", "UNDELIV", "REJECTD", 3, 4, 5, 8), "failed"),
    **dict.fromkeys(("ENROUTE", "ACCEPTD", 1, 6), "accepted"),
}
"""What a receipt says (SMPP 3.4, 5.2.28 and appendix B) -> what it is for us."""


class Smpp(Gateway):
    """Needs ``host``, ``port``, ``system_id``, ``password`` and ``sender``: a name, a number or a short code.

    ``in_flight`` is the window that the carrier allows. ``payload``: a long text goes as one
    message_payload instead of parts. ``receipts``: ask for them; they are read while the session of this
    process stands (``arrived``), and lost to it afterwards. It is ended after ``idle`` seconds without a
    text: carriers allow few of them at once. SMPP itself is not encrypted: reach the carrier over its VPN
    or a TLS tunnel.
    """

    kind = "smpp"

    def __init__(
        self,
        name: str,
        *,
        host: str,
        port: int,
        system_id: str,
        password: str,
        sender: str,
        system_type: str = "",
        payload: bool = False,
        receipts: bool = True,
        idle: float = 30.0,
        in_flight: int = 10,
        **common: Any,
    ) -> None:
        super().__init__(name, in_flight=in_flight, **common)
        if len(password) > 8 or len(system_id) > 15:
            raise ValueError(_("{name}: SMPP allows 15 characters for system_id, 8 for password").format(name=name))
        self._bind = {
            "smsc_host": host,
            "smsc_port": port,
            "system_id": system_id,
            "password": password,
            "system_type": system_type,
        }
        self._sender = _address(sender)
        self._payload = payload
        self._receipts = receipts
        self._idle = idle
        self._used = 0.0
        self._under_way = 0
        self._watch: asyncio.Task[None] | None = None
        self._references = cycle(range(256))
        self._session: Session | None = None
        self._binding = asyncio.Lock()
        self._failure: tuple[float, ChannelError] | None = None
        self._arrived: deque[Receipt | Reply] = deque(maxlen=KEPT)

    async def submit(self, sms: Text, to: Recipient) -> str:
        session = await self._bound()
        remote_id = ""
        self._under_way += 1
        try:
            async with asyncio.timeout(self.timeout):
                for part in self._parts(sms, to):
                    remote_id = await _hand(session, part, first=not remote_id)
        except TimeoutError:
            raise Uncertain(_("SMPP: no answer in time")) from None
        finally:
            self._under_way -= 1
            self._used = time.monotonic()
        return f"{self.name}:{remote_id}"

    def _parts(self, sms: Text, to: Recipient) -> list[SubmitSm]:
        left = sms.seconds_left(LONGEST)
        common: dict[str, Any] = {
            "source": self._sender,
            "destination": PhoneNumber(to.address.lstrip("+"), TON.INTERNATIONAL, NPI.ISDN),
            "encoding": "ucs2" if text.encoding(sms.text) == text.UCS2 else None,
            "validity_period": None if left is None else dt.timedelta(seconds=left),
        }
        said = text.parts(sms.text)
        wanted = int(self._receipts)
        if len(said) == 1:
            return [SubmitSm(short_message=sms.text, registered_delivery=wanted, **common)]
        if self._payload:
            return [SubmitSm(message_payload=sms.text, registered_delivery=wanted, **common)]
        found = []
        reference = next(self._references)
        for number, part in enumerate(said, start=1):
            # one receipt for the whole: the last part's
            last = wanted if number == len(said) else 0
            message = SubmitSm(short_message=part, esm_class=UDHI, registered_delivery=last, **common)
            header = bytes((5, 0, 3, reference, len(said), number))
            message.set_encoded_message(header + _encoded(part, common["encoding"]))
            found.append(message)
        return found

    async def _bound(self) -> Session:
        """The session, bound anew where there is none. Those who waited for an attempt that failed share its error."""
        asked = time.monotonic()
        async with self._binding:
            if self._session is not None and not self._session.lost:
                return self._session
            if self._failure is not None and self._failure[0] >= asked:
                raise self._failure[1]
            try:
                self._session = await self._new()
            except ChannelError as error:
                self._failure = (time.monotonic(), error)
                raise
            self._used = time.monotonic()
            self._watch = asyncio.create_task(self._end_when_idle(self._session))
            return self._session

    async def _end_when_idle(self, session: Session) -> None:
        while session is self._session and not session.lost:
            async with self._binding:  # or somebody might just be given it
                left = self._used + self._idle - time.monotonic()
                if left <= 0 and not self._under_way:
                    await self._hang_up()
                    return
            await asyncio.sleep(max(left, self._idle / 10))

    async def _new(self) -> Session:
        await self._hang_up()
        session = Session(self._hear, timeout=self.timeout, **self._bind)
        try:
            async with asyncio.timeout(self.timeout):
                await session.bind()
        except SmppError as error:
            await session.close()
            words = _("SMPP: the carrier refuses to be bound ({status}).").format(status=error.command_status.name)
            raise Permanent(words) if error.command_status in MISSET else Temporary(words) from None
        except (OSError, TimeoutError, EOFError, ValueError) as error:
            await session.close()
            raise Temporary(_("SMPP: no connection")) from error
        return session

    async def _hang_up(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def close(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
        await self._hang_up()
        self._binding = asyncio.Lock()  # a lock belongs to its loop

    def forget(self) -> None:
        PUT_ASIDE.append(self._session)
        self._session = None
        self._binding = asyncio.Lock()

    async def probe(self) -> str:
        """Bind, or see that the session still stands."""
        await self._bound()
        return _("SMPP: the carrier is bound.")

    def arrived(self) -> list[Receipt | Reply]:
        # one by one: the session's thread adds to it meanwhile
        return [self._arrived.popleft() for _number in range(len(self._arrived))]

    def _hear(self, message: DeliverSm) -> None:
        if not message.is_receipt():
            sender = message.source.number
            self._arrived.append(Reply(f"+{sender.lstrip('+')}", message.short_message or message.message_payload))
            return
        told = message.parse_receipt()
        coded = next((one.value for one in message.optional_params or [] if one.tag == MESSAGE_STATE), None)
        state = STATES.get(str(told.get("stat", "")).upper()) or STATES.get(coded)
        if told.get("id") and state is not None:
            words = _("SMPP: the carrier could not deliver it.") if state == "failed" else ""
            self._arrived.append(Receipt(state, f"{self.name}:{told['id']}", words=words))


async def _hand(session: Session, part: SubmitSm, *, first: bool) -> str:
    """Hand over one part; its id. What the first is refused with, nothing of the text got."""
    for step in range(STEPS):
        try:
            answer = await session.ask(part)
        except Temporary:
            if first:
                raise
            break
        status = answer.command_status
        if status == SmppCommandStatus.ESME_ROK and not isinstance(answer, GenericNack):
            return str(answer.message_id)
        if first:
            raise _meaning(status)
        if status not in BUSY:
            break
        await asyncio.sleep(STEP * (step + 1))
    raise Uncertain(_("SMPP: a part of the text went out, the rest did not."))


def _meaning(status: SmppCommandStatus) -> Refused | ChannelError:
    if status in BUSY:
        return Temporary(str(BUSY[status]))
    words = _("SMPP: the carrier did not take it ({status}).").format(status=status.name)
    return Permanent(words) if status in MISSET else Refused(words, elsewhere=True)


def _encoded(part: str, encoding: str | None) -> bytes:
    return part.encode("utf-16-be") if encoding else bytes(GSM7BitCodec().encode(part)[0])


def _address(sender: str) -> PhoneNumber:
    """A sender as SMPP tells them apart: a number with a plus, a short code, a name of up to 11 letters."""
    if sender.startswith("+"):
        return PhoneNumber(sender[1:], TON.INTERNATIONAL, NPI.ISDN)
    if sender.isdecimal():
        return PhoneNumber(sender, TON.NETWORK_SPECIFIC, NPI.ISDN)
    return PhoneNumber(sender, TON.ALPHANUMERIC, NPI.UNKNOWN)
