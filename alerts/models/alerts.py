"""Alert, Draft, Part, Message and what is frozen with them; rules that must hold are constraints here.

Rows of Message, Rendering and AuditEntry never change: triggers refuse it (migration
``0002_guards``), apart from ``Message.live_at`` and its reason, which are set once.
"""

from __future__ import annotations

import datetime as dt
import secrets

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from .. import content as contents
from ..terms import Kind, MsgType, Severity, Status
from .areas import Area

# No 0/o, 1/l/i, no vowels: read out over a telephone, and never by chance a word.
SLUG_LETTERS = "23456789bcdfghjkmnpqrstvwxz"


def new_slug(length: int = 5) -> str:
    """A short random address for an alert's page; exercises take a longer one that nobody guesses."""
    return "".join(secrets.choice(SLUG_LETTERS) for _ in range(length))


class Alert(models.Model):
    """One event, from the first warning to the all-clear; ``slug`` is the address of its page for ever.

    ``latest`` points to the newest message: what is live is found without reading the history.
    """

    slug = models.SlugField(max_length=24, unique=True, default=new_slug, editable=False)
    status = models.CharField(max_length=8, choices=Status, default=Status.ACTUAL)
    created_at = models.DateTimeField(auto_now_add=True)
    latest = models.OneToOneField("Message", on_delete=models.PROTECT, null=True, editable=False, related_name="+")

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")

    def __str__(self) -> str:
        return self.slug


class DraftState(models.TextChoices):
    DRAFT = "draft", _("Being written")
    SUBMITTED = "submitted", _("Waits for approval")
    RETURNED = "returned", _("Returned")
    APPROVED = "approved", _("Approved, not yet released")
    RELEASED = "released", _("Released")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    LAPSED = "lapsed", _("Lapsed")


# The state machine of a draft (DESIGN, rule 1). ``approval`` moves along it; ``drafting.save`` returns what it voids.
MOVES: dict[str, set[str]] = {
    DraftState.DRAFT: {DraftState.SUBMITTED, DraftState.WITHDRAWN},
    DraftState.SUBMITTED: {DraftState.RETURNED, DraftState.APPROVED, DraftState.LAPSED},
    DraftState.RETURNED: {DraftState.SUBMITTED, DraftState.WITHDRAWN},
    DraftState.APPROVED: {DraftState.RELEASED, DraftState.WITHDRAWN, DraftState.LAPSED},
    DraftState.RELEASED: set(),
    DraftState.WITHDRAWN: set(),
    DraftState.LAPSED: set(),
}
EDITABLE = (DraftState.DRAFT, DraftState.RETURNED)
OPEN = (DraftState.DRAFT, DraftState.SUBMITTED, DraftState.RETURNED, DraftState.APPROVED)


class ReleasePlan(models.TextChoices):
    NOW = "now", _("At once when approved")
    AT = "at", _("At a set time")
    DRILL = "drill", _("Kept ready for a drill")


class Draft(models.Model):
    """The next message of an alert, still being written.

    ``version`` rises with every save, so that no one overwrites what he has not read. ``round``
    counts submissions; the renderings of a round are what its approval covers.
    """

    alert = models.ForeignKey(Alert, on_delete=models.PROTECT, related_name="drafts")
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.WARNING)
    base = models.ForeignKey("Message", on_delete=models.PROTECT, null=True, blank=True, related_name="successors")
    state = models.CharField(max_length=10, choices=DraftState, default=DraftState.DRAFT)
    content_json = models.JSONField(default=dict)
    version = models.PositiveIntegerField(default=1)
    round = models.PositiveIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)
    plan = models.CharField(max_length=5, choices=ReleasePlan, default=ReleasePlan.NOW)
    release_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)
    submitted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("draft")
        verbose_name_plural = _("drafts")
        permissions = [
            ("write_draft", _("Can write and submit alerts")),
            ("approve_draft", _("Can approve alerts")),
            ("break_glass", _("Can release an alert alone (break-glass)")),
            ("open_gate", _("Can open the gate by hand")),
            ("lead_drill", _("Can start a drill")),
        ]
        constraints = [
            models.CheckConstraint(name="draft_state_is_known", condition=Q(state__in=DraftState.values)),
            models.CheckConstraint(
                name="draft_release_time_goes_with_plan",
                condition=Q(plan=ReleasePlan.AT, release_at__isnull=False)
                | (~Q(plan=ReleasePlan.AT) & Q(release_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="draft_beyond_writing_has_digest",
                condition=Q(state__in=["draft", "returned", "lapsed", "withdrawn"]) | ~Q(digest=""),
            ),
            models.CheckConstraint(
                name="draft_first_warning_has_no_base",
                condition=Q(kind=Kind.WARNING, base__isnull=True) | (~Q(kind=Kind.WARNING) & Q(base__isnull=False)),
            ),
        ]
        indexes = [models.Index(fields=["state", "release_at"], name="draft_by_state")]

    def __str__(self) -> str:
        return f"{self.alert_id}/{self.pk}"

    @property
    def content(self) -> contents.Content:
        return contents.from_json(self.content_json)

    @property
    def editable(self) -> bool:
        return self.state in EDITABLE


class PartKind(models.TextChoices):
    WROTE = "wrote", _("Wrote")
    SUBMITTED = "submitted", _("Submitted")
    APPROVED = "approved", _("Approved")


class Part(models.Model):
    """What one officer did for one draft. One row for each officer and draft, refused otherwise by the database.

    Who wrote may also submit (the row then says *submitted*); who approves inserts a row of their own.
    """

    draft = models.ForeignKey(Draft, on_delete=models.PROTECT, related_name="parts")
    officer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="parts")
    part = models.CharField(max_length=9, choices=PartKind)
    at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["at"]
        verbose_name = _("part")
        verbose_name_plural = _("parts")
        constraints = [
            models.UniqueConstraint(fields=["draft", "officer"], name="one_part_per_officer"),
            models.UniqueConstraint(fields=["draft"], condition=Q(part="approved"), name="one_approval_per_draft"),
            models.CheckConstraint(name="part_is_known", condition=Q(part__in=PartKind.values)),
        ]

    def __str__(self) -> str:
        return f"{self.officer_id} {self.part} {self.draft_id}"


class Message(models.Model):
    """What was approved and said; written by ``approval.release`` alone; never changes.

    ``live_at`` is the gate (DESIGN, rule 3): the moment page and feeds were fetched at the public
    address, or an officer opened it by hand with ``gate_reason``.
    """

    alert = models.ForeignKey(Alert, on_delete=models.PROTECT, related_name="messages")
    number = models.PositiveIntegerField()
    draft = models.OneToOneField(Draft, on_delete=models.PROTECT, related_name="message")
    round = models.PositiveIntegerField()
    base = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="successor")
    identifier = models.CharField(max_length=120, unique=True)
    sender = models.CharField(max_length=120)
    sent = models.DateTimeField()
    kind = models.CharField(max_length=12, choices=Kind)
    msg_type = models.CharField(max_length=6, choices=MsgType)
    status = models.CharField(max_length=8, choices=Status)
    severity = models.CharField(max_length=8, choices=Severity)
    highest = models.CharField(max_length=8, choices=Severity)
    expires = models.DateTimeField()
    content_json = models.JSONField()
    references = models.JSONField(default=list)
    digest = models.CharField(max_length=64)
    approval = models.OneToOneField(Part, on_delete=models.PROTECT, null=True, related_name="message")
    break_glass_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    break_glass_reason = models.TextField(blank=True)
    live_at = models.DateTimeField(null=True)
    gate_reason = models.TextField(blank=True)

    class Meta:
        ordering = ["alert", "number"]
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints = [
            models.UniqueConstraint(fields=["alert", "number"], name="message_numbers_count_up"),
            models.CheckConstraint(
                name="message_is_approved_or_break_glass",
                condition=Q(approval__isnull=False, break_glass_by__isnull=True)
                | (Q(approval__isnull=True, break_glass_by__isnull=False) & ~Q(break_glass_reason="")),
            ),
            models.CheckConstraint(name="message_expires_after_sent", condition=Q(expires__gt=F("sent"))),
        ]
        indexes = [
            models.Index(fields=["status", "expires"], name="message_by_expires"),
            models.Index(fields=["status", "sent"], name="message_by_sent"),
        ]

    def __str__(self) -> str:
        return self.identifier

    @property
    def content(self) -> contents.Content:
        return contents.from_json(self.content_json)

    def is_live(self, now: dt.datetime) -> bool:
        """Whether this message, as its alert's latest, still warns."""
        return self.msg_type != MsgType.CANCEL and self.expires > now


class MessageArea(models.Model):
    """A district that a message touches; frozen with it, so that a new district list changes no history."""

    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="areas")
    area = models.ForeignKey(Area, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "area"], name="message_touches_area_once")]

    def __str__(self) -> str:
        return f"{self.message_id} {self.area_id}"


class Rendering(models.Model):
    """What one channel will say for one submission in one language, word for word; never changes."""

    draft = models.ForeignKey(Draft, on_delete=models.PROTECT, related_name="renderings")
    round = models.PositiveIntegerField()
    channel = models.CharField(max_length=40)
    language = models.CharField(max_length=20)
    fields_json = models.JSONField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["draft", "round", "channel", "language"], name="one_rendering_each"),
        ]

    def __str__(self) -> str:
        return f"{self.draft_id}.{self.round} {self.channel} {self.language}"


class Card(models.Model):
    """An image card of one submission in one language, as it was drawn then; never changes.

    ``body`` is the file, ``sha256`` its digest, which the draft's own covers.
    """

    draft = models.ForeignKey(Draft, on_delete=models.PROTECT, related_name="cards")
    round = models.PositiveIntegerField()
    language = models.CharField(max_length=20)
    shape = models.CharField(max_length=20)
    mime = models.CharField(max_length=20)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64, db_index=True)
    alt = models.TextField()
    body = models.BinaryField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["draft", "round", "language", "shape"], name="one_card_each"),
        ]

    def __str__(self) -> str:
        return f"{self.draft_id}.{self.round} {self.language} {self.shape}"

    @property
    def path(self) -> str:
        """Where the city's site has it, below its root."""
        return f"cards/{self.sha256[:32]}.{'png' if self.mime == 'image/png' else 'jpg'}"
