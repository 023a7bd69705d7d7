"""Pause, Audience, Reached: what the desk knows of platforms, and who says that a drill reached them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from alerts.models import Message


class Pause(models.Model):
    """A channel that officers have switched off: nothing more goes out over it until it is ended."""

    channel = models.CharField(max_length=40)
    since = models.DateTimeField(auto_now_add=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = _("pause")
        verbose_name_plural = _("pauses")
        constraints = [
            models.UniqueConstraint(
                fields=["channel"], condition=Q(ended_at__isnull=True), name="one_open_pause_per_channel"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.since}"


class Audience(models.Model):
    """How many one channel reached on one day: followers as the platform says, or as an officer typed them in."""

    class Source(models.TextChoices):
        ASKED = "asked", _("asked for")
        TYPED = "typed", _("typed in")
        COUNTED = "counted", _("counted here")

    channel = models.CharField(max_length=40)
    on = models.DateField()
    count = models.PositiveIntegerField()
    source = models.CharField(max_length=7, choices=Source)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["on"]
        verbose_name = _("audience")
        verbose_name_plural = _("audiences")
        constraints = [models.UniqueConstraint(fields=["channel", "on"], name="one_audience_a_day")]

    def __str__(self) -> str:
        return f"{self.channel} {self.on} {self.count}"


class Reached(models.Model):
    """Answers to "Did it reach you?" on an exercise's page: a counter for each way and district, and nothing else.

    ``way`` is a channel, or what ``channels.reach.OTHER_WAYS`` names; ``district`` an area's code, empty where
    none was given.
    """

    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="reached")
    way = models.CharField(max_length=40)
    district = models.CharField(max_length=40, blank=True)
    count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "way", "district"], name="one_count_each")]

    def __str__(self) -> str:
        return f"{self.message_id} {self.way} {self.count}"
