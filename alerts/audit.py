"""The append-only record: each line is chained by hash to the one before it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from .content import digest
from .models import AuditEntry, AuditHead

SYSTEM = "belfry"


def record(by: User | None, action: str, subject: str, **data: Any) -> AuditEntry:
    """Append a line, in the caller's transaction: what was done and its line stand or fall together.

    ``by`` None means Belfry itself. ``data`` holds JSON values without contact data.
    """
    with transaction.atomic():
        AuditHead.objects.get_or_create(pk=1)
        head = AuditHead.objects.select_for_update().get(pk=1)
        line = AuditEntry(
            number=head.number + 1,
            at=timezone.now(),
            actor=by.get_username() if by else SYSTEM,
            action=action,
            subject=subject,
            data=data,
            previous=head.hash,
        )
        line.hash = line_hash(line)
        line.save(force_insert=True)
        AuditHead.objects.filter(pk=1).update(number=line.number, hash=line.hash)
    return line


def ends_with(by: User, action: str, subject: str) -> bool:
    """Whether the newest line about ``subject`` is this one of this officer."""
    last = AuditEntry.objects.filter(subject=subject).order_by("-number").values_list("actor", "action").first()
    return last == (by.get_username(), action)


def line_hash(line: AuditEntry) -> str:
    """SHA-256 over the canonical JSON of the line and the hash before it."""
    return digest(
        {
            "number": line.number,
            "at": line.at.astimezone(dt.UTC).isoformat(timespec="microseconds"),
            "actor": line.actor,
            "action": line.action,
            "subject": line.subject,
            "data": line.data,
            "previous": line.previous,
        }
    )


def head() -> tuple[int, str]:
    """Number and hash of the newest line: what is kept elsewhere to prove that nothing was cut off."""
    row = AuditHead.objects.filter(pk=1).first()
    return (row.number, row.hash) if row else (0, "0" * 64)


def faults() -> Iterator[str]:
    """What is wrong with the chain, in plain words; nothing where it is whole."""
    previous, number = "0" * 64, 0
    for line in AuditEntry.objects.order_by("number").iterator(chunk_size=500):
        if line.number != number + 1:
            yield f"Lines {number + 1} to {line.number - 1} are missing."
        if line.previous != previous:
            yield f"Line {line.number} does not follow the line before it."
        if line_hash(line) != line.hash:
            yield f"Line {line.number} was changed after it was written."
        previous, number = line.hash, line.number
    if head() != (number, previous):
        yield f"The record ends at line {number}, but its head says {head()[0]}: lines were cut off or added."
