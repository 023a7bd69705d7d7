"""Officers are told at once of a draft that concerns them: a row first, then mail and SMS until it has been said.

``make`` writes the row in the transaction that moves the draft; upkeep has it said (``send``), each way in a thread
of its own and without RQ. ``Call.words`` keeps in JSON whom each way has told already: so an officer is told once,
whoever else could not be told and however many upkeeps there are. Only a process that dies within a second of telling
somebody leaves that unsaid, and then he is told again: better twice than never.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import secrets
import time
from contextlib import closing
from dataclasses import asdict, dataclass, field

from django.conf import settings
from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from . import alarms, audit, callwords, checks, drafting, ports
from .callwords import AGAIN
from .models import Alarm, Call, CallKind, Draft, DraftState, Message, Part
from .terms import ui_language

log = logging.getLogger(__name__)

WAYS = ("sms", "mail")
FOR_APPROVERS = (CallKind.SUBMITTED, AGAIN)
LEASE = 60.0
"""Seconds that a process may be silent before another goes on with its call."""
NOTED = 1.0
"""Seconds after which those told so far are written down."""
PAUSES = (5.0, 300.0)
"""Seconds until a way that was down is tried again: at first, and at most; each further time twice as long."""
PATIENCE = dt.timedelta(seconds=60)
"""So long nobody may have been told before the desk is alarmed."""
LATE = dt.timedelta(hours=1)
"""So long after, nobody is told any more of what has happened to his draft."""
UNHEARD = "unheard "
"""How the cause of an alarm begins that nobody could be told; the draft and its round follow."""
BACKEND = "alerts.desk.people.OfficerBackend"


@dataclass
class Way:
    """How far a call is by one way: officers' ids; times as seconds since 1970. ``last`` were tried in vain."""

    told: list[int] = field(default_factory=list)
    never: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    tries: int = 0
    due: float = 0.0
    lease: str = ""
    until: float = 0.0
    at: float | None = None
    done: bool = False


@dataclass
class Ledger:
    """What ``Call.words`` holds. ``reason``: why nobody is told any more."""

    ways: dict[str, Way] = field(default_factory=lambda: {way: Way() for way in WAYS})
    reason: str = ""

    @classmethod
    def of(cls, call: Call) -> Ledger:
        if not call.words:
            return cls()
        kept = json.loads(call.words)
        return cls({way: Way(**given) for way, given in kept["ways"].items()}, kept["reason"])

    def told(self) -> set[int]:
        return {officer for way in self.ways.values() for officer in way.told}

    def keep(self, call: Call) -> None:
        """Write it down, with how many were told."""
        call.words = json.dumps(asdict(self))
        call.told = len(self.told())
        call.save(update_fields=["words", "told", "told_at"])


def make(draft: Draft, kind: str) -> None:
    """Whoever this concerns is to be told; in the caller's transaction."""
    Call.objects.get_or_create(draft=draft, round=draft.round, kind=kind)


def approvers(draft: Draft) -> QuerySet[User]:
    """Who may approve this draft: the role, an account in use at the desk, no part in the draft."""
    holders = User.objects.with_perm("alerts.approve_draft", include_superusers=False, backend=BACKEND)
    holders = holders.filter(is_staff=True, is_superuser=False)
    if not (settings.DEMO and checks.on_loopback()):
        holders = holders.exclude(email__iendswith=checks.DEMO_DOMAIN)  # the demo's officers are nobody
    return holders.exclude(pk__in=Part.objects.filter(draft=draft).values("officer")).order_by("pk")


def owed(way: str) -> list[int]:
    """The calls (ids) that this way could take up now."""
    now = timezone.now().timestamp()
    waiting = Call.objects.filter(told_at__isnull=True).order_by("pk")
    return [call.pk for call in waiting if _open(Ledger.of(call).ways[way], now)]


def send(way: str) -> None:
    """Say by ``sms`` or ``mail`` what is owed; what a server does not take stays owed. Upkeep calls this."""
    for pk in owed(way):
        try:
            _carry_out(pk, way)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("call %s by %s: a fault; the others go on", pk, way)


def look() -> None:
    """Alarm where nobody could be told that a draft waits; end it where somebody was, or it waits no more."""
    unheard = {}
    calls = Call.objects.filter(
        kind=CallKind.SUBMITTED, told=0, draft__state=DraftState.SUBMITTED, draft__round=F("round")
    ).select_related("draft")
    for call in calls:
        if call.told_at is not None or timezone.now() - call.made_at >= PATIENCE:
            unheard[f"{UNHEARD}{call.draft_id}.{call.round}"] = call.draft
    with override(ui_language(settings.CONTENT_LANGUAGES[0])):
        for key, draft in unheard.items():
            if not Alarm.objects.filter(key=key).exists():
                text = _("{what}: a draft waits for approval, and nobody could be told. Call somebody who may approve.")
                alarms.sound(key, callwords.marked(draft, text), link=callwords.address_of(draft))
    for alarm in Alarm.objects.filter(key__startswith=UNHEARD, ended_at__isnull=True):
        if alarm.key not in unheard:
            alarms.end(alarm.key)


@dataclass(frozen=True, slots=True)
class Told:
    """Who was told of a draft's last step: ``name`` of one, ``others`` how many more, ``at`` when the first was.

    ``waits``: a draft that waits for approval. ``owed``: it is still being said.
    """

    name: str
    others: int
    at: dt.datetime | None
    waits: bool
    owed: bool


def told(draft: Draft) -> Told | None:
    """For ``desk/told.html``; None where this draft's last step was for nobody to hear of."""
    call = Call.objects.filter(draft=draft, round=draft.round).exclude(kind=AGAIN).order_by("pk").last()
    if call is None:
        return None
    ledger = Ledger.of(call)
    heard = ledger.told()
    waits = call.kind in FOR_APPROVERS and draft.state == DraftState.SUBMITTED
    if not heard and not waits:
        return None
    times = [way.at for way in ledger.ways.values() if way.at is not None]
    at = dt.datetime.fromtimestamp(min(times), dt.UTC) if times else None
    first = User.objects.filter(pk__in=heard).order_by("pk").first()
    return Told(callwords.called(first) if first else "", len(heard) - 1, at, waits, call.told_at is None)


def _open(way: Way, now: float) -> bool:
    return not way.done and way.due <= now and way.until <= now


def _carry_out(pk: int, way: str) -> None:
    lease = secrets.token_hex(4)
    call = _claim(pk, way, lease)
    if call is None:
        return
    heard: list[tuple[int, str]] = []
    noted = time.monotonic()
    goes_on = True
    try:
        with closing(ports.call(way, _left(call, way), callwords.said(call.draft, call.kind))) as answers:
            for answer in answers:
                heard.append(answer)
                if time.monotonic() - noted >= NOTED:
                    goes_on = _note(pk, way, lease, heard)
                    heard, noted = [], time.monotonic()
                if not goes_on:
                    break
    finally:
        if goes_on:
            _note(pk, way, lease, heard, over=True)


def _claim(pk: int, way: str, lease: str) -> Call | None:
    """The call, where this process has it now; what need not be said any more is ended instead."""
    now = timezone.now()
    with transaction.atomic():
        call = _locked(pk)
        ledger = Ledger.of(call)
        mine = ledger.ways[way]
        if call.told_at is not None or not _open(mine, now.timestamp()):
            return None
        reason = _moot(call, now)
        if reason:
            _drop(call, ledger, reason)
            return None
        mine.lease, mine.until = lease, now.timestamp() + LEASE
        ledger.keep(call)
    return call


def _note(pk: int, way: str, lease: str, heard: list[tuple[int, str]], *, over: bool = False) -> bool:
    """Write down what became of these; whether this process goes on with the call."""
    now = timezone.now()
    with transaction.atomic():
        call = _locked(pk)
        ledger = Ledger.of(call)
        mine = ledger.ways[way]
        fresh = [officer for officer, state in heard if state == "told" and officer not in mine.told]
        mine.told += fresh
        mine.never += [officer for officer, state in heard if state == "never" and officer not in mine.never]
        mine.last += [officer for officer, state in heard if state == "later" and officer not in mine.last]
        if fresh:
            mine.at = mine.at or now.timestamp()
            names = list(User.objects.filter(pk__in=fresh).order_by("pk").values_list("username", flat=True))
            audit.record(None, "called", drafting.subject(call.draft), kind=call.kind, way=way, officers=names)
        held = mine.lease == lease
        if held and over:
            _pause(call, mine, way, now)
            if all(each.done for each in ledger.ways.values()):
                call.told_at = now
        goes_on = held and not over and not _moot(call, now)
        if held and not over:
            mine.until = now.timestamp() + LEASE if goes_on else 0.0
        ledger.keep(call)
    return goes_on


def _pause(call: Call, mine: Way, way: str, now: dt.datetime) -> None:
    """A way has said what it could: done, or due again after a pause."""
    mine.until = 0.0
    left = _left(call, way, mine)
    mine.done = not left
    if left:
        # whoever it broke off at comes last next time, so that one bad address keeps nobody else waiting
        mine.last += [officer for officer in left[:1] if officer not in mine.last]
        mine.due = now.timestamp() + min(PAUSES[0] * 2**mine.tries, PAUSES[1])
        mine.tries += 1


def _left(call: Call, way: str, mine: Way | None = None) -> list[int]:
    """Whom this way has yet to tell; who was tried in vain, last."""
    mine = mine or Ledger.of(call).ways[way]
    settled = {*mine.told, *mine.never}
    left = [officer for officer in _concerned(call) if officer not in settled]
    return sorted(left, key=lambda officer: mine.last.index(officer) + 1 if officer in mine.last else 0)


def _concerned(call: Call) -> list[int]:
    if call.kind in FOR_APPROVERS:
        return list(approvers(call.draft).values_list("pk", flat=True))
    alone = set()
    if call.kind == CallKind.RELEASED:  # who released alone knows it
        alone = set(Message.objects.filter(draft=call.draft).values_list("break_glass_by", flat=True))
    return [one.pk for one in callwords.authors(call.draft) if one.is_active and one.is_staff and one.pk not in alone]


def _moot(call: Call, now: dt.datetime) -> str:
    """Why it need not be said any more; empty where it must."""
    draft = call.draft
    if call.kind in FOR_APPROVERS:
        if draft.state == DraftState.SUBMITTED and draft.round == call.round:
            return ""
        return _("The draft waits no more: {state}.").format(state=drafting.label(draft))
    if now - call.made_at > LATE:
        return _("It is too late to tell it.")
    if call.kind == CallKind.RETURNED and (draft.state, draft.round) != (DraftState.RETURNED, call.round):
        return _("The draft has gone on: {state}.").format(state=drafting.label(draft))
    return ""


def _drop(call: Call, ledger: Ledger, reason: str) -> None:
    call.told_at = timezone.now()
    ledger.reason = reason
    ledger.keep(call)
    if not call.told:
        audit.record(None, "call-dropped", drafting.subject(call.draft), kind=call.kind, reason=reason)


def _locked(pk: int) -> Call:
    return Call.objects.select_for_update(of=("self",)).select_related("draft__alert").get(pk=pk)
