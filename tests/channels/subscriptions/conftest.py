"""A city that can be subscribed to, and a resident who posts forms."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client
from django.utils.translation import override

from channels.models import SignUp, Subscription
from channels.subscriptions import limits, tokens
from tests import city
from tests.channels.subscriptions import fakes

ADDRESS = "https://warnung.example.org"
NUMBER, MAIL = "+4915112345678", "anna@example.org"


@pytest.fixture
def town(db: None, settings: Any) -> Iterator[None]:
    """Districts, three ways to residents, and nobody counted yet; no Redis, so each process counts for itself."""
    settings.ADDRESS = ADDRESS
    settings.ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost", "warnung.example.org"]
    settings.CHANNELS = {
        "website": {"adapter": "channels.city.website.Website", "vapid_key": "B" * 87},
        "phones": {"adapter": "tests.channels.subscriptions.fakes.Phones", "rehearsal": False},
        "mailboxes": {"adapter": "tests.channels.subscriptions.fakes.Mailboxes", "rehearsal": False},
        "browsers": {"adapter": "tests.channels.subscriptions.fakes.Browsers", "rehearsal": False},
    }
    city.districts()
    fakes.forget()
    limits.forget()
    yield
    fakes.forget()
    limits.forget()


@pytest.fixture
def resident(town: None) -> Client:
    """A browser without cookies; Django would answer it with CSRF's refusal where a view asks for a token."""
    return Client(enforce_csrf_checks=True)


def wishes(**changes: Any) -> dict[str, Any]:
    """The fields of the form; for English words, since every catalogue has them."""
    given = {
        "way": "sms",
        "tel": "0151 12345678",
        "mail": "",
        "area": ["nw", "so"],
        "least": "Moderate",
        "topic": ["weather", "fire"],
        "lang": "en",
        "page": "en",
        "website": "",
    }
    return given | changes


def by_mail(**changes: Any) -> dict[str, Any]:
    return wishes(**{"way": "email", "tel": "", "mail": MAIL} | changes)


def last(way: str = "sms") -> Any:
    """The newest service text of a way."""
    return fakes.told[way][-1][1]


def code() -> str:
    """The six digits of the newest SMS."""
    found = re.search(r"\b\d{6}\b", last().body)
    assert found is not None
    return found[0]


def path(url: str) -> str:
    return url.removeprefix(ADDRESS)


def subscribed(client: Client, **changes: Any) -> Subscription:
    """A resident who went the whole way by SMS."""
    answer = client.post("/s/start/", wishes(**changes))
    assert answer.status_code == 303, answer.content.decode()
    answer = client.post(answer["Location"], {"code": code()})
    assert answer.status_code == 303, answer.content.decode()
    return Subscription.objects.get()


def own_word(row: Subscription) -> str:
    return tokens.make("own", row.pk)


def sign_up() -> SignUp:
    return SignUp.objects.get()


def browser(number: int = 1) -> dict[str, Any]:
    """A PushSubscription as a browser writes it."""
    point = generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {
        "endpoint": f"https://push.example.org/send/{number}",
        "expirationTime": None,
        "keys": {
            "p256dh": base64.urlsafe_b64encode(point).decode().rstrip("="),
            "auth": base64.urlsafe_b64encode(number.to_bytes(16, "big")).decode().rstrip("="),
        },
    }


def push_wishes(subscription: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    given = {
        "subscription": subscription or browser(),
        "area": ["nw"],
        "least": "Severe",
        "topic": ["weather"],
        "lang": "de",
        "tests": True,
        "page": "en",
    }
    return given | changes


@pytest.fixture
def en() -> Iterator[None]:
    """English words: those every catalogue has."""
    with override("en"):
        yield
