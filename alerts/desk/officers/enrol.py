"""From the invitation to the second factor."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from .. import factors
from .facts import with_factor


def begin_enrolment(request: HttpRequest, officer: User) -> HttpResponseBase:
    """Lead an officer whose password is set to his first second factor; who has one, to the log-in."""
    if not with_factor([officer]):
        return factors.begin_enrolment(request, officer)
    messages.success(request, _("Your password is set. Log in now."))
    return redirect("admin:login")
