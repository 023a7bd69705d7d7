"""Webhook: a signed call to one partner's server (displays, sirens, signs, media); an entry for each partner.

Signed as Standard Webhooks describes: ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature``. The same id
comes with every try of the same message, so that a partner can drop what it has.

JSON body: ``type`` (``alert.warning``, ``alert.update``, ``alert.correction``, ``alert.false_alarm``,
``alert.all_clear``, ``alert.withdrawn``), ``timestamp`` and ``data``. In ``data``: ``id`` (the alert's, the same in
each of its messages), ``identifier`` and ``sent`` of this message, ``first`` (the identifier of the alert's first
message to this partner), ``cap`` (address of the signed CAP document, there within seconds), and all that
``Webhook.compose`` says, in one language and on one level, ``instruction`` as a list. A field may be added, none is
taken away. ``alert.withdrawn`` takes back what was sent in error and has ``id``, ``identifier`` and ``language`` alone.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from django.utils import timezone
from standardwebhooks import Webhook as Signing

from alerts.notice import Notice, Rendering
from alerts.terms import ResponseType
from channels.base import Hop, Post, Publisher
from channels.partners import PLACES, Partner

from . import documents

PREFIX = "whsec_"
SHORTEST = 24
"""Bytes of a secret, as the standard asks."""
TYPES = {"json": "application/json", "cap": "application/cap+xml"}


class Webhook(Publisher):
    """Calls ``url`` once for each message and language; with ``format = "cap"``, once for all languages.

    ``secret`` is shared with the partner (``whsec_`` and 24 bytes or more in base64); while a new one is brought in,
    the former stands in ``old_secret``, and both sign. ``allow`` and ``authority`` as ``partners.Partner`` has
    them; ``where`` says whose law holds there: city, eu or abroad. ``timeout`` is the seconds for connecting and
    for the answer.
    """

    city = True
    idempotent = True  # the id tells a partner what it has already
    seconds = 35.0

    def __init__(
        self,
        name: str,
        *,
        url: str,
        secret: str,
        old_secret: str = "",
        format: str = "json",  # noqa: A002
        languages: Sequence[str] = (),
        allow: Sequence[str] = (),
        authority: str = "",
        where: str = "eu",
        address: str = "",
        keys_dir: str = "",
        timeout: float = 8.0,
    ) -> None:
        super().__init__(name)
        if format not in TYPES:
            raise ValueError('"format" is json or cap')
        if where not in PLACES:
            raise ValueError(f'"where" is one of {", ".join(PLACES)}')
        self.partner = Partner(name, url, allow=allow, authority=authority, seconds=timeout)
        self._signing = [_signing(one) for one in (secret, old_secret) if one or one is secret]
        self.format, self.address, self.keys_dir = format, address, keys_dir
        # the CAP document holds every language already
        self.languages = tuple(languages[:1] if format == "cap" else languages)
        self.hops = (Hop(self.partner.host, where),)

    def compose(self, notice: Notice) -> Rendering:
        """All that a partner is told. An exercise says no order, not even in a word for machines (DESIGN, rule 7)."""
        response = [str(one) for one in notice.response]
        if notice.exercise:
            response = [str(ResponseType.ALL_CLEAR if ResponseType.ALL_CLEAR in response else ResponseType.NONE)]
        return Rendering(
            self.name,
            notice.language,
            {
                "headline": notice.headline,
                "description": notice.description,
                "instruction": "\n".join(notice.steps),
                "short": notice.short,
                "area": notice.area,
                "url": notice.url,
                "data": {
                    "id": notice.slug,
                    "language": notice.words_language,
                    "kind": str(notice.kind),
                    "msgType": str(notice.msg_type),
                    "status": str(notice.status),
                    "level": notice.level,
                    "levelWord": notice.level_word,
                    "event": notice.event,
                    "place": notice.place,
                    "category": [str(one) for one in notice.category],
                    "urgency": str(notice.urgency),
                    "severity": str(notice.severity),
                    "certainty": str(notice.certainty),
                    "responseType": response,
                    "onset": _time(notice.onset),
                    "expires": _time(notice.expires),
                    "factsAt": _time(notice.facts_at),
                    "nextBy": _time(notice.next_by),
                    "contact": notice.contact,
                    "web": notice.web,
                    "districts": [{"code": one.code, "name": one.name} for one in notice.districts],
                    "circles": [{"lat": one.lat, "lon": one.lon, "km": one.km} for one in notice.circles],
                    "polygons": [[list(point) for point in one.points] for one in notice.polygons],
                },
            },
        )

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        identifier, said = rendering.slots["identifier"], _flat(rendering)
        if self.format == "cap":
            message = documents.released(identifier)
            body = documents.handed_over(
                lambda: documents.composed(message, documents.approved(message)), self.keys_dir
            )
        else:
            first = reply_to.data.get("identifier", "") if reply_to else identifier
            told = {"identifier": identifier, "sent": rendering.slots["sent"], "first": first}
            cap = f"{self.address}/cap/{quote(identifier)}.xml"
            kind = str(said["kind"]).replace("-", "_")
            body = _json(f"alert.{kind}", rendering.slots["sent"], {**said, **told, "cap": cap})
        self._call(key, body)
        kept = {"identifier": identifier, "id": said["id"], "language": said["language"], "key": key}
        return Post(_id(key), data=kept)

    def retract(self, post: Post) -> None:
        """Tell the partner that what it was sent is withdrawn."""
        now = timezone.now()
        if self.format == "cap":
            message = documents.released(str(post.data["identifier"]))
            body = documents.handed_over(lambda: documents.withdrawn(message, now), self.keys_dir)
        else:
            told = {name: post.data[name] for name in ("id", "identifier", "language")}
            body = _json("alert.withdrawn", now.isoformat(), told)
        self._call(f"{post.data['key']}:withdrawn", body)

    def probe(self) -> str:
        return self.partner.probe()

    def _call(self, key: str, body: bytes) -> None:
        name, now = _id(key), dt.datetime.now(dt.UTC)
        self.partner.post(
            body,
            {
                "Content-Type": TYPES[self.format],
                "webhook-id": name,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": " ".join(one.sign(name, now, body.decode()) for one in self._signing),
            },
        )


def _flat(rendering: Rendering) -> dict[str, Any]:
    """All that was approved, on one level; at the desk, what people read stands above what machines do."""
    words = {name: text for name, text in rendering.fields.items() if name != "data"}
    return {**words, **rendering.fields["data"], "instruction": words["instruction"].splitlines()}


def _id(key: str) -> str:
    """Our key as a partner sees it: without dots, which part what is signed."""
    return f"msg_{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def _signing(secret: str) -> Signing:
    try:
        raw = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raw = b""
    if not secret.startswith(PREFIX) or len(raw) < SHORTEST:
        raise ValueError(f'"secret" is {PREFIX} and {SHORTEST} bytes or more in base64') from None
    return Signing(raw)


def _json(kind: str, at: str, data: Mapping[str, Any]) -> bytes:
    return json.dumps({"type": kind, "timestamp": at, "data": data}).encode()


def _time(value: dt.datetime | None) -> str | None:
    return timezone.localtime(value).isoformat(timespec="seconds") if value else None
