"""What the desk keeps about its officers: how they are called, their sittings, roles that were asked for."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from .alerts import Draft


class Profile(models.Model):
    """What Django's account does not hold: ``phone`` (E.164) for calls by SMS, when a drill was asked for last."""

    officer = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="profile")
    phone = models.CharField(_("mobile phone"), max_length=20, blank=True)
    drill_reminded_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("profile")
        verbose_name_plural = _("profiles")

    def __str__(self) -> str:
        return str(self.officer_id)


class Decision(models.TextChoices):
    OPEN = "open", _("Waits for a second administrator")
    GIVEN = "given", _("Given")
    REFUSED = "refused", _("Refused")
    WITHDRAWN = "withdrawn", _("Taken back")


class RoleRequest(models.Model):
    """A role that one administrator wants to give to an officer; another one decides.

    Nobody asks for himself, nobody decides what he asked for or what concerns himself.
    """

    officer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="role_requests")
    role = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="+")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(auto_now_add=True)
    reason = models.TextField(_("reason"), blank=True)
    decision = models.CharField(max_length=9, choices=Decision, default=Decision.OPEN)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("role asked for")
        verbose_name_plural = _("roles asked for")
        constraints = [
            models.UniqueConstraint(
                fields=["officer", "role"], condition=Q(decision=Decision.OPEN), name="one_open_request_per_role"
            ),
            models.CheckConstraint(name="nobody_asks_for_himself", condition=~Q(asked_by=F("officer"))),
            models.CheckConstraint(
                name="a_second_one_decides",
                condition=Q(decision=Decision.OPEN, decided_by__isnull=True)
                | Q(decision=Decision.WITHDRAWN, decided_by__isnull=False)
                | (
                    Q(decision__in=[Decision.GIVEN, Decision.REFUSED], decided_by__isnull=False)
                    & ~Q(decided_by=F("asked_by"))
                    & ~Q(decided_by=F("officer"))
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role_id} for {self.officer_id}"


class Sitting(models.Model):
    """One log-in at the desk until its end. ``session`` is a keyed hash of the session's key, ``agent`` the browser.

    ``factor`` names what proved the officer the second time.
    """

    officer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sittings")
    session = models.CharField(max_length=64, unique=True)
    agent = models.CharField(max_length=200, blank=True)
    factor = models.CharField(max_length=40, blank=True)
    began_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-began_at"]
        verbose_name = _("sitting")
        verbose_name_plural = _("sittings")

    def __str__(self) -> str:
        return f"{self.officer_id} {self.began_at:%Y-%m-%d %H:%M}"


class Reader(models.Model):
    """An officer who has a draft open; ``wrote_at`` is when he last changed something in it."""

    draft = models.ForeignKey(Draft, on_delete=models.CASCADE, related_name="readers")
    officer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField()
    wrote_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["draft", "officer"], name="one_reader_each")]

    def __str__(self) -> str:
        return f"{self.officer_id} reads {self.draft_id}"


class CallKind(models.TextChoices):
    SUBMITTED = "submitted", _("Waits for approval")
    RETURNED = "returned", _("Returned")
    RELEASED = "released", _("Released")
    LAPSED = "lapsed", _("Lapsed")


class Call(models.Model):
    """Officers are to be told at once of a draft that concerns them; a row until it has been said.

    ``round`` is the draft's submission that it speaks of; ``told`` how many were told.
    """

    draft = models.ForeignKey(Draft, on_delete=models.CASCADE, related_name="calls")
    round = models.PositiveIntegerField()
    kind = models.CharField(max_length=9, choices=CallKind)
    made_at = models.DateTimeField(auto_now_add=True)
    told_at = models.DateTimeField(null=True)
    told = models.PositiveIntegerField(default=0)
    words = models.TextField(blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["draft", "round", "kind"], name="one_call_each")]

    def __str__(self) -> str:
        return f"{self.kind} {self.draft_id}.{self.round}"
