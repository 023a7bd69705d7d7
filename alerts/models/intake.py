"""What comes in besides the desk: raw mails and documents, partners, followed sources and what they say."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..terms import MsgType, Severity, Status
from .alerts import Draft


class Partner(models.Model):
    """Who may hand in CAP documents. ``statuses``, ``areas`` (keys of districts) and ``categories`` bound what is
    taken of him; an empty list of areas or categories sets no bound."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    statuses = models.JSONField(_("statuses"), default=list)
    areas = models.JSONField(_("districts"), default=list, blank=True)
    categories = models.JSONField(_("kinds of danger"), default=list, blank=True)
    active = models.BooleanField(_("in use"), default=True)
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("partner")
        verbose_name_plural = _("partners")

    def __str__(self) -> str:
        return self.name


class PartnerToken(models.Model):
    """A bearer token, by its SHA-256; two may hold at once, while one is changed for the other."""

    partner = models.ForeignKey(Partner, on_delete=models.CASCADE, related_name="tokens")
    digest = models.CharField(max_length=64, unique=True)
    head = models.CharField(max_length=8)
    made_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.partner_id} {self.head}…"


class IntakeWay(models.TextChoices):
    MAIL = "mail", _("E-mail")
    CAP = "cap", _("CAP document")


class IntakeState(models.TextChoices):
    WAITING = "waiting", _("Waits to be read")
    TAKEN = "taken", _("Taken")
    REFUSED = "refused", _("Refused")
    IGNORED = "ignored", _("Not for us")


class Intake(models.Model):
    """One mail or document as it arrived, stored before anything of it is read (DESIGN, rule 11).

    ``received_at`` is when it reached our first trusted hop; ``key`` its Message-ID, or sender and
    identifier of a CAP document; ``reply`` the answer that is owed, ``answered_at`` when it was sent.
    ``lease`` and ``lease_until`` claim the row, as everywhere.
    """

    way = models.CharField(max_length=4, choices=IntakeWay)
    state = models.CharField(max_length=8, choices=IntakeState, default=IntakeState.WAITING)
    arrived_at = models.DateTimeField(auto_now_add=True)
    received_at = models.DateTimeField()
    sender = models.CharField(max_length=254, blank=True)
    key = models.CharField(max_length=255, blank=True)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    raw = models.BinaryField(null=True)
    words = models.TextField(blank=True)
    officer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, null=True, related_name="+")
    draft = models.ForeignKey(Draft, on_delete=models.PROTECT, null=True, related_name="intakes")
    reply = models.TextField(blank=True)
    reply_to = models.CharField(max_length=254, blank=True)
    answered_at = models.DateTimeField(null=True)
    tries = models.PositiveIntegerField(default=0)
    lease = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("intake")
        verbose_name_plural = _("intakes")
        constraints = [
            models.UniqueConstraint(
                fields=["way", "key"], condition=Q(state="taken") & ~Q(key=""), name="one_intake_taken_each"
            ),
        ]
        indexes = [
            models.Index(fields=["state", "lease_until"], name="intake_by_state"),
            models.Index(fields=["way", "key"], name="intake_by_key"),
            models.Index(fields=["way", "sender", "arrived_at"], name="intake_by_sender"),
        ]

    def __str__(self) -> str:
        return f"{self.way} {self.pk}"


class SourceKind(models.TextChoices):
    ATOM = "atom", _("Atom or RSS with CAP")
    CAP = "cap", _("A CAP document")
    NINA = "nina", _("NINA (api31)")


class Source(models.Model):
    """Somebody else's warnings, followed by address. ``ars``, ``areas``, ``least`` and ``events`` bound what is told.

    ``etag`` and ``modified`` make the next request conditional; ``due_at`` is when it is; ``escalate`` how many
    minutes an item may wait to be acknowledged.
    """

    name = models.CharField(_("name"), max_length=80, unique=True)
    kind = models.CharField(_("kind"), max_length=4, choices=SourceKind)
    url = models.URLField(_("address"), max_length=500)
    seconds = models.PositiveIntegerField(_("asked every so many seconds"), default=60)
    least = models.CharField(_("least severity"), max_length=8, choices=Severity, default=Severity.MINOR)
    events = models.JSONField(_("events"), default=list, blank=True)
    whole_world = models.BooleanField(_("also outside the city"), default=False)
    escalate = models.PositiveIntegerField(_("minutes until officers are called"), default=10)
    active = models.BooleanField(_("in use"), default=True)
    etag = models.CharField(max_length=200, blank=True, editable=False)
    modified = models.CharField(max_length=60, blank=True, editable=False)
    asked_at = models.DateTimeField(null=True, editable=False)
    due_at = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    words = models.CharField(max_length=300, blank=True, editable=False)
    lease = models.CharField(max_length=32, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["name"]
        verbose_name = _("source")
        verbose_name_plural = _("sources")

    def __str__(self) -> str:
        return self.name


class ItemState(models.TextChoices):
    NEW = "new", _("Not acknowledged yet")
    SEEN = "seen", _("Acknowledged")
    DRAFTED = "drafted", _("Became a draft")
    OVERTAKEN = "overtaken", _("Overtaken by a newer one")


class Incoming(models.Model):
    """One warning of a source, in its own words. ``event`` ties the messages of one event together.

    ``content_json`` is a Content that a draft can begin with, ``signature`` what its check said.
    """

    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="items")
    identifier = models.CharField(max_length=255)
    sender = models.CharField(max_length=255, blank=True)
    event = models.CharField(max_length=255, db_index=True)
    sent = models.DateTimeField()
    expires = models.DateTimeField(null=True)
    msg_type = models.CharField(max_length=6, choices=MsgType)
    status = models.CharField(max_length=8, choices=Status, default=Status.ACTUAL)
    severity = models.CharField(max_length=8, choices=Severity)
    headline = models.CharField(max_length=300)
    area = models.CharField(max_length=300, blank=True)
    signature = models.CharField(max_length=8, blank=True)
    content_json = models.JSONField(default=dict)
    raw = models.TextField(blank=True)
    state = models.CharField(max_length=9, choices=ItemState, default=ItemState.NEW)
    came_at = models.DateTimeField(auto_now_add=True)
    seen_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    seen_at = models.DateTimeField(null=True)
    escalated_at = models.DateTimeField(null=True)
    draft = models.ForeignKey(Draft, on_delete=models.PROTECT, null=True, related_name="incoming")

    class Meta:
        ordering = ["-sent", "-pk"]
        verbose_name = _("incoming warning")
        verbose_name_plural = _("incoming warnings")
        constraints = [models.UniqueConstraint(fields=["source", "identifier"], name="one_item_each")]
        indexes = [models.Index(fields=["state", "came_at"], name="incoming_by_state")]

    def __str__(self) -> str:
        return self.identifier
