"""The long tail by Apprise: Matrix, Nextcloud Talk, Signal, Threema, WhatsApp, Slack, Teams … one address each.

Apprise says yes or no; why it was no stands only in what it logs. Of that a status and the kind of a broken
connection are read, and nothing is ever repeated: addresses and answers hold secrets.
"""

from __future__ import annotations

import html
import importlib
import ipaddress
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from alerts.notice import City, Notice, Rendering
from channels.base import ChannelError, Hop, Permanent, Post, Publisher, Temporary, Uncertain
from channels.teasers import teaser

log = logging.getLogger(__name__)

LIMIT = 500
"""Characters for a service that Apprise does not know."""
LEAST = 120
"""Characters below which no service can say anything."""
STATUS = re.compile(r"error=(\d{3})(?:\d\d)?\.?\s*$")
"""How the plugins end a refusal: the HTTP status, after which ntfy writes two digits of its own."""
SENT = re.compile(r"\bsent\b", re.IGNORECASE)
BROKEN = "Socket Exception: "
UNREACHED = re.compile(r"Caused by (?:NewConnectionError|NameResolutionError|ConnectTimeoutError|SSLError)\(")
"""What urllib3 calls it where nothing can have gone out."""
VENDORS: Mapping[str, Sequence[Hop]] = {
    "discord": (Hop("Discord", "abroad"),),
    "46elks": (Hop("46elks", "eu"),),
    "elks": (Hop("46elks", "eu"),),
    "msteams": (Hop("Microsoft", "abroad"),),
    "seven": (Hop("seven", "eu"),),
    "signal": (Hop("Signal", "abroad"),),
    "signals": (Hop("Signal", "abroad"),),
    "sinch": (Hop("Sinch", "eu"),),
    "slack": (Hop("Slack (Salesforce)", "abroad"),),
    "tgram": (Hop("Telegram", "abroad"),),
    "threema": (Hop("Threema", "abroad"),),  # Switzerland
    "whatsapp": (Hop("WhatsApp (Meta)", "abroad"),),
    "workflows": (Hop("Microsoft", "abroad"),),
    "workflow": (Hop("Microsoft", "abroad"),),
    "zulip": (Hop("Zulip", "abroad"),),
}
PLACES = ("city", "eu", "abroad")
OWN = frozenset(
    ("form", "gotify", "json", "matrix", "mmost", "mqtt", "nctalk", "ncloud", "ntfy", "rocket", "signal", "xml", "xmpp")
)
"""Their addresses name a server, with an s at the end where encrypted. In others a key may stand in its place."""


class Apprise(Publisher):
    """Posts over one address of Apprise's (``nctalks://user:password@cloud.stadt.example/room``).

    ``url`` is that address, a secret; more than one receiver in it makes a half failure unclear. ``limit``
    is the length of a text where the service's own is not wanted; ``attach`` sends the card with it, where
    the service can. ``hops`` says whom a message passes (``[{ name = "…", where = "eu" }]``): without it,
    a server under the city's own domain counts as the city's, and any other one as abroad. ``patience`` is
    the seconds for connecting and for each answer.
    """

    seconds = 40.0
    pictures = ("wide",)

    def __init__(
        self,
        name: str,
        *,
        url: str,
        city: City,
        limit: int = 0,
        attach: bool = False,
        hops: Sequence[Mapping[str, str]] = (),
        languages: Sequence[str] = (),
        patience: float = 8.0,
    ) -> None:
        super().__init__(name)
        self._url = url.strip()
        if not re.match(r"[\w.+-]+://", self._url):
            raise ValueError('"url" is no address of Apprise')
        if limit and limit < LEAST:
            raise ValueError(f'"limit" is at least {LEAST}')
        self.sender, self.limit, self.attach, self.patience = city.name, limit, attach, patience
        self.languages = tuple(languages)
        if any({"name", "where"} - one.keys() or one["where"] not in PLACES for one in hops):
            raise ValueError(f'"hops" needs a name and a where ({", ".join(PLACES)}) for each')
        own = [Hop(one["name"], one["where"]) for one in hops]
        self.hops = own or _hops(self._url, city.address)

    def compose(self, notice: Notice) -> Rendering:
        """The title says who speaks, where the service has one: else Apprise would put in words of its own."""
        title, limit = self._room()
        fields: dict[str, Any] = {"title": title, "text": teaser(notice, limit, size)}
        if self.attach and (picture := notice.picture("wide")):
            fields["picture"] = picture
        return Rendering(self.name, notice.language, fields)

    def measure(self, rendering: Rendering) -> tuple[int, int] | None:
        return size(str(rendering.fields["text"])), self._room()[1]

    def _room(self) -> tuple[str, int]:
        """The title, and the characters that are left for the text beside it."""
        service = self._service
        if service is None:
            return "", self.limit or LIMIT
        title = self.sender[: max(0, service.title_maxlen)].strip()
        room = service.body_maxlen - (len(title) + 4 if title else 0)  # a few services count both as one
        return title, min(self.limit, room) if self.limit else room

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        service = self._service
        if service is None:
            raise Permanent(_unknown())
        sender = self._library.Apprise(service, asset=service.asset)
        result = sender.notify(
            body=rendering.fields["text"],
            title=rendering.fields["title"],
            body_format="text",
            attach=self._attachment(rendering, service),
            timeout=self.seconds - 5,
            log_level=logging.DEBUG,
        )
        if result.status.name != "SUCCESS":
            error = self._error(result.status.name, list(result.logs()), len(service))
            log.warning("%s: %s", self.name, error)
            raise error
        return Post(key)

    def probe(self) -> str:
        """Apprise has no harmless call: only whether it understands the address."""
        if self._service is None:
            raise Permanent(_unknown())
        words = _("{service}: the address is well-formed. Whether it works only a message can show.")
        return words.format(service=self._service.service_name)

    @cached_property
    def _library(self) -> Any:
        """Apprise, which takes a second and 50 MB; its log is heard by nobody else, since it holds secrets."""
        import apprise  # noqa: PLC0415

        logger = logging.getLogger("apprise")
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.addHandler(logging.NullHandler())
        return apprise

    @cached_property
    def _service(self) -> Any:
        """The plugin for the address, made harmless to call; None where Apprise does not understand it."""
        asset = self._library.AppriseAsset(
            app_id=self.sender,
            app_desc=self.sender,
            app_url="",
            image_url_mask="",
            image_url_logo="",
            async_mode=False,
            allow_templates=False,
            storage_mode="memory",
        )
        service = self._library.Apprise.instantiate(self._url, asset=asset, suppress_exceptions=True)
        if service is None:
            return None
        service.request_rate_per_sec = 0
        service.socket_connect_timeout = service.socket_read_timeout = self.patience
        # Options of the address that would post twice, call a failure a success, cut the link, or go elsewhere
        service.redirects = False
        service.retry, service.optional = 0, False
        service.overflow_mode = self._library.OverflowMode.UPSTREAM
        return service

    def _attachment(self, rendering: Rendering, service: Any) -> Any:
        card = rendering.fields.get("picture")
        body = rendering.pictures.get(card["sha256"]) if card else None
        if not card or body is None or not service.attachment_support:
            return None
        memory: Any = importlib.import_module("apprise.attachment.memory")
        return memory.AttachMemory(content=body, name="card.jpg", mimetype=card["mime"])

    def _error(self, status: str, entries: Iterable[Any], receivers: int) -> ChannelError:
        """What a result other than success asks for. What can't be proved not to have gone out is uncertain."""
        what = self._service.service_name if self._service is not None else "Apprise"
        if status == "NOMATCH":
            return Permanent(_unknown())
        if status != "FAILURE":
            return Uncertain(_("{what}: no answer in time").format(what=what))
        found: list[ChannelError] = []
        for entry in entries:
            said = str(entry.message)
            if entry.level == "INFO" and SENT.search(said):
                return Uncertain(_("{what}: only a part of the receivers got it.").format(what=what))
            if said.startswith(BROKEN):
                found.append(_broken(what, said))
            elif entry.level in {"WARNING", "ERROR"} and (code := STATUS.search(said)):
                found.append(_refusal(what, int(code[1])))
        if len(found) < receivers:
            return Uncertain(_("{what}: it failed, and whether it went out is not known.").format(what=what))
        return max(found, key=lambda error: (isinstance(error, Uncertain), isinstance(error, Temporary)))


def size(text: str) -> int:
    """The length in the worst case: as HTML, which some services are sent, in UTF-16 code units."""
    return len(html.escape(text, quote=False).encode("utf-16-le", "surrogatepass")) // 2


def _broken(what: str, message: str) -> ChannelError:
    if UNREACHED.search(message):
        return Temporary(_("{what}: no connection").format(what=what))
    return Uncertain(_("{what}: connection broken off").format(what=what))


def _refusal(what: str, status: int) -> ChannelError:
    """As ``channels.http.check`` does where trying twice posts twice."""
    words = _("{what} answered {status}").format(what=what, status=status)
    if status in {425, 429, 503}:
        return Temporary(words)
    if 300 <= status < 500 and status != 408:
        return Permanent(words)
    return Uncertain(words)


def _unknown() -> str:
    return _("Apprise does not understand this channel's address: mend the setting that holds it.")


def _hops(url: str, address: str) -> Sequence[Hop]:
    """Whom a message passes: the server that the address names, and a vendor that is known."""
    parts = urlsplit(url)
    known = list(VENDORS.get(parts.scheme, ()))
    host = parts.hostname or ""
    if parts.scheme not in OWN and parts.scheme.removesuffix("s") not in OWN:
        return known or [Hop(parts.scheme, "abroad")]
    if "." not in host and host != "localhost":  # a topic, as ntfy allows
        return known or [Hop(parts.scheme, "abroad")]
    return [Hop(host, "city" if _is_city(host, address) else "abroad"), *known]


def _is_city(host: str, address: str) -> bool:
    """Whether a server is under the city's own domain, or in its own network."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        domain = ".".join((urlsplit(address).hostname or "").split(".")[-2:])
        return host == "localhost" or (bool(domain) and f".{host}".endswith(f".{domain}"))
