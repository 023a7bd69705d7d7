"""The page of the record: in words, by officer, action, subject and time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alerts import approval, audit, drafting
from alerts.models import AuditEntry, Message
from tests import city

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]
WRONG = "Die Straße ist falsch geschrieben."


@pytest.fixture
def message(anna: User, bert: User) -> Message:
    draft = city.submitted(anna)
    approval.send_back(draft.pk, bert, WRONG)
    draft.refresh_from_db()
    draft = approval.submit(draft.pk, draft.version, anna)
    message = approval.approve(draft.pk, draft.digest, bert)
    assert message is not None
    return message


def lines(client: Client, **asked: str) -> list[Any]:
    answer = client.get("/desk/record/", asked)
    assert answer.status_code == 200
    return [line.entry.action for line in answer.context["lines"]]


def body(client: Client, **asked: str) -> str:
    return client.get("/desk/record/", asked).content.decode()


def test_it_is_in_words_and_leads_to_what_it_is_about(page_of: Browser, bert: User, message: Message) -> None:
    found = body(page_of(bert))
    for words in ("Zurückgegeben", WRONG, "Begründung:", "Prüfsumme:", "Bombenfund: Verlassen Sie das Gebiet"):
        assert words in found
    assert f'href="/desk/drafts/{message.draft_id}/"' in found
    assert "version:" not in found
    assert "False" not in found


def test_by_officer_action_and_subject(page_of: Browser, anna: User, bert: User, message: Message) -> None:
    client = page_of(bert)
    assert set(lines(client, officer="bert")) == {"returned", "approved", "logged-in"}
    assert lines(client, officer="bert", action="returned") == ["returned"]
    assert "released" in lines(client, officer="belfry")
    other = city.drafted(anna)
    assert set(lines(client, subject=drafting.subject(other))) == {"draft-new", "draft-saved"}


def test_by_time(page_of: Browser, bert: User, message: Message) -> None:
    client = page_of(bert)
    soon = f"{timezone.localtime() + dt.timedelta(minutes=5):%Y-%m-%dT%H:%M}"
    assert lines(client, since=soon) == []
    assert "Keine Zeile passt." in body(client, since=soon)
    assert "approved" in lines(client, until=soon)


@pytest.mark.parametrize(
    "asked",
    [
        {"since": "gestern"}, {"until": "9999-99-99T99:99"}, {"officer": "niemand"}, {"action": "<script>"},
        {"subject": "x" * 100_000}, {"subject": "\x00"},
    ],
)  # fmt: skip
def test_what_can_not_be_asked_is_told_at_its_field(
    page_of: Browser, bert: User, message: Message, asked: dict[str, str]
) -> None:
    answer = page_of(bert).get("/desk/record/", asked)
    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert "<script>" not in answer.content.decode().replace('<script src="', "")


def test_the_filter_stays_from_page_to_page(page_of: Browser, anna: User, bert: User) -> None:
    for number in range(120):
        audit.record(anna, "draft-saved", f"draft {number} of alert 1")
    found = body(page_of(bert), officer="anna", page="2")
    assert "?officer=anna&amp;page=3" in found
    assert "?officer=anna&amp;page=1" in found
    assert len(lines(page_of(bert), officer="anna", page="2")) == 50


def test_two_thousand_alerts_take_no_more_queries_than_one(page_of: Browser, bert: User, message: Message) -> None:
    client = page_of(bert)
    client.get("/desk/record/")

    def asked() -> int:
        with CaptureQueriesContext(connection) as found:
            assert client.get("/desk/record/").status_code == 200
        return len(found)

    few = asked()
    AuditEntry.objects.bulk_create(
        AuditEntry(
            number=1000 + number,
            at=timezone.now(),
            actor="anna",
            action="released",
            subject=f"draft {number} of alert {number}",
            previous="0" * 64,
            hash=f"{number:064d}",
        )
        for number in range(2000)
    )
    assert asked() == few


def test_a_hostile_line_runs_nowhere(page_of: Browser, bert: User) -> None:
    audit.record(None, "<script>alert(1)</script>", "<img src=x>", **{"<b>": ["<script>alert(2)</script>"]})
    found = body(page_of(bert))
    for start in ("<script>alert", "<img", "<b><"):
        assert start not in found
