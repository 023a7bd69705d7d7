"""A drill at the desk: who may start it, with which word, and what is shown of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from alerts import approval, drills
from alerts.models import AuditEntry, Draft, DraftState, Message, ReleasePlan
from alerts.terms import Status
from channels import jobs
from channels.models import Delivery, State
from tests import city
from tests.desk.conftest import with_roles

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]


@pytest.fixture
def udo(desk: None) -> User:
    return with_roles("udo", "drill leader")


@pytest.fixture
def ready(anna: User, bert: User) -> Draft:
    """An exercise approved in advance."""
    drill = {"plan": ReleasePlan.DRILL, "facts_at": None, "valid_for": 60, "next_in": None}
    draft = city.submitted(anna, status=Status.EXERCISE, **drill)
    assert approval.approve(draft.pk, draft.digest, bert) is None
    return draft


def start(client: Client, draft: Draft, word: str = "ÜBUNG", mode: str = "all", **more: str) -> Any:
    return client.post(f"/desk/drill/{draft.pk}/", {"word": word, "mode": mode, **more})


def test_a_drill_leader_starts_what_was_approved_and_sees_what_came_of_it(
    page_of: Browser, udo: User, ready: Draft
) -> None:
    client = page_of(udo)
    assert f"/desk/drill/{ready.pk}/" in client.get("/desk/drill/").content.decode()
    assert client.get(f"/desk/drill/{ready.pk}/").status_code == 200
    answer = start(client, ready)
    message = Message.objects.get()
    assert answer["Location"] == f"/desk/reach/{message.alert.slug}/"
    line = AuditEntry.objects.get(action="drill")
    assert line.actor == "udo"
    assert drills.last([udo]) == {udo.pk: line.at}
    assert "hx-get" in client.get(answer["Location"]).content.decode(), "it looks again while channels work"
    jobs.fan_out(message.pk)
    page = client.get(answer["Location"])
    assert {row.channel for row, _hops in page.context["rows"]} == {"page", "feed"}
    assert all(row.state == State.DONE for row, _hops in page.context["rows"])
    assert "hx-get" not in page.content.decode()
    overview = client.get("/desk/drill/").content.decode()
    assert f"/desk/reach/{message.alert.slug}/" in overview
    assert f"/desk/drill/{ready.pk}/" not in overview


@pytest.mark.parametrize(("mode", "told"), [("commercial", (True, False)), ("foreign", (True, True))])
def test_a_drill_as_if_channels_were_dead(
    page_of: Browser, anna: User, bert: User, udo: User, settings: Any, mode: str, told: tuple[bool, bool]
) -> None:
    settings.CHANNELS = {**settings.CHANNELS, "board": {"adapter": "tests.channels.fakes.Commercial"}}
    drill = {"plan": ReleasePlan.DRILL, "facts_at": None, "valid_for": 60, "next_in": None}
    draft = city.submitted(anna, status=Status.EXERCISE, **drill)
    approval.approve(draft.pk, draft.digest, bert)
    start(page_of(udo), draft, mode=mode)
    line = AuditEntry.objects.get(action="drill")
    assert (line.data["commercial_dead"], line.data["foreign_dead"]) == told
    assert Delivery.objects.get(channel="board").state == State.LEFT_OUT


@pytest.mark.parametrize("role", ["author", "approver", "administrator", "observer", ""])
def test_no_other_role_starts_one(page_of: Browser, ready: Draft, role: str) -> None:
    client = page_of(with_roles("other", *([role] if role else [])))
    assert start(client, ready).status_code == 403
    assert client.get(f"/desk/drill/{ready.pk}/").status_code == 403
    assert f"/desk/drill/{ready.pk}/" not in client.get("/desk/drill/").content.decode()
    assert not Message.objects.exists()
    assert not AuditEntry.objects.filter(action="drill").exists()


@pytest.mark.parametrize(
    "form", [{"word": "LEIPZIG WARNEN"}, {"word": ""}, {"mode": "everything"}, {"mode": ""}, {"word": "<script>"}]
)
def test_without_the_exercises_word_nothing_starts(
    page_of: Browser, udo: User, ready: Draft, form: dict[str, str]
) -> None:
    assert start(page_of(udo), ready, **form).status_code == 422
    assert not Message.objects.exists()


def test_outside_the_demo_it_asks_for_the_second_factor(
    page_of: Browser, udo: User, ready: Draft, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SECOND_FACTOR = True
    monkeypatch.setattr("alerts.desk.site.Desk.has_permission", lambda _desk, _request: True)
    answer = start(page_of(udo), ready, token="000000")
    assert answer.status_code == 422
    assert not Message.objects.exists()


def test_only_what_is_ready_is_started_and_once(
    page_of: Browser, anna: User, bert: User, udo: User, ready: Draft
) -> None:
    client = page_of(udo)
    real = city.submitted(anna)
    written = city.drafted(anna, status=Status.EXERCISE, plan=ReleasePlan.DRILL)
    for draft in (real, written):
        assert start(client, draft).status_code == 302
        draft.refresh_from_db()
        assert draft.state in {DraftState.SUBMITTED, DraftState.DRAFT}
    assert client.post("/desk/drill/99999/", {"word": "ÜBUNG", "mode": "all"}).status_code == 404
    start(client, ready)
    start(client, ready)
    assert Message.objects.count() == 1
    assert AuditEntry.objects.filter(action="drill").count() == 1


def test_a_form_without_its_token_starts_nothing(udo: User, ready: Draft) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(udo)
    assert start(client, ready).status_code == 403
    assert not Message.objects.exists()
