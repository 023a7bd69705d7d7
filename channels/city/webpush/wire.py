"""POSTs by the hundred over few connections: libcurl's multi interface, HTTP/2 where the server has it.

Every socket is opened here, after its real address was asked for (``Place.allows``); redirects,
proxies and whatever the environment says are not followed, and an answer's body is not kept.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import chain
from typing import Any

import pycurl

from .answers import TAKEN, Answer
from .endpoints import Place

IN_FLIGHT = 500
"""Requests under way at once: rate times round trip, so that 100 ms still make 5,000 a second."""
ROUND = 64
"""Requests begun before answers are read: where these come at once, few stay in flight and caches warm."""
FIRST = 4
"""Requests that are sent to an origin before it is known which HTTP it has."""
STREAMS = 50
"""Requests at once on one connection with HTTP/2. A server that takes fewer refuses those above until it has said so,
and libcurl gives up after five refusals; services take 100."""
CONNECTIONS = 128
"""For each host, where it has no HTTP/2."""
WAIT = 0.005
"""Seconds without an answer after which is looked again."""
CONNECT = 5.0
"""Seconds that name, connection and TLS may take."""
BODY = 16_384
"""Bytes of an answer after which the rest is not read."""
UNKNOWN = 0
HTTP_2 = pycurl.CURL_HTTP_VERSION_2_0
NO_HEADERS = ("Expect:", "Accept:", "User-Agent: Belfry", "Content-Type: application/octet-stream")
"""Without the two first, libcurl would send them."""


@dataclass(slots=True, eq=False)
class Road:
    """One origin for one send: what all its requests have in common."""

    place: Place
    headers: list[str]
    certificates: str
    """The file of authorities that its certificate is checked with."""
    speaks: int = UNKNOWN
    """Which HTTP it has, as ``pycurl.INFO_HTTP_VERSION`` tells it."""
    trying: int = 0
    """Requests under way while that is not known."""


NOWHERE = Road(Place("", "", 0, own=False, inside=None), [], "")

Sent = tuple[Any, Road, str, bytes]
"""One request: a mark to know it by, its road, its URL, its body."""


@dataclass(slots=True, eq=False)
class Line:
    """One of libcurl's handles, used for one request after another."""

    curl: pycurl.Curl
    road: Road
    headers: list[str] = field(default_factory=list)
    mark: Any = None
    joins: bool = False
    """It waits for a connection that others use too (HTTP/2), rather than open one (PIPEWAIT)."""
    refused: bool = False
    """The address that it wanted to connect to was not allowed."""

    def open(self, purpose: int, address: tuple[int, int, int, Any]) -> socket.socket | int:
        """libcurl's OPENSOCKETFUNCTION: a socket for an allowed address, or none."""
        family, kind, protocol, (host, port, *_scope) = address
        place = self.road.place
        known = family in {socket.AF_INET, socket.AF_INET6}
        if not known or port != place.port or not place.allows(host):
            self.refused = True
            return int(pycurl.SOCKET_BAD)
        return socket.socket(family, kind, protocol)


@dataclass(slots=True, eq=False)
class _Process:
    """What one process has open. Never shared with a child: both would write into the same TLS."""

    pid: int
    multi: pycurl.CurlMulti
    versions: dict[str, int] = field(default_factory=dict)
    """Which HTTP each origin has, as far as it is known."""
    lines: dict[pycurl.Curl, Line] = field(default_factory=dict)
    free: list[Line] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Queue:
    """What one ``post`` has still to send, in an order that finds out about each origin first.

    For an origin that is new, libcurl would open a connection for every request; told to wait instead
    (PIPEWAIT), it never wakes those that waited for a connection that turns out to have no HTTP/2.
    """

    waiting: Iterator[Sent]
    versions: dict[str, int]
    held: list[Sent] = field(default_factory=list)
    released: list[Sent] = field(default_factory=list)

    def next(self) -> Sent | None:
        """The next request that may go, if there is any."""
        if self.released:
            return self.released.pop()
        for request in self.waiting:
            road = request[1]
            if not road.speaks:
                road.speaks = self.versions.get(road.place.origin, UNKNOWN)
                if not road.speaks:
                    if road.trying >= FIRST:
                        self.held.append(request)
                        continue
                    road.trying += 1
            return request
        return None

    def learn(self, road: Road, version: int) -> None:
        """One of an origin's first was answered: the others may go."""
        road.speaks = self.versions[road.place.origin] = version or pycurl.CURL_HTTP_VERSION_1_1
        self.released += self._of(road)

    def broke_off(self, road: Road, answer: Answer) -> list[Any]:
        """A request had no answer: the marks of those that share its fate unsent.

        These are the ones that waited for an origin's first, where none of these got as far as a
        connection. An endpoint that breaks one off must not speak for the others.
        """
        # the next ``post`` finds out anew what is at the other end
        self.versions.pop(road.place.origin, None)
        if road.speaks:
            return []
        road.trying -= 1
        if not answer.unreachable:
            self.waiting = chain(self._of(road), self.waiting)
            return []
        return [] if road.trying else [request[0] for request in self._of(road)]

    def rest(self) -> list[Any]:
        """The marks of all that were not begun."""
        return [request[0] for request in (*self.released, *self.held, *self.waiting)]

    def _of(self, road: Road) -> list[Sent]:
        found = [request for request in self.held if request[1] is road]
        self.held = [request for request in self.held if request[1] is not road]
        return found


_inherited: list[_Process] = []
"""A parent's connections, kept unclosed by its child: closing would say good-bye on the parent's own."""


class Wire:
    """Connections that stay open between two calls of ``post``, in each thread and process its own.

    ``seconds`` bounds one request, from its start to the end of its answer. ``resolve`` maps
    ``host:port`` to the IP address to take instead of asking a resolver; it is checked as any other.
    """

    def __init__(self, *, seconds: float, resolve: Mapping[str, str] | None = None) -> None:
        self.seconds = seconds
        self.resolve = [f"{name}:{ip_address(address)}" for name, address in (resolve or {}).items()]
        self._mine = threading.local()

    def post(self, requests: Iterable[Sent], *, until: float) -> Iterator[tuple[Any, Answer]]:
        """Send all; yields mark and answer of each as it comes, in no order.

        ``requests`` is read as there is room, so bodies can be made while others are under way. What is
        unanswered at ``until`` (monotonic seconds) has timed out.
        """
        process = self._process()
        queue = _Queue(iter(requests), process.versions)
        multi, lines, free = process.multi, process.lines, process.free
        flying = 0
        try:
            while True:
                begun = 0
                while begun < ROUND and (free or len(lines) < IN_FLIGHT) and (request := queue.next()):
                    self._begin(process, request)
                    begun += 1
                flying += begun
                if not flying:
                    return
                multi.perform()
                answered = 0
                more = 1
                while more:
                    more, well, ill = multi.info_read(ROUND)
                    for curl in well:
                        line = lines[curl]
                        multi.remove_handle(curl)
                        free.append(line)
                        if not line.road.speaks:
                            queue.learn(line.road, curl.getinfo(pycurl.INFO_HTTP_VERSION))
                        status = curl.getinfo(pycurl.RESPONSE_CODE)
                        yield line.mark, TAKEN if status == 201 else _answer(line, status)
                    for curl, error, _words in ill:
                        line = lines[curl]
                        multi.remove_handle(curl)
                        free.append(line)
                        answer = _answer(line, curl.getinfo(pycurl.RESPONSE_CODE), error)
                        yield line.mark, answer
                        for mark in queue.broke_off(line.road, answer):
                            yield mark, answer
                    answered += len(well) + len(ill)
                flying -= answered
                if flying and time.monotonic() > until:
                    for mark in [*(line.mark for line in self._end(process)), *queue.rest()]:
                        yield mark, Answer(0, pycurl.E_OPERATION_TIMEDOUT)
                    return
                if flying and not answered and begun < ROUND:
                    multi.select(WAIT)
        finally:
            self._end(process)

    def close(self) -> None:
        """End this thread's connections."""
        process = getattr(self._mine, "process", None)
        self._mine.process = None
        if process is not None and process.pid == os.getpid():
            for line in process.lines.values():
                line.curl.close()
            process.multi.close()

    def _process(self) -> _Process:
        process: _Process | None = getattr(self._mine, "process", None)
        if process is not None and process.pid != os.getpid():
            _inherited.append(process)
            process = None
        if process is None:
            multi = pycurl.CurlMulti()
            multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
            multi.setopt(pycurl.M_MAX_CONCURRENT_STREAMS, STREAMS)
            multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, CONNECTIONS)
            multi.setopt(pycurl.M_MAXCONNECTS, IN_FLIGHT)
            process = self._mine.process = _Process(os.getpid(), multi)
        return process

    def _begin(self, process: _Process, request: Sent) -> None:
        mark, road, url, body = request
        line = process.free.pop() if process.free else self._line(process)
        curl = line.curl
        if line.headers is not road.headers:
            line.headers = road.headers
            curl.setopt(pycurl.HTTPHEADER, road.headers)
        if line.road.certificates != road.certificates:
            curl.setopt(pycurl.CAINFO, road.certificates)
        line.road = road
        if line.joins != (road.speaks >= HTTP_2):
            line.joins = not line.joins
            curl.setopt(pycurl.PIPEWAIT, line.joins)
        line.mark = mark
        line.refused = False
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.POSTFIELDS, body)
        process.multi.add_handle(curl)

    def _line(self, process: _Process) -> Line:
        curl = pycurl.Curl()
        line = process.lines[curl] = Line(curl, NOWHERE)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.PROXY, "")  # nor one that the environment names
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, round(1000 * min(CONNECT, self.seconds)))
        curl.setopt(pycurl.TIMEOUT_MS, round(1000 * self.seconds))
        curl.setopt(pycurl.MAXFILESIZE, BODY)
        curl.setopt(pycurl.WRITEFUNCTION, len)  # all is taken, nothing kept
        curl.setopt(pycurl.OPENSOCKETFUNCTION, line.open)
        if self.resolve:
            curl.setopt(pycurl.RESOLVE, self.resolve)
        return line

    @staticmethod
    def _end(process: _Process) -> list[Line]:
        """Break off what is still under way; the lines it was on."""
        if len(process.free) == len(process.lines):
            return []
        idle = set(map(id, process.free))
        broken = [line for line in process.lines.values() if id(line) not in idle]
        for line in broken:
            process.multi.remove_handle(line.curl)
            process.free.append(line)
        return broken


def _answer(line: Line, status: int, error: int = 0) -> Answer:
    after = line.curl.getinfo(pycurl.RETRY_AFTER) if status >= 400 else 0
    return Answer(status, error, after, line.refused and not status)
