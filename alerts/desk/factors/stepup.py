"""Prove the second factor once more: before an approval, and before anything that changes how an officer gets in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django_otp import login as otp_login
from django_otp.models import Device

PROVED = "proved-at"
FRESH_SECONDS = 300
View = Callable[..., HttpResponseBase]


def mark(request: HttpRequest, device: Device | None) -> None:
    """The officer has just proved himself, with this device."""
    request.session[PROVED] = timezone.now().timestamp()
    if device is not None:
        otp_login(request, device)


def fresh(request: HttpRequest) -> bool:
    """Whether the officer proved himself in this session within the last five minutes; in a demo nobody can."""
    if not settings.SECOND_FACTOR:
        return True
    proved = request.session.get(PROVED)
    return isinstance(proved, float) and 0 <= timezone.now().timestamp() - proved < FRESH_SECONDS


def proof(request: HttpRequest) -> str:
    """The ``persistent_id`` of the device that this session was proved with."""
    device = getattr(request.user, "otp_device", None)
    return str(device.persistent_id) if device is not None else ""


def fresh_only(back: str) -> Callable[[View], View]:
    """A view that acts, or shows a secret, only to an officer who proved himself just now; ``back`` comes after."""

    def wrap(view: View) -> View:
        @wraps(view)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if fresh(request):
                return view(request, *args, **kwargs)
            if request.method == "POST":
                messages.warning(request, _("Nothing was changed yet: confirm that it is you, then do it again."))
            return to_step_up(reverse(f"admin:{back}", args=args, kwargs=kwargs))

        return inner

    return wrap


def to_step_up(after: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{reverse('admin:step-up')}?{urlencode({'next': after})}")


def target(request: HttpRequest) -> str:
    """Where a step-up leads: a page of the desk, whatever the address asks for."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    desk = reverse("admin:index")
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if safe and wanted.startswith(desk) else reverse("admin:access")
