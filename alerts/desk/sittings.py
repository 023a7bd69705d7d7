"""Sittings: one log-in at the desk until its end; short, seen by its officer, and ended from anywhere."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from ..models import Sitting

HERE = "sitting"
"""Under this name a session holds the sitting's number, when it began and when it was seen last (seconds)."""
EVERY = 60
"""Seconds between two renewals of the same sitting, at the least."""
KEPT = dt.timedelta(days=90)
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
FACTORS = {"TOTPDevice": "authenticator", "WebAuthnCredential": "passkey", "StaticDevice": "backup"}


def keyed(session_key: str) -> str:
    """The hash by which a sitting knows its session; the key itself would let in whoever reads the table."""
    return salted_hmac("belfry.sitting", session_key, algorithm="sha256").hexdigest()


def browser_of(agent: str) -> str:
    """A browser in two words, like ``Firefox, Windows``; empty where it doesn't say."""
    found = [next((name for sign, name in names if sign in agent), "") for names in (BROWSERS, SYSTEMS)]
    return ", ".join(name for name in found if name)


def begin(*, user: User, request: HttpRequest | None = None, **_kwargs: Any) -> None:
    """Somebody has logged in (Django's signal): a new sitting, under a session key that nobody can know from before."""
    if request is None:
        return
    before = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    if before:
        Sitting.objects.filter(session=keyed(before), ended_at=None).update(ended_at=timezone.now())
    # Django keeps the key where the same officer logs in again
    if not request.session.session_key or request.session.session_key == before:
        request.session.cycle_key()
    now = timezone.now()
    Session.objects.filter(expire_date__lt=now).delete()
    Sitting.objects.filter(began_at__lt=now - KEPT).delete()
    device = getattr(user, "otp_device", None)
    sitting = Sitting.objects.create(
        officer=user,
        session=keyed(str(request.session.session_key)),
        agent=browser_of(request.headers.get("User-Agent", "")),
        factor=FACTORS.get(type(device).__name__, ""),
        seen_at=now,
    )
    request.session[HERE] = {"id": sitting.pk, "began": now.timestamp(), "seen": now.timestamp()}


def finish(*, request: HttpRequest | None = None, **_kwargs: Any) -> None:
    """Somebody logs out (Django's signal)."""
    number = current(request) if request is not None else None
    if number is not None:
        Sitting.objects.filter(pk=number, ended_at=None).update(ended_at=timezone.now())


def current(request: HttpRequest) -> int | None:
    """The number of the sitting at this page."""
    here = _here(request)
    return int(here["id"]) if here else None


def _here(request: HttpRequest) -> dict[str, Any]:
    found = getattr(request, "session", {}).get(HERE)
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Hold:
    """Until when a sitting holds; ``last`` where it can't be renewed beyond that."""

    until: dt.datetime
    left: int
    last: bool

    @property
    def clock(self) -> str:
        """The time in words, like ``15:20 Uhr``."""
        return _("{time}").format(time=f"{timezone.localtime(self.until):%H:%M}")


def hold(request: HttpRequest) -> Hold | None:
    """How long the sitting at this page still holds; None where there is none, or it has run out."""
    here = _here(request)
    if not here:
        return None
    limit = float(here["began"]) + settings.SITTING_SECONDS
    until = min(float(here["seen"]) + settings.SESSION_COOKIE_AGE, limit)
    left = int(until - timezone.now().timestamp())
    return Hold(dt.datetime.fromtimestamp(until, dt.UTC), left, until == limit) if left > 0 else None


def over(request: HttpRequest) -> bool:
    """Whether somebody is logged in whose sitting has run out."""
    return request.user.is_authenticated and hold(request) is None


def touch(request: HttpRequest) -> None:
    """An officer did something: his sitting holds anew from now. Pages that ask by themselves (htmx) are no officer."""
    here = _here(request)
    now = timezone.now()
    asks_itself = bool(getattr(request, "htmx", False)) and request.method == "GET"
    if not here or asks_itself or now.timestamp() - float(here["seen"]) < EVERY:
        return
    request.session[HERE] = {**here, "seen": now.timestamp()}
    Sitting.objects.filter(pk=here["id"]).update(seen_at=now)


def moved(request: HttpRequest) -> None:
    """The session has a new key (after a new password), and every other session of the officer is void."""
    number = current(request)
    if number is None:
        return
    Sitting.objects.filter(officer_id=request.user.pk, ended_at=None).exclude(pk=number).update(ended_at=timezone.now())
    Sitting.objects.filter(pk=number).update(session=keyed(str(request.session.session_key)))


def opened(officer: User) -> QuerySet[Sitting]:
    """An officer's sittings that still hold, the newest first."""
    now = timezone.now()
    return Sitting.objects.filter(
        officer=officer,
        ended_at=None,
        seen_at__gt=now - dt.timedelta(seconds=settings.SESSION_COOKIE_AGE),
        began_at__gt=now - dt.timedelta(seconds=settings.SITTING_SECONDS),
    )


def end(sittings: Iterable[Sitting]) -> int:
    """End these sittings by deleting their sessions. How many were open."""
    doomed = {sitting.session: sitting.pk for sitting in sittings if sitting.ended_at is None}
    if not doomed:
        return 0
    keys = [key for key in Session.objects.values_list("session_key", flat=True).iterator() if keyed(key) in doomed]
    Session.objects.filter(session_key__in=keys).delete()
    return Sitting.objects.filter(pk__in=doomed.values(), ended_at=None).update(ended_at=timezone.now())


def connect() -> None:
    user_logged_in.connect(begin, dispatch_uid="belfry-sitting-begins")
    user_logged_out.connect(finish, dispatch_uid="belfry-sitting-ends")
