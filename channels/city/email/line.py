"""One connection to the mail server: reads and writes what its dialog says, and knows whether it is any good."""

from __future__ import annotations

import selectors
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress

from .dialog import Answer, Dialog, Mail

IDLE_SECONDS = 60.0
"""A connection unused for longer is not trusted any more: servers close theirs after some minutes."""
CHUNK = 65_536
NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Line:
    """One connection: its socket, whether it is any good, and since when it has been silent."""

    def __init__(self, connection: socket.socket, timeout: float, *, pipelining: bool) -> None:
        self.socket = connection
        self._pipelining = pipelining
        self._timeout = timeout
        self._at = time.monotonic()
        self.dialog = Dialog(lambda: None, pipelining=self._pipelining)
        self.used = False
        """It was in use before this send: that it is gone now says nothing about the server."""
        self.fruitful = False
        """It has settled a mail in this send."""
        self.wants = selectors.EVENT_READ
        self.broken = False

    def start(self, following: Callable[[], Mail | None]) -> None:
        """Begin a send; ``following`` gives its mails."""
        self.dialog = Dialog(following, pipelining=self._pipelining)
        self.fruitful = False
        self.wants = selectors.EVENT_READ

    def begin(self) -> bool:
        """Take up the next mail; False where there is none. The server's silence counts from now on."""
        self._at = time.monotonic()
        return self.dialog.begin()

    @property
    def deadline(self) -> float:
        return self._at + self._timeout

    def turn(self, *, readable: bool) -> list[Answer]:
        """Read what has come and send what waits; ``broken`` tells afterwards whether the connection is any good."""
        found: list[Answer] = []
        try:
            if readable and (data := self._read()):
                self._at = time.monotonic()
                found = self.dialog.hear(data)
                self.fruitful = self.fruitful or bool(found)
            if self.dialog.out and not self.dialog.closing:
                self._write()
        except OSError:
            self.broken = True
        self.broken = self.broken or self.dialog.closing
        return found

    def _read(self) -> bytes:
        try:
            data = self.socket.recv(CHUNK)
            while isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
                data += self.socket.recv(CHUNK)
        except NOT_YET:
            return b""
        if not data:
            raise ConnectionResetError
        return data

    def _write(self) -> None:
        out = self.dialog.out
        try:
            while out:
                sent = self.socket.send(out)
                del out[:sent]
        except ssl.SSLWantReadError:
            self.wants = selectors.EVENT_READ
            return
        except (BlockingIOError, ssl.SSLWantWriteError):
            pass
        self.wants = selectors.EVENT_READ | (selectors.EVENT_WRITE if out else 0)

    def rest(self) -> None:
        self.used, self._at = True, time.monotonic()
        self.dialog = Dialog(lambda: None, pipelining=self._pipelining)

    def fit(self) -> bool:
        """Whether it is still there: a server that closes one says so, or hangs up."""
        if time.monotonic() - self._at > IDLE_SECONDS:
            return False
        try:
            return not self._read()
        except OSError:
            return False

    def leave(self) -> None:
        """Say good-bye and close."""
        with suppress(OSError):
            self.socket.send(b"QUIT\r\n")
        self.close()

    def close(self) -> None:
        self.socket.close()
