"""Other people's warnings at the desk: seen, acknowledged, taken over; sources kept by administrators alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils import timezone

from alerts.content import to_json
from alerts.desk import incoming
from alerts.models import AuditEntry, Draft, Incoming, ItemState, Source, SourceKind
from tests import city
from tests.desk.conftest import with_roles

pytestmark = pytest.mark.django_db
Browser = Callable[[User], Client]


@pytest.fixture
def source(desk: None) -> Source:
    return Source.objects.create(name="Lagezentrum", kind=SourceKind.ATOM, url="https://feeds.example/feed")


def item(source: Source, identifier: str = "lst.1", **changes: Any) -> Incoming:
    now = timezone.now()
    given = {
        "source": source, "identifier": identifier, "event": "lst.1", "sender": "lst.example", "sent": now,
        "expires": now + timedelta(hours=2), "msg_type": "Alert", "severity": "Severe", "headline": "Brand <b>hier</b>",
        "area": "Zentrum", "content_json": to_json(city.content(severity="Severe")),
    }  # fmt: skip
    return Incoming.objects.create(**given | changes)


def first_screen(user: User) -> str:
    request = RequestFactory().get("/desk/")
    request.user = user
    return incoming.first_screen(request).wide


def test_the_first_screen_counts_events_and_offers_both_steps(source: Source, anna: User) -> None:
    item(source)
    item(Source.objects.create(name="NINA", kind=SourceKind.NINA, url="https://n.example/"), "mow.lst.1")
    item(source, "lst.9", event="lst.9", state=ItemState.SEEN)
    panel = first_screen(anna)
    assert "1 unbestätigt" in panel or "1 unacknowledged" in panel
    assert "NINA, Lagezentrum" in panel
    assert "Brand &lt;b&gt;hier&lt;/b&gt;" in panel
    assert panel.count("<form") == 2


def test_an_observer_sees_them_and_has_no_buttons(source: Source) -> None:
    item(source)
    panel = first_screen(with_roles("olaf", "observer"))
    assert "Brand" in panel
    assert "<form" not in panel


def test_without_sources_the_first_screen_has_no_such_panel(anna: User) -> None:
    assert first_screen(anna) == ""


def test_acknowledging_is_a_post_and_names_who_did_it(source: Source, bert: User, page_of: Browser) -> None:
    one, client = item(source), page_of(bert)
    client.get(f"/desk/incoming/{one.pk}/acknowledge/")
    one.refresh_from_db()
    assert one.state == ItemState.NEW
    answer = client.post(f"/desk/incoming/{one.pk}/acknowledge/", {"from": "index"})
    assert answer["Location"] == "/desk/"
    one.refresh_from_db()
    assert (one.state, one.seen_by) == (ItemState.SEEN, bert)
    assert AuditEntry.objects.filter(action="incoming-seen", actor="bert").count() == 1
    client.post(f"/desk/incoming/{one.pk}/acknowledge/")
    assert AuditEntry.objects.filter(action="incoming-seen").count() == 1


def test_one_step_leads_into_the_draft_and_names_what_is_missing(
    source: Source, anna: User, page_of: Browser, settings: Any
) -> None:
    settings.REQUIRED_LANGUAGES = ["de", "de-simple"]
    one, client = item(source), page_of(anna)
    answer = client.post(f"/desk/incoming/{one.pk}/draft/", follow=True)
    draft = Draft.objects.get()
    assert answer.redirect_chain[-1][0] == f"/desk/drafts/{draft.pk}/"
    assert "Leichte Sprache" in answer.content.decode()
    assert f"/desk/drafts/{draft.pk}/" in client.get(f"/desk/incoming/{one.pk}/").content.decode()


def test_a_second_officer_is_told_that_it_is_a_draft_already(source: Source, anna: User, page_of: Browser) -> None:
    one = item(source)
    page_of(anna).post(f"/desk/incoming/{one.pk}/draft/")
    other = page_of(with_roles("otto", "author")).post(f"/desk/incoming/{one.pk}/draft/", follow=True)
    assert str(Draft.objects.get().pk) in other.content.decode()
    assert Draft.objects.count() == 1


def test_an_approver_can_not_take_it_over(source: Source, bert: User, page_of: Browser) -> None:
    answer = page_of(bert).post(f"/desk/incoming/{item(source).pk}/draft/")
    assert answer.status_code == 403
    assert not Draft.objects.exists()


def test_the_page_of_a_warning_escapes_it_and_says_what_is_wrong_with_its_signature(
    source: Source, anna: User, page_of: Browser
) -> None:
    older = item(source, state=ItemState.OVERTAKEN, signature="bad")
    newer = item(source, "lst.2", headline="Neuer")
    text = page_of(anna).get(f"/desk/incoming/{older.pk}/").content.decode()
    assert "<b>hier</b>" not in text
    assert "note-bad" in text
    assert f"/desk/incoming/{newer.pk}/" in text
    assert "Bombenfund: Verlassen Sie das Gebiet" in text


def test_the_list_tells_waiting_holding_and_past_apart(source: Source, anna: User, page_of: Browser) -> None:
    item(source)
    item(source, "b", event="b", state=ItemState.SEEN, seen_by=anna, seen_at=timezone.now())
    item(source, "c", event="c", expires=timezone.now() - timedelta(minutes=1))
    context = page_of(anna).get("/desk/incoming/").context
    assert [event.item.identifier for event in context["waiting"]] == ["lst.1"]
    assert [event.item.identifier for event in context["holding"]] == ["b"]
    assert [row.identifier for row in context["lately"]] == ["c"]


def test_the_most_dangerous_stands_first(source: Source, anna: User, page_of: Browser) -> None:
    item(source)
    item(source, "x", event="x", severity="Extreme", content_json=to_json(city.content(severity="Extreme")))
    waiting = page_of(anna).get("/desk/incoming/").context["waiting"]
    assert [event.item.identifier for event in waiting] == ["x", "lst.1"]


FORM = {"name": "Land", "kind": "atom", "url": "https://feeds.example/a", "least": "Severe", "seconds": "60",
        "escalate": "5", "words": "Hochwasser\n\nSturm ", "active": "on"}  # fmt: skip


def test_an_administrator_enters_and_changes_a_source(carla: User, page_of: Browser) -> None:
    client = page_of(carla)
    assert client.post("/desk/sources/new/", FORM)["Location"] == "/desk/sources/"
    made = Source.objects.get()
    assert (made.events, made.escalate, made.active) == (["Hochwasser", "Sturm"], 5, True)
    Source.objects.update(etag='"7"', failures=4)
    client.post(f"/desk/sources/{made.pk}/", {**FORM, "active": ""})
    made.refresh_from_db()
    assert (made.active, made.etag, made.failures) == (False, "", 0)
    assert "Land" in client.get("/desk/sources/").content.decode()


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://feeds.example/"}, {"url": "https://10.0.0.1/"}, {"url": "https://localhost/"},
        {"url": "https://a:b@feeds.example/"}, {"url": "file:///etc/passwd"}, {"seconds": "0"},
        {"escalate": "0"}, {"escalate": "99999"}, {"name": ""}, {"kind": "gopher"},
    ],
)  # fmt: skip
def test_a_source_that_can_not_be_asked_is_refused(changes: dict[str, str], carla: User, page_of: Browser) -> None:
    answer = page_of(carla).post("/desk/sources/new/", FORM | changes)
    assert answer.status_code == 422
    assert not Source.objects.exists()


def test_nobody_else_changes_sources(source: Source, anna: User, page_of: Browser) -> None:
    client = page_of(anna)
    for path in ("/desk/sources/new/", f"/desk/sources/{source.pk}/"):
        assert client.post(path, FORM).status_code == 403
    assert "Lagezentrum" in client.get("/desk/sources/").content.decode()
