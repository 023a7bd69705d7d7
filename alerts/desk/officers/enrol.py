"""From the invitation to the second factor."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _


def begin_enrolment(request: HttpRequest, officer: User) -> HttpResponseBase:
    """Lead a new officer, whose password is set, to his second factor; without such a page, to the log-in."""
    if find_spec("alerts.desk.factors") is not None:
        begin = getattr(import_module("alerts.desk.factors"), "begin_enrolment", None)
        if begin is not None:
            begin(request, officer)
            try:
                return redirect(reverse("admin:enrol"))
            except NoReverseMatch:
                pass
    messages.success(request, _("Your password is set. Log in now."))
    return redirect("admin:login")
