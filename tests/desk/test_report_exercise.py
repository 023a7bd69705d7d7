"""Every page of the desk that belongs to an exercise wears its frame, its line and its word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from alerts import approval
from alerts.models import Message, ReleasePlan
from alerts.terms import Status
from channels import fanout, jobs
from channels.models import Delivery, Post, State
from tests import city
from tests.desk.conftest import with_roles

pytestmark = pytest.mark.django_db

NO_ORDER = ("report-print", "sent", "outbox-posts")
"""Pages that show or print what went out: of an exercise, never the order itself."""
Browser = Callable[[User], Client]


@pytest.fixture
def olga(desk: None) -> User:
    """One who may do everything, so that every page opens."""
    user = with_roles("olga", "author", "approver", "administrator")
    user.user_permissions.set(Permission.objects.filter(codename__in=["break_glass", "open_gate"]))
    return User.objects.get(pk=user.pk)


def carried_out(message: Message) -> None:
    for delivery in fanout.plan(message.pk):
        if delivery.site:
            jobs.deliver(delivery.pk)
    fanout.open_if_live(message.pk)
    for delivery in message.deliveries.filter(state=State.WAITING):
        jobs.deliver(delivery.pk)


def pages(anna: User, bert: User, status: str, folder: Path, address: str) -> dict[str, str]:
    """Every page about one alert: being written, submitted, approved, withdrawn, live."""
    written = city.drafted(anna, status=status, facts_at=None)
    submitted = city.submitted(anna, status=status)
    exercise = status == Status.EXERCISE
    kept = city.submitted(anna, status=status, **({"plan": ReleasePlan.DRILL, "facts_at": None} if exercise else {}))
    if exercise:
        approval.approve(kept.pk, kept.digest, bert)
    message = city.released(anna, bert, status=status)
    shut = city.released(anna, bert, status=status)
    carried_out(message)
    post = Post.objects.filter(delivery__message=message, delivery__channel="stage")[0]
    hand = Delivery.objects.create(
        message=shut, channel="stage", queue="", city=False, due_at=shut.sent, state="by-hand"
    )
    slug = message.alert.slug
    (folder / "mail").mkdir(exist_ok=True)
    (folder / "mail" / f"{status}.eml").write_text(f"To: a@b.example\n\n{address}/alerts/{slug}/")
    found = {
        "new": f"new/?status={status}",
        "write": f"drafts/{written.pk}/",
        "break-glass": f"drafts/{written.pk}/break-glass/",
        "approve": f"drafts/{submitted.pk}/",
        "return": f"drafts/{submitted.pk}/return/",
        "live": f"alert/{slug}/",
        "gate": f"messages/{shut.pk}/gate/",
        "retract": f"posts/{post.pk}/retract/",
        "posted": f"deliveries/{hand.pk}/posted/",
        "report": f"alert/{slug}/report/",
        "report-print": f"alert/{slug}/report/print/",
        "sent": f"alert/{slug}/sent/1/",
        "outbox-posts": f"outbox/posts/{'?show=exercises' if exercise else ''}",
        "outbox-reading": f"outbox/mail/{status}.eml/",
    }
    if exercise:
        found |= {
            "kept-ready": f"drafts/{kept.pk}/",
            "withdraw": f"drafts/{kept.pk}/withdraw/",
            "reach-drill": f"reach/{slug}/",
        }
    return found


@pytest.mark.parametrize("status", [Status.EXERCISE, Status.ACTUAL])
def test_every_page_of_an_exercise_wears_the_frame_and_no_other(
    page_of: Browser, olga: User, anna: User, bert: User, status: str, settings: Any, tmp_path: Path
) -> None:
    settings.DATA = tmp_path
    settings.CHANNELS = {**settings.CHANNELS, "stage": {"adapter": "tests.channels.fakes.Commercial"}}
    client = page_of(olga)
    wrong, orders = [], []
    for name, address in pages(anna, bert, status, tmp_path, settings.ADDRESS).items():
        answer = client.get(f"/desk/{address}")
        assert answer.status_code == 200, name
        found = answer.content.decode()
        body = found[found.index("<body") :]
        framed = "is-exercise" in body[: body.index(">")]
        if framed is not (status == Status.EXERCISE) or (framed and "ÜBUNG" not in body):
            wrong.append(name)
        if name in NO_ORDER and "Verlassen Sie" in found:
            orders.append(name)
    assert wrong == []
    assert orders == ([] if status == Status.EXERCISE else [*NO_ORDER])
