"""``/healthz``: 503 when a worker, upkeep, the database, Redis or a disk is stale, and what it is."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import django_rq
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models.functions import Now
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError
from rq import Worker

from .models import Heartbeat

STALE = dt.timedelta(seconds=30)
ROOM = 200_000_000
"""Bytes that must be free on the disk of data and public pages."""
QUEUES = ("site", "city-urgent", "city", "commercial")


@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    """200 with ``{"ok": true}``, or 503 with the names of what is stale; no detail that helps an attacker."""
    stale = list(what_is_stale())
    return JsonResponse({"ok": not stale, "stale": stale}, status=503 if stale else 200)


def what_is_stale() -> Iterator[str]:
    """The parts that don't work: ``database``, ``upkeep``, ``redis``, ``worker <queue>``, ``disk <folder>``."""
    try:
        if not Heartbeat.objects.filter(name="upkeep", at__gt=Now() - STALE).exists():
            yield "upkeep"
    except DatabaseError:
        connection.close()
        yield "database"
    try:
        served = {name for worker in Worker.all(django_rq.get_connection("site")) for name in worker.queue_names()}
        yield from (f"worker {name}" for name in QUEUES if name not in served)
    except (RedisError, OSError):
        yield "redis"
    for name, folder in (("data", settings.DATA), ("public", settings.PUBLIC_DIR)):
        if not _has_room(Path(folder)):
            yield f"disk {name}"


def _has_room(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free > ROOM
    except OSError:
        return False
