"""Deliveries, attempts and posts in the admin, to read."""

from __future__ import annotations

from django.contrib import admin

from alerts.desk.admins import ReadOnly

from ..models import Attempt, Delivery, Post


class DeliveryAdmin(ReadOnly):
    list_display = ["message", "channel", "state", "tries", "planned_at", "done_at"]
    list_filter = ["state", "channel"]
    list_select_related = ["message"]


class AttemptAdmin(ReadOnly):
    list_display = ["delivery", "language", "result", "words", "milliseconds", "at"]
    list_filter = ["result"]
    list_select_related = ["delivery"]


class PostAdmin(ReadOnly):
    list_display = ["delivery", "language", "url", "at"]
    list_select_related = ["delivery"]


def join() -> None:
    """Put them on the desk."""
    admin.site.register(Delivery, DeliveryAdmin)
    admin.site.register(Attempt, AttemptAdmin)
    admin.site.register(Post, PostAdmin)
