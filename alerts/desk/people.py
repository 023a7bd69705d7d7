"""Who may sit at the desk: officers, their second factor, and what they had typed when their session ran out."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.contrib.auth.signals import user_login_failed
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext_lazy as _
from django_otp import devices_for_user
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp_webauthn.models import WebAuthnCredential

from ..checks import DEMO_DOMAIN, on_loopback
from .factors import codes, devices, passkeys
from .factors.passkeys import Purpose

KEPT = "desk-kept"
KEPT_SECONDS = 12 * 3600
UNSEALED = {"csrfmiddlewaretoken", "token", "passkey"}


class OfficerBackend(ModelBackend):
    """Officers by name and password; the demo's officers nowhere but in a demo on loopback."""

    def user_can_authenticate(self, user: User | AnonymousUser | None) -> bool:
        return super().user_can_authenticate(user) and (not is_demo(user) or demo_allowed())


def is_demo(user: User | AnonymousUser | None) -> bool:
    return str(getattr(user, "email", "")).lower().endswith(DEMO_DOMAIN)


def demo_allowed() -> bool:
    """Whether this is a demo that only its own machine can reach."""
    return bool(settings.DEMO) and on_loopback()


def client_address(request: HttpRequest) -> str | None:
    """From which address somebody logs in; bad log-ins are counted by it.

    Behind our own web server that is the last entry of X-Forwarded-For, the one it wrote itself; those
    before it, and the whole header without ``BEHIND_PROXY``, are whatever a stranger likes to claim.
    """
    nearest: str | None = request.META.get("REMOTE_ADDR") or None
    if not settings.BEHIND_PROXY:
        return nearest
    last = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    try:
        return str(ip_address(last))
    except ValueError:
        return nearest


def officer(request: HttpRequest) -> User:
    """The officer at this page; every page of the desk has one (``Desk.has_permission``)."""
    return cast(User, request.user)


def name(user: AbstractBaseUser) -> str:
    """How an officer is called on pages."""
    return str(getattr(user, "get_full_name", str)() or user.get_username())


def verified_device(user: AbstractBaseUser, token: str) -> Device | None:
    """The device that ``token`` proves, or None. Each token counts once; wrong ones are throttled by the device.

    Six digits are asked of the authenticator, anything else is a backup code, so that a slip in one
    doesn't throttle the other.
    """
    token = "".join(token.split())
    backup = not token.isdecimal()
    with transaction.atomic():
        for device in devices_for_user(user, for_verify=True):
            if isinstance(device, WebAuthnCredential) or isinstance(device, StaticDevice) is not backup:
                continue
            if not device.verify_is_allowed()[0] or codes.too_old(device):
                continue
            if device.verify_token(codes.stored(device, token) if backup else token):
                return device
    return None


def proved_device(request: HttpRequest, user: User, data: dict[str, Any], purpose: Purpose) -> Device | None:
    """The device that a form's passkey or else its code proves, or None."""
    if answer := data.get("passkey"):
        return passkeys.proved(request, purpose, user, answer)
    token = data.get("token") or ""
    return verified_device(user, token) if token else None


class Unkept(forms.HiddenInput):
    """A hidden field that is empty again when its form comes back: what it held counts once."""

    def format_value(self, value: Any) -> str:
        return ""


def token_field() -> forms.CharField:
    """The code; where passkeys are possible, the form takes one instead (``passkey_field``)."""
    attrs = {"autocomplete": "one-time-code", "inputmode": "text", "spellcheck": "false", "required": True}
    return forms.CharField(
        label=_("Code"),
        required=False,
        max_length=32,
        help_text=_("Six digits from your authenticator app, or a backup code."),
        widget=forms.TextInput(attrs=attrs),
    )


def passkey_field() -> forms.CharField:
    """What the browser says of a passkey, put there by ``passkey.js``."""
    return forms.CharField(required=False, max_length=passkeys.LONGEST, widget=Unkept)


def proof_fields(request: HttpRequest) -> dict[str, forms.Field]:
    """The fields by which an officer who is logged in proves himself once more."""
    fields: dict[str, forms.Field] = {"token": token_field()}
    if passkeys.possible() and devices.has_passkey(officer(request)):
        fields["passkey"] = passkey_field()
    return fields


def release_fault(request: HttpRequest, data: dict[str, Any]) -> str:
    """What is wrong with the proof that a release asks for, in words; empty where it is good, and used up."""
    if proved_device(request, officer(request), data, Purpose.RELEASE) is not None:
        return ""
    if data.get("passkey"):
        return str(_("The passkey does not count, or more than a minute has gone by. Confirm with it once more."))
    if data.get("token"):
        return str(_("This code is not right. Each code works once: wait for the next one."))
    return str(_("Give the code, or confirm with your passkey."))


class LogIn(AdminAuthenticationForm):
    """Name and password; enough in a demo."""

    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "invalid_login": _("This does not let you in. Check name and password."),
    }


class LogInTwice(LogIn):
    """Name, password and the code of the second factor. One answer for all three: it doesn't tell which was wrong."""

    token = token_field()

    error_messages = {
        **LogIn.error_messages,
        "invalid_login": _(
            "This does not let you in. Check name, password and code; a code works once, so wait for the next."
        ),
        "no_factor": _(
            "This account has no second factor, and the password alone lets nobody in. "
            "Ask an administrator for a new invitation."
        ),
    }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if passkeys.possible():
            self.fields["passkey"] = passkey_field()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        user = self.get_user()
        if user is not None and self.request is not None:
            device = proved_device(self.request, user, cleaned, Purpose.LOG_IN)
            if device is None:
                # counted like a wrong password, so that guessing codes locks out too
                failed = {"username": user.get_username()}
                user_login_failed.send(sender=__name__, credentials=failed, request=self.request)
                if not devices.confirmed(user):
                    raise ValidationError(self.error_messages["no_factor"], code="no_factor")
                raise self.get_invalid_login_error()
            # read by django_otp when the log-in is made
            user.otp_device = device  # type: ignore[attr-defined]
        return cleaned


def log_in_form() -> type[LogIn]:
    return LogInTwice if settings.SECOND_FACTOR else LogIn


def seal(request: HttpRequest) -> str:
    """What was posted, signed, to travel through the log-in page and back."""
    fields = {name: values for name, values in request.POST.lists() if name not in UNSEALED}
    return signing.dumps({"path": request.path, "fields": fields}, salt=KEPT, compress=True)


def keep(request: HttpRequest, sealed: str) -> None:
    """Put what ``seal`` carried into the officer's session, for the page that it was meant for."""
    try:
        request.session[KEPT] = signing.loads(sealed, salt=KEPT, max_age=KEPT_SECONDS)
    except signing.BadSignature:
        request.session.pop(KEPT, None)


def kept(request: HttpRequest) -> QueryDict | None:
    """What was kept for this page, once; None where there is nothing."""
    value = request.session.get(KEPT)
    if not isinstance(value, dict) or value.get("path") != request.path:
        return None
    del request.session[KEPT]
    fields = QueryDict(mutable=True)
    for name, values in value["fields"].items():
        fields.setlist(name, values)
    return fields
