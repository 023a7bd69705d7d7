"""Officers as an administrator keeps them: entered, changed, put into use or out of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from . import audit, roles, watch
from .models import Profile
from .people import Refused


@dataclass(frozen=True, slots=True)
class Details:
    """How an officer is called and reached; ``phone`` in E.164 or empty."""

    first_name: str
    last_name: str
    email: str
    phone: str


def phone_of(officer: User) -> str:
    profile = Profile.objects.filter(officer=officer).first()
    return profile.phone if profile else ""


def enter(username: str, details: Details, wished: Iterable[str], by: User, reason: str) -> User:
    """A new officer without password, factor and roles; each wished role waits for a second administrator.

    Raises NotAllowed, Refused.
    """
    roles.must_administer(by)
    officer = User(
        username=User.normalize_username(username),
        first_name=details.first_name,
        last_name=details.last_name,
        email=details.email,
        is_staff=True,
    )
    officer.set_unusable_password()
    try:
        with transaction.atomic():
            officer.save(force_insert=True)
            Profile.objects.create(officer=officer, phone=details.phone)
            audit.record(by, "officer-made", roles.subject(officer))
            for role in wished:
                roles.ask(officer, role, by, reason)
    except IntegrityError as error:
        raise Refused(_("Another officer has this log-in name.")) from error
    return officer


def change(officer: User, details: Details, by: User) -> list[str]:
    """Keep an officer's name, mail address and phone; where he is reached is told to all. Returns what changed."""
    roles.must_administer(by)
    with transaction.atomic():
        officer = User.objects.select_for_update().get(pk=officer.pk)
        profile, _made = Profile.objects.get_or_create(officer=officer)
        fields = ("first_name", "last_name", "email")
        changed: list[str] = [name for name in fields if getattr(officer, name) != getattr(details, name)]
        for name in changed:
            setattr(officer, name, getattr(details, name))
        officer.save(update_fields=fields)
        if profile.phone != details.phone:
            Profile.objects.filter(pk=profile.pk).update(phone=details.phone)
            changed.append("phone")
        if told := [name for name in changed if name in watch.ACCESS]:
            watch.tell_access(officer.get_username(), told, by)
        if named := [name for name in changed if name not in watch.ACCESS]:
            audit.record(by, "officer-changed", roles.subject(officer), what=named)
    return changed


def set_in_use(officer: User, *, in_use: bool, by: User) -> None:
    """Put an officer's account into use or out of it; out of use, he is logged out at once. Raises as above."""
    roles.must_administer(by)
    if officer.pk == by.pk:
        raise Refused(_("Nobody puts his own account in or out of use. Another administrator does it."))
    with transaction.atomic():
        if User.objects.filter(pk=officer.pk, is_active=not in_use).update(is_active=in_use) != 1:
            raise Refused(_("It is so already. Another administrator was quicker."))
        officer.is_active = in_use
        watch.tell_access(officer.get_username(), ["active" if in_use else "inactive"], by)
