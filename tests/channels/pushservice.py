"""A real push service on loopback, over TLS: it keeps what it takes and meets each browser as a script says."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
import ssl
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self

import http_ece
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from tests.house import free_port

HOST = "push.test.example"
LOOPBACK = "127.0.0.0/8"


@dataclass(frozen=True)
class Push:
    """One request as it came in."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Browser:
    """A subscribed browser: the private half of its keys reads what was sent to it."""

    endpoint: str
    key: ec.EllipticCurvePrivateKey
    secret: bytes

    @property
    def point(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def p256dh(self) -> str:
        return text(self.point)

    @property
    def auth(self) -> str:
        return text(self.secret)

    @property
    def address(self) -> str:
        """As ``channels.base.Recipient`` holds it."""
        return f"{self.endpoint} {self.p256dh} {self.auth}"

    @property
    def path(self) -> str:
        return "/" + self.endpoint.split("/", 3)[3]

    def read(self, body: bytes) -> bytes:
        """Decrypt with an implementation that is not ours."""
        return http_ece.decrypt(body, private_key=self.key, auth_secret=self.secret, version="aes128gcm")

    def notification(self, body: bytes) -> dict[str, Any]:
        return json.loads(self.read(body))["notification"]


def browser(endpoint: str) -> Browser:
    return Browser(endpoint, ec.generate_private_key(ec.SECP256R1()), bytes(range(16)))


@dataclass
class PushService:
    """A server thread. ``script`` maps a path to what happens at its next requests; ``taken`` is what got a 2xx.

    Words of a script: a status (``201``), one with Retry-After (``429 after 7``), ``hangs``, ``closes``
    (after the request), ``half`` (within the status line), ``cut`` (a 201 whose body breaks off),
    ``redirects`` (to ``elsewhere``), ``endless`` (a 201 whose body never ends).
    """

    folder: Path
    host: str = HOST
    elsewhere: str = "https://127.0.0.1/"
    taken: list[Push] = field(default_factory=list)
    asked: list[Push] = field(default_factory=list)
    script: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    peers: set[tuple[str, int]] = field(default_factory=set)
    """Where its connections came from."""

    def __enter__(self) -> Self:
        self.port = free_port()
        self._ended = asyncio.Event()
        begun = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(begun)), daemon=True)
        self._thread.start()
        if not begun.wait(10):
            raise RuntimeError("the push service did not start")
        return self

    def __exit__(self, *_error: object) -> None:
        self.end()

    def end(self) -> None:
        """Nobody listens any more; what still hangs is broken off."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(10)

    @property
    def origin(self) -> str:
        return f"https://{self.host}:{self.port}"

    def browser(self, name: str) -> Browser:
        """A browser subscribed here."""
        return browser(f"{self.origin}/push/{name}")

    @property
    def options(self) -> dict[str, Any]:
        """What a channel must be told to reach this service, by the way that a city's own one takes."""
        named = f"{self.host}:{self.port}"
        return {
            "private_hosts": {named: LOOPBACK},
            "resolve": {named: "127.0.0.1"},
            "ca_file": str(self.folder / "ca.pem"),
        }

    async def _serve(self, begun: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._meet)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate(self.folder, self.host))
        await web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=context).start()
        begun.set()
        await self._ended.wait()
        await runner.cleanup()

    async def _meet(self, request: web.Request) -> web.StreamResponse:
        push = Push(request.path, dict(request.headers), await request.read())
        self.asked.append(push)
        steps = self.script[request.path]
        word = steps.pop(0) if steps else "201"
        assert request.transport
        self.peers.add(request.transport.get_extra_info("peername"))
        match word.split():
            case ["hangs"]:
                await self._ended.wait()
            case ["closes"]:
                request.transport.abort()
            case ["half"]:
                request.transport.write(b"HTTP/1.1 20")
                request.transport.close()
            case ["cut"]:
                self.taken.append(push)
                request.transport.write(b"HTTP/1.1 201 Created\r\nContent-Length: 900\r\n\r\nhalf of it")
                request.transport.close()
            case ["redirects"]:
                return web.Response(status=307, headers={"Location": self.elsewhere})
            case ["endless"]:
                self.taken.append(push)
                return await self._without_end(request)
            case [status, "after", *value]:
                return web.Response(status=int(status), headers={"Retry-After": " ".join(value)})
            case [status]:
                if status.startswith("2"):
                    self.taken.append(push)
                return web.Response(status=int(status))
        return web.Response(status=500)

    async def _without_end(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=201)
        await answer.prepare(request)
        while not self._ended.is_set() and request.transport is not None and not request.transport.is_closing():
            await answer.write(b"x" * 8192)
            await asyncio.sleep(0.001)  # else a connection that was closed is never noticed
        return answer


def text(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def certificate(folder: Path, *hosts: str) -> tuple[Path, Path]:
    """A certificate for these hosts and its key, signed by the authority in ``ca.pem`` of the same folder."""
    for name, pem in _chain(hosts).items():
        (folder / name).write_bytes(pem)
    return folder / "cert.pem", folder / "key.pem"


@cache
def _chain(hosts: tuple[str, ...]) -> dict[str, bytes]:
    root, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority, own = _name(f"Authority of {hosts[0]}"), _name(hosts[0])
    names: list[x509.GeneralName] = [
        x509.IPAddress(ip_address(host)) if host[:1].isdigit() else x509.DNSName(host) for host in hosts
    ]
    ca = _until_tomorrow(authority, root).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    leaf = _until_tomorrow(own, key).add_extension(x509.SubjectAlternativeName(names), critical=False)
    ca, leaf = (unsigned.issuer_name(authority) for unsigned in (ca, leaf))
    return {
        "ca.pem": ca.sign(root, hashes.SHA256()).public_bytes(Encoding.PEM),
        "cert.pem": leaf.sign(root, hashes.SHA256()).public_bytes(Encoding.PEM),
        "key.pem": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    }


def _until_tomorrow(name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return x509.CertificateBuilder(
        subject_name=name,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - dt.timedelta(hours=1),
        not_valid_after=now + dt.timedelta(days=1),
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
