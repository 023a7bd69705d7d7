"""Batches of a broadcaster: cut, claim, checkpoint, give way, settle; rows only, as ``fanout`` for deliveries.

What happens within one, recipient by recipient, is ``handfuls``.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterator, Sequence

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce, Greatest, Now
from django.utils.translation import gettext as _

from alerts.models import Alert

from . import fanout
from .models import BY_BATCHES, Batch, Delivery, Hold, Recipient, State
from .subscriptions import matching

SIZE = 5000
"""Recipients of one batch: RQ's own cost falls under two per cent (facts on fan-out)."""
MOST_AT_ONCE = 20_000
"""Recipients frozen in one transaction: page and feeds, which write at the same time, wait for no longer one."""
PAUSES = (2.0, 10.0, 60.0, 300.0, 900.0)
"""Seconds before each further pass over those refused temporarily: a mail server's greylisting takes minutes."""
PASSES = len(PAUSES) + 1
"""After so many passes, a recipient that is still refused temporarily has failed."""
BEGINNING = 1.0
"""Seconds that an urgent message has to itself at the most, from its planning until its first batch stands."""
LOOK_UP_AFTER = 5.0
"""Seconds after which uncertain outcomes are looked up at the provider."""
TRIES = 20
"""After so many workers were lost over a batch, it has failed."""

OPEN = (State.WAITING, State.SENDING)


def cut(delivery_id: int, token: str, way: str, languages: Sequence[str]) -> Iterator[list[Batch]]:
    """Freeze the recipients of a claimed delivery and cut them into batches of one language each, run by run.

    Yields the batches of each run as soon as they stand, the first one being small: its sending begins
    while the others are still being frozen. Broken off, it goes on from there. In the end the delivery
    is carried by its batches; without any recipient it is settled at once.
    """
    delivery = Delivery.objects.select_related("message").get(pk=delivery_id)
    most, frozen = SIZE, SIZE
    while frozen == most:
        most = min(2 * most, MOST_AT_ONCE)
        with transaction.atomic():
            if not fanout.renew(delivery_id, token):
                return
            last = Batch.objects.filter(delivery=delivery_id).aggregate(last=Max("last"))["last"]
            after = Recipient.objects.values_list("subscription", flat=True).get(pk=last) if last else 0
            frozen = matching.freeze(delivery, way, languages, after, most)
            made = _cut(delivery_id)
            if frozen < most:
                Delivery.objects.filter(pk=delivery_id, lease=token).update(lease=BY_BATCHES, lease_until=None)
                close(delivery_id)
        yield made


def _cut(delivery_id: int) -> list[Batch]:
    """Batches for the recipients that are in none yet."""
    made = []
    rows = Recipient.objects.filter(delivery=delivery_id)
    cut_to = dict(Batch.objects.filter(delivery=delivery_id).values_list("language").annotate(Max("last")))
    for language in sorted(rows.values_list("language", flat=True).distinct()):
        last = cut_to.get(language, 0)
        mine = rows.filter(language=language).order_by("pk")
        while run := list(mine.filter(pk__gt=last).values_list("pk", flat=True)[:SIZE]):
            last = run[-1]
            made.append(
                Batch(
                    delivery_id=delivery_id,
                    language=language,
                    first=run[0],
                    last=last,
                    size=len(run),
                    reached=run[0] - 1,
                    handed=run[0] - 1,
                    due_at=Now(),
                )
            )
    Batch.objects.bulk_create(made)
    return list(Batch.objects.filter(pk__in=[batch.pk for batch in made]).select_related("delivery").order_by("pk"))


def claimable() -> QuerySet[Batch]:
    """Batches that may be claimed now: due, of a delivery still under way, of the alert's newest message, not held."""
    carried = Exists(
        Delivery.objects.filter(
            Exists(Alert.objects.filter(latest_id=OuterRef("message_id"))),
            Q(city=True) | Q(message__live_at__isnull=False),
            pk=OuterRef("delivery_id"),
            state=State.SENDING,
        )
    )
    held = Exists(Hold.objects.filter(ended_at__isnull=True))
    return Batch.objects.filter(carried, ~held, state=State.WAITING, due_at__lte=Now())


def claim(batch_id: int, turn: str = "") -> str | None:
    """A lease token where this caller now holds the batch.

    ``turn`` names a channel that sends one batch at a time: the database refuses a second one.
    """
    token = secrets.token_hex(16)
    try:
        with transaction.atomic():
            taken = (
                claimable()
                .filter(pk=batch_id)
                .update(state=State.SENDING, lease=token, lease_until=lease(), tries=F("tries") + 1, turn=turn)
            )
    except IntegrityError:
        return None  # another one has the turn, and rings for this one when it ends
    return token if taken == 1 else None


def doubtful(batch: Batch) -> QuerySet[Recipient]:
    """Recipients that an earlier worker held in its hand when it was lost, and that have no outcome."""
    state = Recipient.State.TEMPORARY if batch.again else Recipient.State.OWED
    return of(batch).filter(pk__gt=batch.reached, pk__lte=batch.handed, state=state)


def settle(batch: Batch, token: str, *, words: str = "", state: str = State.DONE, ask: bool = False) -> bool:
    """End a batch, or send it on another pass over those refused temporarily; then its delivery, if it was the last.

    With ``ask``, uncertain ones are worth a pass too: there they are looked up.
    """
    with transaction.atomic():
        # Of two last batches that settle at once, the second sees the first and closes the delivery
        Delivery.objects.select_for_update().get(pk=batch.delivery_id)
        left = of(batch).filter(state=Recipient.State.TEMPORARY)
        unsure = of(batch).filter(state=Recipient.State.UNCLEAR, looked_up=False)
        waits = state == State.DONE and left.exists()
        if state == State.DONE and (waits or (ask and unsure.exists())):
            if batch.again + 1 < PASSES:
                # what was just sent may take a moment to be seen at the provider
                wait = PAUSES[batch.again] if waits else LOOK_UP_AFTER
                return (
                    mine(batch, token).update(
                        state=State.WAITING,
                        lease="",
                        lease_until=None,
                        again=batch.again + 1,
                        reached=batch.first - 1,
                        handed=batch.first - 1,
                        due_at=Greatest(Now() + dt.timedelta(seconds=wait), Coalesce("not_before", Now())),
                        rung_at=None,
                    )
                    == 1
                )
            left.update(state=Recipient.State.FAILED)
        if not mine(batch, token).update(state=state, lease="", lease_until=None, words=words):
            return False
        close(batch.delivery_id)
    return True


def overtaken(batch: Batch) -> bool:
    """Whether a newer message of its alert is out: this one then stops between two checkpoints."""
    return not Alert.objects.filter(latest_id=batch.delivery.message_id).exists()


def put_back(batch: Batch, token: str, *, after: float = 0.0, words: str = "") -> bool:
    """Let go of a batch between two checkpoints: to give way (``after`` 0), or to try again later."""
    return (
        mine(batch, token).update(
            state=State.WAITING,
            lease="",
            lease_until=None,
            due_at=Now() + dt.timedelta(seconds=after),
            rung_at=None,
            words=words,
        )
        == 1
    )


def someone_waits(batch: Batch, queue: str, *, turns: bool) -> bool:
    """Whether a batch waits that goes before this one, or takes turns with it.

    One of an urgent message goes before. Of the same rank, messages alternate, so that none waits
    behind another's tail; and with ``turns``, the channels of one message.
    """
    mine = Q(delivery=batch.delivery_id) if turns else Q(delivery__message=batch.delivery.message_id)
    # who waits for its turn over a channel would not be taken now
    taken = Batch.objects.filter(state=State.SENDING).exclude(Q(turn="") | Q(pk=batch.pk)).values("turn")
    others = claimable().exclude(mine).exclude(delivery__channel__in=taken)
    ranks = ["city-urgent"] if queue == "city-urgent" else ["city-urgent", queue]
    return others.filter(delivery__queue__in=ranks).exists()


def urgent_one_begins(batch: Batch) -> bool:
    """Whether an urgent message was planned a moment ago and has no batches yet: it needs the host for its page."""
    moment = Now() - dt.timedelta(seconds=BEGINNING)
    begins = Delivery.objects.filter(queue="city-urgent", state__in=OPEN, planned_at__gt=moment)
    return begins.exclude(Q(lease=BY_BATCHES) | Q(message=batch.delivery.message_id)).exists()


def next_in_turn(channel: str) -> list[Batch]:
    """The batch that comes next over a channel that sends one at a time: urgent ones first, then as they were cut."""
    waiting = claimable().filter(delivery__channel=channel).select_related("delivery")
    return sorted(waiting.order_by("due_at", "pk")[:100], key=lambda one: one.delivery.queue != "city-urgent")[:1]


def under_way() -> bool:
    """Whether anything goes out to subscribers now, or is about to."""
    return claimable().exists() or Batch.objects.filter(state=State.SENDING).exists()


def lost() -> list[Batch]:
    """Batches whose worker let its lease run out."""
    return list(Batch.objects.filter(state=State.SENDING, lease_until__lte=Now()).select_related("delivery")[:500])


def take_back(batch: Batch, *, idempotent: bool) -> None:
    """A lost worker's batch waits anew. What it held goes again, or is unclear where that would send twice."""
    with transaction.atomic():
        mine = Batch.objects.filter(pk=batch.pk, state=State.SENDING, lease=batch.lease)
        if batch.tries >= TRIES:
            words = _("Unexpected fault in the channel, again and again. The administrator finds it in the log.")
            if mine.update(state=State.FAILED, lease="", lease_until=None, words=words):
                close(batch.delivery_id)
            return
        if not mine.update(state=State.WAITING, lease="", lease_until=None, due_at=Now(), rung_at=None):
            return
        if not idempotent:
            doubtful(batch).update(
                state=Recipient.State.UNCLEAR, words=_("The worker was lost while sending: it may have arrived.")
            )


def unclosed() -> list[int]:
    """Deliveries that no batch carries any more: a worker died between its last batch and them."""
    open_batch = Batch.objects.filter(delivery=OuterRef("pk"), state__in=OPEN)
    rows = Delivery.objects.filter(~Exists(open_batch), state=State.SENDING, lease=BY_BATCHES)
    return list(rows.values_list("pk", flat=True)[:100])


def unrung() -> list[Batch]:
    lately = Q(rung_at__gt=Now() - fanout.RING_AGAIN)
    return list(claimable().exclude(lately).select_related("delivery").order_by("pk")[:500])


def forgotten(patience: dt.timedelta) -> list[Batch]:
    """The city's batch that no worker took for longest, if for ``patience``: upkeep sends one in each round.

    None while workers are at it: a batch that waits for them is not forgotten.
    """
    busy = Batch.objects.filter(
        state=State.SENDING, lease_until__gte=Now() + dt.timedelta(seconds=settings.LEASE_SECONDS) - patience
    )
    if busy.exists():
        return []
    waited = claimable().filter(delivery__city=True, due_at__lte=Now() - patience)
    return list(waited.order_by("due_at", "pk")[:1])


def rung(batch_ids: Sequence[int]) -> None:
    Batch.objects.filter(pk__in=batch_ids).update(rung_at=Now())


def close(delivery_id: int) -> None:
    """Settle a delivery that its batches carry once none of them is open, in the caller's transaction."""
    rows = Batch.objects.filter(delivery=delivery_id)
    if rows.filter(state__in=OPEN).exists():
        return
    worst = rows.filter(state__in=[State.FAILED, State.SUPERSEDED, State.LEFT_OUT]).order_by("pk").first()
    state, words = (worst.state, worst.words) if worst else (State.DONE, "")
    Delivery.objects.filter(pk=delivery_id, state=State.SENDING, lease=BY_BATCHES).update(
        state=state, words=words, lease="", done_at=Now() if state == State.DONE else None
    )


def of(batch: Batch) -> QuerySet[Recipient]:
    return Recipient.objects.filter(
        delivery=batch.delivery_id, language=batch.language, pk__gte=batch.first, pk__lte=batch.last
    )


def mine(batch: Batch, token: str) -> QuerySet[Batch]:
    return Batch.objects.filter(pk=batch.pk, state=State.SENDING, lease=token, lease_until__gt=Now())


def lease() -> object:
    return Now() + dt.timedelta(seconds=settings.LEASE_SECONDS)
