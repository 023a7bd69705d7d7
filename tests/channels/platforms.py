"""One local HTTP server that stands for any platform: it records what is asked and answers by a script.

The fake stands at the wire; the vendor's own client talks to it. ``on`` names the answers to a method and
a path (a regular expression, matched whole), played one after another; the last one is repeated.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ENDLESS = 64 * 1024 * 1024
"""Bytes after which even an endless answer ends, should nobody hang up."""


@dataclass(frozen=True)
class Asked:
    """One request as it came in; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True)
class Answer:
    """What is answered. ``body`` is sent as JSON unless it is bytes.

    ``way``: empty; ``silent`` (takes the request and says nothing), ``dropped`` (takes it, then hangs up),
    ``broken`` (hangs up in the middle of its body), ``endless`` (a body that does not end), ``slow``
    (a byte of it in each tenth of a second).
    """

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    way: str = ""

    @property
    def bytes(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


SILENT, DROPPED, BROKEN, ENDLESS_BODY, SLOW = (
    Answer(way="silent"),
    Answer(way="dropped"),
    Answer(body={"id": "1" * 400}, way="broken"),
    Answer(way="endless"),
    Answer(body={"id": "1" * 400}, way="slow"),
)
HTML = Answer(200, b"<!doctype html><title>Wartung</title>", {"Content-Type": "text/html"})
RUBBISH = Answer(200, b'{"id": "\xff\xfe"}')


class Platform:
    """``asked`` holds every request in order; what no script names is answered with 404."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.over = threading.Event()
        self._scripts: list[tuple[str, re.Pattern[str], list[Answer]]] = []
        self._lock = threading.Lock()
        self.url = ""

    def on(self, method: str, path: str, *answers: Answer) -> None:
        """Answer so from now on; a later script for the same path goes before an earlier one."""
        with self._lock:
            self._scripts.insert(0, (method, re.compile(path), list(answers) or [Answer()]))

    def calls(self, method: str = "", path: str = ".*") -> list[Asked]:
        """The requests so far with this method and path."""
        return [one for one in self.asked if method in {"", one.method} and re.fullmatch(path, one.path)]

    def answer(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            for method, path, answers in self._scripts:
                if method == asked.method and path.fullmatch(asked.path):
                    return answers.pop(0) if len(answers) > 1 else answers[0]
        return Answer(404, {"error": "no script for this"})


@contextmanager
def platform(secured: ssl.SSLContext | None = None) -> Iterator[Platform]:
    """A platform on loopback at a free port, gone at the end; with a server's context, over TLS."""
    there = Platform()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(there))
    server.daemon_threads = True
    there.url = f"http://127.0.0.1:{server.server_port}"
    if secured is not None:
        # the handshake is the connection's own thread's: a client that hangs in it must not stop the others
        server.socket = secured.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        there.url = f"https://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield there
    finally:
        there.over.set()
        server.shutdown()
        server.server_close()


def _handler(there: Platform) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # a body in a packet of its own would wait for the other side

        def handle_one_request(self) -> None:
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                super().handle_one_request()

        def _any(self) -> None:
            parts = urlsplit(self.path)
            body = self._body()
            asked = Asked(
                self.command,
                parts.path,
                dict(parse_qsl(parts.query, keep_blank_values=True)),
                {name.lower(): value for name, value in self.headers.items()},
                body,
            )
            self._play(there.answer(asked))

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = b""
            while size := int(self.rfile.readline(), 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found

        def _play(self, answer: Answer) -> None:
            if answer.way == "silent":
                there.over.wait(30)
            if answer.way in {"silent", "dropped"}:
                self._hang_up()
                return
            body = answer.bytes
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            if answer.way != "endless":
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if answer.way == "broken":
                self.wfile.write(body[: len(body) // 2])
                self._hang_up()
            elif answer.way == "slow":
                for byte in body:
                    if there.over.wait(0.1):
                        break
                    self.wfile.write(bytes([byte]))
            elif answer.way == "endless":
                for _part in range(ENDLESS // 65_536):
                    self.wfile.write(b" " * 65_536)
                self._hang_up()
            else:
                self.wfile.write(body)

        def _hang_up(self) -> None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_args: Any) -> None:
            pass

    return Handler
