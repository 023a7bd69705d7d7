"""Put the ready-made templates into the database: add what is missing, leave alone what officers changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from .. import audit
from ..content import to_json
from ..desk import gaps
from ..models import Template, TemplateVersion
from . import Ready, templates


@dataclass(frozen=True, slots=True)
class Loaded:
    """The keys of the templates that are new, renewed, or there and left as they are."""

    new: tuple[str, ...]
    renewed: tuple[str, ...]
    kept: tuple[str, ...]


def load(*, renew: bool = False) -> Loaded:
    """Add the templates that are missing; with ``renew``, those too whose text no officer ever changed.

    Names, kind and text of a renewed one become its next version. Whether it is in use, and its place in
    the list, stay as they are.
    """
    new, renewed, kept = [], [], []
    with transaction.atomic():
        there = {row.key: row for row in Template.objects.select_for_update()}
        for ready in templates():
            row = there.get(ready.key)
            said = _said(ready)
            if row is None:
                row = Template.objects.create(key=ready.key, order=ready.order, **said)
                _version(row, 1, _("Came with Belfry"))
                new.append(ready.key)
            elif renew and _differs(row, said) and (number := _untouched(row)):
                for name, value in said.items():
                    setattr(row, name, value)
                row.save()
                _version(row, number + 1, _("Renewed with Belfry"))
                renewed.append(ready.key)
            else:
                kept.append(ready.key)
        if new or renewed:
            audit.record(None, "templates-loaded", "templates", new=new, renewed=renewed)
    return Loaded(tuple(new), tuple(renewed), tuple(kept))


def _said(ready: Ready) -> dict[str, Any]:
    """The columns that a template and its version share. Without a hotline, its gap is left to officers."""
    content = gaps.fill(ready.content, {"hotline": settings.HOTLINE})
    return {"kind": ready.kind.value, "names": ready.names, "content_json": to_json(content)}


def _differs(row: Template | TemplateVersion, said: dict[str, Any]) -> bool:
    return any(getattr(row, name) != value for name, value in said.items())


def _untouched(row: Template) -> int:
    """The number of the newest version where every one is Belfry's and the text still is what it says, else 0.

    A template without versions is one of somebody's own, or older than versions are: nobody knows who changed it.
    """
    versions = list(row.versions.order_by("number"))
    if not versions or any(version.by_id is not None for version in versions):
        return 0
    last = versions[-1]
    now = {"kind": row.kind, "names": row.names, "content_json": row.content_json}
    return 0 if _differs(last, now) else last.number


def _version(row: Template, number: int, note: str) -> None:
    TemplateVersion.objects.create(
        template=row,
        number=number,
        kind=row.kind,
        names=row.names,
        content_json=row.content_json,
        at=timezone.now(),
        note=note,
    )
