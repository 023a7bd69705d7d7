"""HTTP for gateways: libcurl in the event loop, made so that it can't send a text twice, nor log a number.

It costs a third of aiohttp for each text. By itself libcurl repeats a request where a kept connection
turns out dead; it can't do so here: it gets no way to rewind a body, and where there is none, no kept connection.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import certifi
import httpx
import pycurl
from django.utils.translation import gettext as _

from channels.base import Temporary, Uncertain
from channels.http import LIMIT, check

CONNECT = 5.0
"""Seconds for name, connection and TLS."""


class Asked:
    """A request under way; its ``answer`` is libcurl's code where it failed.

    ``begun`` once libcurl has taken of its body: from then on it may have gone out.
    """

    __slots__ = ("answer", "begun", "body", "harmless", "head", "said", "size")

    def __init__(self, body: bytes, harmless: bool, answer: asyncio.Future[int | None]) -> None:
        self.answer = answer
        self.harmless = harmless
        self.size = len(body)
        self.body = io.BytesIO(body)
        self.begun = False
        self.head: list[bytes] = []
        self.said = io.BytesIO()

    def read(self, size: int) -> bytes:
        self.begun = True
        return self.body.read(size)


@dataclass(frozen=True, slots=True)
class Answer:
    """``headers`` by name in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


class Wire:
    """Made and used in one event loop. ``what`` names the other side in errors; ``seconds`` bound a whole
    request, ``at_once`` the connections."""

    def __init__(self, what: str, *, seconds: float, at_once: int) -> None:
        self.what = what
        self.seconds = seconds
        self.loop = asyncio.get_running_loop()
        self.multi = pycurl.CurlMulti()
        self.multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self.multi.setopt(pycurl.M_TIMERFUNCTION, self._alarm)
        self.multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, at_once)
        self.multi.setopt(pycurl.M_MAXCONNECTS, at_once)
        self.under_way: dict[pycurl.Curl, Asked] = {}
        self._idle: list[pycurl.Curl] = []
        self._watched: dict[int, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def ask(
        self, method: str, url: str, headers: Sequence[str], body: bytes = b"", *, harmless: bool = False
    ) -> Answer:
        """Any answer. Raises Temporary where nothing can have gone out (or it is ``harmless``), else Uncertain."""
        asked = Asked(body, harmless, self.loop.create_future())
        curl = self._idle.pop() if self._idle else self._new()
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.HTTPHEADER, [*headers, "Expect:"])  # a body is sent at once, not after a question
        alone = not body and not harmless
        curl.setopt(pycurl.FRESH_CONNECT, alone)
        curl.setopt(pycurl.FORBID_REUSE, alone)
        if body:
            curl.setopt(pycurl.POST, 1)
            curl.setopt(pycurl.POSTFIELDSIZE, len(body))
            curl.setopt(pycurl.READFUNCTION, asked.read)
        else:
            curl.setopt(pycurl.HTTPGET, 1)
        curl.setopt(pycurl.CUSTOMREQUEST, method)
        curl.setopt(pycurl.WRITEDATA, asked.said)
        curl.setopt(pycurl.HEADERFUNCTION, asked.head.append)
        self.under_way[curl] = asked
        self.multi.add_handle(curl)
        try:
            if (code := await asked.answer) is not None:
                # here, not in libcurl's own callbacks: they speak no caller's language
                raise self._meaning(curl, asked, code)
            status = int(curl.getinfo(pycurl.RESPONSE_CODE))
        finally:
            if self.under_way.pop(curl, None) is not None:
                self.multi.remove_handle(curl)
            self._idle.append(curl)
        return Answer(status, _headers(asked.head), asked.said.getvalue())

    async def close(self) -> None:
        """End all connections."""
        for curl in list(self.under_way):
            self._end(curl, pycurl.E_ABORTED_BY_CALLBACK)
        if self._timer is not None:
            self._timer.cancel()
        for descriptor in list(self._watched):
            self._leave(descriptor)
        for curl in self._idle:
            curl.close()
        self._idle.clear()
        self.multi.close()

    def _new(self) -> pycurl.Curl:
        curl = pycurl.Curl()
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.PROXY, "")  # nor one that the environment names
        # one text on a connection at a time: with HTTP/2, one that is lost would leave fifty in doubt
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.CAINFO, certifi.where())
        curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, round(1000 * min(CONNECT, self.seconds)))
        curl.setopt(pycurl.TIMEOUT_MS, round(1000 * self.seconds))
        curl.setopt(pycurl.MAXFILESIZE, LIMIT)
        return curl

    # libcurl tells what it waits for, the loop tells what has come

    def _watch(self, event: int, descriptor: int, multi: pycurl.CurlMulti, data: object) -> None:
        if event == pycurl.POLL_REMOVE:
            self._leave(descriptor)
            return
        before = self._watched.get(descriptor, 0)
        self._watched[descriptor] = event
        for bit, add, remove, came in (
            (pycurl.POLL_IN, self.loop.add_reader, self.loop.remove_reader, pycurl.CSELECT_IN),
            (pycurl.POLL_OUT, self.loop.add_writer, self.loop.remove_writer, pycurl.CSELECT_OUT),
        ):
            if event & bit and not before & bit:
                add(descriptor, self._act, descriptor, came)
            elif before & bit and not event & bit:
                remove(descriptor)

    def _leave(self, descriptor: int) -> None:
        before = self._watched.pop(descriptor, 0)
        if before & pycurl.POLL_IN:
            self.loop.remove_reader(descriptor)
        if before & pycurl.POLL_OUT:
            self.loop.remove_writer(descriptor)

    def _alarm(self, milliseconds: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if milliseconds >= 0:
            # never at once: libcurl calls this while it must not be called itself
            self._timer = self.loop.call_later(milliseconds / 1000, self._act, pycurl.SOCKET_TIMEOUT, 0)

    def _act(self, descriptor: int, came: int) -> None:
        self.multi.socket_action(descriptor, came)
        while True:
            left, done, failed = self.multi.info_read()
            for curl in done:
                self._end(curl, None)
            for curl, code, _words in failed:
                self._end(curl, code)
            if not left:
                return

    def _end(self, curl: pycurl.Curl, code: int | None) -> None:
        asked = self.under_way.pop(curl)
        self.multi.remove_handle(curl)
        if not asked.answer.done():
            asked.answer.set_result(code)

    def _meaning(self, curl: pycurl.Curl, asked: Asked, code: int) -> Temporary | Uncertain:
        """Whether it may have gone out: not before libcurl took of its body, or sent what has none."""
        begun = asked.begun or (not asked.size and curl.getinfo(pycurl.REQUEST_SIZE) > 0)
        if not begun:
            return Temporary(_("{what}: no connection").format(what=self.what))
        kind = Temporary if asked.harmless else Uncertain
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return kind(_("{what}: no answer in time").format(what=self.what))
        return kind(_("{what}: connection broken off").format(what=self.what))


def busy(what: str, answer: Answer) -> None:
    """Raise Temporary where the other side can't take anything now: 429 and 5xx, with its Retry-After."""
    if answer.status == 429 or answer.status >= 500:
        check(what, httpx.Response(answer.status, headers=dict(answer.headers)))


def _headers(lines: list[bytes]) -> dict[str, str]:
    pairs = (line.decode("latin-1").partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}
