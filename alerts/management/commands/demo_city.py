"""``manage.py demo_city``: districts, officers, templates and an exercise approved in advance, to try Belfry out."""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError

from alerts import approval, drafting
from alerts.checks import DEMO_DOMAIN, on_loopback
from alerts.content import District
from alerts.demo import load_demo_areas
from alerts.desk import gaps
from alerts.models import Area, Draft, DraftState, ReleasePlan
from alerts.readymade import templates
from alerts.readymade.loading import load
from alerts.terms import Status

OFFICERS = (
    ("anna.autorin", "Anna", "Autorin", "author"),
    ("karl.pruefer", "Karl", "Prüfer", "approver"),
    ("vera.verwaltung", "Vera", "Verwaltung", "administrator"),
    ("ulf.verwaltung", "Ulf", "Verwaltung", "administrator"),
    ("bea.beobachtung", "Bea", "Beobachtung", "observer"),
    ("udo.uebung", "Udo", "Übung", "drill leader"),
)


class Command(BaseCommand):
    help = "Load the demo city. Can run again: it adds what is missing and changes nothing that is there."

    def handle(self, **_options: Any) -> None:
        if not settings.DEMO or not on_loopback():
            raise CommandError("The demo city is for BELFRY_DEMO=1 on this machine's loopback address only.")
        if not Area.objects.exists():
            load_demo_areas()
        load()
        self._officers()
        self._exercise()

    def _officers(self) -> None:
        """Officers of every role, each with a password of this installation, kept where only its owner reads it."""
        user = get_user_model()
        lines = []
        for name, first, last, role in OFFICERS:
            if user.objects.filter(username=name).exists():
                continue
            password = "-".join(secrets.token_hex(2) for _ in range(3))
            officer = user.objects.create_user(
                name, f"{name}{DEMO_DOMAIN}", password, first_name=first, last_name=last, is_staff=True
            )
            officer.groups.add(Group.objects.get(name=role))
            lines.append(f"{name}  {password}  ({role})\n")
        if lines:
            path = settings.DATA / "demo_logins.txt"
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
                file.writelines(lines)

    def _exercise(self) -> None:
        """An exercise, written by one officer and approved by another, ready for ``manage.py drill``."""
        if Draft.objects.filter(plan=ReleasePlan.DRILL, state=DraftState.APPROVED).exists():
            return
        user = get_user_model()
        author, approver = user.objects.get(username=OFFICERS[0][0]), user.objects.get(username=OFFICERS[1][0])
        centre = Area.objects.filter(parent__isnull=False, active=True).order_by("order", "pk").first()
        centre = centre or Area.objects.filter(active=True).order_by("order", "pk").first()
        if centre is None:
            return
        ready = next(ready for ready in templates() if ready.content.exercise)
        content = replace(
            gaps.fill(ready.content, {"place": centre.name}),
            place=centre.name,
            districts=(District(centre.code, centre.name),),
        )
        draft = drafting.new(author, status=Status.EXERCISE)
        draft = drafting.save(draft.pk, draft.version, content, author, plan=ReleasePlan.DRILL)
        draft = approval.submit(draft.pk, draft.version, author)
        approval.approve(draft.pk, draft.digest, approver)
