"""Signing up: a wish is kept until the holder of the address has confirmed it, by a code or by a link."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import unicodedata
from functools import lru_cache

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from ..models import SignUp, Subscription, Way
from . import addresses, sealing, service_texts, wishes
from .telling import tell
from .wishes import Wishes

TRIES = 5
HOLDS = {Way.SMS: dt.timedelta(minutes=service_texts.MINUTES), Way.EMAIL: dt.timedelta(days=1)}
"""How long code and link hold."""


class Gone(Exception):
    """The sign-up is confirmed already, or too old."""


class WrongCode(Exception):
    """The code is another one; ``left`` tries are left."""

    def __init__(self, left: int) -> None:
        super().__init__(left)
        self.left = left


def begin(way: str, address: str, wanted: Wishes, *, page: str) -> SignUp:
    """Keep a sign-up; nothing is sent yet. The same work whether or not the address is known.

    ``page`` is the language that the form was read in.
    """
    with transaction.atomic():
        sign_up = SignUp.objects.create(
            way=way,
            address=sealing.seal(way, address),
            lookup=addresses.lookup(way, address),
            wishes=wanted.to_json() | {"page": page},
        )
        sign_up.code = _mark(sign_up, code_of(sign_up))
        sign_up.save(update_fields=["code"])
    return sign_up


def send(sign_up: SignUp, *, by_reply: bool = False) -> None:
    """Send the code or the link; the same one each time. Raises NotSent."""
    address, page = address_of(sign_up), page_of(sign_up)
    if sign_up.way == Way.EMAIL:
        wanted = wishes_of(sign_up)
        service = service_texts.confirmation(page, sign_up.pk, wanted, wishes.names(wanted))
    elif by_reply:
        service = service_texts.code_to_reply(page, code_of(sign_up))
    else:
        service = service_texts.code(page, code_of(sign_up))
    tell(sign_up.way, service, address)


def find(row: int) -> SignUp:
    """A sign-up that still waits, however old its code is. Raises Gone."""
    sign_up = SignUp.objects.filter(pk=row).first()
    if sign_up is None:
        raise Gone
    return sign_up


def holds(sign_up: SignUp) -> bool:
    """Whether its code or link still opens it."""
    return sign_up.created_at > timezone.now() - HOLDS[Way(sign_up.way)] and sign_up.tries < TRIES


def try_code(sign_up: SignUp, typed: str) -> Subscription:
    """Confirm with the code that was sent. Raises WrongCode, Gone, Unfit."""
    counted = _open(SignUp.objects.filter(pk=sign_up.pk)).update(tries=F("tries") + 1)
    # counted before it is compared: of a thousand tries at once, five are looked at
    if counted != 1:
        raise Gone
    if not _is_code(sign_up, typed):
        raise WrongCode(max(0, TRIES - 1 - sign_up.tries))
    return confirm(sign_up.pk)


def try_reply(address: str, typed: str) -> Subscription | None:
    """Confirm with a code that came back by SMS from its own number; None where it is none. Raises Unfit."""
    rows = _open(SignUp.objects.filter(way=Way.SMS, lookup=addresses.lookup(Way.SMS, address)))
    waiting = list(rows.order_by("-pk"))
    if not waiting or rows.update(tries=F("tries") + 1) < 1:
        return None
    for sign_up in waiting:
        if _is_code(sign_up, typed):
            try:
                return confirm(sign_up.pk)
            except Gone:
                return None
    return None


def confirm(row: int) -> Subscription:
    """Write the subscription that a sign-up asks for, and forget all sign-ups of its address. Raises Gone, Unfit."""
    asked = find(row)
    with transaction.atomic():
        # all of its address, always in the same order: of several at once, the others wait and then find none
        waiting = SignUp.objects.select_for_update().filter(way=asked.way, lookup=asked.lookup).order_by("pk")
        sign_up = next((one for one in waiting if one.pk == row), None)
        if sign_up is None or sign_up.created_at <= timezone.now() - HOLDS[Way(sign_up.way)]:
            raise Gone
        subscription = wishes.save(sign_up.way, address_of(sign_up), wishes_of(sign_up))
        SignUp.objects.filter(way=sign_up.way, lookup=sign_up.lookup).delete()
    return subscription


def address_of(sign_up: SignUp) -> str:
    return sealing.unseal(sign_up.way, bytes(sign_up.address))


def wishes_of(sign_up: SignUp) -> Wishes:
    """What it asks for; districts that the city has given up meanwhile are left out. Raises Unfit."""
    return wishes.of_json(sign_up.wishes, lenient=True)


def page_of(sign_up: SignUp) -> str:
    """The language that its form was read in."""
    return str(sign_up.wishes.get("page") or settings.CONTENT_LANGUAGES[0])


def code_of(sign_up: SignUp) -> str:
    """The six digits of a sign-up: made from its row with a secret key, so that sending again needs no copy of them."""
    named = f"{sign_up.pk}:{sign_up.created_at.isoformat()}"
    number = int.from_bytes(hmac.digest(_key(settings.SECRET_KEY), f"code:{named}".encode(), "sha256"))
    return f"{number % 1_000_000:06}"


def _open(rows: QuerySet[SignUp]) -> QuerySet[SignUp]:
    return rows.filter(tries__lt=TRIES, created_at__gt=timezone.now() - HOLDS[Way.SMS])


def _is_code(sign_up: SignUp, typed: str) -> bool:
    # the digits of every script: a keyboard may write others than ours
    digits = "".join(str(unicodedata.decimal(letter)) for letter in typed[:40] if letter.isdecimal())
    return hmac.compare_digest(_mark(sign_up, digits), sign_up.code)


def _mark(sign_up: SignUp, code: str) -> str:
    """The keyed hash of a code that the row keeps."""
    return hmac.digest(_key(settings.SECRET_KEY), f"mark:{sign_up.lookup}:{code}".encode(), "sha256").hex()


@lru_cache(maxsize=4)
def _key(secret: str) -> bytes:
    return hashlib.sha256(b"channels.subscriptions.signing_up:" + secret.encode()).digest()
