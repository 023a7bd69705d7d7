"""From the invitation to the second factor."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from .facts import with_factor


def begin_enrolment(request: HttpRequest, officer: User) -> HttpResponseBase:
    """Lead an officer whose password is set to his first second factor; who has one, to the log-in."""
    if not with_factor([officer]) and find_spec("alerts.desk.factors") is not None:
        begin = getattr(import_module("alerts.desk.factors"), "begin_enrolment", None)
        if begin is not None:
            return cast(HttpResponseBase, begin(request, officer))
    messages.success(request, _("Your password is set. Log in now."))
    return redirect("admin:login")
