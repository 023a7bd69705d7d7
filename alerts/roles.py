"""Who gives a role to whom: one administrator asks, a second one decides; taking a role away needs one.

Nobody changes his own roles. What must hold of a request stands in the database
(``models.RoleRequest``); every move of it is a conditional update, so that of two decisions one is refused.
"""

from __future__ import annotations

from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from . import audit, watch
from .models import Decision, RoleRequest
from .people import NotAllowed, Refused, may

ADMINISTRATOR = "administrator"
NAMES = {
    "author": gettext_lazy("Author"),
    "approver": gettext_lazy("Approver"),
    ADMINISTRATOR: gettext_lazy("Administrator"),
    "observer": gettext_lazy("Observer"),
    "drill leader": gettext_lazy("Drill leader"),
}
"""The roles that migrations make, in the order of pages, as officers read them."""
MAY = {
    "author": gettext_lazy("writes alerts and submits them"),
    "approver": gettext_lazy("approves what others wrote, and may release alone in need"),
    ADMINISTRATOR: gettext_lazy("looks after officers, districts and templates; approves nothing"),
    "observer": gettext_lazy("reads everything, changes nothing"),
    "drill leader": gettext_lazy("starts exercises that were approved in advance"),
}
BACKEND = "alerts.desk.people.OfficerBackend"


def administrators() -> QuerySet[User]:
    """Who may ask for roles and decide: active, by role."""
    return User.objects.with_perm("auth.change_user", include_superusers=False, backend=BACKEND).distinct()


def word(role: str) -> str:
    """What officers call a role."""
    return str(NAMES.get(role, role))


def held(officer: User) -> list[str]:
    """An officer's roles, in the order of ``NAMES``."""
    names = {group.name for group in officer.groups.all()}
    return [*(name for name in NAMES if name in names), *sorted(names - set(NAMES))]


def waiting() -> QuerySet[RoleRequest]:
    """Requests that nobody has decided yet, the oldest first."""
    rows = RoleRequest.objects.filter(decision=Decision.OPEN).order_by("pk")
    return rows.select_related("officer", "role", "asked_by")


def why_not_decide(request: RoleRequest, by: User) -> str:
    """Why this officer can't decide a request, in plain words; empty where he can."""
    if request.officer_id == by.pk:
        return _("It is about you. Another administrator decides.")
    if request.asked_by_id == by.pk:
        return _("You asked for it. A second administrator decides.")
    return ""


def ask(officer: User, role: str, by: User, reason: str) -> RoleRequest:
    """An administrator asks that an officer be given a role. Raises NotAllowed, Refused."""
    must_administer(by)
    if officer.pk == by.pk:
        raise Refused(_("Nobody asks for a role for himself. Another administrator asks for you."))
    if not reason.strip():
        raise Refused(_("Say why. The second administrator reads it and decides."))
    if not officer.is_active:
        raise Refused(_("This officer is out of use. Put the account into use first."))
    group = Group.objects.filter(name=role).first()
    if group is None or role not in NAMES:
        raise Refused(_("There is no such role."))
    if officer.groups.filter(pk=group.pk).exists():
        raise Refused(_("The officer has this role already."))
    try:
        with transaction.atomic():
            request = RoleRequest.objects.create(officer=officer, role=group, asked_by=by, reason=reason.strip())
            audit.record(by, "role-asked", subject(officer), role=role, request=request.pk, reason=reason.strip())
            _tell("asked", officer, role, by)
    except IntegrityError as error:
        raise Refused(_("This role is asked for already. It waits for a second administrator.")) from error
    return request


def give(request_id: int, by: User) -> None:
    """A second administrator agrees: the officer holds the role from now on. Raises NotAllowed, Refused."""
    with transaction.atomic():
        request = _decided(request_id, Decision.GIVEN, by)
        if not request.officer.is_active:
            raise Refused(_("This officer is out of use. Put the account into use first, or refuse the role."))
        if not may(request.asked_by, "auth.change_user"):
            raise Refused(_("Who asked for this role is no administrator any more. Refuse it, and ask anew."))
        audit.record(by, "role-agreed", subject(request.officer), role=request.role.name, request=request_id)
        request.officer.groups.add(request.role)
        _tell("given", request.officer, request.role.name, by)


def refuse(request_id: int, by: User) -> None:
    """A second administrator refuses. Raises NotAllowed, Refused."""
    with transaction.atomic():
        request = _decided(request_id, Decision.REFUSED, by)
        audit.record(by, "role-refused", subject(request.officer), role=request.role.name, request=request_id)
        _tell("refused", request.officer, request.role.name, by)


def take_back(request_id: int, by: User) -> None:
    """Who asked takes the request back. Raises NotAllowed, Refused."""
    with transaction.atomic():
        request = _decided(request_id, Decision.WITHDRAWN, by)
        audit.record(by, "role-withdrawn", subject(request.officer), role=request.role.name, request=request_id)
        _tell("withdrawn", request.officer, request.role.name, by)


def take_away(officer: User, role: str, by: User) -> None:
    """One administrator takes a role from another officer; it holds at once. Raises NotAllowed, Refused."""
    must_administer(by)
    if officer.pk == by.pk:
        raise Refused(_("Nobody changes his own roles. Another administrator does it."))
    with transaction.atomic():
        removed, _rows = User.groups.through.objects.filter(user=officer, group__name=role).delete()
        if not removed:
            raise Refused(_("The officer does not have this role, or no longer."))
        audit.record(by, "role-taken", subject(officer), role=role)
        _tell("taken", officer, role, by)


def must_administer(by: User) -> None:
    """Raises NotAllowed."""
    if not may(by, "auth.change_user"):
        raise NotAllowed(_("Your role does not allow changing officers or their roles."))


def _decided(request_id: int, decision: Decision, by: User) -> RoleRequest:
    """The request, once it is decided so: claimed by its state, within the caller's transaction."""
    must_administer(by)
    request = RoleRequest.objects.select_related("officer", "role", "asked_by").filter(pk=request_id).first()
    if request is None:
        raise Refused(_("There is no such request."))
    if decision == Decision.WITHDRAWN:
        if request.asked_by_id != by.pk:
            raise Refused(_("Only who asked can take the request back. You can refuse it."))
    elif words := why_not_decide(request, by):
        raise Refused(words)
    still_open = RoleRequest.objects.filter(pk=request_id, decision=Decision.OPEN)
    if still_open.update(decision=decision, decided_by=by, decided_at=timezone.now()) != 1:
        raise Refused(_("This was decided already. Look at what holds now."))
    return request


def _tell(step: str, officer: User, role: str, by: User) -> None:
    with override("de"):
        watch.tell_role(officer, [word(role)], by, step)


def subject(officer: User) -> str:
    """What the record calls an officer."""
    return f"officer {officer.get_username()}"
