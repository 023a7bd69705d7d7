"""What the other officers must hear of: log-ins, roles and access changed, two accounts that look like one person.

Django's own signals, since log-in and the admin's forms are Django's.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.db.models.signals import m2m_changed
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override
from django_otp.plugins.otp_totp.models import TOTPDevice

from . import alarms, audit

ACCESS = {
    "password": gettext_lazy("new password"),
    "email": gettext_lazy("new mail address"),
    "phone": gettext_lazy("new phone number"),
    "invited": gettext_lazy("new invitation"),
    "username": gettext_lazy("new user name"),
    "active": gettext_lazy("account put into use"),
    "inactive": gettext_lazy("account put out of use"),
    "desk-opened": gettext_lazy("desk opened"),
    "desk-closed": gettext_lazy("desk closed"),
    "factor-added": gettext_lazy("second factor added"),
    "factor-deleted": gettext_lazy("second factor deleted"),
    "codes-made": gettext_lazy("new backup codes"),
    "factors-reset": gettext_lazy("all second factors reset"),
}
"""What can change in how an officer gets in, with its words."""
ROLE_STEPS = {
    "asked": gettext_lazy("{by} asks that {officer} be given: {roles}. A second administrator decides."),
    "given": gettext_lazy("{by} gave {officer}: {roles}. If nobody meant that, ask the administrator at once."),
    "refused": gettext_lazy("{by} refused to give {officer}: {roles}."),
    "withdrawn": gettext_lazy("{by} no longer asks that {officer} be given: {roles}."),
    "taken": gettext_lazy("{by} took from {officer}: {roles}."),
}
"""What can become of a role, with what is told to all."""


def logged_in(*, user: User, request: HttpRequest | None = None, **_kwargs: Any) -> None:
    """Keep in the record that somebody came to the desk."""
    audit.record(user, "logged-in", f"officer {user.get_username()}")


def role_given(
    *, instance: Any, action: str, model: Any, pk_set: set[int] | None, reverse: bool, **_kwargs: Any
) -> None:
    """Keep in the record that an officer holds a new role or permission, by whatever way it came."""
    if action != "post_add" or not pk_set:
        return
    officers = User.objects.filter(pk__in=pk_set) if reverse else [instance]
    given = [str(instance)] if reverse else sorted(str(row) for row in model.objects.filter(pk__in=pk_set))
    for officer in officers:
        audit.record(None, "role-given", f"officer {officer.get_username()}", roles=given)


def tell_role(officer: User, roles: list[str], by: User, step: str = "given") -> None:
    """Tell all officers that one of them is to have a role, or has it, or no longer; ``step`` of ``ROLE_STEPS``.

    It takes the place of what was told of the same role before, so that each step is told anew.
    """
    names = {"officer": officer.get_username(), "roles": ", ".join(roles), "by": by.get_username()}
    for other in ROLE_STEPS:
        if other != step:
            alarms.end(_role_key(other, names))
    with override("de"):
        text = str(ROLE_STEPS[step]).format(**names)
    alarms.sound(_role_key(step, names), text, f"{settings.ADDRESS}/desk/" if step == "asked" else "")


def _role_key(step: str, names: dict[str, str]) -> str:
    return " ".join(["role", *([] if step == "given" else [step]), names["officer"], names["roles"]])[:160]


def tell_access(officer: str, what: list[str], by: User) -> None:
    """Record and tell all officers that somebody changed at the desk how ``officer`` (a user name) gets in.

    ``what`` names entries of ``ACCESS``. Without this, one account could take over an approver's and
    be both pairs of eyes.
    """
    with transaction.atomic():
        audit.record(by, "access-changed", f"officer {officer}", what=what)
        with override("de"):
            text = _(
                "{by} changed the access of {officer}: {what}. "
                "If {officer} knows nothing of it, put the account out of use at once."
            )
            if officer == by.get_username():
                text = _(
                    "{officer} changed the own access: {what}. "
                    "If {officer} knows nothing of it, put the account out of use at once."
                )
            words = ", ".join(str(ACCESS[each]) for each in what)
            text = text.format(by=by.get_username(), officer=officer, what=words)
        alarms.sound(f"access {' '.join(what)} {officer} {by.get_username()}"[:160], text)


def look_for_twins() -> None:
    """An alarm where two active officers look like one person: the same mail address, phone or authenticator.

    Four eyes are worth nothing where both pairs are one officer's. Upkeep calls this.
    """
    officers = User.objects.filter(is_active=True).order_by("username")
    marks: dict[str, set[str]] = {}
    for name, address in officers.exclude(email="").values_list("username", "email"):
        marks.setdefault(f"address {address.strip().lower()}", set()).add(name)
    for name, phone in officers.filter(profile__phone__gt="").values_list("username", "profile__phone"):
        marks.setdefault(f"phone {phone}", set()).add(name)
    devices = TOTPDevice.objects.filter(user__is_active=True, confirmed=True)
    for name, key in devices.values_list("user__username", "key"):
        marks.setdefault(f"authenticator {key}", set()).add(name)
    twins = {", ".join(sorted(names)) for names in marks.values() if len(names) > 1}
    for names in twins:
        with override("de"):
            text = _("These accounts share a mail address, a phone or an authenticator: {names}. Is it one person?")
            alarms.sound(f"twins {names}"[:160], text.format(names=names))
    for alarm in alarms.open_alarms():
        if alarm.key.startswith("twins ") and alarm.key not in {f"twins {names}"[:160] for names in twins}:
            alarms.end(alarm.key)


def connect() -> None:
    user_logged_in.connect(logged_in, dispatch_uid="belfry-logged-in")
    for through in (User.groups.through, User.user_permissions.through):
        m2m_changed.connect(role_given, sender=through, dispatch_uid=f"belfry-role-{through.__name__}")
