"""Subscription and what surrounds it: who among the residents wants to hear of what. As little as will do.

An address lies here sealed (``subscriptions.sealing``) and is found by its keyed hash. Deleting the
row is leaving: nothing else holds an address.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from alerts.models import Area
from alerts.terms import Severity


class Way(models.TextChoices):
    """How a resident is reached: what kind of address a subscription holds."""

    PUSH = "push", _("Push")
    SMS = "sms", _("SMS")
    EMAIL = "email", _("E-mail")


class Subscription(models.Model):
    """A resident's confirmed endpoint and wishes.

    ``lookup`` is the keyed hash of the address, unique for each way. ``topics`` is a mask of
    ``subscriptions.topics``; Extreme, Severe and Unknown pass it. ``least`` is the least severity;
    Unknown counts as Severe. ``tests`` also wants exercises.
    """

    way = models.CharField(max_length=5, choices=Way)
    address = models.BinaryField()
    lookup = models.CharField(max_length=64)
    language = models.CharField(max_length=20)
    least = models.CharField(max_length=8, choices=Severity, default=Severity.MODERATE)
    topics = models.PositiveSmallIntegerField()
    tests = models.BooleanField(default=False)
    areas = models.ManyToManyField(Area, through="SubscriptionArea", related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        constraints = [
            models.UniqueConstraint(fields=["way", "lookup"], name="one_subscription_per_address"),
            models.CheckConstraint(name="subscription_way_is_known", condition=Q(way__in=["push", "sms", "email"])),
            models.CheckConstraint(name="subscription_least_is_known", condition=Q(least__in=Severity.values)),
        ]

    def __str__(self) -> str:
        return f"{self.way} {self.pk}"


class SubscriptionArea(models.Model):
    """One district that a subscription is for; of any level of the tree."""

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="+")
    area = models.ForeignKey(Area, on_delete=models.PROTECT, related_name="+", db_index=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subscription", "area"], name="subscription_area_once")]
        indexes = [models.Index(fields=["area", "subscription"], name="subscriptions_of_area")]

    def __str__(self) -> str:
        return f"{self.subscription_id} {self.area_id}"


class SignUp(models.Model):
    """A wish to subscribe, or to change, that the holder of the address has not confirmed yet; gone after a day.

    ``wishes`` is what the form said (areas by code, least, topics, language, tests). ``code`` is a
    keyed hash of what was sent; ``tries`` counts wrong ones.
    """

    way = models.CharField(max_length=5, choices=Way)
    address = models.BinaryField()
    lookup = models.CharField(max_length=64)
    wishes = models.JSONField()
    code = models.CharField(max_length=64)
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("sign-up")
        verbose_name_plural = _("sign-ups")
        indexes = [
            models.Index(fields=["way", "lookup"], name="sign_up_by_address"),
            models.Index(fields=["created_at"], name="sign_up_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.way} {self.pk}"


class Prepared(models.Model):
    """What was made ahead for one later push to this subscription: an ephemeral public key and its IKM.

    Serves one message: the transaction that hands the recipient to the channel deletes it. Left out of
    backups, wiped by a restore.
    """

    subscription = models.OneToOneField(Subscription, on_delete=models.CASCADE, primary_key=True, related_name="+")
    secret = models.BinaryField()

    def __str__(self) -> str:
        return str(self.pk)
