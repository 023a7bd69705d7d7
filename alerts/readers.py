"""Who has a draft open now, so that two officers on one draft see each other."""

from __future__ import annotations

import datetime as dt

from django.contrib.auth.models import User
from django.utils import timezone

from .models import Draft, Reader

PRESENT = dt.timedelta(seconds=35)
"""So long after a page was last heard of, its officer counts as there: three of its polls and some."""
WRITING = dt.timedelta(seconds=60)


def seen(draft: Draft, officer: User, *, wrote: bool = False) -> None:
    """This officer has the draft open; ``wrote`` where something in it was changed just now."""
    now = timezone.now()
    fresh = {"seen_at": now, "wrote_at": now} if wrote else {"seen_at": now}
    Reader.objects.update_or_create(draft=draft, officer=officer, defaults=fresh)


def left(draft: Draft, officer: User) -> None:
    """This officer has closed it, as far as can be known."""
    Reader.objects.filter(draft=draft, officer=officer).delete()


def others(draft: Draft, officer: User) -> list[Reader]:
    """The other officers who have it open, whoever wrote last first."""
    rows = Reader.objects.filter(draft=draft, seen_at__gt=timezone.now() - PRESENT).exclude(officer=officer)
    return sorted(rows.select_related("officer"), key=lambda row: row.wrote_at or row.seen_at, reverse=True)


def writes(reader: Reader) -> bool:
    """Whether he changed something within the last minute."""
    return reader.wrote_at is not None and reader.wrote_at > timezone.now() - WRITING
