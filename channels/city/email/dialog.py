"""One connection's conversation with a mail server as bytes in, bytes out and answers; no socket (RFC 5321, 2920)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

LONGEST = 65_536
"""Bytes of one reply; whoever says more is no mail server."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one address: ``number`` is the caller's, ``data`` has CRLF, its dots stuffed and no final dot."""

    number: int
    sender: bytes
    recipient: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said of one mail: ``step`` is what it answered (mail, rcpt, data, end), ``code`` its reply code.

    Where it said nothing, ``code`` is 0 and ``step`` tells why: lost (it broke off), silent (no answer
    in time), late (its turn never came).
    """

    number: int
    step: str
    code: int
    text: bytes = b""


class Dialog:
    """Transactions one after the other on a connection that has said EHLO and logged in.

    ``following`` gives the next mail, or None. With ``pipelining``, the next mail's envelope goes out
    together with the content before it, as RFC 2920 §3.1 allows: one round trip a mail.
    """

    __slots__ = (
        "_buffer", "_expected", "_first", "_following", "_pipelining", "_queue", "_refusal", "_stale", "closing", "out",
    )  # fmt: skip

    def __init__(self, following: Callable[[], Mail | None], *, pipelining: bool) -> None:
        self.out = bytearray()
        """Bytes that wait to be sent; whoever sends them removes them."""
        self.closing = False
        """The server has said 421, or what is no SMTP reply at all: nothing more goes over this connection."""
        self._following = following
        self._pipelining = pipelining
        self._queue: deque[tuple[bytes, str, Mail]] = deque()
        self._expected: deque[tuple[str, Mail]] = deque()
        self._refusal: Answer | None = None
        self._stale = False
        self._buffer = bytearray()
        self._first = b""

    @property
    def busy(self) -> bool:
        return bool(self._expected)

    @property
    def weighing(self) -> bool:
        """The server has been given a mail's content and has not said what it makes of it."""
        return bool(self._expected) and self._expected[0][0] == "end"

    @property
    def unanswered(self) -> list[Mail]:
        """Mails begun here that the server has not settled, in order."""
        return list(dict.fromkeys(mail for _step, mail in [*self._expected, *[entry[1:] for entry in self._queue]]))

    def begin(self) -> bool:
        """Take up the next mail; False where there is none."""
        mail = self._following()
        if mail is None:
            return False
        if self._stale:
            self._queue.append((b"RSET\r\n", "rset", mail))
            self._stale = False
        self._queue.append((b"MAIL FROM:<%b>\r\n" % mail.sender, "mail", mail))
        self._queue.append((b"RCPT TO:<%b>\r\n" % mail.recipient, "rcpt", mail))
        self._queue.append((b"DATA\r\n", "data", mail))
        self._go_on()
        return True

    def hear(self, data: bytes) -> list[Answer]:
        """What these bytes settle, in order."""
        found: list[Answer] = []
        buffer = self._buffer
        buffer += data
        start = 0
        while (end := buffer.find(b"\n", start)) >= 0:
            line = bytes(buffer[start:end])
            start = end + 1
            if line[3:4] == b"-":
                self._first = self._first or line[4:]
                continue
            if not line[:3].isdigit() or line[3:4] not in {b" ", b"\r", b""}:
                self.closing = True
                break
            text, self._first = self._first or line[4:], b""
            self._reply(int(line[:3]), text, found)
            if self.closing:
                break
        del buffer[:start]
        self.closing = self.closing or len(buffer) > LONGEST
        return found

    def _go_on(self) -> None:
        while self._queue and (self._pipelining or not self._expected):
            command, step, mail = self._queue.popleft()
            self.out += command
            self._expected.append((step, mail))

    def _reply(self, code: int, text: bytes, found: list[Answer]) -> None:
        if code == 421 or not self._expected:
            self.closing = True
            if self._refusal is not None:
                found.append(self._refusal)
                self._drop(self._refusal.number)
            return
        step, mail = self._expected.popleft()
        if step == "end":
            found.append(Answer(mail.number, step, code, b"" if code < 300 else text))
            if not self._expected and not self._queue:
                self.begin()
        elif step == "data":
            self._data(code, text, mail, found)
        elif step == "void":
            self._refused(found)
        elif code >= 300 and step != "rset":
            self._refusal = self._refusal or Answer(mail.number, step, code, text)
            if not self._pipelining:
                self._queue.clear()
                self._refused(found)
        self._go_on()

    def _data(self, code: int, text: bytes, mail: Mail, found: list[Answer]) -> None:
        if code != 354:
            self._refusal = self._refusal or Answer(mail.number, "data", code, text)
            self._refused(found)
        elif self._refusal is None:
            self.out += mail.data
            self.out += b".\r\n"
            self._expected.append(("end", mail))
            if self._pipelining:
                self.begin()
        else:
            # RFC 2920 §3.1: a server may ask for the content although it took no recipient: it gets none
            self.out += b".\r\n"
            self._expected.append(("void", mail))

    def _refused(self, found: list[Answer]) -> None:
        """One mail ends without its content; the next transaction begins from scratch."""
        if self._refusal is not None:
            found.append(self._refusal)
        self._refusal, self._stale = None, True
        self.begin()

    def _drop(self, number: int) -> None:
        self._refusal = None
        self._expected = deque(entry for entry in self._expected if entry[1].number != number)
        self._queue = deque(entry for entry in self._queue if entry[2].number != number)
