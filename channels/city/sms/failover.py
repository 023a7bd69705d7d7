"""One send over the gateways in their order: a text that surely did not go out goes to the next one, no other does."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence

from django.utils.translation import gettext as _

from channels.base import ChannelError, Outcome, Permanent, Recipient, Temporary, Uncertain

from .gateways import Refused, Text
from .lines import LOOK, Line

PATIENCE = 2.0
"""Seconds that a send waits for a gateway to come back; a longer wait is the batch's."""


class Dispatch:
    """What one ``send`` still has to hand over, by at most ``in_flight`` requests at once.

    ``tell`` gets each outcome as its answer arrives. No text is begun later than ``budget`` seconds
    from now. Lives in the lines' event loop.
    """

    def __init__(
        self, lines: Sequence[Line], sms: Text, tell: Callable[[Outcome], None], *, in_flight: int, budget: float
    ) -> None:
        self.lines = lines
        self.sms = sms
        self.tell = tell
        self.in_flight = in_flight
        self.until = time.monotonic() + budget
        self.moved = asyncio.Event()
        self.alive = False  # some gateway has answered for a text
        self.held: list[tuple[Recipient, Temporary]] = []
        self.troubles: list[ChannelError] = []
        self.left = 0

    async def run(self, recipients: Sequence[Recipient]) -> None:
        """Raises Temporary or Permanent for the channel where gateways carried none of what is left.

        Whoever then has no outcome surely got nothing.
        """
        waiting = deque(recipients)
        async with asyncio.TaskGroup() as group:
            for _number in range(min(self.in_flight, len(waiting))):
                group.create_task(self._carry(waiting))
        if self.alive:
            for recipient, error in self.held:
                self.tell(Outcome(recipient.id, "temporary", str(error), after=error.after))
        elif self.held:
            self.left += len(self.held)
        if self.left:
            raise self._trouble()

    async def _carry(self, waiting: deque[Recipient]) -> None:
        while waiting:
            recipient = waiting.popleft()
            outcome = await self._one(recipient)
            if outcome is not None:
                self.tell(outcome)

    async def _one(self, to: Recipient) -> Outcome | None:
        """One text's outcome; None where it waits for the end (``held``, ``left``)."""
        tried: list[Line] = []
        last: Refused | ChannelError | None = None
        while (line := await self._line(tried)) is not None:
            tried.append(line)
            turn = line.begin(time.monotonic())
            try:
                remote_id = await line.send(turn, self.sms, to)
            except Refused as refusal:
                self.alive = True
                last = refusal
                if not refusal.elsewhere:
                    break
            except Uncertain as error:
                return Outcome(to.id, "uncertain", str(error))
            except (Temporary, Permanent) as error:
                last = error
                self.troubles.append(error)
            else:
                self.alive = True
                return Outcome(to.id, "accepted", remote_id=remote_id)
            finally:
                self.moved.set()
        return self._not_taken(to, last, everywhere=len(tried) == len(self.lines))

    def _not_taken(self, to: Recipient, last: Refused | ChannelError | None, *, everywhere: bool) -> Outcome | None:
        if isinstance(last, Refused) and (everywhere or not last.elsewhere):
            return Outcome(to.id, last.state, str(last), gone=last.gone)
        if last is None:
            self.left += 1
        else:
            self.held.append((to, last if isinstance(last, Temporary) else Temporary(str(last))))
        return None

    async def _line(self, tried: Sequence[Line]) -> Line | None:
        """The first gateway that takes this text, as soon as one does; None where none will in time."""
        left = [line for line in self.lines if line not in tried]
        while left:
            now = time.monotonic()
            line = _choose(left, now)
            if line is not None:
                return line if now + line.slot(now) <= self.until else None
            wait = min(one.wait(now) for one in left)
            if wait > PATIENCE or now + wait >= self.until:
                return None
            self.moved.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.moved.wait(), min(max(wait, LOOK), self.until - now))
        return None

    def _trouble(self) -> ChannelError:
        """What to tell of those that no gateway carried."""
        if all(line.state == "misset" for line in self.lines):
            return Permanent(self.lines[0].words)
        asked = [error.after for error in self.troubles if isinstance(error, Temporary) and error.after is not None]
        words = next((line.words for line in self.lines if line.words), "")
        if words:
            return Temporary(words, after=max(asked, default=None))
        return Temporary(_("There was not enough time for all texts. The rest follows."), after=1.0)


def _choose(lines: Sequence[Line], now: float) -> Line | None:
    """The gateway for one text now; None where it should wait: for a free place, a trial, or the end of a pause."""
    for line in lines:
        line.look(now)
        if line.takes(now):
            return line
        if line.state == "well":
            return None
    return next((line for line in lines if line.spare()), None)
