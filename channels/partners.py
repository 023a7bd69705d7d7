"""One call to a partner's server: https, to an address that is public or named, and of its answer only the status.

A partner who hangs, drips, redirects or talks without end costs its own delivery some seconds and nothing else.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx
from django.utils.translation import gettext as _

from .base import ChannelError, Permanent, Temporary
from .http import check

PLACES = ("city", "eu", "abroad")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
EMBEDDING = [ip_network(one) for one in ("64:ff9b::/96", "2002::/16", "2001::/32")]
"""IPv6 networks whose addresses lead to any IPv4 one; no partner needs them."""
LONGEST = 10.0
"""Seconds; three times as many still leave a delivery within its lease."""
MOST_ADDRESSES = 2
"""Of a name's addresses, how many are tried."""


class Partner:
    """``url`` as in a channel's options; ``what`` names the partner in errors, which never show the address.

    ``allow`` are the networks that its address may lie in although they are not public
    (``["10.1.0.0/16"]``). ``token`` is sent as bearer; ``certificate`` and ``certificate_key`` are files (PEM) of a
    client's certificate; ``authority`` is a file with the one authority that may have signed the server's, in place
    of the usual ones. Plain http goes to a loopback address that ``allow`` names, and nowhere else. ``seconds`` bounds
    connecting and each read, and three times as many the whole call. Raises ValueError for what can't be used.
    """

    def __init__(
        self,
        what: str,
        url: str,
        *,
        allow: Sequence[str] = (),
        token: str = "",
        certificate: str = "",
        certificate_key: str = "",
        authority: str = "",
        seconds: float = 8.0,
    ) -> None:
        self.what, self.seconds, self._url, self._token = what, seconds, _usable(url, bool(allow)), token
        self.host = self._url.host
        self._inside = [ip_network(one) for one in allow]
        if not 0 < seconds <= LONGEST:
            raise ValueError(f"timeout is more than 0 and at most {LONGEST:.0f} seconds")
        if certificate_key and not certificate:
            raise ValueError("certificate_key needs a certificate")
        try:
            self._context = (
                ssl.create_default_context(cafile=authority) if authority else httpx.create_ssl_context(trust_env=False)
            )
            if certificate:
                self._context.load_cert_chain(certificate, certificate_key or None)
        except OSError as error:  # an ssl.SSLError is one too
            raise ValueError("certificate, certificate_key or authority can't be read") from error

    def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Hand it over; whoever calls makes sure that a second time is harmless.

        Raises Temporary and Permanent: what may have arrived is Temporary too.
        """
        answered: list[httpx.Response | Exception] = []
        client = httpx.Client(
            transport=_Pinned(self), timeout=self.seconds, follow_redirects=False, headers={"User-Agent": "Belfry"}
        )
        given = {**headers, "Authorization": f"Bearer {self._token}"} if self._token else dict(headers)

        def call() -> None:
            try:
                with client.stream("POST", self._url, content=body, headers=given) as response:
                    answered.append(response)
            except (httpx.HTTPError, ChannelError, OSError, RuntimeError, ValueError) as error:
                answered.append(error)

        # A thread, since a server that drips its answer would outlast any time-out of one read
        thread = threading.Thread(target=call, daemon=True)
        thread.start()
        thread.join(3 * self.seconds)
        client.close()
        self._judge(answered[0] if answered else httpx.ReadTimeout(""))

    def _judge(self, answer: httpx.Response | Exception) -> None:
        what = self.what
        if isinstance(answer, httpx.ConnectError | httpx.ConnectTimeout):
            raise Temporary(_("{what}: no connection").format(what=what)) from answer
        if isinstance(answer, httpx.TimeoutException):
            raise Temporary(_("{what}: no answer in time").format(what=what)) from answer
        if isinstance(answer, httpx.TransportError):
            raise Temporary(_("{what}: connection broken off").format(what=what)) from answer
        if isinstance(answer, Exception):
            raise answer
        status = answer.status_code
        if 200 <= status < 300:
            return
        words = ""
        if 300 <= status < 400:
            words = _("{what} answered {status}: it points elsewhere, and nothing goes there. Enter the right address.")
        elif status == 410:
            words = _("{what} answered {status}: nobody is there any more. Ask the partner, or remove the channel.")
        if words:
            raise Permanent(words.format(what=what, status=status))
        check(what, answer)

    def probe(self) -> str:
        """Connect and see its certificate, and ask nothing. Raises Temporary, Permanent."""
        port = self._url.port or (443 if self._url.scheme == "https" else 80)
        try:
            for address in self.addresses()[:1]:
                with socket.create_connection((address, port), timeout=self.seconds) as line:
                    if self._url.scheme == "https":
                        self._context.wrap_socket(line, server_hostname=self.host).close()
        except ssl.SSLCertVerificationError as error:
            raise Permanent(_("{what}: its certificate is not valid.").format(what=self.what)) from error
        except (OSError, httpx.ConnectError) as error:
            raise Temporary(_("{what}: no connection").format(what=self.what)) from error
        return _("{host} answers. Whether it takes messages only a message can show.").format(host=self.host)

    def addresses(self) -> list[str]:
        """The IP addresses that may be connected to, asked anew each time. Raises Permanent where there is none."""
        try:
            found = socket.getaddrinfo(self.host, None, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpx.ConnectError("name not resolved") from error
        every = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        allowed = [address for address in every if self._allows(address)]
        if not allowed:
            words = _("{what}: its address lies in a network that is not public and that “allow” does not name.")
            raise Permanent(words.format(what=self.what))
        return allowed[:MOST_ADDRESSES]

    def _allows(self, address: str) -> bool:
        found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        if any(found in network for network in self._inside):
            return True
        if any(found in network for network in EMBEDDING):
            return False
        return found.is_global and not found.is_multicast and not found.is_reserved


class _Pinned(httpx.BaseTransport):
    """Connects to the very address that was checked: a name that leads elsewhere a moment later gains nothing."""

    def __init__(self, partner: Partner) -> None:
        self._partner = partner
        self._inner = httpx.HTTPTransport(verify=partner._context, trust_env=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        failed: httpx.TransportError = httpx.ConnectError("no address")
        name = {"sni_hostname": self._partner.host}
        for address in self._partner.addresses():
            url = request.url.copy_with(host=address)
            try:
                return self._inner.handle_request(
                    httpx.Request(
                        request.method,
                        url,
                        headers=request.headers,
                        stream=request.stream,
                        extensions={**request.extensions, **name},
                    )
                )
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failed = error
        raise failed

    def close(self) -> None:
        self._inner.close()


def _usable(url: str, inside: bool) -> httpx.URL:
    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        raise ValueError("the address is none") from None
    plain = parts.scheme == "http" and parts.host in LOOPBACK and inside
    if not parts.host or not (parts.scheme == "https" or plain) or parts.userinfo or parts.fragment:
        raise ValueError("the address begins with https:// and holds no name, password or #")
    return parts
