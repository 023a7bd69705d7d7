"""Passkeys (WebAuthn) over django-otp-webauthn: asked for by a challenge that one browser can answer once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, User
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django_otp.models import Device
from django_otp_webauthn.exceptions import OTPWebAuthnApiError
from django_otp_webauthn.models import WebAuthnCredential
from webauthn.helpers import base64url_to_bytes, parse_client_data_json
from webauthn.helpers.exceptions import WebAuthnException

from ...people import Refused
from . import once

LONGEST = 20_000
"""Characters of an answer that are read at all."""


class Purpose(StrEnum):
    """What a passkey is asked for; an answer counts for that alone."""

    LOG_IN = "log-in"
    STEP_UP = "step-up"
    RELEASE = "release"
    REGISTER = "register"


SECONDS = {Purpose.LOG_IN: 300, Purpose.STEP_UP: 300, Purpose.RELEASE: 60, Purpose.REGISTER: 300}
"""How long an answer counts."""


def possible() -> bool:
    """Whether browsers allow passkeys at Belfry's address: a name with https, or localhost; never a bare number."""
    name = settings.OTP_WEBAUTHN_RP_ID
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        schemes = {urlsplit(origin).scheme for origin in settings.OTP_WEBAUTHN_ALLOWED_ORIGINS}
        return name == "localhost" or "https" in schemes
    return False


def ask(request: HttpRequest, purpose: Purpose, officer: User | None = None) -> dict[str, Any]:
    """What ``navigator.credentials.get`` is called with. Without an officer (log-in) the browser offers its own."""
    helper = WebAuthnCredential.get_webauthn_helper(request)
    options, state = helper.authenticate_begin(user=officer, require_user_verification=False)
    options["userVerification"] = "preferred"
    options["timeout"] = SECONDS[purpose] * 1000
    _remember(request, purpose, officer, state)
    return dict(options)


def proved(request: HttpRequest, purpose: Purpose, officer: AbstractBaseUser, answer: str) -> Device | None:
    """The officer's passkey that gave this answer, or None. Origin, challenge and signature are checked."""
    try:
        data = _read(answer)
        state = _recall(request, purpose, None if purpose == Purpose.LOG_IN else officer, data)
        helper = WebAuthnCredential.get_webauthn_helper(request)
        with transaction.atomic(), _as_refusal():
            device = helper.authenticate_complete(user=officer, state=state, data=data)
    except Refused:
        return None
    return device if device.confirmed else None


def ask_new(request: HttpRequest, officer: User) -> dict[str, Any]:
    """What ``navigator.credentials.create`` is called with."""
    helper = WebAuthnCredential.get_webauthn_helper(request)
    options, state = helper.register_begin(user=officer)
    # the log-in page names nobody's passkeys, so the browser must find them by itself
    options["authenticatorSelection"] |= {"residentKey": "required", "requireResidentKey": True}
    _remember(request, Purpose.REGISTER, officer, state)
    return dict(options)


def add(request: HttpRequest, officer: User, name: str, answer: str) -> Device:
    """Enter the new passkey that the browser made. Raises Refused."""
    data = _read(answer)
    state = _recall(request, Purpose.REGISTER, officer, data)
    helper = WebAuthnCredential.get_webauthn_helper(request)
    with transaction.atomic(), _as_refusal():
        device = helper.register_complete(user=officer, state=state, data=data)
        device.name = name
        device.save(update_fields=["name"])
    return device


def _remember(request: HttpRequest, purpose: Purpose, officer: User | None, state: dict[str, Any]) -> None:
    data = {"purpose": purpose, "officer": officer.pk if officer else None, "browser": _browser(request)}
    once.put(base64url_to_bytes(state["challenge"]), {**data, "state": state}, SECONDS[purpose])


def _recall(
    request: HttpRequest, purpose: Purpose, officer: AbstractBaseUser | None, data: dict[str, Any]
) -> dict[str, Any]:
    """What was remembered when this browser was asked; it is gone afterwards. Raises Refused."""
    with _as_refusal():
        challenge = parse_client_data_json(base64url_to_bytes(data["response"]["clientDataJSON"])).challenge
    found = once.take(challenge)
    same = bool(found) and constant_time_compare(found.get("browser", ""), _browser(request))
    if not same or found.get("purpose") != purpose or found.get("officer") != (officer.pk if officer else None):
        raise Refused(_("The passkey was asked for too long ago, or on another page. Try again."))
    state: dict[str, Any] = found["state"]
    return state


def _browser(request: HttpRequest) -> str:
    """What only this browser holds: its session, and before the log-in the secret of its CSRF cookie."""
    if request.user.is_authenticated or not request.session.is_empty():
        return f"session {request.session.session_key}"
    return f"cookie {request.META.get('CSRF_COOKIE', '')}"


def _read(answer: str) -> dict[str, Any]:
    """The browser's answer, without what nobody signed and we don't need. Raises Refused."""
    try:
        data = json.loads(answer[:LONGEST])
        kept = {name: data[name] for name in ("id", "rawId", "type", "response")}
        if not all(isinstance(kept[name], str) for name in ("id", "rawId", "type")):
            raise TypeError
        if not isinstance(kept["response"], dict) or not isinstance(kept["response"]["clientDataJSON"], str):
            raise TypeError
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Refused(_not_accepted()) from error
    return kept


@contextmanager
def _as_refusal() -> Iterator[None]:
    """Whatever is wrong with an answer is one refusal: a browser has no use for details, an attacker has."""
    try:
        yield
    except (OTPWebAuthnApiError, WebAuthnException, ValueError, TypeError, KeyError, IntegrityError) as error:
        raise Refused(_not_accepted()) from error


def _not_accepted() -> str:
    return _("This passkey was not accepted. Try again.")
