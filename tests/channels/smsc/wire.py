"""A scripted HTTP server on loopback: it records what it is asked and answers as a test says, well or badly."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

HOST = "127.0.0.1"
PATIENT, SHORT = 15.0, 1.5
"""Seconds of a gateway's time-out: so long that a busy machine decides nothing, and where silence is what is tried."""


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))


@dataclass(frozen=True)
class Answer:
    """``delay`` seconds before it; ``silent``: none ever; ``drop``: hang up instead; ``drip``: a byte each so often."""

    status: int = 200
    body: Any = ""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    silent: bool = False
    drop: bool = False
    drip: float = 0.0

    def raw(self) -> bytes:
        body = self.body if isinstance(self.body, bytes) else self._text().encode()
        kind = "text/plain" if isinstance(self.body, str) else "application/json"
        head = {"Content-Type": kind, "Content-Length": str(len(body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} Said", *(f"{name}: {value}" for name, value in head.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def _text(self) -> str:
        return self.body if isinstance(self.body, str) else json.dumps(self.body)


class Wire:
    """The server. ``answer`` is called for each request, in the server's thread; ``asked`` keeps them all."""

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.open = 0
        self.most = 0  # requests that were open at once
        self.port = 0
        self.over = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while (asked := await _read(reader)) is not None:
                self.asked.append(asked)
                self.open += 1
                self.most = max(self.most, self.open)
                try:
                    if not await _say(writer, self.answer(asked), self.over):
                        break
                finally:
                    self.open -= 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever asked has hung up
        finally:
            self._writers.discard(writer)
            writer.close()

    def hang_up(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
    if not head:
        return None
    first, *rest = head.decode().rstrip().split("\r\n")
    method, target, _version = first.split(" ")
    headers = {name.lower(): value.strip() for name, _colon, value in (line.partition(":") for line in rest)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    url = urlsplit(target)
    return Asked(method, url.path, dict(parse_qsl(url.query)), headers, body)


async def _say(writer: asyncio.StreamWriter, answer: Answer, over: asyncio.Event) -> bool:
    if answer.silent:
        await over.wait()
    if answer.delay:
        await asyncio.sleep(answer.delay)
    if answer.silent or answer.drop:
        return False
    raw = answer.raw()
    if not answer.drip:
        writer.write(raw)
    else:
        for place in range(len(raw)):
            writer.write(raw[place : place + 1])
            await writer.drain()
            await asyncio.sleep(answer.drip)
    await writer.drain()
    return True


@contextmanager
def listening(answer: Callable[[Asked], Answer], port: int = 0) -> Iterator[Wire]:
    """A server in a thread of its own, at a free port, that ends with the block."""
    wire = Wire(answer)
    loop = asyncio.new_event_loop()

    async def begin() -> asyncio.Server:
        server = await asyncio.start_server(wire.serve, HOST, port, backlog=512)
        wire.port = server.sockets[0].getsockname()[1]
        return server

    async def end(server: asyncio.Server) -> None:
        server.close()
        wire.over.set()
        wire.hang_up()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if others:
            await asyncio.wait(others, timeout=5)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    try:
        yield wire
    finally:
        asyncio.run_coroutine_threadsafe(end(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
