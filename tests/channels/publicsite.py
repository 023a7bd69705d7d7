"""The public folder on a real port, with a stand-in for the application that remembers what it was asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from channels.serving import Serve

VAPID = "BNbxGYNMhEIi9zrneh7mqV4oUanjLUK3m-mYZBc62frMKrEoMk88r3Lk596T0ck9xlT0sFNRkDLFGEsR5EDH8gM"
"""A public key of nobody's."""

HEAD = '<!doctype html><html lang="en"><title>-</title><link rel="icon" href="data:,">'
PAGE = HEAD + "<h1>The application</h1></html>"


class Threaded(ThreadingMixIn, WSGIServer):
    """Ends its connections with itself: those too that a browser has opened in advance."""

    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        self.open: set[socket.socket] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        for connection in list(self.open):
            with suppress(OSError):  # the browser was quicker
                connection.shutdown(socket.SHUT_RDWR)
        super().server_close()


class Silent(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Nothing: the tests look at the pages."""


@dataclass
class Asked:
    """One request to the application."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode(), keep_blank_values=True, strict_parsing=True)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Application:
    """Answers with a page of its own, or with what ``answers`` says for a path: status and JSON, or HTML as text."""

    asked: list[Asked] = field(default_factory=list)
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        headers = {name[5:].title().replace("_", "-"): value for name, value in environ.items() if name[:5] == "HTTP_"}
        headers["Content-Type"] = environ.get("CONTENT_TYPE", "")
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        path = environ["PATH_INFO"]
        self.asked.append(Asked(environ["REQUEST_METHOD"], path, headers, body))
        status, told = self.answers.get(path, (200, PAGE))
        page = isinstance(told, str)
        sent = [("Content-Type", "text/html; charset=utf-8" if page else "application/json"), ("Vary", "Cookie")]
        start_response(f"{status} {HTTPStatus(status).phrase}", sent)
        return [(told if page else json.dumps(told)).encode()]


class Public:
    """``address`` of the folder; ``down`` takes it from the network, as a failing mast does.

    While ``hold`` is cleared every answer waits; while it is ``broken``, none is any good.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.application = Application()
        self.hold = threading.Event()
        self.hold.set()
        self.broken = False
        self.port = 0
        self.server: WSGIServer | None = None
        self.up()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def up(self) -> None:
        self.serve = Serve(
            self.application,  # type: ignore[arg-type]
            public=self.folder,
            static=self.folder,
            application_prefixes=["/s/", "/desk/"],
        )
        self.server = make_server("127.0.0.1", self.port, self.answer, server_class=Threaded, handler_class=Silent)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.hold.wait(60)
        if self.broken:
            start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
            return [b"no"]

        def at_once(status: str, headers: list[tuple[str, str]]) -> Any:
            # for 20 s a browser would answer out of its own cache, and the tests would have to wait
            return start_response(status, [(name, value.replace("max-age=20", "max-age=0")) for name, value in headers])

        return self.serve(environ, at_once)

    def down(self) -> None:
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None


@contextmanager
def public(folder: Path) -> Iterator[Public]:
    served = Public(folder)
    try:
        yield served
    finally:
        served.hold.set()
        served.down()
