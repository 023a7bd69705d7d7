"""Carry out what a proved mail asks for, by the same rules as at the desk; break-glass is none of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from .. import approval, audit, drafting, ports
from ..content import Content
from ..models import EDITABLE, Alert, Draft, DraftState, IntakeState, Message, Part, PartKind
from ..people import Refused
from ..terms import Kind, MsgType
from . import answers, attached, form, orders, proof, standing
from .job import Job
from .mail import Mail
from .orders import Order, Verb

OLD = dt.timedelta(hours=1)
CLOCK = dt.timedelta(minutes=10)
"""So far a mail's own time may be from ours before its officer is told."""


@dataclass
class Task:
    """One order of one officer: ``told`` collects what he should know besides."""

    job: Job
    mail: Mail
    asked: Order
    by: User
    language: str
    late: str = ""
    told: list[str] = field(default_factory=list)


def carry_out(job: Job, mail: Mail) -> None:
    """Do it and owe the answer. Refusals in plain words are answers too; raises what else goes wrong."""
    by = job.intake.officer
    if by is None:
        raise ValueError("nobody has proved to have sent this")
    asked = orders.order(mail)
    language = answers.language(mail)
    state: str = IntakeState.TAKEN
    with translation.override(language):
        task = Task(job, mail, asked, by, language, late=_late(job, mail, asked), told=_besides(job, mail))
        try:
            answer = ACTS[asked.verb](task)
            words = answer.gist
        except (Refused, ports.CannotCompose) as error:
            state, words = IntakeState.REFUSED, str(error)
            example = asked.verb == Verb.DRAFT and job.intake.draft is None
            answer = answers.plain(mail, words, job.intake.draft, example=example)
    # a draft that was made stays the mail's, whatever was refused after it
    job.done(IntakeState.TAKEN if job.intake.draft_id else state, words, answer)


def _late(job: Job, mail: Mail, asked: Order) -> str:
    """Why this mail is too old to be acted upon; a draft of it is kept all the same.

    Its own time counts for a printed code alone: an authenticator's tells that it was written just now.
    """
    now, came = timezone.now(), job.intake.received_at
    if now - came > OLD:
        return _("Your mail reached us more than an hour ago. What it says may have been overtaken.")
    if asked.code and not asked.code.isdecimal() and mail.date is not None and came - mail.date > OLD:
        return _("Your mail was on its way for more than an hour. What it says may have been overtaken.")
    return ""


def _besides(job: Job, mail: Mail) -> list[str]:
    told = []
    if mail.date is not None and abs(job.intake.received_at - mail.date) > CLOCK:
        told.append(_("The time in your mail is not ours. Check the clock of your device."))
    ignored = [one for one in mail.attachments if not attached.is_cap(one)]
    if ignored:
        names = ", ".join(one.name or one.mime for one in ignored[:10])
        told.append(_("Attachments were not read: {names}").format(names=names))
    return told


def _draft(task: Task) -> answers.Answer:
    """A new draft, or the one of that number with what the mail changes."""
    asked, job = task.asked, task.job
    parsed = form.parse(asked.words)
    before = _numbered(asked) if asked.draft is not None else None
    document = attached.content(task.mail)
    if before is None and document is None and not asked.words.strip():
        raise Refused(_("Your mail has no words for a warning."))
    content, problems = form.content(parsed, base=before.content if before else document.content if document else None)
    task.told += [*(document.told if document else []), *problems]
    draft = job.intake.draft
    if draft is None:
        with transaction.atomic():
            if before is not None:
                draft = drafting.save(before.pk, before.version, content, task.by)
            else:
                draft = drafting.new(task.by, status=content.status)
                draft = drafting.save(draft.pk, draft.version, content, task.by)
            job.tie(draft)
    return _submitted(task, draft)


def _derived(task: Task, kind: Kind) -> answers.Answer:
    """The next message of an alert, from its latest one."""
    asked, job = task.asked, task.job
    base = _latest(asked)
    parsed = form.parse(asked.words)
    draft = job.intake.draft
    if draft is None:
        with transaction.atomic():
            draft = drafting.derive(base, kind, task.by)
            if asked.words.strip():
                content, problems = form.content(parsed, base=draft.content)
                draft = drafting.save(draft.pk, draft.version, content, task.by)
                task.told += problems
            job.tie(draft)
    if kind == Kind.UPDATE and not asked.words.strip():
        task.told.append(_("Your mail does not say what is new. Answer with the lines that change."))
        return _submitted(task, draft, hold=True)
    return _submitted(task, draft)


def _submitted(task: Task, draft: Draft, *, hold: bool = False) -> answers.Answer:
    """Submit what is complete and not late; else the draft is kept and the answer says why."""
    missing: list[drafting.Fault] = []
    if task.late:
        task.told.insert(0, task.late)
    if draft.state in EDITABLE:
        try:
            if not task.late and not hold:
                draft = approval.submit(draft.pk, draft.version, task.by)
            else:
                missing = _missing(draft)
        except approval.HasFaults as error:
            missing = error.faults
        except ports.CannotCompose as error:
            task.told.append(str(error))
    draft = Draft.objects.select_related("alert", "base").get(pk=draft.pk)
    if draft.state == DraftState.SUBMITTED:
        done = _("waits for approval")
    elif draft.state in EDITABLE:
        done = _("kept, not submitted yet")
    else:
        done = drafting.label(draft)
    return answers.of_draft(draft, done=done, missing=missing, told=task.told, language=task.language)


def _missing(draft: Draft) -> list[drafting.Fault]:
    now = timezone.now()
    content: Content = draft.content.settled(now)
    return [fault for fault in drafting.faults(content, kind=draft.kind, now=now) if fault.hard]


def _approve(task: Task) -> answers.Answer:
    """The second officer agrees to the digest that his mail names the head of."""
    asked, job = task.asked, task.job
    draft = _numbered(asked)
    if job.again and Part.objects.filter(draft=draft, officer=task.by, part=PartKind.APPROVED).exists():
        return _approved(task, draft)
    if task.late:
        raise Refused(f"{task.late} {_('Nothing was approved. Read the draft again and send a new mail.')}")
    _seen(task, draft)
    others = [part.officer for part in Part.objects.filter(draft=draft).select_related("officer")]
    if proof.same_person(task.by, others):
        audit.record(task.by, "intake-refused", drafting.subject(draft), mail=job.intake.pk, reason="twin")
        raise Refused(
            _(
                "Your account shares an address, a telephone or an authenticator with one that took part in "
                "this draft. Another officer approves it."
            )
        )
    approval.approve(draft.pk, draft.digest, task.by)
    return _approved(task, draft)


def _approved(task: Task, draft: Draft) -> answers.Answer:
    draft.refresh_from_db()
    words = _("approved") if draft.state == DraftState.APPROVED else _("approved and released")
    return answers.plain(task.mail, words, draft)


def _return(task: Task) -> answers.Answer:
    asked = task.asked
    draft = _numbered(asked)
    done = draft.state == DraftState.RETURNED and audit.ends_with(task.by, "returned", drafting.subject(draft))
    if not (task.job.again and done):
        if asked.head:
            _seen(task, draft)
        approval.send_back(draft.pk, task.by, asked.words)
    return answers.plain(task.mail, _("returned"), draft)


def _seen(task: Task, draft: Draft) -> None:
    """Raises Refused unless the draft waits just as the officer was shown it."""
    asked = task.asked
    if draft.state != DraftState.SUBMITTED:
        raise Refused(
            _("Draft {number} does not wait for approval. It is “{state}”.").format(
                number=draft.pk, state=drafting.label(draft)
            )
        )
    if not asked.head:
        raise Refused(
            _("The check sum is missing: write the number as it was shown to you, for example {example}.").format(
                example=f"{draft.pk}-1A2B3C4D"
            )
        )
    submitted_after = draft.submitted_at is not None and draft.submitted_at > task.job.intake.received_at
    if not draft.digest.startswith(asked.head.lower()) or len(asked.head) != 8 or submitted_after:
        raise Refused(
            _("Draft {number} is no longer what you were shown. Read it again; its new check sum stands there.").format(
                number=draft.pk
            )
        )


def _status(task: Task) -> answers.Answer:
    draft = _numbered(task.asked) if task.asked.draft is not None else None
    return standing.answer(task.mail, task.by, draft)


def _numbered(asked: Order) -> Draft:
    if asked.draft is None:
        raise Refused(_("The number of the draft is missing. It stands in the subject of our mail."))
    draft = Draft.objects.select_related("alert", "base").filter(pk=asked.draft).first()
    if draft is None:
        raise Refused(_("There is no draft {number}.").format(number=asked.draft))
    return draft


def _latest(asked: Order) -> Message:
    """The newest message of the alert that is meant: of that draft, or the only one that is live."""
    if asked.draft is not None:
        alert = _numbered(asked).alert
    else:
        live = list(
            Alert.objects.filter(latest__expires__gt=timezone.now()).exclude(latest__msg_type=MsgType.CANCEL)[:2]
        )
        if len(live) != 1:
            raise Refused(
                _("Say which warning you mean: write the number of one of its drafts. STATUS tells them.")
                if live
                else _("No warning is live.")
            )
        alert = live[0]
    if alert.latest is None:
        raise Refused(_("Nothing of this warning has gone out yet."))
    if alert.latest.msg_type == MsgType.CANCEL:
        raise Refused(_("This warning has ended already. A new warning begins with a new mail."))
    return alert.latest


ACTS: dict[Verb, Callable[[Task], answers.Answer]] = {
    Verb.DRAFT: _draft,
    Verb.UPDATE: lambda task: _derived(task, Kind.UPDATE),
    Verb.ALL_CLEAR: lambda task: _derived(task, Kind.ALL_CLEAR),
    Verb.APPROVE: _approve,
    Verb.RETURN: _return,
    Verb.STATUS: _status,
}
