"""``manage.py drill``: release the exercise approved in advance and measure every channel."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from alerts.models import Draft, DraftState, ReleasePlan
from alerts.people import Refused
from alerts.terms import Status
from channels import switchoff
from channels.models import Delivery, State

FINAL = {State.DONE, State.FAILED, State.UNCLEAR, State.SUPERSEDED, State.LEFT_OUT}


class Command(BaseCommand):
    help = "Release the exercise that was approved in advance, follow it through every channel, print a table."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seconds", type=float, default=60.0, help="How long to follow it (60).")
        parser.add_argument(
            "--commercial-dead", action="store_true", help="Switch-off drill: as if every platform blocked the city."
        )
        parser.add_argument(
            "--foreign-dead", action="store_true", help="Switch-off drill: without any provider outside the EU."
        )

    def handle(self, *, seconds: float, commercial_dead: bool, foreign_dead: bool, **_options: Any) -> None:
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
        started = time.monotonic()
        try:
            message = switchoff.release(draft, commercial=commercial_dead, foreign_too=foreign_dead)
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
        result = switchoff.result(message)
        if result.commercial or result.foreign:
            self._what_was_left(result)
        silent = {row.channel for row in result.rows if row.why}
        self._table(rows, ended, silent)
        if not rows or any(row.state != State.DONE for row in rows if row.channel not in silent):
            raise CommandError("Not every channel carried the exercise.")

    def _table(self, rows: list[Delivery], ended: dict[int, float], silent: set[str]) -> None:
        with override("en"):
            self.stdout.write(f"{'channel':<20} {'outcome':<14} {'ms':>8}  {_('remarks')}")
            for row in rows:
                dead = row.channel in silent
                spent = f"{1000 * ended[row.pk]:.0f}" if row.pk in ended and not dead else "-"
                outcome = "dead" if dead else row.get_state_display()
                remark = "rehearsal" if row.rehearsal and not dead else row.words
                self.stdout.write(f"{row.channel:<20} {outcome:<14} {spent:>8}  {remark}")

    def _what_was_left(self, result: switchoff.Result) -> None:
        """What still reached whom and how fast, and what would have been lost."""
        with override("en"):
            self.stdout.write(
                f"{'way':<20} {'owner':<10} {'reached':>9} {'lost':>9} {'first s':>8} {'last s':>8}  passes on its way"
            )
            for row in result.rows:
                hops = ", ".join(f"{_(hop.name)} ({hop.where})" for hop in row.hops) or "the city alone"
                self.stdout.write(
                    f"{row.channel:<20} {'city' if row.city else 'commercial':<10} "
                    f"{_number(row.reached, counted=row.countable):>9} {_number(row.lost, counted=row.countable):>9} "
                    f"{_time(row.first):>8} {_time(row.last):>8}  {hops}{': ' + row.why_words if row.why else ''}"
                )
            self.stdout.write(f"Reached: {result.reached}. Not reached: {result.lost}.")


def _number(value: int | None, *, counted: bool) -> str:
    if not counted:
        return "-"
    return "?" if value is None else str(value)


def _time(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
