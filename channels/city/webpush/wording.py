"""What a push says: a declarative payload that Safari shows by itself and our service worker reads elsewhere.

https://www.w3.org/TR/push-api/ (declarative push message). On a lock screen a title has one line and a
text about four: level and what happened, then where and until when, then what to do.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import override

from alerts.notice import Notice, fit, moment
from alerts.terms import Kind, MsgType, Severity, direction, ui_language
from channels.base import Service

from .encryption import LIMIT

TITLE, WHERE, BODY = 80, 100, 480
"""Characters of the title, of the place in the text, and of the whole text: no system shows more."""
LEAST_TTL, MOST_TTL = 60, 28 * 86_400
"""Seconds: a service may forget at once what has less, and takes no more than four weeks."""
LOUD = frozenset({Severity.EXTREME, Severity.SEVERE, Severity.UNKNOWN})


def fields(notice: Notice) -> dict[str, Any]:
    """The fields of a rendering: ``payload`` as it is encrypted, and what its service reads, ``urgency`` and ``topic``.

    Raises ValueError where not even the link fits.
    """
    with override(ui_language(notice.words_language)):
        loud = _is_loud(notice)
        payload = _payload(
            title=_title(notice),
            body=_body(notice),
            language=notice.words_language,
            url=notice.url,
            tag=notice.slug,
            stays=loud,
        )
        return {"payload": payload, "urgency": "high" if loud else "normal", "topic": topic(f"alert {notice.slug}")}


def service_payload(service: Service, city: str, address: str) -> dict[str, Any]:
    """The payload of a service text; a tap opens its link, else the city's page."""
    return _payload(
        title=fit(service.subject, "", TITLE) or city,
        body=fit(service.body, "", BODY),
        language=service.language,
        url=service.url or f"{address}/",
        tag=f"service-{service.name}",
        stays=False,
    )


def plain(payload: Mapping[str, Any]) -> bytes:
    """The payload's bytes: the same for the same content, in whatever order a database gives it back."""
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def topic(what: str) -> str:
    """A Topic (RFC 8030 §5.4): 32 characters of base64url, the same for the same thing and no other's.

    An update takes the place of a predecessor that its service still keeps.
    """
    return base64.urlsafe_b64encode(hashlib.sha256(what.encode()).digest()[:24]).decode()


def ttl(expires: str, now: dt.datetime) -> int:
    """Seconds from now until ``expires`` (ISO 8601), within what services take; whole minutes, begun ones left out.

    So all that goes out within a minute has the same headers.
    """
    left = int((dt.datetime.fromisoformat(expires) - now).total_seconds())
    return min(max(left - left % 60, LEAST_TTL), MOST_TTL)


def _is_loud(notice: Notice) -> bool:
    """Whether it wakes a phone that saves its battery."""
    return notice.severity in LOUD and not notice.exercise and notice.msg_type != MsgType.CANCEL


def _title(notice: Notice) -> str:
    # an exercise says that it is one first of all; "All-clear: All-clear for …" says nothing twice
    said = notice.exercise or notice.level_word.casefold() in notice.headline.casefold()
    title = notice.headline if said else f"{notice.level_word}: {notice.headline}"
    return fit(title, "", TITLE) or notice.level_word


def _body(notice: Notice) -> str:
    where = fit(notice.area, "", WHERE)
    if notice.expires and notice.msg_type != MsgType.CANCEL and not notice.exercise:
        until = _("until {time}").format(time=moment(notice.expires))
        where = f"{where}, {until}" if where else until[:1].upper() + until[1:]
    if notice.kind in {Kind.UPDATE, Kind.CORRECTION}:
        where = f"{notice.kind.label}: {where}" if where else str(notice.kind.label)
    words = " ".join(notice.steps) or notice.short or notice.description
    return fit(f"{where}\n{' '.join(words.split())}", "", BODY)


def _payload(*, title: str, body: str, language: str, url: str, tag: str, stays: bool) -> dict[str, Any]:
    def said(text: str) -> dict[str, Any]:
        notification: dict[str, Any] = {
            "title": title,
            "body": text,
            "lang": language,
            "dir": direction(language),
            "navigate": url,
            "silent": False,
            "app_badge": "1",
            # an update takes the place of what it updates, and is heard again
            "tag": tag,
            "renotify": True,
        }
        if stays:
            notification["requireInteraction"] = True
        return {"web_push": 8030, "notification": notification}

    return said(fit(body, "", LIMIT, lambda text: len(plain(said(text)))))
