"""A small city for tests: officers by role and four square districts around the centre of the story."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.contrib.auth.models import Permission, User
from django.utils import timezone

from alerts import approval, drafting
from alerts.content import Circle, Content, Text
from alerts.models import Area, Draft, Message, ReleasePlan
from alerts.terms import Kind, Severity, Status
from channels.models import Subscription, SubscriptionArea
from channels.subscriptions import sealing, topics
from channels.subscriptions.addresses import lookup

LAT, LON = 51.3348, 12.3727


def officer(name: str, *permissions: str) -> User:
    """An officer with these permissions of ``alerts``."""
    user = User.objects.create_user(name, f"{name}@city.example", "a-long-password-for-tests", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="alerts", codename__in=permissions))
    return User.objects.get(pk=user.pk)


def square(lat: float, lon: float, half: float = 0.01) -> dict[str, Any]:
    """A GeoJSON square around a point; ``half`` its half side in degrees."""
    ring = [
        [lon - half, lat - half],
        [lon + half, lat - half],
        [lon + half, lat + half],
        [lon - half, lat + half],
        [lon - half, lat - half],
    ]
    return {"type": "Polygon", "coordinates": [ring]}


def districts() -> None:
    """City › Mitte › Nordwest, Nordost, Südwest, Südost of the centre, and Fern, far off."""
    city = Area.objects.create(code="city", name="Leipzig", boundary=square(LAT, LON, 0.3))
    middle = Area.objects.create(code="mitte", name="Mitte", parent=city, boundary=square(LAT, LON, 0.02))
    for code, name, lat, lon in (
        ("nw", "Nordwest", LAT + 0.01, LON - 0.01),
        ("no", "Nordost", LAT + 0.01, LON + 0.01),
        ("sw", "Südwest", LAT - 0.01, LON - 0.01),
        ("so", "Südost", LAT - 0.01, LON + 0.01),
    ):
        shape = square(lat, lon)
        Area.objects.create(code=code, name=name, parent=middle, boundary=shape, outline=shape)
    outskirts = Area.objects.create(code="rand", name="Rand", parent=city, boundary=square(LAT + 0.2, LON, 0.02))
    shape = square(LAT + 0.2, LON)
    Area.objects.create(code="fern", name="Fern", parent=outskirts, boundary=shape, outline=shape)


def subscribe(
    way: str, *addresses: str, areas: Sequence[str] = ("city",), language: str = "de", **wishes: Any
) -> list[Subscription]:
    """Subscriptions for these addresses; of the whole city, from the least severity on and all topics, unless told."""
    given = {"least": Severity.MINOR, "topics": topics.ALL} | wishes
    made = Subscription.objects.bulk_create(
        Subscription(
            way=way,
            address=sealing.seal(way, address),
            lookup=lookup(way, address),
            language=language,
            **given,
        )
        for address in addresses
    )
    SubscriptionArea.objects.bulk_create(
        SubscriptionArea(subscription=one, area=area) for one in made for area in Area.objects.filter(code__in=areas)
    )
    return made


def content(**changes: Any) -> Content:
    """A complete content in German and English that can be submitted."""
    whole = Content(
        category=("Safety",),
        urgency="Immediate",
        severity="Extreme",
        certainty="Observed",
        response=("Evacuate",),
        texts={
            "de": Text(
                "Bombenfund",
                "Bombenfund: Verlassen Sie das Gebiet",
                "Eine Bombe liegt dort.",
                "Gehen Sie.\nHelfen Sie.",
            ),
            "en": Text("Bomb found", "Bomb found: leave the area", "There is a bomb.", "Leave.\nHelp others."),
        },
        place="Dimitroffstraße",
        circles=(Circle(LAT, LON, 0.6),),
        valid_for=240,
        next_in=60,
        facts_at=timezone.now() - dt.timedelta(minutes=5),
        contact="Bürgertelefon 115",
    )
    return replace(whole, **changes)


def drafted(by: User, status: str = Status.ACTUAL, plan: str = ReleasePlan.NOW, **changes: Any) -> Draft:
    """A new draft with complete content, saved."""
    draft = drafting.new(by, status=status)
    release_at = changes.pop("release_at", None)
    return drafting.save(draft.pk, draft.version, content(**changes), by, plan=plan, release_at=release_at)


def submitted(by: User, **changes: Any) -> Draft:
    draft = drafted(by, **changes)
    return approval.submit(draft.pk, draft.version, by)


def released(by: User, approver: User, **changes: Any) -> Message:
    """A message that went the whole way."""
    draft = submitted(by, **changes)
    message = approval.approve(draft.pk, draft.digest, approver)
    assert message is not None
    return message


def followed(message: Message, kind: str, by: User, approver: User, **changes: Any) -> Message:
    """The next message of an alert, approved as it was derived, or with these changes."""
    draft = drafting.derive(message, Kind(kind), by)
    if changes:
        draft = drafting.save(draft.pk, draft.version, replace(draft.content, **changes), by)
    draft = approval.submit(draft.pk, draft.version, by)
    following = approval.approve(draft.pk, draft.digest, approver)
    assert following is not None
    return following
