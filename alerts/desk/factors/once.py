"""Challenges that count once: a row beside the sessions, claimed by deleting it.

Not in the officer's session itself: another request of his that saves it later would bring the
challenge back.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import salted_hmac


def put(challenge: bytes, data: dict[str, Any], seconds: int) -> None:
    """Remember ``data`` under this challenge for so many seconds."""
    now = timezone.now()
    Session.objects.filter(expire_date__lt=now).delete()
    Session.objects.create(
        session_key=_key(challenge),
        session_data=SessionStore().encode(data),
        expire_date=now + dt.timedelta(seconds=seconds),
    )


def take(challenge: bytes) -> dict[str, Any]:
    """What was remembered, for the first who asks in time; else nothing."""
    row = Session.objects.filter(pk=_key(challenge), expire_date__gt=timezone.now()).first()
    if row is None or Session.objects.filter(pk=row.pk).delete()[0] != 1:
        return {}
    data: dict[str, Any] = row.get_decoded()
    return data


def _key(challenge: bytes) -> str:
    return salted_hmac("belfry.challenge", challenge, algorithm="sha256").hexdigest()[:40]
