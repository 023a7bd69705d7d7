"""My access: an officer's own second factors, backup codes and log-ins; the step-up before they change."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django_otp.models import Device

from ... import audit, watch
from ...people import NotAllowed, Refused, may
from .. import people, sittings
from ..site import page, refused, transition
from . import codes, devices, enrolment, passkeys, stepup
from .forms import AuthenticatorForm, PasskeyForm, StepUpForm


def access(request: HttpRequest, form: PasskeyForm | None = None, *, status: int = 200) -> HttpResponse:
    """Everything that lets this officer in, and everywhere he is in."""
    me = people.officer(request)
    proof = stepup.proof(request)
    backup = codes.backup_device(me)
    return page(
        request,
        "desk/factors/access.html",
        status=status,
        factors=devices.listed(me, proof),
        backup=backup,
        codes_left=backup.token_set.count() if backup else 0,
        few=codes.COUNT // 3,
        must_enrol=codes.is_one_time(getattr(me, "otp_device", None)),
        possible=passkeys.possible(),
        passkey_form=form or PasskeyForm(auto_id="passkey_%s"),
        sittings=sittings.opened(me),
        current=sittings.current(request),
        fresh=stepup.fresh(request),
    )


@sensitive_post_parameters("token", "passkey")
def step_up(request: HttpRequest) -> HttpResponseBase:
    """It is still this officer: a code or a passkey, good for five minutes."""
    after = stepup.target(request)
    form = StepUpForm(request.POST if request.method == "POST" else None, request=request)
    if request.method == "POST" and form.is_valid():
        stepup.mark(request, form.device)
        messages.success(request, _("Confirmed. You can change your access for five minutes."))
        return redirect(after)
    status = 422 if request.method == "POST" else 200
    return page(request, "desk/factors/step-up.html", status=status, form=form, after=after)


# Second factors


@stepup.fresh_only(back="access")
@sensitive_post_parameters("token")
def authenticator(request: HttpRequest) -> HttpResponseBase:
    """A new authenticator app: its secret, and the code that proves it was taken over."""
    me = people.officer(request)
    try:
        devices.room(me)
    except Refused as error:
        return _told(request, error)
    if request.POST.get("action") == "begin":
        codes.begin_authenticator(me)
        return redirect("admin:authenticator")
    pending = codes.pending_authenticator(me)
    if pending is None:
        return redirect("admin:access")
    form = AuthenticatorForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        device = confirmed(form, me)
        if device is not None:
            _entered(request, me, device)
            return redirect("admin:access")
    return _authenticator_page(request, pending, form)


def confirmed(form: AuthenticatorForm, officer: User) -> Device | None:
    """The authenticator that the form's code proves; the form says so where it does not."""
    data = form.cleaned_data
    device = codes.confirm_authenticator(officer, data["token"], data["name"])
    if device is None:
        form.add_error("token", _("This code is not right. Wait for the next one; is the phone's clock right?"))
    return device


def _authenticator_page(request: HttpRequest, pending: Device, form: AuthenticatorForm) -> HttpResponse:
    return page(
        request,
        "desk/factors/authenticator.html",
        status=422 if request.method == "POST" else 200,
        form=form,
        picture=codes.picture(pending),
        secret=codes.spelled(pending),
    )


@transition(back="access")
@stepup.fresh_only(back="access")
@sensitive_post_parameters("passkey")
def add_passkey(request: HttpRequest) -> HttpResponseBase:
    """A new passkey, made by the browser before this was posted."""
    me = people.officer(request)
    devices.room(me)
    form = PasskeyForm(request.POST, auto_id="passkey_%s")
    if not form.is_valid():
        return access(request, form, status=422)
    _entered(request, me, form.add(request, me))
    return redirect("admin:access")


def _entered(request: HttpRequest, officer: User, device: Device) -> None:
    devices.entered(officer, device)
    stepup.mark(request, device)
    messages.success(request, _("Added. All officers are told, so that nobody adds one for you unseen."))


@transition(back="access")
@stepup.fresh_only(back="access")
def remove_factor(request: HttpRequest) -> HttpResponseBase:
    """Take away an authenticator or a passkey, never the last one."""
    devices.remove(people.officer(request), request.POST.get("factor", ""), stepup.proof(request))
    messages.success(request, _("Removed."))
    return redirect("admin:access")


@transition(back="access")
@stepup.fresh_only(back="access")
def backup_codes(request: HttpRequest) -> HttpResponseBase:
    """Ten new backup codes, shown in answer to this post and never again."""
    return show_backup_codes(request, people.officer(request))


def show_backup_codes(request: HttpRequest, officer: User) -> HttpResponse:
    if not devices.main(officer):
        raise Refused(_("Backup codes come after a second factor. Add an authenticator or a passkey first."))
    made = codes.make_backup(officer)
    watch.tell_access(officer.get_username(), ["codes-made"], officer)
    return page(request, "desk/factors/codes.html", codes=made)


def _told(request: HttpRequest, error: Refused) -> HttpResponse:
    messages.error(request, str(error))
    return redirect("admin:access")


# Enrolment


@never_cache
@sensitive_post_parameters("token", "passkey")
def enrol(request: HttpRequest) -> HttpResponseBase:
    """The first factor of an invited officer, who is not logged in yet and comes nowhere else from here."""
    officer = enrolment.enrolling(request)
    if officer is None:
        return redirect("admin:login")
    pending = codes.pending_authenticator(officer) or codes.begin_authenticator(officer)
    posted = request.POST if request.method == "POST" else None
    with_passkey = posted is not None and "passkey" in posted
    form = AuthenticatorForm(None if with_passkey else posted)
    passkey_form = PasskeyForm(posted if with_passkey else None, auto_id="passkey_%s")
    device: Device | None = None
    try:
        if with_passkey and passkey_form.is_valid():
            device = passkey_form.add(request, officer)
        elif posted is not None and not with_passkey and form.is_valid():
            device = confirmed(form, officer)
    except Refused as error:
        passkey_form.add_error("name", str(error))
    if device is not None:
        enrolment.complete(request, officer, device)
        return show_backup_codes(request, officer)
    return page(
        request,
        "desk/factors/enrol.html",
        status=422 if posted is not None else 200,
        officer=officer,
        form=form,
        passkey_form=passkey_form,
        possible=passkeys.possible(),
        picture=codes.picture(pending),
        secret=codes.spelled(pending),
    )


# Log-ins


@never_cache
def session(request: HttpRequest) -> JsonResponse:
    """Until when the session holds, for ``session.js``; by POST it holds anew. The token is that of the forms."""
    hold = sittings.hold(request)
    return JsonResponse(
        {
            "left": hold.left if hold else 0,
            "last": bool(hold and hold.last),
            "until": hold.until.isoformat() if hold else "",
            "words": hold.clock if hold else "",
            "officer": request.user.pk,
            "token": get_token(request),
        }
    )


@transition(back="access")
def end_own(request: HttpRequest) -> HttpResponseBase:
    """End one of the officer's own log-ins, or all but this one."""
    me = people.officer(request)
    others = sittings.opened(me).exclude(pk=sittings.current(request) or 0)
    chosen = request.POST.get("sitting", "")
    if chosen != "others":
        others = others.filter(pk=int(chosen) if chosen.isdecimal() else 0)
    _ended(request, me, sittings.end(others))
    return redirect("admin:access")


@transition(back="index")
def end_sittings(request: HttpRequest, officer_id: int) -> HttpResponseBase:
    """An administrator ends every log-in of another officer."""
    by = people.officer(request)
    if not may(by, "auth.change_user"):
        raise NotAllowed(_("Only an administrator ends the log-ins of others."))
    officer = get_object_or_404(User, pk=officer_id)
    if officer.pk == by.pk:
        return refused(request, _("Your own log-ins are ended under “My access”."))
    _ended(request, officer, sittings.end(sittings.opened(officer)))
    back = request.POST.get("next", "")
    return redirect(stepup.target(request) if back else "admin:index")


def _ended(request: HttpRequest, officer: User, count: int) -> None:
    if count:
        audit.record(people.officer(request), "sittings-ended", f"officer {officer.get_username()}", count=count)
    words = ngettext("{count} log-in is ended.", "{count} log-ins are ended.", count)
    messages.success(request, words.format(count=count))
