"""Web push: one encrypted message to each subscribed browser, through its maker's push service (RFC 8030, 8291, 8292).

Design and limits: one process makes some 5,000 a second with fresh keys and four times that with
prepared ones; what counts is done once for each send (the payload), each origin (headers, token) or
ahead of time (``prepare``).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import ClassVar

import certifi
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.notice import City, Notice, Rendering
from channels import vapid
from channels.base import Broadcaster, Hop, Outcome, Permanent, Recipient, Service

from . import answers, encryption, wording
from .answers import Answer
from .endpoints import Place, Rules, split
from .wire import NO_HEADERS, Road, Sent, Wire

SPARE = 5.0
"""Seconds of a checkpoint that are not spent on waiting for answers."""
MOST_ORIGINS = 1000
"""Push services that are remembered: what stands before ``.notify.windows.com`` is the residents' to write."""
SERVICE_TTL = 3600
"""Seconds that a service text waits for a browser that is off."""


@dataclass(slots=True, eq=False)
class Origin:
    """One push service as this process knows it: whether it took anything lately."""

    place: Place
    untaken: int = 0
    """How many in a row it did not take, or did not answer."""
    rests_until: float = 0.0
    """Monotonic seconds before which nothing is sent to it."""

    def heard(self, answer: Answer) -> None:
        """Count an answer; a service in trouble is left alone for a while, so that it can't hold up the others."""
        if answer.status and answer.status != 429 and answer.status < 500:
            self.untaken = 0
            return
        self.untaken += 1
        if self.untaken >= answers.TROUBLE:
            self.untaken = 0
            self.rests_until = time.monotonic() + (min(answer.after, answers.MOST_AFTER) or answers.REST)


class WebPush(Broadcaster):
    """Push messages to browsers and installed apps.

    ``contact`` is whom push services may turn to (``mailto:…``, ``https://…``; else the city's address).
    ``hosts`` are push services besides the browsers' own, ``private_hosts`` those whose address may lie in
    a network of the city's own: host -> network. ``ca_file`` holds the authorities for both. ``resolve``
    maps ``host:port`` to an IP address that is taken without asking a resolver. ``timeout`` is what one
    request may take, in seconds.
    """

    city: ClassVar[bool] = True
    # the same Topic: a second one takes the place of the first
    idempotent: ClassVar[bool] = True
    way: ClassVar[str] = "push"
    # each browser asks its own maker's push service
    hops: Sequence[Hop] = tuple(Hop(name, "abroad") for name in ("Google", "Apple", "Mozilla", "Microsoft"))
    prepares: ClassVar[bool] = True
    checkpoint = 500
    seconds: ClassVar[float] = 25.0

    def __init__(
        self,
        name: str,
        *,
        keys_dir: str,
        city: City,
        mail_from: str = "",
        contact: str = "",
        hosts: Sequence[str] = (),
        private_hosts: Mapping[str, str] | None = None,
        ca_file: str = "",
        resolve: Mapping[str, str] | None = None,
        timeout: float = 10.0,
    ) -> None:
        super().__init__(name)
        self.speaker = city
        self.keys_dir = keys_dir
        self.contact = contact or vapid.contact(city.address, mail_from)
        vapid.check_contact(self.contact)
        self.rules = Rules(hosts, private_hosts)
        if ca_file and not Path(ca_file).is_file():
            raise ValueError(f"ca_file {ca_file} is no file")
        self.ca_file = ca_file
        self.timeout = min(timeout, self.seconds - SPARE)
        self.resolve = dict(resolve or {})
        self._wire = Wire(seconds=self.timeout, resolve=self.resolve)
        self._origins: dict[str, Origin] = {}

    def compose(self, notice: Notice) -> Rendering:
        """The payload word for word, with its urgency and topic."""
        return Rendering(self.name, notice.language, wording.fields(notice))

    def measure(self, rendering: Rendering) -> tuple[int, int] | None:
        said = rendering.fields["payload"]["notification"]
        return len(said["title"]) + len(said["body"]), wording.TITLE + wording.BODY

    def send(self, rendering: Rendering, recipients: Sequence[Recipient], *, key: str) -> Iterable[Outcome]:
        """Encrypt for each of these, send, and yield each outcome as its answer arrives."""
        said = rendering.fields
        record = encryption.padded(wording.plain(said["payload"]))
        headers = _headers(wording.ttl(rendering.slots["expires"], timezone.now()), said["urgency"], said["topic"])
        unsent: list[Outcome] = []
        until = time.monotonic() + self.seconds - SPARE
        for (recipient, origin), answer in self._wire.post(
            self._requests(record, headers, recipients, unsent), until=until
        ):
            if answer is not answers.TAKEN or origin.untaken:
                origin.heard(answer)
            yield answers.outcome(recipient, answer)
        yield from unsent

    def tell(self, service: Service, recipient: Recipient) -> Outcome:
        """Send a service text to one browser, over a connection of its own. Raises Permanent without the city's key."""
        # it brings two HTTP clients along, which no worker needs
        from pywebpush import WebPusher  # noqa: PLC0415

        payload = wording.service_payload(service, self.speaker.name, self.speaker.address)
        headers = _headers(SERVICE_TTL, "high", wording.topic(f"service {service.name}"))
        try:
            self.check(recipient.address)
            endpoint, p256dh, auth = split(recipient.address)
            road = self._road(self._origin(endpoint), headers)
        except ValueError as refusal:
            return Outcome(recipient.id, "permanent", str(refusal))
        subscription = {"endpoint": endpoint, "keys": {"p256dh": p256dh, "auth": auth}}
        body = bytes(WebPusher(subscription).encode(wording.plain(payload))["body"])
        wire = Wire(seconds=self.timeout, resolve=self.resolve)
        try:
            sent = wire.post([(None, road, endpoint, body)], until=time.monotonic() + self.seconds - SPARE)
            return next(answers.outcome(recipient.id, answer) for _mark, answer in sent)
        finally:
            wire.close()

    def prepare(self, address: str) -> bytes:
        """A public key and IKM for one later message to this address, 97 bytes."""
        _endpoint, p256dh, auth = split(address)
        try:
            return encryption.prepare(*encryption.subscriber_keys(p256dh, auth))
        except ValueError as error:
            raise ValueError(_("This push address can't be used: its keys are no browser's.")) from error

    def check(self, address: str) -> None:
        """Raise ValueError in plain words where an address can't be subscribed; asks no resolver."""
        endpoint, _p256dh, _auth = split(address)
        self.rules.place(endpoint)
        self.prepare(address)

    def probe(self) -> str:
        """Whether the city's keys are there."""
        return _("The city's key for web push is there ({start}…).").format(start=self._signer.public_key[:8])

    @cached_property
    def _signer(self) -> vapid.Vapid:
        try:
            return vapid.Vapid(self.keys_dir, self.contact)
        except (vapid.KeyUnreadable, OSError) as error:
            raise Permanent(str(error)) from error

    def _requests(
        self, record: bytes, headers: Sequence[str], recipients: Sequence[Recipient], unsent: list[Outcome]
    ) -> Iterator[Sent]:
        """Each recipient's request, made when there is room for it; those that get none are noted in ``unsent``."""
        roads: dict[str, tuple[Road, Origin]] = {}
        for recipient, salt in zip(recipients, encryption.salts(len(recipients)), strict=True):
            endpoint = recipient.address.partition(" ")[0]
            try:
                start = endpoint[: endpoint.find("/", 8) + 1]  # empty, and no road, where there is no slash
                if start not in roads or not (endpoint.isascii() and endpoint.isprintable()):
                    origin = self._origin(endpoint)
                    roads[start] = self._road(origin, headers), origin
                road, origin = roads[start]
                if origin.rests_until and (left := origin.rests_until - time.monotonic()) > 0:
                    unsent.append(answers.waits(recipient.id, left))
                    continue
                prepared = recipient.prepared
                if len(prepared) != encryption.PREPARED:
                    prepared = self.prepare(recipient.address)
            except ValueError as refusal:
                unsent.append(Outcome(recipient.id, "permanent", str(refusal)))
                continue
            yield (recipient.id, origin), road, endpoint, encryption.encrypt(record, prepared, salt)

    def _origin(self, endpoint: str) -> Origin:
        place = self.rules.place(endpoint)
        if len(self._origins) >= MOST_ORIGINS:
            self._origins.clear()
        return self._origins.setdefault(place.origin, Origin(place))

    def _road(self, origin: Origin, headers: Sequence[str]) -> Road:
        place = origin.place
        authorization = self._signer.authorization(place.origin)
        certificates = self.ca_file if place.own and self.ca_file else certifi.where()
        return Road(place, _joined(tuple(headers), authorization), certificates)


def _headers(ttl: int, urgency: str, topic: str) -> list[str]:
    return [*NO_HEADERS, "Content-Encoding: aes128gcm", f"TTL: {ttl}", f"Urgency: {urgency}", f"Topic: {topic}"]


@lru_cache(maxsize=64)
def _joined(headers: tuple[str, ...], authorization: str) -> list[str]:
    """All headers of one origin: the same list from one send to the next, which libcurl then need not be told again."""
    return [*headers, f"Authorization: {authorization}"]
