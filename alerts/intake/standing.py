"""STATUS: what is live, what waits, how far it has come; for an officer who has mail and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib.auth.models import User
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from .. import drafting, ports
from ..content import Content
from ..models import OPEN, Alert, Draft, DraftState, Message, Part
from ..notice import moment
from ..people import may
from ..terms import MsgType, Status
from . import answers
from .answers import Answer
from .letters import one_line
from .mail import Mail

MOST = 20


def answer(mail: Mail, by: User, draft: Draft | None) -> Answer:
    """Of everything, or of one draft and its alert; one that waits in full, so that whoever approves it has read it."""
    if draft is not None and draft.state == DraftState.SUBMITTED:
        language = answers.language(mail)
        return answers.of_draft(draft, done=_("waits for approval"), missing=[], told=[], language=language)
    now = timezone.now()
    alerts = Alert.objects.filter(latest__isnull=False).select_related("latest").order_by("-pk")
    drafts = Draft.objects.select_related("alert").order_by("-pk")
    if draft is not None:
        alerts, drafts = alerts.filter(pk=draft.alert_id), drafts.filter(alert=draft.alert_id)
    else:
        alerts = alerts.filter(latest__expires__gt=now).exclude(latest__msg_type=MsgType.CANCEL)
        fresh = Q(base=F("alert__latest")) | Q(base__isnull=True, alert__latest__isnull=True)
        drafts = drafts.filter(fresh, state__in=OPEN)
    lines = [_("Live warnings:"), *(_live(alerts[:MOST]) or [_("none")]), ""]
    lines += [_("Drafts:"), *(_open(drafts[:MOST], by) or [_("none")])]
    return answers.plain(mail, "\n".join(lines))


def _live(alerts: object) -> list[str]:
    return [line for alert in alerts for line in _of_alert(alert)]  # type: ignore[attr-defined]


def _of_alert(alert: Alert) -> Iterator[str]:
    message: Message | None = alert.latest
    if message is None:
        return
    yield f"* {_title(message.content, alert.status)}"
    yield "  " + _("draft {number}, sent {sent}, holds until {end}").format(
        number=message.draft_id, sent=moment(message.sent), end=moment(message.expires)
    )
    for row in ports.progress(message.pk):
        yield f"  - {row['name']}: {row['state_words']}" + (f" ({row['words']})" if row["words"] else "")


def _open(drafts: object, by: User) -> list[str]:
    approver = may(by, "alerts.approve_draft")
    lines = []
    for draft in drafts:  # type: ignore[attr-defined]
        lines.append(f"* {draft.pk}: {_title(draft.content, draft.alert.status)}, {drafting.label(draft)}")
        waits = draft.state == DraftState.SUBMITTED and approver
        if waits and not Part.objects.filter(draft=draft, officer=by).exists():
            lines.append("  " + _("to read and approve it: STATUS {number}").format(number=draft.pk))
    return lines


def _title(content: Content, status: str) -> str:
    texts = [text for text in content.texts.values() if text.headline or text.event]
    words = one_line(texts[0].headline or texts[0].event, 120) if texts else _("without words yet")
    return f"{_('EXERCISE')}: {words}" if status == Status.EXERCISE else words
