"""What time alone moves: releases whose hour has come, drafts that can no longer go out. Upkeep calls these."""

from __future__ import annotations

import logging

from django.db import OperationalError
from django.utils import timezone

from . import approval
from .models import Draft, DraftState, ReleasePlan
from .people import Refused

log = logging.getLogger(__name__)


def release_due() -> int:
    """Release what is scheduled for now or earlier. Returns how many were released."""
    count = 0
    due = Draft.objects.filter(state=DraftState.APPROVED, plan=ReleasePlan.AT, release_at__lte=timezone.now())
    for pk in due.values_list("pk", flat=True):
        try:
            approval.release(pk)
            count += 1
        except Refused:
            continue  # lapsed with an alarm, or another upkeep was quicker
        except OperationalError:
            raise
        except Exception:
            log.exception("draft %s can't be released; the others go on", pk)
    return count


def lapse_overdue() -> int:
    """Lapse what waits and can no longer go out as it was submitted. Returns how many did."""
    count = 0
    for pk in Draft.objects.filter(state__in=[DraftState.SUBMITTED, DraftState.APPROVED]).values_list("pk", flat=True):
        try:
            count += approval.lapse_if_gone(pk)
        except OperationalError:
            raise
        except Exception:
            log.exception("draft %s can't be looked at; the others go on", pk)
    return count


def lapse_scheduled(reason: str) -> None:
    """Lapse what was approved for a set time; after a restore, since it may have gone out already."""
    for pk in Draft.objects.filter(state=DraftState.APPROVED, plan=ReleasePlan.AT).values_list("pk", flat=True):
        approval.lapse(pk, reason)
