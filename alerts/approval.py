"""Submit, return, approve, release: the module that moves a draft's state, and the only writer of Message.

The table of moves is ``models.MOVES``; one move stands elsewhere: saving a submitted draft returns it
(``drafting.save``). Every move is a conditional update of the state it
starts from, so that of two officers at the same moment one is refused.
"""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from . import alarms, areas, audit, drafting, pictures, ports
from .cap import cap_time, references
from .content import Content, digest, to_json
from .models import (
    MOVES,
    Alert,
    Area,
    Draft,
    DraftState,
    Message,
    MessageArea,
    Part,
    PartKind,
    ReleasePlan,
    Rendering,
)
from .notice import Rendering as Words
from .people import NotAllowed, Refused, may
from .terms import MSG_TYPE, SEVERITY_RANK, Kind, Severity

if TYPE_CHECKING:
    from .cards import Card


class HasFaults(Refused):
    """The draft can't be submitted; ``faults`` name each field to mend."""

    def __init__(self, faults: list[drafting.Fault]) -> None:
        super().__init__(_("The draft is not complete yet."))
        self.faults = faults


class Stale(Refused):
    """The draft is no longer what this officer saw."""


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
        raise _stale()
    now = timezone.now()
    frozen = _frozen(draft, now)
    with transaction.atomic():
        _freeze(draft, frozen, now)
        _submitted(draft, by)
        audit.record(by, "submitted", drafting.subject(draft), digest=draft.digest, round=draft.round)
    return draft


@dataclass(frozen=True, slots=True)
class Frozen:
    """What an approval would cover: the content with its times, every channel's words, the image cards."""

    content: Content
    renderings: list[Words]
    cards: list[Card]


def _frozen(draft: Draft, now: dt.datetime) -> Frozen:
    """What would go out, or HasFaults. Pure but for reading; outside the transaction, since composing takes time."""
    drill = draft.plan == ReleasePlan.DRILL
    content = draft.content if drill else draft.content.settled(draft.release_at or now)
    content = replace(content, status=draft.alert.status, touched=areas.touched(content))
    faults = [
        fault
        for fault in drafting.faults(content, kind=draft.kind, now=draft.release_at or now, drill=drill)
        if fault.hard
    ]
    if draft.release_at is not None and draft.release_at <= now:
        faults.append(drafting.Fault("release_at", "release-past", _("The release time has passed.")))
    if drill and not content.exercise:
        faults.append(drafting.Fault("plan", "drill", _("Only an exercise is kept ready for a drill.")))
    if not content.touched and not faults:
        faults.append(
            drafting.Fault(
                "area", "outside", _("The area touches none of the city's districts. Check the place on the map.")
            )
        )
    if _base_id(draft.alert_id) != draft.base_id:
        faults.append(
            drafting.Fault(
                "base", "overtaken", _("There is a newer message of this alert. Begin the update from that one.")
            )
        )
    if faults:
        raise HasFaults(faults)
    notices = drafting.notices(draft, content)
    cards = pictures.drawn(notices)
    return Frozen(content, ports.compose(pictures.noticed(notices, cards)), cards)


def _freeze(draft: Draft, frozen: Frozen, now: dt.datetime) -> None:
    seen = draft.version, draft.state
    draft.content_json = to_json(frozen.content)
    draft.round += 1
    draft.version += 1
    draft.state = DraftState.SUBMITTED
    draft.submitted_at = now
    draft.reason = ""
    draft.digest = digest_of(draft, frozen.renderings, pictures.covered(frozen.cards))
    moved = Draft.objects.filter(pk=draft.pk, version=seen[0], state=seen[1]).update(
        content_json=draft.content_json,
        round=draft.round,
        version=draft.version,
        state=draft.state,
        submitted_at=now,
        reason="",
        digest=draft.digest,
        changed_at=now,
    )
    if moved != 1:
        raise _stale()
    Rendering.objects.bulk_create(
        Rendering(
            draft=draft,
            round=draft.round,
            channel=words.channel,
            language=words.language,
            fields_json=dict(words.fields),
        )
        for words in frozen.renderings
    )
    pictures.keep(draft, frozen.cards)


def _submitted(draft: Draft, by: User) -> None:
    """The submitter's part; who wrote keeps his one row, which now says *submitted*."""
    if (
        not Part.objects.filter(draft=draft, officer=by)
        .exclude(part=PartKind.APPROVED)
        .update(part=PartKind.SUBMITTED, at=timezone.now())
    ):
        _take_part(draft, by, PartKind.SUBMITTED)


def digest_of(draft: Draft, renderings: list[Words], cards: list[list[str]]) -> str:
    """SHA-256 over all that is approved: content, renderings, base message, release plan, cards where there are any."""
    return digest(
        {
            **({"cards": cards} if cards else {}),
            "alert": draft.alert.slug,
            "kind": draft.kind,
            "base": draft.base.identifier if draft.base else None,
            "plan": draft.plan,
            "release_at": draft.release_at.astimezone(dt.UTC).isoformat() if draft.release_at else None,
            "content": draft.content_json,
            "renderings": sorted([words.channel, words.language, dict(words.fields)] for words in renderings),
        }
    )


def renderings_of(draft: Draft) -> list[Words]:
    """The renderings of the round that is submitted or approved."""
    rows = Rendering.objects.filter(draft=draft, round=draft.round)
    return [Words(row.channel, row.language, row.fields_json) for row in rows]


def send_back(draft_id: int, by: User, reason: str) -> None:
    """An approver returns a draft; ``reason`` is told to its author."""
    if not may(by, "alerts.approve_draft"):
        raise NotAllowed(_("Your role does not allow returning drafts."))
    if not reason.strip():
        raise Refused(_("Say why you return it, so that the author knows what to mend."))
    _move(draft_id, DraftState.SUBMITTED, DraftState.RETURNED, by, "returned", reason)


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
            raise _stale()
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
        raise _stale()
    if draft.plan != ReleasePlan.NOW:
        raise Refused(_("Break-glass releases at once. Remove the release time first."))
    now = timezone.now()
    frozen = _frozen(draft, now)
    with transaction.atomic():
        _freeze(draft, frozen, now)
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
        raise _stale()
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
    transaction.on_commit(partial(ports.ring, message.pk))
    return message


def _gone(draft: Draft, now: dt.datetime) -> str:
    """Why this draft can no longer go out as it stands; empty where it can."""
    content = draft.content
    if _base_id(draft.alert_id) != draft.base_id:
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
    with override("de"):
        alarms.sound(
            f"lapsed {draft.pk}",
            _("A draft did not go out: {reason} Take it up again at the desk.").format(reason=reason),
            link=f"{settings.ADDRESS}/desk/",
        )


def _base_id(alert_id: int) -> int | None:
    latest: int | None = Alert.objects.values_list("latest_id", flat=True).get(pk=alert_id)
    return latest


def _locked(draft_id: int) -> Draft:
    """A draft, locked after its alert: whoever releases takes the alert first, then the draft, then the record."""
    Alert.objects.select_for_update(of=("self",)).get(drafts=draft_id)
    return Draft.objects.select_for_update(of=("self",)).select_related("alert", "base").get(pk=draft_id)


def _expect(draft: Draft, state: str) -> None:
    if draft.state != state:
        raise _stale()


def _stale() -> Stale:
    return Stale(_("This draft has changed since you opened it. Load the page anew and read it again."))


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
        raise _stale()
    draft.state = after


def _move(draft_id: int, before: str, after: str, by: User, action: str, reason: str) -> None:
    with transaction.atomic():
        draft = _locked(draft_id)
        _expect(draft, before)
        _set_state(draft, before, after)
        Draft.objects.filter(pk=draft_id).update(reason=reason.strip(), version=draft.version + 1)
        audit.record(by, action, drafting.subject(draft), reason=reason.strip())
