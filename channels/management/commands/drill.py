"""``manage.py drill``: release the exercise approved in advance and measure every channel."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from alerts import approval, audit
from alerts.models import Draft, DraftState, ReleasePlan
from alerts.people import Refused
from alerts.terms import Status
from channels.models import Delivery, State

FINAL = {State.DONE, State.FAILED, State.UNCLEAR, State.SUPERSEDED, State.LEFT_OUT}


class Command(BaseCommand):
    help = "Release the exercise that was approved in advance, follow it through every channel, print a table."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seconds", type=float, default=60.0, help="How long to follow it (60).")

    def handle(self, *, seconds: float, **_options: Any) -> None:
        draft = (
            Draft.objects.filter(state=DraftState.APPROVED, plan=ReleasePlan.DRILL, alert__status=Status.EXERCISE)
            .order_by("pk")
            .first()
        )
        if draft is None:
            raise CommandError(
                "No exercise is approved in advance. Write one at the desk, choose “Kept ready for a drill”, "
                "and have a second officer approve it."
            )
        audit.record(None, "drill", f"draft {draft.pk} of alert {draft.alert_id}")
        started = time.monotonic()
        try:
            message = approval.release(draft.pk)
        except Refused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Exercise {message.identifier} released at {timezone.localtime(message.sent):%H:%M:%S}.")
        ended: dict[int, float] = {}
        rows: list[Delivery] = []
        while time.monotonic() - started < seconds:
            rows = list(message.deliveries.order_by("-site", "-city", "pk"))
            for row in rows:
                if row.state in FINAL:
                    ended.setdefault(row.pk, time.monotonic() - started)
            if rows and len(ended) == len(rows):
                break
            time.sleep(0.02)  # the workers do the work; here we only look
        self._table(rows, ended)
        if not rows or any(row.state != State.DONE for row in rows):
            raise CommandError("Not every channel carried the exercise.")

    def _table(self, rows: list[Delivery], ended: dict[int, float]) -> None:
        with override("en"):
            self.stdout.write(f"{'channel':<20} {'outcome':<14} {'ms':>8}  {_('remarks')}")
            for row in rows:
                spent = f"{1000 * ended[row.pk]:.0f}" if row.pk in ended else "-"
                remark = "rehearsal" if row.rehearsal else row.words
                self.stdout.write(f"{row.channel:<20} {row.get_state_display():<14} {spent:>8}  {remark}")
