"""Submit, return, approve, release: the module that moves a draft's state, and the only writer of Message.

The table of moves is ``models.MOVES``; two moves stand elsewhere: what is submitted is frozen in ``freezing``, and
saving a submitted draft returns it (``drafting.save``). Every move is a conditional update of the state it
starts from, so that of two officers at the same moment one is refused.
"""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import replace
from functools import partial

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from . import alarms, audit, calls, drafting, freezing, pictures, ports
from .cap import cap_time, references
from .content import to_json
from .freezing import HasFaults, Stale, base_id, digest_of, renderings_of, stale
from .models import (
    EDITABLE,
    MOVES,
    Alert,
    Area,
    CallKind,
    Draft,
    DraftState,
    Message,
    MessageArea,
    Part,
    PartKind,
    ReleasePlan,
)
from .people import NotAllowed, Refused, may
from .terms import MSG_TYPE, SEVERITY_RANK, Kind, Severity

__all__ = ["HasFaults", "Stale", "digest_of", "renderings_of"]  # of ``freezing``: submit and approve raise and use them


class SamePerson(Refused):
    """One officer in two parts of a draft."""


class Overtaken(Refused):
    """The draft lapsed: a newer message came, or one of its times has gone by."""


def submit(draft_id: int, version: int, by: User) -> Draft:
    """Freeze a draft for approval: durations become times, every channel's renderings are composed and kept.

    Raises HasFaults, ports.CannotCompose, Stale, SamePerson, NotAllowed.
    """
    if not may(by, "alerts.write_draft"):
        raise NotAllowed(_("Your role does not allow submitting alerts."))
    draft = Draft.objects.select_related("alert", "base").get(pk=draft_id)
    if draft.version != version or not draft.editable:
        raise stale()
    now = timezone.now()
    frozen = freezing.frozen(draft, now)
    with transaction.atomic():
        freezing.freeze(draft, frozen, now)
        _submitted(draft, by)
        calls.make(draft, CallKind.SUBMITTED)
        audit.record(by, "submitted", drafting.subject(draft), digest=draft.digest, round=draft.round)
    return draft


def _submitted(draft: Draft, by: User) -> None:
    """The submitter's part; who wrote keeps his one row, which now says *submitted*."""
    if (
        not Part.objects.filter(draft=draft, officer=by)
        .exclude(part=PartKind.APPROVED)
        .update(part=PartKind.SUBMITTED, at=timezone.now())
    ):
        _take_part(draft, by, PartKind.SUBMITTED)


def send_back(draft_id: int, by: User, reason: str) -> None:
    """An approver returns a draft; ``reason`` is told to its author."""
    if not may(by, "alerts.approve_draft"):
        raise NotAllowed(_("Your role does not allow returning drafts."))
    if not reason.strip():
        raise Refused(_("Say why you return it, so that the author knows what to mend."))
    with transaction.atomic():
        draft = _move(draft_id, DraftState.SUBMITTED, DraftState.RETURNED, by, "returned", reason)
        calls.make(draft, CallKind.RETURNED)


def pull_back(draft_id: int, by: User) -> None:
    """A writer takes a submitted draft back to write on."""
    if not may(by, "alerts.write_draft"):
        raise NotAllowed(_("Your role does not allow writing alerts."))
    _move(draft_id, DraftState.SUBMITTED, DraftState.RETURNED, by, "pulled-back", _("Taken back by its author."))


def withdraw(draft_id: int, by: User, reason: str) -> None:
    """Take back an approved draft before its release; either role may."""
    if not (may(by, "alerts.approve_draft") or may(by, "alerts.write_draft")):
        raise NotAllowed(_("Your role does not allow withdrawing drafts."))
    if not reason.strip():
        raise Refused(_("Say why you withdraw it."))
    _move(draft_id, DraftState.APPROVED, DraftState.WITHDRAWN, by, "withdrawn", reason)


def discard(draft_id: int, by: User) -> None:
    """A writer puts an unwanted draft away; its text can be taken up again."""
    if not may(by, "alerts.write_draft"):
        raise NotAllowed(_("Your role does not allow writing alerts."))
    state = Draft.objects.values_list("state", flat=True).get(pk=draft_id)
    if state not in EDITABLE:
        raise Refused(_("Only a draft that is being written is put away."))
    _move(draft_id, state, DraftState.WITHDRAWN, by, "discarded", _("Put away by its author."))


def approve(draft_id: int, seen: str, by: User) -> Message | None:
    """The second officer agrees to exactly what ``seen`` (the digest he was shown) covers.

    Releases at once, unless the plan is a set time or a drill (then returns None). Raises Stale where
    the draft is not what he saw, SamePerson, Overtaken (the draft then has lapsed), NotAllowed.
    """
    if not may(by, "alerts.approve_draft"):
        raise NotAllowed(_("Your role does not allow approving alerts."))
    with transaction.atomic():
        draft = _locked(draft_id)
        _expect(draft, DraftState.SUBMITTED)
        if not seen or not secrets.compare_digest(draft.digest, seen):
            raise stale()
        gone = _gone(draft, timezone.now())
        message = None
        if gone:
            _lapse(draft, gone)
        else:
            _take_part(draft, by, PartKind.APPROVED)
            _set_state(draft, DraftState.SUBMITTED, DraftState.APPROVED)
            audit.record(by, "approved", drafting.subject(draft), digest=draft.digest)
            if draft.plan == ReleasePlan.NOW:
                message = _write_message(draft)
    if gone:
        raise Overtaken(gone)
    return message


def release(draft_id: int) -> Message:
    """Release an approved draft whose time has come, or for a drill. Raises Overtaken, Stale."""
    with transaction.atomic():
        draft = _locked(draft_id)
        _expect(draft, DraftState.APPROVED)
        gone = _gone(draft, timezone.now())
        message = None
        if gone:
            _lapse(draft, gone)
        else:
            message = _write_message(draft)
    if message is None:
        raise Overtaken(gone)
    return message


def break_glass(draft_id: int, version: int, reason: str, by: User) -> Message:
    """One officer alone releases a draft at once: the one exception to four eyes, alarmed to every approver.

    Needs its own permission and a typed reason of at least ten characters. Raises as ``submit``.
    """
    if not may(by, "alerts.break_glass"):
        raise NotAllowed(_("Your role does not allow break-glass."))
    if len(reason.strip()) < 10:
        raise Refused(_("Say in a sentence why no second officer can approve. Every approver will read it."))
    draft = Draft.objects.select_related("alert", "base").get(pk=draft_id)
    if draft.version != version or not draft.editable:
        raise stale()
    if draft.plan != ReleasePlan.NOW:
        raise Refused(_("Break-glass releases at once. Remove the release time first."))
    now = timezone.now()
    frozen = freezing.frozen(draft, now)
    with transaction.atomic():
        freezing.freeze(draft, frozen, now)
        _submitted(draft, by)
        _set_state(draft, DraftState.SUBMITTED, DraftState.APPROVED)
        audit.record(by, "break-glass", drafting.subject(draft), digest=draft.digest, reason=reason.strip())
        message = _write_message(_locked(draft_id), alone=(by, reason.strip()))
        with override("de"):
            alarms.sound(
                f"{alarms.BREAK_GLASS}{message.identifier}",
                _("{officer} released an alert alone (break-glass). Reason: {reason}").format(
                    officer=by.get_username(), reason=reason.strip()
                ),
            )
    return message


def lapse(draft_id: int, reason: str) -> None:
    """Lapse an approved draft that must not go out by itself any more."""
    with transaction.atomic():
        draft = _locked(draft_id)
        if draft.state == DraftState.APPROVED:
            _lapse(draft, reason)


def lapse_if_gone(draft_id: int) -> bool:
    """Lapse a draft that waits and can no longer go out as it was submitted; whether it did."""
    with transaction.atomic():
        draft = _locked(draft_id)
        waits = draft.state in {DraftState.SUBMITTED, DraftState.APPROVED}
        gone = _gone(draft, timezone.now()) if waits else ""
        if gone:
            _lapse(draft, gone)
    return bool(gone)


def _write_message(draft: Draft, alone: tuple[User, str] | None = None) -> Message:
    """Write the Message, in the caller's transaction, and ring when it commits. The only place that does."""
    alert = Alert.objects.select_for_update().get(pk=draft.alert_id)
    approval = None
    if alone is None:
        approval = Part.objects.get(draft=draft, part=PartKind.APPROVED)
    renderings = renderings_of(draft)
    if digest_of(draft, renderings, pictures.covered_of(draft)) != draft.digest:
        raise stale()
    sent = timezone.now().replace(microsecond=0)
    content = draft.content.settled(sent)
    if content.facts_at is None:
        content = replace(content, facts_at=sent)
    history = list(Message.objects.filter(alert=alert).order_by("number"))
    number = len(history) + 1
    highest = max(
        [content.severity, *(m.highest for m in history[-1:])], key=lambda word: SEVERITY_RANK[Severity(word)]
    )
    message = Message.objects.create(
        alert=alert,
        number=number,
        draft=draft,
        round=draft.round,
        base=draft.base,
        identifier=f"{settings.CAP_SENDER}.{alert.slug}.{number}.{secrets.token_hex(3)}",
        sender=settings.CAP_SENDER,
        sent=sent,
        kind=draft.kind,
        msg_type=MSG_TYPE[Kind(draft.kind)],
        status=alert.status,
        severity=content.severity,
        highest=highest,
        expires=content.expires or sent,  # never missing past submission; the database would refuse it
        content_json=to_json(content),
        references=references([(m.sender, m.identifier, m.sent, m.expires) for m in history], sent),
        digest=draft.digest,
        approval=approval,
        break_glass_by=alone[0] if alone else None,
        break_glass_reason=alone[1] if alone else "",
    )
    codes = [district.code for district in content.touched]
    MessageArea.objects.bulk_create(
        MessageArea(message=message, area_id=pk)
        for pk in Area.objects.filter(code__in=codes).values_list("pk", flat=True)
    )
    Alert.objects.filter(pk=alert.pk).update(latest=message)
    _set_state(draft, DraftState.APPROVED, DraftState.RELEASED)
    audit.record(
        None,
        "released",
        drafting.subject(draft),
        identifier=message.identifier,
        digest=draft.digest,
        sent=cap_time(sent),
        alone=bool(alone),
    )
    calls.make(draft, CallKind.RELEASED)
    transaction.on_commit(partial(ports.ring, message.pk))
    return message


def _gone(draft: Draft, now: dt.datetime) -> str:
    """Why this draft can no longer go out as it stands; empty where it can."""
    content = draft.content
    if base_id(draft.alert_id) != draft.base_id:
        return _("A newer message of this alert has gone out meanwhile.")
    if content.expires is not None and content.expires <= now:
        return _("The end of the warning has passed meanwhile.")
    if content.next_by is not None and content.next_by <= now:
        return _("The time promised for the next message has passed meanwhile.")
    if draft.state == DraftState.SUBMITTED and draft.release_at is not None and draft.release_at <= now:
        return _("The time set for its release has passed before it was approved.")
    return ""


def _lapse(draft: Draft, reason: str) -> None:
    Draft.objects.filter(pk=draft.pk, state=draft.state).update(
        state=DraftState.LAPSED, reason=reason, changed_at=timezone.now()
    )
    audit.record(None, "lapsed", drafting.subject(draft), reason=reason)
    calls.make(draft, CallKind.LAPSED)
    with override("de"):
        alarms.sound(
            f"lapsed {draft.pk}",
            _("A draft did not go out: {reason} Take it up again at the desk.").format(reason=reason),
            link=f"{settings.ADDRESS}/desk/",
        )


def _locked(draft_id: int) -> Draft:
    """A draft, locked after its alert: whoever releases takes the alert first, then the draft, then the record."""
    Alert.objects.select_for_update(of=("self",)).get(drafts=draft_id)
    return Draft.objects.select_for_update(of=("self",)).select_related("alert", "base").get(pk=draft_id)


def _expect(draft: Draft, state: str) -> None:
    if draft.state != state:
        raise stale()


def _take_part(draft: Draft, by: User, part: str) -> None:
    try:
        with transaction.atomic():
            Part.objects.create(draft=draft, officer=by, part=part)
    except IntegrityError as error:
        raise SamePerson(
            _("You have already taken part in this draft. A second officer approves what the first one wrote.")
        ) from error


def _set_state(draft: Draft, before: str, after: str) -> None:
    if after not in MOVES[before]:
        raise ValueError(f"no move from {before} to {after}")
    if Draft.objects.filter(pk=draft.pk, state=before).update(state=after, changed_at=timezone.now()) != 1:
        raise stale()
    draft.state = after


def _move(draft_id: int, before: str, after: str, by: User, action: str, reason: str) -> Draft:
    with transaction.atomic():
        draft = _locked(draft_id)
        _expect(draft, before)
        _set_state(draft, before, after)
        Draft.objects.filter(pk=draft_id).update(reason=reason.strip(), version=draft.version + 1)
        audit.record(by, action, drafting.subject(draft), reason=reason.strip())
    return draft
