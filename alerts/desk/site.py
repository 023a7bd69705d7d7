"""The desk: Django's admin site with our pages, behind the second factor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import update_wrapper, wraps
from typing import Any, cast

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin import AdminSite
from django.contrib.auth import logout
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, URLPattern, URLResolver, path, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_htmx.http import HttpResponseClientRefresh

from .. import alarms, audit
from ..people import NotAllowed, Refused
from . import people, sittings
from .factors import codes, stepup

View = Callable[..., HttpResponseBase]

WRITTEN = {"draft", "return", "withdraw", "break-glass", "gate", "retract", "posted"}
"""Names of the pages where an officer types: what they post outlives the session."""
WRITTEN |= {"template", "template-new"}

ENROLLING = {"access", "authenticator", "add-passkey", "passkey-options", "step-up", "session", "logout"}
"""All that is open to an officer who came in by the one-time code of a reset, until he has a factor again."""
HELP = {
    "new": "write",
    "draft": "write",
    "break-glass": "alone",
    "alert": "live",
    "incoming": "live",
    "deliveries": "live",
    "channels": "live",
    "gate": "live",
    "outbox": "exercise",
    "office": "office",
    "login": "access",
    "access": "access",
    "password_change": "access",
}
"""Which part of the help belongs to a page."""
BESIDE = {"keep", "readers"}
"""Names of what such a page asks for by itself."""


@dataclass(frozen=True, slots=True)
class Page:
    """One address below ``/desk/``; ``nav`` is its name in the bar, if it stands there, ``place`` its place.

    A ``public`` one asks for no log-in: it answers strangers, and looks after itself. ``kept``: the view says
    itself whether browsers may keep its answer.
    """

    route: str
    view: View
    name: str
    nav: str | Promise = ""
    place: int = 0
    public: bool = False
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of the first screen, rendered: ``wide`` for the broad column, ``side`` for the narrow one."""

    wide: str = ""
    side: str = ""


@dataclass
class Added:
    """What ``channels.desk`` brings: its pages, its panels of the first screen, the names of channels."""

    pages: list[Page] = field(default_factory=list)
    panels: list[Callable[[HttpRequest], Panel]] = field(default_factory=list)
    channel_label: Callable[[str], str] = str


class Desk(AdminSite):
    """Officers' pages."""

    site_header = site_title = index_title = gettext_lazy("Belfry duty desk")
    enable_nav_sidebar = False
    final_catch_all_view = True

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self.added = Added()

    def has_permission(self, request: HttpRequest) -> bool:
        """An active officer whose sitting holds and who, outside the demo, has shown the second factor in it."""
        if not super().has_permission(request) or sittings.hold(request) is None:
            return False
        # not is_verified(), which an officer who has logged in by this very request does not have yet
        return not settings.SECOND_FACTOR or getattr(request.user, "otp_device", None) is not None

    def admin_view(self, view: View, cacheable: bool = False) -> View:  # type: ignore[override]
        """Log-in first. What was posted after the session had run out is kept through the log-in."""
        guarded = super().admin_view(cast(Any, view), cacheable)

        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if sittings.over(request):
                logout(request)
            if not self.has_permission(request):
                if getattr(request, "htmx", False):
                    # a page that an officer types in must not be loaded anew under his hands
                    return HttpResponse(status=401) if _named(request) in BESIDE else HttpResponseClientRefresh()
                if request.method == "POST" and _is_written(request):
                    return self.log_in_again(request)
            sittings.touch(request)
            if codes.is_one_time(getattr(request.user, "otp_device", None)) and _named(request) not in ENROLLING:
                return redirect("admin:access")
            try:
                return cast(HttpResponseBase, guarded(request, *args, **kwargs))
            except Http404:
                words = _("There is nothing at this address, or no longer.")
                return page(request, "desk/refused.html", status=404, title=_("Not found"), words=words)
            except PermissionDenied:
                return refused(request, _("Your role does not allow this page."))

        return update_wrapper(inner, view)

    def get_urls(self) -> list[URLResolver | URLPattern]:
        ours = [
            path(page.route, page.view if page.public else self.admin_view(page.view, page.kept), name=page.name)
            for page in self.pages()
        ]
        return [*ours, *super().get_urls()]

    def pages(self) -> list[Page]:
        from . import views  # noqa: PLC0415  (the site is made before the models are there)

        return [*views.PAGES, *self.added.pages]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        from . import views  # noqa: PLC0415

        return views.home(request)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self.login_form = people.log_in_form()
        sealed = request.POST.get("kept", "")
        response = super().login(request, {"kept": sealed, **(extra_context or {})})
        if request.method == "POST" and response.status_code == 302 and self.has_permission(request):
            stepup.mark(request, None)
            if sealed:
                people.keep(request, sealed)
        return response

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """An officer's own password: a line in the record, no alarm."""
        if request.method != "POST":
            return super().password_change(request, extra_context)
        with transaction.atomic():
            response = super().password_change(request, extra_context)
            if response.status_code == 302:
                by = people.officer(request)
                audit.record(by, "access-changed", f"officer {by.get_username()}", what=["password"])
                sittings.moved(request)
        return response

    def log_in_again(self, request: HttpRequest) -> HttpResponse:
        """The log-in page in answer to a post that came too late; it carries the post along."""
        context = {
            **self.each_context(request),
            "title": _("Log in"),
            "form": people.log_in_form()(request),
            "kept": people.seal(request),
            "next": request.path,
            "app_path": reverse("admin:login"),
        }
        response = TemplateResponse(request, "admin/login.html", context, status=403)
        add_never_cache_headers(response)
        return response

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        inside = self.has_permission(request)
        return {
            "site_title": self.site_title,
            "site_header": self.site_header,
            "site_url": settings.ADDRESS,
            "has_permission": inside,
            "available_apps": [],
            "is_popup": False,
            "is_nav_sidebar_enabled": False,
            "city_short": settings.CITY_SHORT,
            "demo": settings.DEMO,
            "nav": sorted((page for page in self.pages() if page.nav), key=lambda page: page.place) if inside else [],
            "alarms": alarms.open_alarms() if inside else [],
            "hold": sittings.hold(request) if inside else None,
            "help_part": HELP.get(_named(request), ""),
        }


def desk() -> Desk:
    """The one desk of this installation."""
    return cast(Desk, admin.site)


def page(request: HttpRequest, template: str, *, status: int = 200, **context: Any) -> TemplateResponse:
    """A page of the desk in our frame."""
    site = desk()
    request.current_app = site.name
    response = TemplateResponse(request, template, {**site.each_context(request), **context}, status=status)
    add_never_cache_headers(response)
    return response


def refused(request: HttpRequest, words: str) -> HttpResponse:
    return page(request, "desk/refused.html", status=403, title=_("Not allowed"), words=words)


def transition(back: str) -> Callable[[View], View]:
    """A view that only acts on POST. A refusal is told on the page ``back`` (a URL name, same arguments).

    Asked by GET (after a new log-in, say) it changes nothing and leads to that page. What the role
    does not allow is a plain 403.
    """

    def wrap(view: View) -> View:
        @wraps(view)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method != "POST":
                return _to(back, args, kwargs)
            try:
                return view(request, *args, **kwargs)
            except NotAllowed as error:
                return refused(request, str(error))
            except Refused as error:
                messages.error(request, str(error))
                return _to(back, args, kwargs)

        return inner

    return wrap


def _to(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> HttpResponse:
    """A page of the desk that takes the same arguments, or none."""
    try:
        return HttpResponseRedirect(reverse(f"admin:{name}", args=args, kwargs=kwargs))
    except NoReverseMatch:
        return HttpResponseRedirect(reverse(f"admin:{name}"))


def locked_out(request: HttpRequest, *_args: Any) -> HttpResponse:
    """What a throttled log-in is answered with."""
    site = desk()
    return TemplateResponse(request, "desk/locked.html", site.each_context(request), status=429).render()


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form with a token that is no longer valid: mostly a page left open while its officer logged in anew.

    What was typed on our own page is put back into its form, unsaved, for the officer to look at.
    """
    ours = request.headers.get("Origin") == f"{request.scheme}://{request.get_host()}"
    if ours and _is_written(request) and desk().has_permission(request):
        people.keep(request, people.seal(request))
        return redirect(request.path)
    return TemplateResponse(
        request,
        "desk/refused.html",
        {
            **desk().each_context(request),
            "title": _("Nothing was changed"),
            "words": _("The page was too old for this step. Go back, load it anew and try again."),
        },
        status=403,
    ).render()


def _is_written(request: HttpRequest) -> bool:
    return _named(request) in WRITTEN


def _named(request: HttpRequest) -> str:
    """The name of the desk's page that is asked for."""
    match = request.resolver_match
    return str(match.url_name) if match is not None and match.app_name == "admin" else ""
