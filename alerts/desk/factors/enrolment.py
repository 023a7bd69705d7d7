"""Enrolment: who has been invited, has a password and no second factor yet, sets one up and nothing else."""

from __future__ import annotations

from django.contrib.auth import login
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django_otp.models import Device

from ...people import Refused
from . import codes, devices, stepup

ENROLLING = "enrolling"
SECONDS = 1800


def may_enrol(officer: User) -> bool:
    """Whether an invitation may lead this officer to his first factor: he has none that is confirmed."""
    held = [device for device in devices.confirmed(officer) if not codes.is_one_time(device)]
    return officer.is_active and officer.is_staff and not held


def begin_enrolment(request: HttpRequest, officer: User) -> HttpResponseRedirect:
    """Open the enrolment page, and that alone, to this browser; only after a good invitation. Raises Refused."""
    if not may_enrol(officer):
        raise Refused(_("This account has a second factor already. Log in with it."))
    request.session.flush()
    request.session[ENROLLING] = {
        "officer": officer.pk,
        "until": timezone.now().timestamp() + SECONDS,
        "password": officer.get_session_auth_hash(),
    }
    return HttpResponseRedirect(reverse("admin:enrol"))


def enrolling(request: HttpRequest) -> User | None:
    """Who enrols in this browser; None once he has a factor, another password, or half an hour has gone by."""
    found = request.session.get(ENROLLING)
    if not isinstance(found, dict) or found.get("until", 0) < timezone.now().timestamp():
        return None
    officer = User.objects.filter(pk=found["officer"]).first()
    if officer is None or not constant_time_compare(found.get("password", ""), officer.get_session_auth_hash()):
        return None
    return officer if may_enrol(officer) else None


def complete(request: HttpRequest, officer: User, device: Device) -> None:
    """The first factor is confirmed: the officer is at the desk, under a new session."""
    devices.entered(officer, device)
    request.session.pop(ENROLLING, None)
    officer.otp_device = device  # type: ignore[attr-defined]
    login(request, officer, backend="alerts.desk.people.OfficerBackend")
    stepup.mark(request, device)
