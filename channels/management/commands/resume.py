"""``manage.py resume``: end the hold that follows a restore."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from channels import hold
from channels.models import Delivery, State


class Command(BaseCommand):
    help = "End the hold after a restore. What was open stays unclear: an officer decides on each at the desk."

    def handle(self, **_options: Any) -> None:
        if not hold.resume(None):
            self.stdout.write("Belfry was not held.")
            return
        unclear = Delivery.objects.filter(state=State.UNCLEAR).count()
        self.stdout.write(
            f"Belfry goes on. {unclear} deliveries are unclear: send them again or mark them as sent at the desk."
        )
