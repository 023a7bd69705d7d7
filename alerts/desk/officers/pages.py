"""The officers' pages: all of them, one of them, a new one; roles asked for and decided."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from ... import officers, roles
from ...models import AuditEntry, Decision, RoleRequest, Sitting
from ...people import Refused, may
from ..people import name, officer
from ..site import Page, View, page, refused, transition
from . import accept, invitations
from .facts import everybody, rows
from .forms import AskForm, DetailsForm, NewForm

LINK = "invitation-link"
HISTORY = 30


def administrators_only(view: View) -> View:
    """What officers are called and where they are reached is the administrators' business."""

    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not may(officer(request), "auth.change_user"):
            return refused(request, _("Your role does not allow looking after officers."))
        return view(request, *args, **kwargs)

    return inner


@require_safe
@administrators_only
def listing(request: HttpRequest) -> HttpResponse:
    """Everybody at the desk, and the roles that wait for a second administrator."""
    return page(
        request,
        "desk/officers/list.html",
        rows=rows(everybody()),
        waiting=deciding(officer(request)),
        alone=alone(),
    )


def alone() -> bool:
    """Whether there is only one administrator, so that no role can be given."""
    return roles.administrators().count() < 2


def deciding(by: User) -> list[tuple[RoleRequest, str, str]]:
    """Open requests, each with its role in words and why this administrator can't decide it (empty: he can)."""
    found = roles.waiting()
    return [(request, roles.word(request.role.name), roles.why_not_decide(request, by)) for request in found]


@administrators_only
def one(request: HttpRequest, officer_id: int) -> HttpResponse:
    """One officer; a POST keeps his name, mail address and phone."""
    found = _officer(officer_id)
    if request.method != "POST":
        return _one(request, found, DetailsForm(officer=found))
    form = DetailsForm(request.POST, officer=found)
    if not form.is_valid():
        return _one(request, found, form, status=422)
    changed = officers.change(found, form.details(), officer(request))
    if changed:
        messages.success(request, _("Kept."))
    return redirect("admin:officer", officer_id)


def _one(
    request: HttpRequest, found: User, form: DetailsForm, asking: AskForm | None = None, *, status: int = 200
) -> HttpResponse:
    me = officer(request)
    facts = rows([found])[0]
    held = roles.held(found)
    history = RoleRequest.objects.filter(officer=found).exclude(decision=Decision.OPEN)
    taken = AuditEntry.objects.filter(action="role-taken", subject=roles.subject(found)).order_by("-number")
    return page(
        request,
        "desk/officers/officer.html",
        status=status,
        facts=facts,
        found=found,
        form=form,
        is_me=found.pk == me.pk,
        held=[(role, roles.word(role), str(roles.MAY.get(role, ""))) for role in held],
        asking=asking or AskForm(without=[*held, *(row.role.name for row in facts.asked)]),
        waiting=[row for row in deciding(me) if row[0].officer_id == found.pk],
        history=_history(history.select_related("role", "asked_by", "decided_by")[:HISTORY], taken[:HISTORY]),
        may_invite=found.pk != me.pk and invitations.may_be_invited(found),
        link=_link_once(request, found),
        until=invitations.ends(),
        sittings=Sitting.objects.filter(officer=found, ended_at=None).count(),
        subject=roles.subject(found),
        alone=alone(),
    )


def _history(requests: Any, taken: Any) -> list[tuple[Any, str]]:
    """What became of an officer's roles, the newest first: time and words."""
    steps = {
        Decision.GIVEN: _("{role} given. {asked} asked, {decided} agreed. {reason}"),
        Decision.REFUSED: _("{role} refused. {asked} asked, {decided} refused. {reason}"),
        Decision.WITHDRAWN: _("{role} no longer asked for. {asked} asked and took it back. {reason}"),
    }
    lines = [
        (
            row.decided_at,
            steps[Decision(row.decision)].format(
                role=roles.word(row.role.name),
                asked=name(row.asked_by),
                decided=name(row.decided_by),
                reason=row.reason,
            ),
        )
        for row in requests
    ]
    lines += [
        (line.at, _("{role} taken away by {by}.").format(role=roles.word(line.data["role"]), by=line.actor))
        for line in taken
    ]
    return sorted(lines, key=lambda line: line[0], reverse=True)


@administrators_only
def new(request: HttpRequest) -> HttpResponseBase:
    """Enter an officer: name and addresses, the roles to be asked for; he gets his link by mail."""
    form = NewForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        me, given = officer(request), form.cleaned_data
        try:
            made = officers.enter(given["username"], form.details(), given["roles"], me, given["reason"])
        except Refused as error:
            form.add_error(None, str(error))
        else:
            return _invited(request, made, invitations.invite(made, me))
    status = 422 if request.method == "POST" else 200
    return page(request, "desk/officers/new.html", status=status, form=form, alone=alone())


def _invited(request: HttpRequest, made: User, link: str) -> HttpResponseBase:
    if invitations.mail(made, link):
        messages.success(request, _("The link is on its way to the officer's mail address."))
    else:
        messages.error(request, _("The mail server did not take the mail. Hand the link over by another way."))
    request.session[LINK] = [made.pk, link]
    return redirect("admin:officer", made.pk)


def _link_once(request: HttpRequest, found: User) -> str:
    """The link just made, shown to who made it and once."""
    kept = request.session.get(LINK)
    if request.method != "GET" or not isinstance(kept, list) or kept[0] != found.pk:
        return ""
    del request.session[LINK]
    return str(kept[1])


@transition(back="officer")
def invite(request: HttpRequest, officer_id: int) -> HttpResponseBase:
    """A new link; the one before ends."""
    found = _officer(officer_id)
    return _invited(request, found, invitations.invite(found, officer(request)))


@transition(back="officer")
def in_use(request: HttpRequest, officer_id: int) -> HttpResponseBase:
    """Put an account into use or out of it."""
    wanted = request.POST.get("in_use") == "yes"
    officers.set_in_use(_officer(officer_id), in_use=wanted, by=officer(request))
    messages.success(request, _("The account is in use.") if wanted else _("The account is out of use."))
    return redirect("admin:officer", officer_id)


@transition(back="officer")
def ask(request: HttpRequest, officer_id: int) -> HttpResponseBase:
    """Ask that an officer be given a role."""
    me = officer(request)
    roles.must_administer(me)
    found = _officer(officer_id)
    form = AskForm(request.POST, without=[])
    if not form.is_valid():
        return _one(request, found, DetailsForm(officer=found), form, status=422)
    try:
        roles.ask(found, form.cleaned_data["role"], me, form.cleaned_data["reason"])
    except Refused as error:
        form.add_error("reason" if not form.cleaned_data["reason"].strip() else "role", str(error))
        return _one(request, found, DetailsForm(officer=found), form, status=422)
    messages.success(request, _("Asked. A second administrator decides; all officers are told."))
    return redirect("admin:officer", officer_id)


@transition(back="officer")
def take(request: HttpRequest, officer_id: int) -> HttpResponseBase:
    """Take a role away; it holds at once."""
    found = _officer(officer_id)
    roles.take_away(found, request.POST.get("role", "")[:150], officer(request))
    messages.success(request, _("Taken away. All officers are told."))
    return redirect("admin:officer", officer_id)


def decision(act: Callable[[int, User], None], done: str | Promise) -> View:
    """A view by which an administrator decides a request; it leads back to the page where it stood."""

    @transition(back="officers")
    def decide(request: HttpRequest, request_id: int) -> HttpResponseBase:
        act(request_id, officer(request))
        messages.success(request, str(done))
        if request.POST.get("back") == "officer":
            return redirect("admin:officer", RoleRequest.objects.get(pk=request_id).officer_id)
        return redirect("admin:officers")

    return decide


def _officer(officer_id: int) -> User:
    return get_object_or_404(User.objects.prefetch_related("groups"), pk=officer_id, is_staff=True)


give = decision(roles.give, gettext_lazy("The role is given. All officers are told."))
refuse = decision(roles.refuse, gettext_lazy("Refused. All officers are told."))
take_back = decision(roles.take_back, gettext_lazy("Taken back. All officers are told."))

PAGES = [
    Page("officers/", listing, "officers"),
    Page("officers/new/", new, "officer-new"),
    Page("officers/<int:officer_id>/", one, "officer"),
    Page("officers/<int:officer_id>/invite/", invite, "officer-invite"),
    Page("officers/<int:officer_id>/in-use/", in_use, "officer-in-use"),
    Page("officers/<int:officer_id>/ask/", ask, "role-ask"),
    Page("officers/<int:officer_id>/take/", take, "role-take"),
    Page("roles/<int:request_id>/give/", give, "role-give"),
    Page("roles/<int:request_id>/refuse/", refuse, "role-refuse"),
    Page("roles/<int:request_id>/take-back/", take_back, "role-take-back"),
    Page("invitation/", accept.password, "invitation", public=True),
    Page("invitation/<int:officer_id>/<str:token>/", accept.link, "invitation-link", public=True),
]
