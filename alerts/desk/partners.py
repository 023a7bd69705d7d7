"""The partners' pages: who may hand in CAP documents, what of, by which token, and what came last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from django import forms
from django.contrib import messages
from django.db.models import Max, Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from ..intake import partners
from ..intake.partners import Scope
from ..models import Area, Intake, IntakeState, IntakeWay, Partner, PartnerToken
from ..people import Refused, may
from ..terms import Category, Status
from .factors import stepup
from .people import officer
from .site import Page, View, page, refused, transition

LATELY = 20
LOOKS = {
    IntakeState.WAITING: "wait",
    IntakeState.TAKEN: "ok",
    IntakeState.REFUSED: "bad",
    IntakeState.IGNORED: "hold",
}
T = TypeVar("T")
Several = forms.MultipleChoiceField


class PartnerForm(forms.Form):
    """A partner's name and bounds."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=80)
    statuses = Several(label=gettext_lazy("What is taken"), choices=Status.choices, widget=forms.CheckboxSelectMultiple)
    areas = Several(label=gettext_lazy("Districts"), required=False, widget=forms.CheckboxSelectMultiple)
    categories = Several(
        label=gettext_lazy("Kind of danger"),
        choices=Category.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    active = forms.BooleanField(label=gettext_lazy("In use"), required=False)

    def __init__(self, data: Mapping[str, Any] | None, initial: Mapping[str, Any]) -> None:
        super().__init__(data, initial=dict(initial))
        rows = Area.objects.filter(Q(active=True) | Q(code__in=initial.get("areas", ()))).only("code", "name")
        self.fields["areas"].choices = [(row.code, row.name) for row in rows]  # type: ignore[attr-defined]

    def scope(self) -> Scope:
        given = self.cleaned_data
        return Scope(given["statuses"], given["areas"], given["categories"])


def administrators_only(view: View) -> View:
    """Whose documents are taken is the administrators' business."""

    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not may(officer(request), "auth.change_user"):
            return refused(request, _("Your role does not allow looking after partners."))
        return view(request, *args, **kwargs)

    return inner


@require_safe
@administrators_only
def listing(request: HttpRequest) -> HttpResponse:
    """Every partner, when his token was last used, and how his last document went."""
    rows = list(Partner.objects.annotate(used_at=Max("tokens__used_at")))
    holding = set(PartnerToken.objects.filter(ended_at__isnull=True).values_list("partner_id", flat=True))
    listed = [(row, row.pk in holding, _last(row)) for row in rows]
    return page(request, "desk/partners/list.html", listed=listed)


def _last(partner: Partner) -> tuple[Intake, str] | None:
    row = _documents(partner).first()
    return (row, LOOKS[IntakeState(row.state)]) if row else None


def _documents(partner: Partner) -> Any:
    rows = Intake.objects.filter(way=IntakeWay.CAP, partner=partner).order_by("-pk")
    return rows.select_related("draft").defer("raw")


@administrators_only
def new(request: HttpRequest) -> HttpResponseBase:
    """Enter a partner; his token comes on his own page."""
    form = PartnerForm(request.POST or None, {"statuses": [Status.ACTUAL]})
    made = _kept(form, lambda: partners.enter(form.cleaned_data["name"], form.scope(), officer(request)))
    if made is not None:
        messages.success(request, _("The partner is entered. Give a token next."))
        return redirect("admin:partner", made.pk)
    return page(request, "desk/partners/new.html", status=422 if form.errors else 200, form=form)


@administrators_only
def one(request: HttpRequest, partner_id: int) -> HttpResponseBase:
    """One partner; a POST keeps his name and bounds."""
    found = get_object_or_404(Partner, pk=partner_id)
    given = {name: getattr(found, name) for name in ("name", "statuses", "areas", "categories", "active")}
    form = PartnerForm(request.POST or None, given)

    def change() -> bool:
        active = form.cleaned_data["active"]
        partners.change(found, form.cleaned_data["name"], form.scope(), officer(request), active=active)
        return True

    if _kept(form, change) is not None:
        messages.success(request, _("Name and bounds are kept."))
        return redirect("admin:partner", found.pk)
    return _page(request, partner_id, form)


def _kept(form: PartnerForm, act: Callable[[], T]) -> T | None:
    """What ``act`` gave where the form is sound; a refusal becomes an error of the form."""
    if not form.is_bound or not form.is_valid():
        return None
    try:
        return act()
    except Refused as error:
        form.add_error(None, str(error))
        return None


def _page(request: HttpRequest, partner_id: int, form: PartnerForm, token: str = "") -> HttpResponse:
    # anew: the form's own partner may hold what was refused
    found = get_object_or_404(Partner, pk=partner_id)
    tokens = list(found.tokens.all()[:10])
    return page(
        request,
        "desk/partners/partner.html",
        status=422 if form.errors else 200,
        found=found,
        form=form,
        token=token,
        tokens=tokens,
        full=sum(one.ended_at is None for one in tokens) >= partners.MOST_TOKENS,
        documents=[(row, LOOKS[IntakeState(row.state)]) for row in _documents(found)[:LATELY]],
        subject=partners.subject(found),
    )


@transition(back="partner")
@administrators_only
@stepup.fresh_only(back="partner")
def give(request: HttpRequest, partner_id: int) -> HttpResponseBase:
    """A new token, shown in this answer and never again."""
    found = get_object_or_404(Partner, pk=partner_id)
    token = partners.give_token(found, officer(request))
    given = {name: getattr(found, name) for name in ("name", "statuses", "areas", "categories", "active")}
    return _page(request, partner_id, PartnerForm(None, given), token)


@transition(back="partners")
@administrators_only
def end(request: HttpRequest, partner_id: int, token_id: int) -> HttpResponseBase:
    """A token ends at once."""
    found = get_object_or_404(PartnerToken.objects.select_related("partner"), pk=token_id, partner_id=partner_id)
    partners.end_token(found, officer(request))
    messages.success(
        request, _("The token {head}… has ended. Nothing is taken by it any more.").format(head=found.head)
    )
    return redirect("admin:partner", partner_id)


PAGES = [
    Page("partners/", listing, "partners"),
    Page("partners/new/", new, "partner-new"),
    Page("partners/<int:partner_id>/", one, "partner"),
    Page("partners/<int:partner_id>/token/", give, "partner-token"),
    Page("partners/<int:partner_id>/token/<int:token_id>/end/", end, "partner-token-end"),
]
