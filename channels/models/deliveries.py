"""Delivery, Post, Attempt, Recipient, Batch: what is owed, who works on it, what came of it. Rows are the queue."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from alerts.models import Message


class State(models.TextChoices):
    WAITING = "waiting", _("waits")
    SENDING = "sending", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    UNCLEAR = "unclear", _("unclear")
    BY_HAND = "by-hand", _("by hand")
    SUPERSEDED = "superseded", _("superseded")
    LEFT_OUT = "left-out", _("left out")


# What may follow what. A failed or unclear one goes back to waiting by an officer's hand alone; an unclear one that
# surely is not there has failed.
MOVES: dict[str, set[str]] = {
    State.WAITING: {State.SENDING, State.SUPERSEDED, State.LEFT_OUT, State.FAILED},
    State.SENDING: {
        State.WAITING,
        State.DONE,
        State.FAILED,
        State.UNCLEAR,
        State.BY_HAND,
        State.SUPERSEDED,
        State.LEFT_OUT,
    },
    State.FAILED: {State.WAITING, State.LEFT_OUT},
    State.UNCLEAR: {State.WAITING, State.DONE, State.FAILED, State.LEFT_OUT},
    State.BY_HAND: {State.DONE, State.SUPERSEDED, State.LEFT_OUT},
    State.DONE: set(),
    State.SUPERSEDED: set(),
    State.LEFT_OUT: set(),
}


BY_BATCHES = "by-batches"
"""The lease of a delivery that its batches carry: it has no worker of its own, and no end."""


class Leased(models.Model):
    """A row that one worker at a time works on: claimed by counting, held by a lease, tried again at ``due_at``."""

    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    due_at = models.DateTimeField()
    rung_at = models.DateTimeField(null=True)
    lease = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(null=True)
    tries = models.PositiveIntegerField(default=0)
    words = models.TextField(blank=True)

    class Meta:
        abstract = True


class Delivery(Leased):
    """One message by one channel. ``queue`` and ``city`` are what the channel was when it was planned.

    ``unsure`` says that an earlier try may have put out the first language that has no post yet: it is
    looked up before anything goes out again. ``begun`` is what ``Publisher.begin`` came to, by language.
    """

    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="deliveries")
    channel = models.CharField(max_length=40)
    queue = models.CharField(max_length=12)
    city = models.BooleanField()
    site = models.BooleanField(default=False)
    rehearsal = models.BooleanField(default=False)
    unsure = models.BooleanField(default=False)
    begun = models.JSONField(default=dict)
    planned_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = [
            models.UniqueConstraint(fields=["message", "channel"], name="one_delivery_per_channel"),
            models.CheckConstraint(name="delivery_state_is_known", condition=Q(state__in=State.values)),
            models.CheckConstraint(name="delivery_sending_is_leased", condition=~Q(state="sending") | ~Q(lease="")),
        ]
        indexes = [
            models.Index(
                fields=["due_at"], name="delivery_owed", condition=Q(state__in=[State.WAITING, State.SENDING])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.message_id} {self.channel} {self.state}"


class Post(models.Model):
    """What a publisher put out for one delivery in one language; in rehearsal, what it would have put out.

    ``retracted_at`` is when an officer had it taken back.
    """

    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="posts")
    language = models.CharField(max_length=20)
    remote_id = models.CharField(max_length=300)
    url = models.CharField(max_length=500, blank=True)
    data = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)
    retracted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["delivery", "language"], name="one_post_per_language")]

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.language}"


class Retraction(Leased):
    """An officer wants a post taken back; carried out by a worker like a delivery."""

    post = models.OneToOneField(Post, on_delete=models.PROTECT, related_name="retraction")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField()

    class Meta:
        verbose_name = _("retraction")
        verbose_name_plural = _("retractions")
        indexes = [
            models.Index(
                fields=["due_at"], name="retraction_owed", condition=Q(state__in=[State.WAITING, State.SENDING])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.post_id} {self.state}"


class Attempt(models.Model):
    """One try: appended, never changed. ``words`` say what happened, without secrets or addresses."""

    class Result(models.TextChoices):
        ACCEPTED = "accepted", _("accepted")
        TEMPORARY = "temporary", _("will be tried again")
        PERMANENT = "permanent", _("refused for good")
        UNCERTAIN = "uncertain", _("unclear")
        BY_HAND = "by-hand", _("by hand")
        LOST = "lost", _("worker lost")

    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="attempts")
    language = models.CharField(max_length=20, blank=True)
    result = models.CharField(max_length=10, choices=Result)
    words = models.TextField(blank=True)
    milliseconds = models.PositiveIntegerField(default=0)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.result}"


class Recipient(models.Model):
    """One subscription frozen into a delivery when it was planned: who it goes to, in which language.

    ``subscription`` is a plain number on purpose: numbers are never given twice, and when a resident
    leaves, nothing of theirs stays behind here. Only what did not simply go well is written here one by
    one; that the others were accepted follows from how far their batch has come. Channels that can't
    try twice write each outcome as it arrives. ``looked_up`` marks one whose uncertain outcome was asked
    for at the provider, and which went again where the rules say so (DESIGN, rule 5).
    """

    class State(models.TextChoices):
        OWED = "owed", _("waits")
        ACCEPTED = "accepted", _("accepted")
        DELIVERED = "delivered", _("delivered")
        TEMPORARY = "temporary", _("will be tried again")
        FAILED = "failed", _("failed")
        UNCLEAR = "unclear", _("unclear")

    # its own index would only repeat ``recipient_in_order``, at the price of a fifth of each row
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="recipients", db_index=False)
    subscription = models.PositiveBigIntegerField()
    language = models.CharField(max_length=20)
    state = models.CharField(max_length=9, choices=State, default=State.OWED)
    words = models.CharField(max_length=200, blank=True)
    remote_id = models.CharField(max_length=100, blank=True)
    looked_up = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("recipient")
        verbose_name_plural = _("recipients")
        constraints = [
            models.CheckConstraint(
                name="recipient_state_is_known",
                condition=Q(state__in=["owed", "accepted", "delivered", "temporary", "failed", "unclear"]),
            ),
        ]
        indexes = [
            models.Index(fields=["delivery", "language", "id"], name="recipient_in_order"),
            models.Index(fields=["delivery", "state"], name="recipient_written", condition=~Q(state="owed")),
            models.Index(fields=["remote_id"], name="recipient_by_remote_id", condition=~Q(remote_id="")),
        ]

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.pk}"


class Batch(Leased):
    """A run of recipients in one language: ``first`` to ``last`` by id.

    ``reached`` is the last one whose outcome is written (a checkpoint), ``handed`` the last one that
    was handed to the channel: between them lies what a lost worker may or may not have sent.
    ``again`` marks the second and later passes, over those that were only temporarily refused.
    ``sent`` counts those of the first pass that were accepted and have no word of their own. ``turn``
    names the channel while one batch at a time may be sent over it. ``not_before`` is what a provider
    asked for: the next pass begins no earlier.
    """

    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="batches")
    language = models.CharField(max_length=20)
    first = models.PositiveBigIntegerField()
    last = models.PositiveBigIntegerField()
    size = models.PositiveIntegerField()
    reached = models.PositiveBigIntegerField(default=0)
    handed = models.PositiveBigIntegerField(default=0)
    again = models.PositiveIntegerField(default=0)
    sent = models.PositiveIntegerField(default=0)
    turn = models.CharField(max_length=40, blank=True)
    not_before = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        constraints = [
            models.UniqueConstraint(fields=["delivery", "language", "first"], name="one_batch_per_run"),
            models.CheckConstraint(name="batch_runs_forward", condition=Q(last__gte=models.F("first"))),
            models.CheckConstraint(name="batch_sending_is_leased", condition=~Q(state="sending") | ~Q(lease="")),
            models.UniqueConstraint(fields=["turn"], name="one_turn_each", condition=Q(state="sending") & ~Q(turn="")),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="batch_owed", condition=Q(state__in=[State.WAITING, State.SENDING])),
        ]

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.first}-{self.last} {self.state}"


class Heartbeat(models.Model):
    """When a supervised process was last seen alive, by the database's clock."""

    name = models.CharField(max_length=60, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Hold(models.Model):
    """The system holds: nothing but page and feeds goes out until an administrator resumes it (DESIGN, rule 4)."""

    since = models.DateTimeField(auto_now_add=True)
    reason = models.TextField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=150, blank=True)

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        constraints = [
            models.UniqueConstraint(
                models.Value(1), condition=Q(ended_at__isnull=True), name="one_open_hold_at_a_time"
            ),
        ]

    def __str__(self) -> str:
        return str(self.since)
