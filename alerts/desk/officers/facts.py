"""What the officers' pages say about each officer, read for all of them at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.db.models import Prefetch
from django_otp import device_classes
from django_otp.plugins.otp_static.models import StaticDevice

from ... import drills, roles
from ...models import Decision, RoleRequest


@dataclass(frozen=True, slots=True)
class Row:
    """One officer. ``factor``: a second factor besides backup codes; ``due``: should drill again."""

    officer: User
    roles: list[str]
    factor: bool
    drilled: dt.datetime | None
    due: bool
    asked: list[RoleRequest] = field(default_factory=list)


def rows(officers: Iterable[User]) -> list[Row]:
    """Facts of these officers, in a fixed number of queries."""
    found = list(officers)
    factors, drilled = with_factor(found), drills.last(found)
    return [
        Row(
            officer,
            [roles.word(name) for name in roles.held(officer)],
            officer.pk in factors,
            drilled.get(officer.pk),
            officer.is_active and _plays(officer) and drills.is_due(drilled.get(officer.pk) or officer.date_joined),
            list(officer.role_requests.all()),
        )
        for officer in found
    ]


def everybody() -> Iterable[User]:
    """All officers, those at work first."""
    asked = RoleRequest.objects.filter(decision=Decision.OPEN).select_related("role", "asked_by").order_by("pk")
    found = User.objects.filter(is_staff=True).order_by("-is_active", "last_name", "first_name", "username")
    return found.prefetch_related("groups", Prefetch("role_requests", queryset=asked))


def with_factor(officers: Iterable[User]) -> set[int]:
    """Which of these have a confirmed second factor of their own; backup codes alone are none."""
    keys = [officer.pk for officer in officers]
    found: set[int] = set()
    for device in device_classes():
        if not issubclass(device, StaticDevice):
            found |= set(device.objects.filter(user__in=keys, confirmed=True).values_list("user_id", flat=True))
    return found


def _plays(officer: User) -> bool:
    return bool({group.name for group in officer.groups.all()} & {"author", "approver", "drill leader"})
