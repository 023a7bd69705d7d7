"""Mail servers for tests: aiosmtpd as a real one that meets an address as told, one whose every reply is scripted."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, BinaryIO

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.house import free_port

REPLIES = {"refuses": "550 5.1.1 <{address}>: no such user here", "later": "450 4.2.0 {address} greylisted"}
"""What a server says of an address; as real ones do, it repeats it."""


def parsed(raw: bytes) -> EmailMessage:
    found = message_from_bytes(raw, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def words_of(raw: bytes) -> str:
    """All that a resident's mail program gets to see: headers and both texts, decoded."""
    mail = parsed(raw)
    parts = [mail.get_body((kind,)) for kind in ("plain", "html")]
    texts = [part.get_content() for part in parts if part is not None]
    return "\n".join([*(f"{name}: {value}" for name, value in mail.items()), *texts])


@dataclass
class Taken:
    """One mail that a server took."""

    sender: str
    recipient: str
    raw: bytes


class Handler:
    """Takes mail, meeting each address as ``script`` says; with ``pipelining`` it says so."""

    def __init__(self, script: Mapping[str, str], *, pipelining: bool) -> None:
        self.script = script
        self.pipelining = pipelining
        self.taken: list[Taken] = []
        self.connections = 0

    async def handle_EHLO(  # noqa: N802
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.connections += 1
        return [*responses[:-1], "250-PIPELINING", responses[-1]] if self.pipelining else responses

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        reply = REPLIES.get(self.script.get(address, ""))
        if reply:
            return reply.format(address=address)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if any(self.script.get(address) == "silent" for address in envelope.rcpt_tos):
            await asyncio.sleep(3600)
        assert isinstance(envelope.content, bytes)
        self.taken.append(Taken(envelope.mail_from or "", envelope.rcpt_tos[0], envelope.content))
        return "250 2.0.0 Ok"


@contextmanager
def real(
    script: Mapping[str, str] | None = None, *, pipelining: bool = True, **options: Any
) -> Iterator[tuple[Handler, int]]:
    """aiosmtpd on loopback: its handler and port."""
    handler = Handler(script or {}, pipelining=pipelining)
    port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port, server_hostname="mail.example", **options)
    controller.start()
    try:
        yield handler, port
    finally:
        controller.stop()


def password_is(right: str) -> Callable[..., AuthResult]:
    def authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == right.encode(), handled=False)

    return authenticate


HANG, DROP, KEEP_AND_DROP = b"hang", b"drop", b"keep and drop"
"""In place of a reply: say nothing any more; hang up without a word; take the mail and then hang up."""


@dataclass
class Step:
    """What the scripted server has just read: ``number`` counts its kind over all connections, from 1."""

    verb: str
    argument: str
    number: int
    connection: int
    of_connection: int


@dataclass
class Scripted:
    """A server whose script may answer each step (connect, ehlo, mail, rcpt, data, end, rset …) in its own way."""

    script: Callable[[Step], bytes | None]
    pipelining: bool = True
    taken: list[Taken] = field(default_factory=list)
    connections: int = 0
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self.counts: dict[str, int] = {}
        self.over = threading.Event()
        self.open: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def end(self) -> None:
        self.over.set()
        for each in (self.listener, *self.open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                connection, _address = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections += 1
                number = self.connections
                self.open.append(connection)
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as lines:
            _Session(self, connection, number, lines).run()


class _Session:
    """One connection of the scripted server."""

    def __init__(self, server: Scripted, connection: socket.socket, number: int, lines: BinaryIO) -> None:
        self.server, self.connection, self.number, self.lines = server, connection, number, lines
        self.own: dict[str, int] = {}
        self.sender = self.recipient = ""

    def run(self) -> None:
        self.reply("connect", "", b"220 mail.example ESMTP")
        for line in self.lines:
            verb, _space, argument = line.decode("latin-1").strip().partition(" ")
            known = getattr(self, verb.lower(), None) if verb.lower() in {"ehlo", "mail", "rcpt", "data"} else None
            if known is not None:
                known(argument)
                continue
            self.sender = self.recipient = ""
            self.reply(verb.lower(), argument, b"250 2.0.0 Ok")
            if verb.lower() == "quit":
                return

    def ehlo(self, argument: str) -> None:
        more = b"250-mail.example\r\n250-PIPELINING\r\n250 8BITMIME"
        self.reply("ehlo", argument, more if self.server.pipelining else b"250 mail.example")

    def mail(self, argument: str) -> None:
        self.recipient = ""
        self.sender = argument[6:-1] if self.reply("mail", argument, b"250 2.1.0 Ok").startswith(b"250") else ""

    def rcpt(self, argument: str) -> None:
        if self.reply("rcpt", argument, b"250 2.1.5 Ok").startswith(b"250"):
            self.recipient = argument[4:-1]

    def data(self, _argument: str) -> None:
        recipient, good = self.recipient, self.sender and self.recipient
        usual = b"354 go" if good else b"503 5.5.1 no recipient"
        if not self.reply("data", recipient, usual).startswith(b"354"):
            return
        raw = b""
        for line in self.lines:
            if line == b".\r\n":
                break
            raw += line[1:] if line.startswith(b".") else line
        else:
            return  # it broke off in the middle: nobody has this one
        usual = b"250 2.0.0 Ok" if good else b"554 5.5.1 no valid recipients"
        self.reply("end", recipient, usual, Taken(self.sender, recipient, raw) if good else None)
        self.sender = self.recipient = ""

    def reply(self, verb: str, argument: str, usual: bytes, taken: Taken | None = None) -> bytes:
        """Answer as the script says; returns what was said. Raises OSError where the connection ends."""
        server = self.server
        with server.lock:
            server.steps.append(verb)
            server.counts[verb] = server.counts.get(verb, 0) + 1
            self.own[verb] = self.own.get(verb, 0) + 1
            said = server.script(Step(verb, argument, server.counts[verb], self.number, self.own[verb]))
        if said == HANG:
            server.over.wait()
        if said == KEEP_AND_DROP and taken is not None:
            server.taken.append(taken)
        if said in {HANG, DROP, KEEP_AND_DROP}:
            self.connection.shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError
        answer = usual if said is None else said
        if taken is not None and answer.startswith(b"250"):
            server.taken.append(taken)
        self.connection.sendall(answer + b"\r\n")
        if answer.startswith(b"421"):
            raise ConnectionAbortedError
        return answer


@contextmanager
def scripted(
    script: Callable[[Step], bytes | None] = lambda _step: None, *, pipelining: bool = True
) -> Iterator[Scripted]:
    server = Scripted(script, pipelining)
    try:
        yield server
    finally:
        server.end()


@contextmanager
def smtp_sink(*options: str) -> Iterator[tuple[int, Callable[[], list[Taken]]]]:
    """Postfix's smtp-sink, which keeps each mail in a file: its port, and what it has taken."""
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="belfry-sink-"))
    folder.chmod(0o777)
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    command = [shutil.which("smtp-sink") or "/usr/sbin/smtp-sink", *user, *options, "-d", f"{folder}/%M."]
    sink = subprocess.Popen([*command, f"127.0.0.1:{port}", "50"], stderr=subprocess.DEVNULL)
    try:
        listening(port)
        yield port, lambda: [_dumped(file.read_bytes()) for file in sorted(folder.iterdir())]
    finally:
        sink.kill()
        sink.wait()
        shutil.rmtree(folder)


def listening(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise TimeoutError(port)


def _dumped(raw: bytes) -> Taken:
    """A file of smtp-sink: its own X- lines with the envelope, then the mail with LF."""
    envelope: dict[str, str] = {}
    lines = raw.split(b"\n")
    while lines and lines[0].startswith((b"X-", b"Received:", b"\t")):
        name, _colon, value = lines.pop(0).decode().partition(":")
        envelope.setdefault(name, value.strip())
    recipient = envelope.get("X-Rcpt-Args", "")[1:-1]
    return Taken(envelope.get("X-Mail-Args", "")[1:-1], recipient, b"\n".join(lines))


def certificate(folder: Path, host: str) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context for ``host``, and the certificate of the authority that signed it."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={host}"]
    kind = "IP" if host.replace(".", "").isdigit() else "DNS"
    command += ["-addext", f"subjectAltName={kind}:{host}"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, folder / "cert.pem"
