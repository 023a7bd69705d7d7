"""The first screen, the list of alerts, alarms and the office."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import alarms, roles
from ..models import OPEN, Alarm, Alert, AuditEntry, Draft, DraftState, Part
from ..people import may
from ..terms import MsgType, Status
from . import approving, area, choosing, incoming, intakes, keeping, partners, records, templates, writing
from . import help as helping
from .factors import reset_pages
from .factors.urls import PAGES as FACTORS
from .officers import pages as officers
from .officers.panel import people_panel
from .people import officer
from .site import Page, desk, page, transition
from .summary import LiveAlert, live_alert

PER_PAGE = 50
OURS = (incoming.first_screen, people_panel, reset_pages.panel)
"""The domain's own panels of the first screen."""
LATELY = dt.timedelta(days=2)
LIVE = Q(latest__isnull=False) & ~Q(latest__msg_type=MsgType.CANCEL)


def home(request: HttpRequest) -> TemplateResponse:
    """What is live, what waits for this officer, what fails, and the way to a new alert."""
    now = timezone.now()
    running = live(now)
    return page(
        request,
        "desk/home.html",
        now=now,
        live=[alert for alert in running if alert.status != Status.EXERCISE],
        exercises=[alert for alert in running if alert.status == Status.EXERCISE],
        ended=ended_lately(now),
        waiting=waiting(request),
        ready=_drafts().filter(state=DraftState.APPROVED),
        may_write=may(officer(request), "alerts.write_draft"),
        lately=AuditEntry.objects.filter(action="logged-in", at__gt=now - LATELY).order_by("-number")[:5],
        panels=[
            panel(request) for panel in (incoming.first_screen, people_panel, reset_pages.panel, *desk().added.panels)
        ],
    )


def live(now: dt.datetime) -> list[LiveAlert]:
    """Alerts that warn now, exercises among them, the most dangerous and newest first."""
    rows = Alert.objects.filter(LIVE, latest__expires__gt=now).select_related("latest")
    found = [live_alert(row, now) for row in rows]
    return sorted(found, key=lambda alert: (-alert.content.rank, -alert.message.sent.timestamp()))


def ended_lately(now: dt.datetime) -> list[LiveAlert]:
    """Alerts that ended in the last two days; those that ran out without an all-clear are among them."""
    over = Q(latest__msg_type=MsgType.CANCEL, latest__sent__gt=now - LATELY) | (
        LIVE & Q(latest__expires__lte=now, latest__expires__gt=now - LATELY)
    )
    rows = Alert.objects.filter(over).exclude(status=Status.EXERCISE).select_related("latest")
    return [live_alert(row, now) for row in rows.order_by("-latest__sent")[:8]]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Drafts by whom they wait for. A draft whose base was overtaken waits for nobody."""

    to_approve: list[Draft]
    mine: list[Draft]
    others: list[Draft]

    @property
    def for_me(self) -> int:
        return len(self.to_approve) + len(self.mine)


def waiting(request: HttpRequest) -> Waiting:
    me = officer(request)
    open_drafts = list(_drafts().exclude(state=DraftState.APPROVED)[:60])
    part_of_mine = Part.objects.filter(officer=me, draft__in=open_drafts)
    mine = set(part_of_mine.values_list("draft_id", flat=True))
    writer, approver = may(me, "alerts.write_draft"), may(me, "alerts.approve_draft")
    to_approve, own, others = [], [], []
    for draft in open_drafts:
        if draft.state == DraftState.SUBMITTED and approver and draft.pk not in mine:
            to_approve.append(draft)
        # what came from outside waits for any author
        elif writer and (draft.pk in mine or not draft.parts.all()):
            own.append(draft)
        else:
            others.append(draft)
    return Waiting(to_approve, own, others)


def _drafts() -> QuerySet[Draft]:
    """Open drafts that may still go out, the newest first, with what a list says about them."""
    fresh = Q(base=F("alert__latest")) | Q(base__isnull=True, alert__latest__isnull=True)
    rows = Draft.objects.filter(fresh, state__in=OPEN).order_by("-changed_at")
    return rows.select_related("alert__latest").prefetch_related("parts__officer")


def alert_list(request: HttpRequest) -> TemplateResponse:
    """Every alert that was ever released or has an open draft, newest first."""
    open_draft = Draft.objects.filter(alert=OuterRef("pk"), state__in=OPEN)
    rows = Alert.objects.filter(Q(latest__isnull=False) | Exists(open_draft)).select_related("latest")
    numbered = Paginator(rows.prefetch_related("drafts__parts__officer"), PER_PAGE).get_page(request.GET.get("page"))
    now = timezone.now()
    listed = [live_alert(row, now) if row.latest else row.drafts.all()[0] for row in numbered]
    return page(request, "desk/alerts.html", numbered=numbered, listed=listed)


@transition(back="index")
def put_aside(request: HttpRequest) -> HttpResponse:
    """An officer has read an alarm and ends it."""
    number = request.POST.get("alarm", "")
    alarm = get_object_or_404(Alarm, pk=int(number) if number.isdecimal() else 0)
    alarms.put_aside(alarm.pk, officer(request))
    messages.success(request, _("The alarm is put aside. It stands in the record."))
    return redirect("admin:index")


KEPT_HERE = {
    "Template": gettext_lazy("Templates"),
    "Area": gettext_lazy("Districts"),
}


TO_READ = {
    "Group": gettext_lazy("Roles"),
    "User": gettext_lazy("Accounts"),
    "Attempt": gettext_lazy("Attempts"),
    "Post": gettext_lazy("Posts"),
    "Rendering": gettext_lazy("Renderings"),
    "TemplateVersion": gettext_lazy("Versions of templates"),
}


def office(request: HttpRequest) -> TemplateResponse:
    """Officers, districts, templates: what an administrator keeps; and the rows behind everything, to read."""
    listed = {model["object_name"]: model for app in desk().get_app_list(request) for model in app["models"]}
    keeps = dict(KEPT_HERE)
    # these have pages of their own, which everybody may read
    listed["Template"] = {"admin_url": reverse("admin:templates"), "add_url": reverse("admin:template-new")}
    if not may(officer(request), "alerts.change_template"):
        del keeps["Template"]
    kept = [(words, listed.pop(name)) for name, words in keeps.items() if name in listed]
    rows = [((TO_READ | KEPT_HERE).get(name) or model["name"], model) for name, model in listed.items()]
    waiting = roles.waiting().count() if may(officer(request), "auth.change_user") else None
    return page(request, "desk/office.html", kept=kept, rows=rows, roles_waiting=waiting)


PAGES = [
    Page("alert/", alert_list, "alert-list", gettext_lazy("Alerts"), place=1),
    Page("new/", choosing.new, "new"),
    Page("drafts/<int:draft_id>/", area.with_tiles(writing.draft), "draft"),
    Page("drafts/<int:draft_id>/keep/", keeping.keep, "keep"),
    Page("drafts/<int:draft_id>/readers/", keeping.who_reads, "readers"),
    Page("drafts/<int:draft_id>/submit/", area.with_tiles(writing.submit), "submit"),
    Page("drafts/<int:draft_id>/take-up/", writing.take_up, "take-up"),
    Page("alert/<slug:slug>/next/", writing.derive, "next"),
    Page("drafts/<int:draft_id>/approve/", approving.approve, "approve"),
    Page("drafts/<int:draft_id>/return/", approving.send_back, "return"),
    Page("drafts/<int:draft_id>/pull-back/", approving.pull_back, "pull-back"),
    Page("drafts/<int:draft_id>/discard/", approving.discard, "discard"),
    Page("drafts/<int:draft_id>/withdraw/", approving.withdraw, "withdraw"),
    Page("drafts/<int:draft_id>/break-glass/", area.with_tiles(approving.break_glass), "break-glass"),
    Page("districts/<slug:stamp>/", area.districts, "districts", kept=True),
    Page("alarm/", put_aside, "put-aside"),
    Page("record/", records.record, "record", gettext_lazy("Record"), place=4),
    Page("office/", office, "office", gettext_lazy("Office"), place=5),
    Page("help/", helping.show, "help"),
    *templates.PAGES,
    *incoming.PAGES,
    *intakes.PAGES,
    *FACTORS,
    *officers.PAGES,
    *partners.PAGES,
]
