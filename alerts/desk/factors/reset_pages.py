"""The pages by which an administrator and a second officer reset the second factors of a third."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from ...people import NotAllowed, Refused, may
from .. import people
from ..confirming import ReasonForm
from ..site import Panel, page, refused
from . import resetting, stepup


@stepup.fresh_only(back="reset-factors")
def reset_factors(request: HttpRequest, officer_id: int) -> HttpResponseBase:
    """An administrator asks, with a reason, that an officer's second factors be reset."""
    by = people.officer(request)
    if not may(by, "auth.change_user"):
        return refused(request, _("Only an administrator can ask for this."))
    officer = get_object_or_404(User, pk=officer_id, is_active=True)
    form = ReasonForm(
        request.POST if request.method == "POST" else None,
        label=_("Why can the officer no longer prove who it is?"),
        hint=_("And how do you know that it is this officer who asks? The second officer and the record read it."),
    )
    if request.method == "POST" and form.is_valid():
        try:
            resetting.ask(officer, by, form.cleaned_data["reason"])
        except Refused as error:
            form.add_error("reason", str(error))
        else:
            words = _("Asked. Another approver or administrator finds it on the first screen, for 15 minutes.")
            messages.success(request, words)
            return redirect("admin:index")
    status = 422 if request.method == "POST" else 200
    return page(request, "desk/factors/reset.html", status=status, officer=officer, form=form)


@stepup.fresh_only(back="confirm-reset")
def confirm_reset(request: HttpRequest, number: int) -> HttpResponseBase:
    """A second officer reads who asks and why, and confirms or refuses; the one-time code is shown to him alone."""
    by = people.officer(request)
    try:
        asked = resetting.find(number, by)
        if request.method == "POST" and request.POST.get("answer") == "refuse":
            resetting.refuse(number, by)
            messages.success(request, _("Refused. Nothing was changed."))
            return redirect("admin:index")
        code = resetting.confirm(number, by) if request.POST.get("answer") == "confirm" else ""
    except NotAllowed as error:
        return refused(request, str(error))
    except Refused as error:
        messages.error(request, str(error))
        return redirect("admin:index")
    return page(request, "desk/factors/confirm-reset.html", asked=asked, code=code)


def panel(request: HttpRequest) -> Panel:
    """What the first screen shows of it to whoever may decide."""
    asked = resetting.for_officer(people.officer(request))
    return Panel(wide=render_to_string("desk/factors/panel.html", {"asked": asked}, request) if asked else "")
