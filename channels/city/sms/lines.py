"""Line: one gateway with how well it is; which are left for a while, and how they come back.

well --errs or slows--> left --pause over--> one text tries it --answered in time--> well
                          ^---------------------- errs or slows again: a longer pause
"""

from __future__ import annotations

import asyncio
import logging
import math
import statistics
import time
from collections import deque
from dataclasses import dataclass

from django.utils.translation import gettext as _

from channels.base import Permanent, Recipient, Temporary, Uncertain

from .gateways import Gateway, Refused, Text

log = logging.getLogger(__name__)

FIRST = 3
"""Texts that try a gateway at once before it has answered: so many are in doubt where it hangs, not fifty."""
PAUSES = (5.0, 300.0)
"""Seconds that a gateway is left at first, and at most; each further time twice as long."""
MISSET = 300.0
"""Seconds that a wrongly set up gateway is left: an administrator has to mend it."""
REMEMBERED = 20
"""Answer times that tell whether it slows."""
LOOK = 0.1
"""Seconds between two looks whether it slows."""
ENOUGH = 3
"""Fewer tell nothing."""


@dataclass(eq=False, slots=True)
class Turn:
    """One text under way. ``trial``: the one that tries a gateway that had been left."""

    trial: bool
    began: float = math.inf


class Line:
    """Used in one event loop only. ``slow``: seconds; above that, the median answer time is too long."""

    def __init__(self, gateway: Gateway, *, slow: float) -> None:
        self.gateway = gateway
        self.slow = slow
        self.state = "well"  # or slow, away, misset
        self.words = ""
        self.until = 0.0
        self.pause = PAUSES[0]
        self.window = min(FIRST, gateway.in_flight)
        self.turns: set[Turn] = set()
        self.times: deque[float] = deque(maxlen=REMEMBERED)
        self.next_slot = self.next_look = 0.0

    def forget(self) -> None:
        """What is open and under way belongs to another process."""
        self.turns.clear()
        self.gateway.forget()

    async def close(self) -> None:
        await self.gateway.close()

    # Whether it takes one more

    def look(self, now: float) -> None:
        """Leave it where its answers have become too slow, those still awaited among them."""
        if self.state != "well" or now < self.next_look:
            return
        self.next_look = now + min(LOOK, self.slow / 10)
        waiting = [now - turn.began for turn in self.turns if now - turn.began > self.slow]
        times = [*self.times, *waiting]
        if len(times) >= ENOUGH and statistics.median(times) > self.slow:
            self.leave("slow", _("answers take too long"), now)

    def trying(self) -> bool:
        return any(turn.trial for turn in self.turns)

    def takes(self, now: float) -> bool:
        """Whether a text may go this way now: up to its window while well, one on trial once its pause is over."""
        if self.state == "well":
            return len(self.turns) < self.window
        return now >= self.until and not self.trying()

    def spare(self) -> bool:
        """Whether it could take one although it is slow: better than nothing where no other gateway is well."""
        return self.state == "slow" and len(self.turns) < self.gateway.in_flight

    def wait(self, now: float) -> float:
        """Seconds until it may take one: 0 where an answer, or a free place, is awaited."""
        return 0.0 if self.state == "well" or self.trying() else max(0.0, self.until - now)

    def slot(self, now: float) -> float:
        """Seconds until its sender's limit lets the next text out; the slot is taken by ``send``."""
        return max(0.0, self.next_slot - now)

    # One text

    async def send(self, turn: Turn, sms: Text, to: Recipient) -> str:
        """Hand one text over in its turn (``begin``) and remember how that went. Raises as ``Gateway.submit``."""
        if self.gateway.per_second is not None:
            now = time.monotonic()
            delay = self.slot(now)
            self.next_slot = max(self.next_slot, now) + 1.0 / self.gateway.per_second
            if delay:
                await asyncio.sleep(delay)
        turn.began = time.monotonic()
        try:
            remote_id = await self.gateway.submit(sms, to)
        except Refused:
            self._answered(turn)
            raise
        except Temporary as error:
            self.leave("away", str(error), time.monotonic(), after=error.after, trial=turn.trial)
            raise
        except Permanent as error:
            self.leave("misset", str(error), time.monotonic(), after=MISSET, trial=turn.trial)
            raise
        except Uncertain as error:
            self.leave("away", str(error), time.monotonic(), trial=turn.trial)
            raise
        else:
            self._answered(turn)
        finally:
            self.turns.discard(turn)
        return remote_id

    def begin(self, now: float) -> Turn:
        turn = Turn(trial=self.state != "well" and now >= self.until and not self.trying())
        self.turns.add(turn)
        return turn

    def _answered(self, turn: Turn) -> None:
        now = time.monotonic()
        spent = now - turn.began
        if self.state == "well":
            self.times.append(spent)
            self.window = min(self.window + 1, self.gateway.in_flight)
            self.look(now)
        elif turn.trial and spent > self.slow:
            self.leave("slow", _("answers take too long"), now, trial=True)
        elif turn.trial:
            log.warning("SMS gateway %s is well again", self.gateway.name)
            self.state, self.words, self.pause = "well", "", PAUSES[0]
            self.window = min(FIRST, self.gateway.in_flight)
            self.times.clear()

    def leave(self, state: str, words: str, now: float, *, after: float | None = None, trial: bool = False) -> None:
        """Leave it for ``after`` seconds, or for a pause that grows. Several that fail together count once."""
        if self.state == "well" or trial:
            log.warning("SMS gateway %s is left for a while: %s", self.gateway.name, words)
            self.until = now + (self.pause if after is None else after)
            self.pause = min(2 * self.pause, PAUSES[1])
        elif after is not None:
            self.until = max(self.until, now + after)
        self.state, self.words = state, words
