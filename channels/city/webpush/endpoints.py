"""Where pushes may go: endpoints are what residents sent in, so host, port and address are checked, every time.

An endpoint's host must be one of the push services' or named in the channel's options. The address
it resolves to must be public, unless host and network are named together; ``Rules.allows`` is asked
with the address that is really connected to, so that a name that resolves to another one by then gains
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.utils.translation import gettext as _

SERVICES = (
    "fcm.googleapis.com",
    "*.push.services.mozilla.com",
    "*.push.apple.com",
    "*.notify.windows.com",
)
"""The push services of Chrome and its kin, Firefox, Safari and Edge; ``*.`` is one or more names."""
LONGEST = 2000
"""Characters of an endpoint."""
HTTPS = 443

# Lower case, digits, dots: nothing that two parsers of URLs could read in two ways
ENDPOINT = re.compile(r"(https://([a-z0-9.-]{1,253})(?::([0-9]{1,5}))?)/[!-~]*")
HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
EMBEDDING = ip_network("64:ff9b::/96")
"""NAT64 (RFC 6052): the last four bytes are an IPv4 address."""
TUNNELS = (ip_network("2002::/16"), ip_network("2001::/32"))
"""6to4 and Teredo: they lead to any IPv4 address, and no push service lies there."""

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Place:
    """One origin that pushes may go to; ``inside`` is the network that its address may lie in, if it isn't public."""

    origin: str
    host: str
    port: int
    own: bool
    """Named in the channel's options, not one of the browsers' services."""
    inside: Network | None

    def allows(self, address: str) -> bool:
        """Whether this IP address may be connected to for this origin."""
        found = _unmapped(ip_address(address))
        if self.inside is not None and found.version == self.inside.version and found in self.inside:
            return True
        return _is_public(found)


class Rules:
    """The hosts that are allowed: the services', ``hosts`` (``name``, ``*.name``, ``name:port``) and ``private_hosts``.

    ``private_hosts`` maps a host to the one network that its address may lie in, such as
    ``{"push.stadt.example": "10.1.0.0/16"}``. Raises ValueError for an option that says neither.
    """

    def __init__(self, hosts: Iterable[str] = (), private_hosts: Mapping[str, str] | None = None) -> None:
        named = [*hosts, *(private_hosts or {})]
        self._own = {_host_and_port(one) for one in named}
        if any(host.startswith("*.") for host in private_hosts or {}):
            raise ValueError("private_hosts names each host in full, with its own network")
        self._services = {(host, HTTPS) for host in SERVICES}
        self._inside: dict[tuple[str, int], Network] = {
            _host_and_port(host): ip_network(network) for host, network in (private_hosts or {}).items()
        }

    def place(self, endpoint: str) -> Place:
        """The origin of an endpoint. Raises ValueError in plain words where no push may go there."""
        found = ENDPOINT.fullmatch(endpoint)
        if found is None or len(endpoint) > LONGEST:
            raise ValueError(_("This push address can't be used: it is no https address as browsers give it."))
        origin, host, port = found[1], found[2], int(found[3] or HTTPS)
        if not HOST.fullmatch(host):
            raise ValueError(_("This push address can't be used: it names no host."))
        own = _named(self._own, host, port)
        if not own and not _named(self._services, host, port):
            raise ValueError(_("This push address can't be used: its service is not one that the city pushes to."))
        return Place(origin, host, port, own, self._inside.get((host, port)))


def check_endpoint(endpoint: str, rules: Rules | None = None) -> None:
    """Raise ValueError in plain words where an endpoint can't be taken into the list; pure, asks no resolver."""
    (rules or Rules()).place(endpoint)


def split(address: str) -> tuple[str, str, str]:
    """Endpoint, p256dh and auth of an address as ``channels.base.Recipient`` holds it. Raises ValueError."""
    parts = address.split(" ")
    if len(parts) != 3:
        raise ValueError(_("This push address can't be used: it is incomplete."))
    return parts[0], parts[1], parts[2]


def _host_and_port(named: str) -> tuple[str, int]:
    host, _colon, port = named.partition(":")
    plain = host.removeprefix("*.")
    if not HOST.fullmatch(plain) or not (port or str(HTTPS)).isdecimal():
        raise ValueError(f'"{named}" is no host name; write name.example, *.name.example or name.example:8443')
    return host, int(port or HTTPS)


def _named(known: Iterable[tuple[str, int]], host: str, port: int) -> bool:
    """Whether a host is one of these, or below one that begins with ``*.``."""
    if (host, port) in known:
        return True
    parents = host.split(".")
    return any(("*." + ".".join(parents[start:]), port) in known for start in range(1, len(parents)))


def _unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in EMBEDDING:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if any(address.version == tunnel.version and address in tunnel for tunnel in TUNNELS):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved
