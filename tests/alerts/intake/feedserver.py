"""A source on loopback that answers as a test tells it, byte by byte, and remembers what it was asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Answer = bytes | Callable[[socket.socket], None]


@dataclass
class Feed:
    """``answers`` by path; what is not there is a 404. ``asked`` are whole request heads."""

    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "/feed") -> str:
        return f"http://{self.place}{path}"

    def paths(self) -> list[str]:
        return [head.split(" ")[1] for head in self.asked]

    def _serve(self, wire: socket.socket) -> None:
        with wire, suppress(OSError):
            wire.settimeout(10)
            head = b""
            while b"\r\n\r\n" not in head:
                part = wire.recv(65536)
                if not part:
                    return
                head += part
            self.asked.append(head.decode())
            answer = self.answers.get(self.paths()[-1], ok(b"", status="404 Not Found"))
            if isinstance(answer, bytes):
                wire.sendall(answer)
            else:
                answer(wire)


def ok(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *lines])
    return head.encode() + b"\r\n\r\n" + body


@contextmanager
def feed() -> Iterator[Feed]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found = Feed(listening.getsockname()[1])

        def accept() -> None:
            while True:
                try:
                    wire, _address = listening.accept()
                except OSError:
                    return
                threading.Thread(target=found._serve, args=(wire,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield found
        # closing alone would leave accept() waiting
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
