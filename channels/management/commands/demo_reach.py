"""``manage.py demo_reach``: the followers that the demo city has on networks, to begin with."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from alerts.checks import on_loopback
from channels.models import Audience

READ_ON = dt.date(2026, 11, 1)
FOLLOWERS = {"x": 90_000, "instagram": 90_000, "facebook": 30_000}
"""As the city of Leipzig gave them, rounded."""


class Command(BaseCommand):
    help = "Load the demo city's starting figures. Can run again: it changes nothing that is there."

    def handle(self, **_options: Any) -> None:
        if not settings.DEMO or not on_loopback():
            raise CommandError("The demo city is for BELFRY_DEMO=1 on this machine's loopback address only.")
        for channel, count in FOLLOWERS.items():
            if not Audience.objects.filter(channel=channel).exists():
                Audience.objects.create(channel=channel, on=READ_ON, count=count, source=Audience.Source.TYPED)
