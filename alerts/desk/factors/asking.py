"""What a browser is asked with for a passkey, as JSON: before the log-in, while enrolling, and at the desk."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache

from .. import people
from . import enrolment, passkeys, stepup
from .passkeys import Purpose


@never_cache
def log_in(request: HttpRequest) -> HttpResponseBase:
    """Asked before anybody is known, so it names nobody's passkeys."""
    if request.method != "POST":
        return redirect("admin:login")
    return JsonResponse(passkeys.ask(request, Purpose.LOG_IN)) if passkeys.possible() else HttpResponse(status=404)


@never_cache
def enrol(request: HttpRequest) -> HttpResponseBase:
    officer = enrolment.enrolling(request)
    if officer is None or request.method != "POST":
        return redirect("admin:login")
    return JsonResponse(passkeys.ask_new(request, officer)) if passkeys.possible() else HttpResponse(status=404)


@never_cache
def at_desk(request: HttpRequest, purpose: str) -> HttpResponseBase:
    """For a step-up, an approval or a new passkey."""
    me = people.officer(request)
    if purpose not in {Purpose.STEP_UP, Purpose.RELEASE, Purpose.REGISTER} or not passkeys.possible():
        return HttpResponse(status=404)
    if request.method != "POST":
        return redirect("admin:access")
    if purpose != Purpose.REGISTER:
        return JsonResponse(passkeys.ask(request, Purpose(purpose), me))
    return JsonResponse(passkeys.ask_new(request, me)) if stepup.fresh(request) else HttpResponse(status=403)
