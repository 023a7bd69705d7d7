"""Asking a source: bounded in size and time, and only at addresses that were checked and are kept for the connection.

A feed can name any address it likes, and so can its redirects. So each one is looked at: https, a public IP
address (the one that is really connected to), nothing of our own network but the hosts of ``SOURCES_INSIDE``, and
those only where the source itself was given at that host.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urljoin, urlsplit

import certifi
import httpcore
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

SECONDS = 20.0
"""For one answer with its redirects, from the name's look-up to the last byte."""
PAUSE = 8.0
"""Seconds without a byte."""
SIZE = 5_000_000
"""Bytes of a body, unpacked."""
HOPS = 3
LONGEST = 2000
LONGEST_WAIT = 3600.0
"""Seconds of a Retry-After that are believed."""

URL = re.compile(r"[!-~]+")
HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
EMBEDDING = ip_network("64:ff9b::/96")
"""NAT64 (RFC 6052): the last four bytes are an IPv4 address."""
TUNNELS = (ip_network("2002::/16"), ip_network("2001::/32"))
"""6to4 and Teredo: they lead to any IPv4 address."""
REDIRECTS = {301, 302, 303, 307, 308}
NAMED = re.compile(r"[!-~]{1,200}")


class Unreachable(Exception):
    """No answer that can be used; ``str()`` says why without the address, ``after`` when to ask again, in seconds."""

    def __init__(self, words: str, after: float | None = None) -> None:
        super().__init__(words)
        self.after = after


@dataclass(frozen=True, slots=True)
class Answer:
    """``unchanged`` is a 304: nothing new, no body. ``url`` is where the body came from after redirects."""

    body: bytes
    url: str
    etag: str = ""
    modified: str = ""
    unchanged: bool = False


def get(url: str, *, home: str = "", etag: str = "", modified: str = "") -> Answer:
    """What lies at ``url``. ``home`` is the source's own address, whose host alone may be one of our network.

    Raises Unreachable.
    """
    until = time.monotonic() + SECONDS
    own = _place(urlsplit(home or url))
    asked = {name: value for name, value in (("If-None-Match", etag), ("If-Modified-Since", modified)) if value}
    for _hop in range(HOPS + 1):
        check(url, own)
        answer = _ask(url, own, asked, until)
        if isinstance(answer, Answer):
            return answer
        url = answer
    raise Unreachable(_("It leads from one address to the next without end."))


def check(url: str, own: tuple[str, int] | None = None) -> None:
    """Raise Unreachable where this can't be asked at all, whatever its name resolves to."""
    split = urlsplit(url)
    place = _place(split)
    if not URL.fullmatch(url) or len(url) > LONGEST or not place[0]:
        raise Unreachable(_("This is no web address that can be asked."))
    if split.username or split.password:
        raise Unreachable(_("The address holds a name or password, which would be seen. Take it out."))
    inside = is_inside(place) and place == (own or place)
    if split.scheme != "https" and not (inside and split.scheme == "http"):
        raise Unreachable(_("Only addresses with https are asked."))
    if not inside and not HOST.fullmatch(place[0]):
        raise Unreachable(_("The address names no host of the public Internet."))


def is_inside(place: tuple[str, int]) -> bool:
    """Whether host and port are named in SOURCES_INSIDE, with the port or without."""
    return place[0] in settings.SOURCES_INSIDE or f"{place[0]}:{place[1]}" in settings.SOURCES_INSIDE


def _place(split: SplitResult) -> tuple[str, int]:
    try:
        return (split.hostname or "").lower(), split.port or (80 if split.scheme == "http" else 443)
    except ValueError:
        return "", 0


def _ask(url: str, own: tuple[str, int], asked: dict[str, str], until: float) -> Answer | str:
    """One request: its answer, or the address where it leads."""
    split = urlsplit(url)
    host, port = _place(split)
    target = (split.path or "/") + (f"?{split.query}" if split.query else "")
    headers = {"Host": split.netloc, "User-Agent": "Belfry", "Accept-Encoding": "gzip", "Accept": "*/*", **asked}
    backend = _Pinned(until, is_inside((host, port)) and (host, port) == own)
    waits = dict.fromkeys(("connect", "read", "write", "pool"), PAUSE)
    try:
        with httpcore.ConnectionPool(ssl_context=_authorities(), network_backend=backend, max_connections=1) as pool:
            with pool.stream(
                "GET",
                httpcore.URL(scheme=split.scheme, host=host, port=port, target=target),
                headers=list(headers.items()),
                extensions={"timeout": waits},
            ) as response:
                return _read(url, response, bool(asked))
    except (httpcore.TimeoutException, TimeoutError) as error:
        raise Unreachable(_("No answer in time.")) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError) as error:
        raise Unreachable(_("No connection, or it was broken off.")) from error
    except zlib.error as error:
        raise Unreachable(_("The answer can't be unpacked.")) from error


def _read(url: str, response: httpcore.Response, asked: bool) -> Answer | str:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    status = response.status
    if status in REDIRECTS and headers.get("location"):
        return urljoin(url, headers["location"])
    if status == 304 and asked:
        return Answer(b"", url, unchanged=True)
    if status != 200:
        raise Unreachable(_("It answered {status}.").format(status=status), _retry_after(headers))
    kept = [value if NAMED.fullmatch(value.replace(" ", "")) else "" for value in _validators(headers)]
    return Answer(_body(response.iter_stream(), headers.get("content-encoding", "")), url, kept[0], kept[1][:60])


def _validators(headers: dict[str, str]) -> tuple[str, str]:
    return headers.get("etag", ""), headers.get("last-modified", "")


def _body(parts: Iterable[bytes], encoding: str) -> bytes:
    """The body, unpacked, and never more of it than SIZE, however small it came."""
    if encoding.lower() not in {"", "identity", "gzip", "x-gzip"}:
        raise Unreachable(_("The answer can't be unpacked."))
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS) if "gzip" in encoding.lower() else None
    body = bytearray()
    for part in parts:
        body += unpacker.decompress(part, SIZE + 1 - len(body)) if unpacker else part
        if len(body) > SIZE:
            raise Unreachable(_("The answer is larger than {count} MB.").format(count=SIZE // 1_000_000))
    if unpacker and not unpacker.eof:
        raise Unreachable(_("The answer ends in the middle."))
    return bytes(body)


def _retry_after(headers: dict[str, str]) -> float | None:
    """Seconds of a Retry-After, as a number or a date (RFC 9110 §10.2.3)."""
    value = headers.get("retry-after", "")
    if value.isdecimal() and len(value) < 9:
        return min(float(value), LONGEST_WAIT)
    try:
        seconds = (parsedate_to_datetime(value) - timezone.now()).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(0.0, seconds), LONGEST_WAIT)


# The connection


def resolve(host: str, port: int) -> list[str]:
    """The IP addresses of a host; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """Whether an IP address lies in the public Internet, also behind the disguises of IPv6."""
    found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        elif found in EMBEDDING:
            found = IPv4Address(int(found) & 0xFFFFFFFF)
    if any(found.version == tunnel.version and found in tunnel for tunnel in TUNNELS):
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def connect(address: str, port: int, seconds: float) -> httpcore.NetworkStream:
    return httpcore.SyncBackend().connect_tcp(address, port, timeout=seconds)


class _Pinned(httpcore.NetworkBackend):
    """Connects to an address that it has looked at: no second look-up comes between the look and the connection."""

    def __init__(self, until: float, inside: bool) -> None:
        self.until = until
        self.inside = inside

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = resolve(host, port)
        # one private address among public ones is no accident either
        if not addresses or not (self.inside or all(is_public(address) for address in addresses)):
            raise Unreachable(_("The address leads into a private network, where nothing is asked."))
        for address in addresses[:-1]:
            try:
                return _Timed(connect(address, port, _left(self.until, timeout)), self.until)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return _Timed(connect(addresses[-1], port, _left(self.until, timeout)), self.until)


class _Timed(httpcore.NetworkStream):
    """A connection that ends at a set time: a byte every second, in head or body, wins nobody more."""

    def __init__(self, inner: httpcore.NetworkStream, until: float) -> None:
        self.inner = inner
        self.until = until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.inner.read(max_bytes, _left(self.until, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.inner.write(buffer, _left(self.until, timeout))

    def close(self) -> None:
        self.inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Timed(self.inner.start_tls(ssl_context, server_hostname, _left(self.until, timeout)), self.until)

    def get_extra_info(self, info: str) -> object:
        return self.inner.get_extra_info(info)


def _left(until: float, timeout: float | None) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return min(left, timeout or PAUSE)


@cache
def _authorities() -> ssl.SSLContext:
    """Read once for the process: it takes 50 ms."""
    return ssl.create_default_context(cafile=certifi.where())
