"""One mail in the hands of one process: every write says that it still is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from ..models import Draft, Intake, IntakeState

if TYPE_CHECKING:
    from .answers import Answer


class Lost(Exception):
    """The lease ran out and somebody else has the mail now."""


@dataclass
class Job:
    intake: Intake

    def mine(self, **changes: Any) -> None:
        """Write to the row; raises Lost where it is no longer ours, which undoes the caller's transaction."""
        rows = Intake.objects.filter(pk=self.intake.pk, lease=self.intake.lease, done_at__isnull=True)
        if rows.update(**changes) != 1:
            raise Lost
        for name, value in changes.items():
            setattr(self.intake, name, value)

    def tie(self, draft: Draft) -> None:
        """This draft is what the mail made; in the transaction that makes it."""
        self.mine(draft=draft)

    def done(self, state: str, words: str, answer: Answer | None = None, **changes: Any) -> None:
        """Over: the outcome and the answer that is owed, in one write."""
        officer = changes.get("officer") or self.intake.officer
        if answer is not None and officer is not None:
            # at the enrolled address, whatever the mail says of where to answer
            changes |= answer.owed(officer)
        self.mine(state=state, words=words, done_at=timezone.now(), lease_until=None, **changes)

    def put_off(self, wait: dt.timedelta, **changes: Any) -> None:
        if self.intake.done_at is None:
            rows = Intake.objects.filter(pk=self.intake.pk, lease=self.intake.lease, done_at__isnull=True)
            rows.update(lease_until=timezone.now() + wait, **changes)

    @property
    def again(self) -> bool:
        """Whether somebody was at it before."""
        return self.intake.tries > 1

    @property
    def taken(self) -> bool:
        return self.intake.state == IntakeState.TAKEN
