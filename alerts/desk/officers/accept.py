"""The one public page of the officers' part: a new officer follows his link and sets his password.

The link's token goes into the session at once and out of the address, as with Django's own links. What
does not hold is answered alike, whatever is wrong with it, and counts as a failed log-in of its address.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from axes.handlers.proxy import AxesProxyHandler
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from ..people import client_address, name
from ..people import officer as officer_here
from ..site import locked_out, page
from . import invitations
from .enrol import begin_enrolment
from .forms import PasswordForm

KEPT = "invitation"
View = Callable[..., HttpResponseBase]


def unlogged(view: View) -> View:
    """No index, no copy, and no line of Django's with the address of what failed."""

    @wraps(view)
    def inner(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
        response.headers["Cache-Control"] = "no-store"
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response

    return inner


@unlogged
@require_safe
def link(request: HttpRequest, officer_id: int, token: str) -> HttpResponseBase:
    """The link itself leads on, whether it holds or not; ``password`` tells.

    It changes nothing, so that a mail program that looks ahead uses nothing up. No page stands at its
    address: one that forbids referrers can't post a form (browsers then write "null" as the Origin).
    """
    onward = redirect("admin:invitation")
    onward.headers["Referrer-Policy"] = "no-referrer"
    if request.user.is_authenticated:
        return onward
    request.session.pop(KEPT, None)
    stranger = _bare(request)
    credentials = {"username": f"invitation {client_address(request)}"}
    if not AxesProxyHandler.is_allowed(stranger, credentials):
        return locked_out(request)
    if invitations.invited(officer_id, token) is not None:
        request.session[KEPT] = [officer_id, token]
        return onward
    AxesProxyHandler.user_login_failed(__name__, credentials, stranger)
    return locked_out(request) if getattr(stranger, "axes_locked_out", False) else onward


@unlogged
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: HttpRequest) -> HttpResponseBase:
    """Set the password; then to the second factor."""
    if request.user.is_authenticated:
        return _not_for(request)
    officer = _invited(request)
    if officer is None:
        return _over(request)
    form = PasswordForm(officer, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        if not invitations.accept(officer, form.cleaned_data["new_password1"]):
            return _over(request)
        request.session.flush()  # nothing of the time before goes on
        return begin_enrolment(request, officer)
    return page(
        request,
        "desk/officers/invitation.html",
        status=422 if request.method == "POST" else 200,
        form=form,
        officer=officer,
    )


def _not_for(request: HttpRequest) -> HttpResponse:
    words = _("You are logged in as {name}. This link is for a new officer: log out and open it again.")
    return page(
        request,
        "desk/refused.html",
        status=403,
        title=_("This link is not for you"),
        words=words.format(name=name(officer_here(request))),
    )


def _invited(request: HttpRequest) -> User | None:
    kept = request.session.get(KEPT)
    if not isinstance(kept, list) or len(kept) != 2:
        return None
    return invitations.invited(int(kept[0]), str(kept[1]))


def _over(request: HttpRequest) -> HttpResponse:
    """The one answer to every link that does not hold."""
    return page(request, "desk/officers/invitation-over.html", status=404)


def _bare(request: HttpRequest) -> HttpRequest:
    """This request as the throttle may keep it: whose it is, without the link and without a password."""
    bare = HttpRequest()
    bare.method, bare.path, bare.path_info = "GET", "/desk/invitation/", "/desk/invitation/"
    known = ("REMOTE_ADDR", "HTTP_X_FORWARDED_FOR", "HTTP_USER_AGENT")
    bare.META = {field: request.META[field] for field in known if field in request.META}
    return bare
