"""The first screen, lists, alarms and the record."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from alerts import alarms, approval, audit, drafting
from alerts.models import Alarm, Draft, Message, ReleasePlan
from alerts.terms import Kind, Status
from channels import fanout
from channels.models import Delivery
from tests import city

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]


def later(**span: float) -> mock._patch[mock.MagicMock]:
    """The desk's clock, that much later."""
    return mock.patch("django.utils.timezone.now", return_value=timezone.now() + dt.timedelta(**span))


def home(client: Client) -> str:
    return client.get("/desk/").content.decode()


class TestHome:
    def test_nothing_is_said_in_words(self, page_of: Browser, anna: User) -> None:
        body = home(page_of(anna))
        assert "Zurzeit gilt in Leipzig keine Warnung." in body
        assert "Nichts wartet auf Sie." in body

    def test_a_live_alert_shows_how_long_ago_and_what_is_overdue(
        self, page_of: Browser, anna: User, bert: User
    ) -> None:
        city.released(anna, bert)
        client = page_of(anna)
        assert "Laufende Warnungen: 1" in home(client)
        with later(minutes=84):
            body = home(client)
        assert "vor 1 h 24 min" in body
        assert "seit 24 min überfällig" in body
        assert "Sagen Sie, was gilt" in body

    def test_each_draft_waits_for_whom_it_waits(self, page_of: Browser, anna: User, bert: User, carla: User) -> None:
        city.submitted(anna, place="Markt")
        city.drafted(anna, place="Ring")
        assert "Entwürfe, die auf Sie warten: 1" in home(page_of(bert))
        assert "Prüfen" in home(page_of(bert))
        assert "Entwürfe, die auf Sie warten: 2" in home(page_of(anna))
        assert "Weiterschreiben" in home(page_of(anna))
        assert "Nichts wartet auf Sie." in home(page_of(carla))

    def test_a_draft_upon_an_overtaken_message_waits_for_nobody(self, page_of: Browser, anna: User, bert: User) -> None:
        message = city.released(anna, bert)
        drafting.derive(message, Kind.UPDATE, anna)
        city.followed(message, Kind.UPDATE, anna, bert)
        assert "Nichts wartet auf Sie." in home(page_of(anna))

    def test_what_ran_out_without_an_all_clear_is_told(self, page_of: Browser, anna: User, bert: User) -> None:
        city.released(anna, bert)
        with later(hours=5):
            body = home(page_of(anna))
        assert "Ohne Entwarnung abgelaufen" in body
        assert "Laufende Warnungen: 0" in body

    def test_an_exercise_stands_apart(self, page_of: Browser, anna: User, bert: User) -> None:
        draft = city.submitted(anna, status=Status.EXERCISE)
        approval.approve(draft.pk, draft.digest, bert)
        body = home(page_of(anna))
        assert "Laufende Übungen: 1" in body
        assert "Laufende Warnungen: 0" in body

    def test_only_writers_are_offered_a_new_alert(self, page_of: Browser, anna: User, bert: User) -> None:
        assert "Neue Warnung" in home(page_of(anna))
        assert "Neue Warnung" not in home(page_of(bert))

    def test_the_number_of_queries_does_not_grow_with_the_archive(
        self, page_of: Browser, anna: User, bert: User, django_assert_max_num_queries: Callable[[int], object]
    ) -> None:
        for _number in range(4):
            city.followed(city.released(anna, bert), Kind.ALL_CLEAR, anna, bert)
        client = page_of(bert)
        home(client)
        with django_assert_max_num_queries(40):  # type: ignore[attr-defined]
            home(client)


class TestAlarms:
    def test_an_alarm_stands_on_every_page_until_it_is_put_aside(self, page_of: Browser, anna: User) -> None:
        alarms.sound("test", "Die Seite antwortet nicht.")
        client = page_of(anna)
        for address in ("/desk/", "/desk/alert/", "/desk/new/", "/desk/auth/user/", "/desk/password_change/"):
            assert "Die Seite antwortet nicht." in client.get(address).content.decode(), address
        client.get("/desk/alarm/")
        assert Alarm.objects.filter(ended_at__isnull=True, key="test").exists()
        client.post("/desk/alarm/", {"alarm": str(Alarm.objects.get(key="test").pk)})
        assert "Die Seite antwortet nicht." not in home(client)
        assert Alarm.objects.get(key="test").ended_by == anna

    @pytest.mark.parametrize("number", ["", "x", "-1", "9" * 30])
    def test_nonsense_is_no_alarm(self, page_of: Browser, anna: User, number: str) -> None:
        assert page_of(anna).post("/desk/alarm/", {"alarm": number}).status_code == 404

    def test_the_log_in_page_tells_strangers_nothing(self, client: Client, desk: None) -> None:
        alarms.sound("test", "Die Seite antwortet nicht.")
        assert "Die Seite" not in client.get("/desk/login/").content.decode()


class TestLists:
    def test_alerts_and_drafts_without_release_are_listed(self, page_of: Browser, anna: User, bert: User) -> None:
        message = city.released(anna, bert)
        draft = city.drafted(anna)
        body = page_of(bert).get("/desk/alert/").content.decode()
        assert f"/desk/alert/{message.alert.slug}/" in body
        assert f"/desk/drafts/{draft.pk}/" in body

    def test_the_record_is_in_words_and_by_subject(self, page_of: Browser, anna: User, bert: User) -> None:
        message = city.released(anna, bert)
        body = page_of(bert).get("/desk/record/").content.decode()
        assert "Freigegeben" in body
        subject = drafting.subject(message.draft)
        body = page_of(bert).get("/desk/record/", {"subject": subject}).content.decode()
        assert subject in body
        assert not list(audit.faults())

    @pytest.mark.parametrize("address", ["/desk/alert/", "/desk/record/", "/desk/deliveries/"])
    @pytest.mark.parametrize("number", ["0", "-1", "x", "99999"])
    def test_a_page_that_is_not_there_is_the_nearest_one(
        self, page_of: Browser, anna: User, address: str, number: str
    ) -> None:
        assert page_of(anna).get(address, {"page": number}).status_code == 200

    def test_what_is_not_there_is_not_found(self, page_of: Browser, anna: User) -> None:
        client = page_of(anna)
        for address in ("/desk/drafts/999/", "/desk/alert/bcdfg/", "/desk/messages/9/gate/", "/desk/nothing/"):
            answer = client.get(address)
            assert answer.status_code in {403, 404}, address
            assert 'class="desk' in answer.content.decode(), "in the desk's own frame"


class TestLanguages:
    def test_german_stands_first(self, client: Client) -> None:
        assert "Anmelden" in client.get("/desk/login/").content.decode()

    def test_english_by_choice(self, page_of: Browser, anna: User) -> None:
        client = page_of(anna)
        client.post("/i18n/setlang/", {"language": "en", "next": "/desk/"})
        assert "New alert" in client.get("/desk/", headers={"accept-language": "de"}).content.decode()


def test_a_message_page_has_all_messages(page_of: Browser, anna: User, bert: User) -> None:
    message = city.released(anna, bert)
    city.followed(message, Kind.ALL_CLEAR, anna, bert)
    body = page_of(anna).get(f"/desk/alert/{message.alert.slug}/").content.decode()
    assert "Meldung 1:" in body
    assert "Meldung 2:" in body
    assert "Gilt nicht mehr" in body
    assert Message.objects.count() == 2
    assert Draft.objects.count() == 2


def test_the_first_screen_tells_what_the_last_drill_came_to(page_of: Browser, anna: User, bert: User) -> None:
    client = page_of(anna)
    assert "Noch keine Probe" in home(client)
    draft = city.drafted(anna, status=Status.EXERCISE, plan=ReleasePlan.DRILL, facts_at=None)
    draft = approval.submit(draft.pk, draft.version, anna)
    approval.approve(draft.pk, draft.digest, bert)
    message = approval.release(draft.pk)
    first, second = fanout.plan(message.pk)
    Delivery.objects.filter(pk=first.pk).update(state="done", done_at=message.sent + dt.timedelta(seconds=41))
    Delivery.objects.filter(pk=second.pk).update(state="failed")
    body = home(client)
    assert "1 von 2 Kanälen fertig." in body
    assert ", 41,0 s." in body
