"""Connections to the mail server that stay open between two sends, several of them driven at once by one thread."""

from __future__ import annotations

import os
import selectors
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from channels.base import ChannelError, Temporary

from .dialog import Answer, Mail
from .line import Line
from .server import CONNECT_SECONDS, Server, connect

MODEST_SECONDS = 60.0
"""So long no more connections are tried than the server last let us have."""


class Pool:
    """Up to ``connections`` to one server, for any thread of this process; a forked child begins with none.

    ``timeout`` seconds without a byte from the server, and a connection is given up.
    """

    def __init__(
        self,
        server: Server,
        *,
        connections: int,
        timeout: float,
        pipelining: bool = True,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self.most = connections
        self._timeout = timeout
        self._context = context
        self._pipelining = pipelining
        self._modest = (connections, 0.0)
        self._fresh()

    def send(self, mails: Iterable[Mail], count: int, *, seconds: float) -> Iterator[Answer]:
        """Send these ``count`` mails within ``seconds``; one Answer for each, in the order in which they come.

        A mail whose connection broke goes once more over another. Raises Temporary or Permanent where no
        connection can be made, Temporary where the server answered nothing at all.
        """
        round_ = _Round(self, mails, count, time.monotonic() + seconds)
        try:
            yield from round_.run()
        finally:
            round_.end()

    def look(self) -> None:
        """Have a server prove that it is there: connect anew and log in. Raises as ``send``."""
        self._open(CONNECT_SECONDS).leave()

    def close(self) -> None:
        """Let all idle connections go."""
        for line in self._idle:
            line.leave()
        self._idle.clear()

    def borrow(self, count: int, until: float) -> list[Line]:
        """At most ``count`` connections, open ones first. Raises as ``send`` where there is none at all."""
        if self._process != os.getpid():
            self._forget()
        found: list[Line] = []
        with self._lock:
            while self._idle and len(found) < count:
                line = self._idle.pop()
                if line.fit():
                    found.append(line)
                else:
                    line.close()
        most, modest_until = self._modest
        lacking = min(count, most if time.monotonic() < modest_until else self.most) - len(found)
        opened, errors = self._open_several(max(lacking, 0 if found else 1), until)
        found += opened
        if not found:
            raise errors[0]
        if errors:
            self._modest = (len(found), time.monotonic() + MODEST_SECONDS)
        return found

    def one_more(self, until: float) -> Line | None:
        """A new connection in place of one that broke; None where there is none to be had."""
        opened, _errors = self._open_several(1, until)
        return opened[0] if opened else None

    def give_back(self, line: Line) -> None:
        """Keep a connection for the next send."""
        line.rest()
        with self._lock:
            self._idle.append(line)

    def _open_several(self, count: int, until: float) -> tuple[list[Line], list[ChannelError]]:
        if count <= 0:
            return [], []
        language = get_language()

        def attempt(_number: int) -> Line | ChannelError:
            try:
                with override(language):
                    return self._open(until - time.monotonic())
            except ChannelError as error:
                return error

        if count == 1:
            tried = [attempt(0)]
        else:
            with ThreadPoolExecutor(count) as threads:  # each takes several round trips
                tried = list(threads.map(attempt, range(count)))
        lines = [one for one in tried if isinstance(one, Line)]
        return lines, [one for one in tried if isinstance(one, ChannelError)]

    def _open(self, seconds: float) -> Line:
        made = connect(self._server, seconds=min(seconds, self._timeout), context=self._context)
        return Line(made.socket, self._timeout, pipelining=made.pipelining and self._pipelining)

    def _fresh(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._idle: list[Line] = []

    def _forget(self) -> None:
        """In a forked child: the parent's connections are the parent's; only our copies of them are closed."""
        inherited = self._idle
        self._fresh()
        for line in inherited:
            line.close()


class _Round:
    """One send: what is left of its mails, and the connections that carry it."""

    def __init__(self, pool: Pool, mails: Iterable[Mail], count: int, until: float) -> None:
        self._pool = pool
        self._mails = iter(mails)
        self._count = count
        self._until = until
        self._back: deque[Mail] = deque()
        self._last: deque[Mail] = deque()
        self._spared = False
        self._twice: set[int] = set()
        self._lines: list[Line] = []
        self._heard = False

    def following(self) -> Mail | None:
        """The next mail to be sent: those that came back first, those that one may have ended over last."""
        if self._back:
            return self._back.popleft()
        mail = next(self._mails, None)
        return self._last.popleft() if mail is None and self._last else mail

    def run(self) -> Iterator[Answer]:
        self._lines = self._pool.borrow(min(self._count, self._pool.most), self._until)
        unsettled: list[Answer] = []
        with selectors.DefaultSelector() as selector:
            for line in list(self._lines):
                self._join(selector, line, unsettled)
            while any(line.dialog.busy for line in self._lines) and (now := time.monotonic()) < self._until:
                wait = min([self._until, *(line.deadline for line in self._lines if line.dialog.busy)]) - now
                ready = selector.select(max(wait, 0))
                for key, mask in ready:
                    for answer in self._turn(selector, key.data, mask, unsettled):
                        self._heard = True
                        yield answer
                if not ready:
                    self._give_up_silent(selector, unsettled)
                if self._back or self._last:
                    for line in [line for line in self._lines if not line.dialog.busy]:
                        self._join(selector, line, unsettled)
        unsettled += self._left()
        if unsettled and not self._heard:
            raise Temporary(
                _("The mail server did not answer in time.")
                if "silent" in {answer.step for answer in unsettled}
                else _("The mail server broke off before it had answered.")
            )
        yield from unsettled

    def end(self) -> None:
        """Keep the connections that are between two mails; the others can't be used any more."""
        for line in self._lines:
            if line.dialog.busy or line.dialog.closing:
                line.close()
            else:
                self._pool.give_back(line)
        self._lines = []

    def _join(self, selector: selectors.BaseSelector, line: Line, unsettled: list[Answer]) -> None:
        """Have a connection take up its next mail."""
        if line.socket not in selector.get_map():
            line.start(self.following)
            selector.register(line.socket, selectors.EVENT_READ, line)
        if line.begin():
            self._turn(selector, line, 0, unsettled)

    def _turn(self, selector: selectors.BaseSelector, line: Line, mask: int, unsettled: list[Answer]) -> list[Answer]:
        wanted = line.wants
        found = line.turn(readable=bool(mask & selectors.EVENT_READ))
        if line.broken:
            self._replace(selector, line, unsettled)
        elif line.wants != wanted:
            selector.modify(line.socket, line.wants, line)
        return found

    def _replace(
        self, selector: selectors.BaseSelector, line: Line, unsettled: list[Answer], why: str = "lost"
    ) -> None:
        """A connection ends before its time: its mails go over another; the one that it may have ended over, once."""
        left = line.dialog.unanswered
        # the server may choke on the first, or has let us send no more than so many: those behind it are innocent
        suspects = 1 if why == "silent" or line.dialog.weighing or not line.fruitful else 0
        selector.unregister(line.socket)
        self._lines.remove(line)
        line.close()
        self._back.extendleft(reversed(left[suspects:]))
        for mail in left[:suspects]:
            if why == "silent" or mail.number in self._twice:
                unsettled.append(Answer(mail.number, why, 0))
            else:
                self._twice.add(mail.number)
                self._last.append(mail)
        # a server that settled nothing over a connection is asked for another one but once: it may have been that mail
        again = line.fruitful or line.used or not self._spared
        self._spared = self._spared or not (line.fruitful or line.used)
        if left and again and time.monotonic() < self._until:
            another = self._pool.one_more(self._until)
            if another is not None:
                self._lines.append(another)
                self._join(selector, another, unsettled)

    def _give_up_silent(self, selector: selectors.BaseSelector, unsettled: list[Answer]) -> None:
        now = time.monotonic()
        for line in [line for line in self._lines if line.dialog.busy and line.deadline <= now]:
            self._replace(selector, line, unsettled, "silent")

    def _left(self) -> list[Answer]:
        """Mails that no connection carried to an answer in time."""
        late = time.monotonic() >= self._until
        begun = [mail for line in self._lines for mail in line.dialog.unanswered]
        found = [Answer(mail.number, "silent" if late else "lost", 0) for mail in begun]
        why = "late" if late else "lost"
        return found + [Answer(mail.number, why, 0) for mail in iter(self.following, None)]
