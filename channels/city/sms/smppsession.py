"""One SMPP session by aiosmpplib: each request gets its answer, or learns that the session was lost with it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from aiosmpplib import (
    ESME,
    AbstractCorrelator,
    AbstractHook,
    AbstractRetryTimer,
    BindMode,
    DeliverSm,
    DeliverSmResp,
    GenericNack,
    PduHeader,
    SmppCommand,
    SmppCommandStatus,
    SmppError,
    SmppMessage,
    SubmitSm,
    SubmitSmResp,
)
from aiosmpplib.protocol import PDU_HEADER_LENGTH
from django.utils.translation import gettext as _

from channels.base import Temporary, Uncertain

HEARTBEAT = 20.0
"""Seconds of silence after which the other side is asked whether it is there."""
STOPPING = 2.0


@dataclass(eq=False, slots=True)
class Asked:
    """A request and its answer to come, None where the session is lost; ``sent`` once it is on its way."""

    answer: asyncio.Future[SubmitSmResp | GenericNack | None]
    sent: bool = False


class Session:
    """Bound to one SMSC until it is lost or closed; then a new one has to be made.

    ``heard`` is called with each ``deliver_sm``. The library keeps the line alive, frames and answers;
    who waits for which answer is kept here, by sequence number.
    """

    def __init__(self, heard: Callable[[DeliverSm], None], *, timeout: float, **bind: Any) -> None:
        self.lost = False
        self._asked: dict[str, Asked] = {}
        self._sequence: dict[int, str] = {}
        self._names = count(1)
        self._esme = _Esme(
            **bind,
            bind_mode=BindMode.TRANSCEIVER,
            hook=_Hook(self, heard),
            correlator=_Nothing(),
            retry_timer=_Once(self),
            enquire_link_interval=HEARTBEAT,
            socket_timeout=timeout,
            # what it would log holds numbers and texts
            log_level=logging.CRITICAL,
            log_handler=logging.NullHandler(),
        )
        self._task: asyncio.Task[None] | None = None

    async def bind(self) -> None:
        """Connect and bind. Raises SmppError where that is refused, OSError or TimeoutError where nobody answers."""
        await self._esme.connect()
        self._task = asyncio.create_task(self._esme.start())

    async def ask(self, message: SubmitSm) -> SubmitSmResp | GenericNack:
        """Send one part and wait for its answer, as long as the caller likes.

        Raises Temporary where the session is lost and it surely did not leave, Uncertain where it may have.
        """
        if self.lost:
            raise Temporary(_("SMPP: the session was lost"))
        asked = Asked(asyncio.get_running_loop().create_future())
        message.log_id = str(next(self._names))
        self._asked[message.log_id] = asked
        try:
            await self._esme.broker.enqueue(message)
            answer = await asked.answer
            if answer is None:
                words = _("SMPP: the session was lost")
                raise Uncertain(words) if asked.sent else Temporary(words)
            return answer
        finally:
            self._asked.pop(message.log_id, None)

    def sending(self, message: SmppMessage) -> None:
        if isinstance(message, SubmitSm) and message.log_id in self._asked:
            self._asked[message.log_id].sent = True
            self._sequence[message.sequence_num] = message.log_id

    def answered(self, message: SubmitSmResp | GenericNack) -> None:
        asked = self._asked.get(self._sequence.pop(message.sequence_num, ""))
        if asked is not None and not asked.answer.done():
            asked.answer.set_result(message)

    def unsent(self, message: SmppMessage) -> None:
        """It could not be put on its way; whether a part of it was written, nobody knows."""
        asked = self._asked.get(message.log_id) if isinstance(message, SubmitSm) else None
        if asked is not None and not asked.answer.done():
            asked.answer.set_result(None)

    def end(self) -> None:
        """The session is lost: whoever waits learns it."""
        self.lost = True
        for asked in self._asked.values():
            if not asked.answer.done():
                asked.answer.set_result(None)

    async def close(self) -> None:
        """Unbind and disconnect."""
        if self._task is not None:
            if not self.lost:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._esme.stop(), STOPPING)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=STOPPING)
        self._esme.hang_up()
        self.end()


class _Hook(AbstractHook):  # type: ignore[misc]  # has no types
    def __init__(self, session: Session, heard: Callable[[DeliverSm], None]) -> None:
        self.session = session
        self.heard = heard

    async def sending(self, smpp_message: SmppMessage, pdu: bytes, client_id: str) -> None:
        self.session.sending(smpp_message)

    async def received(self, smpp_message: SmppMessage | None, pdu: bytes, client_id: str) -> None:
        if isinstance(smpp_message, DeliverSm):
            self.heard(smpp_message)
        elif isinstance(smpp_message, SubmitSmResp | GenericNack):
            self.session.answered(smpp_message)

    async def send_error(self, smpp_message: SmppMessage, error: Exception, client_id: str) -> None:
        self.session.unsent(smpp_message)


class _Once(AbstractRetryTimer):  # type: ignore[misc]  # has no types
    """The library asks when to connect again: never. It is told so when the session is lost."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def wait(self) -> None:
        self.session.end()
        await asyncio.Event().wait()  # until ``close`` cancels it

    def reset(self) -> None:
        """Nothing is counted."""

    def next_delay(self) -> float:
        return 0.0


class _Nothing(AbstractCorrelator):  # type: ignore[misc]  # has no types
    """Keeps nothing: the library's own would hold each number for three days, and look through all at each text."""

    def get_cumulated_status(self, ref_num: int) -> int:
        return 0

    async def expired(self, smpp_message: SmppMessage) -> None: ...

    async def put(self, smpp_message: SmppMessage) -> None: ...

    async def put_delivery(self, smsc_message_id: str, submit_sm: SubmitSm) -> None: ...

    async def put_delivery_segmented(self, deliver_sm: DeliverSm) -> DeliverSm | None:
        return deliver_sm

    async def get(self, response: SmppMessage) -> SmppMessage | None:
        return None

    async def get_segmented(self, smpp_seq_num: int, remove: bool = False) -> tuple[None, int]:
        return None, 0

    async def get_delivery(self, receipt: DeliverSm) -> SubmitSm | None:
        return None


class _Esme(ESME):  # type: ignore[misc]  # has no types
    """The library ends a session over a status or a receipt that it can't read; carriers send both."""

    def hang_up(self) -> None:
        """Close the connection where it is still open: one that could not be bound is left so."""
        if self._writer is not None:
            self._writer.close()

    async def _get_pdu(self) -> tuple[bytes, PduHeader]:
        head: bytes = await self._reader.readexactly(PDU_HEADER_LENGTH)
        if int.from_bytes(head[8:12]) not in SmppCommandStatus._value2member_map_:
            # a carrier's own status (SMPP 3.4, 5.1.3: 0x400 to 0x4FF)
            head = head[:8] + int(SmppCommandStatus.ESME_RUNKNOWNERR).to_bytes(4) + head[12:]
        header = SmppMessage.parse_header(head)
        refused = header.command_status not in {SmppCommandStatus.ESME_ROK, SmppCommandStatus.ESME_RALYBND}
        if header.smpp_command == SmppCommand.BIND_TRANSCEIVER_RESP and refused:
            # it need not have a body then (5.1), but the library looks for one before it looks at the status
            raise SmppError(header.smpp_command, header.command_status)
        return head + await self._reader.readexactly(header.pdu_length - PDU_HEADER_LENGTH), header

    async def _handle_request(self, pdu: bytes, header: PduHeader) -> SmppMessage | None:
        try:
            return await super()._handle_request(pdu, header)
        except ValueError:
            # taken all the same, or the carrier would send it again for days
            await self._send_data(DeliverSmResp(header.sequence_num))
            return None
