"""How many queries each page of the desk takes: a fixed number, however many alerts, drafts and officers there are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from alerts import approval, drafting
from alerts.models import Draft, Message
from alerts.terms import Kind
from channels import fanout
from tests import city
from tests.desk.conftest import with_roles

pytestmark = pytest.mark.django_db

ROLES = ("author", "approver", "administrator", "drill leader")
MOST = {
    "first screen": 26,
    "alerts": 10,
    "new": 8,
    "compose": 27,
    "who reads": 13,
    "approve": 23,
    "break-glass": 14,
    "live": 24,
    "progress": 16,
    "report": 19,
    "deliveries": 5,
    "channels": 10,
    "record": 7,
    "office": 6,
    "officers": 14,
    "templates": 6,
    "drill": 7,
    "access": 8,
    "help": 3,
}
"""Queries that a page may take, log-in and session among them."""


def grow(anna: User, bert: User, count: int) -> None:
    """So many alerts, each with deliveries and an update that waits, a draft that is written, and another officer."""
    for _number in range(count):
        message = city.released(anna, bert)
        fanout.plan(message.pk)
        update = drafting.derive(message, Kind.UPDATE, anna)
        approval.submit(update.pk, update.version, anna)
        city.drafted(anna)
        with_roles(f"officer{Message.objects.count()}", "author", "approver")


def addresses() -> dict[str, str]:
    message = Message.objects.order_by("pk").first()
    waiting = Draft.objects.filter(state="submitted").order_by("pk").first()
    written = Draft.objects.filter(state="draft").order_by("pk").first()
    assert message is not None
    assert waiting is not None
    assert written is not None
    slug = message.alert.slug
    return {
        "first screen": "",
        "alerts": "alert/",
        "new": "new/",
        "compose": f"drafts/{written.pk}/",
        "who reads": f"drafts/{written.pk}/readers/",
        "approve": f"drafts/{waiting.pk}/",
        "break-glass": f"drafts/{written.pk}/break-glass/",
        "live": f"alert/{slug}/",
        "progress": f"alert/{slug}/progress/1/",
        "report": f"alert/{slug}/report/",
        "deliveries": "deliveries/",
        "channels": "channels/",
        "record": "record/",
        "office": "office/",
        "officers": "officers/",
        "templates": "templates/",
        "drill": "drill/",
        "access": "access/",
        "help": "help/",
    }


def counted(client: Client, address: str) -> int:
    client.get(f"/desk/{address}")  # what is read once only (content types, sessions) is read now
    with CaptureQueriesContext(connection) as queries:
        assert client.get(f"/desk/{address}").status_code == 200, address
    return len(queries)


def test_no_page_asks_more_of_the_database_when_there_is_more(
    page_of: Callable[[User], Client], anna: User, bert: User
) -> None:
    client = page_of(with_roles("olga", *ROLES))
    grow(anna, bert, 2)
    pages = addresses()
    few = {name: counted(client, address) for name, address in pages.items()}
    grow(anna, bert, 4)
    many = {name: counted(client, address) for name, address in pages.items()}
    assert {name: (few[name], many[name]) for name in pages if many[name] > few[name]} == {}
    assert {name: count for name, count in many.items() if count > MOST[name]} == {}
