"""The page of a live alert: what channels did, the gate, and what an officer does about failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from alerts.models import Message
from alerts.terms import Kind
from channels import batches, fanout, hold, jobs, tally
from channels.base import Permanent, Uncertain
from channels.models import Batch, Delivery, State
from tests import city
from tests.channels import fakes

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]


@pytest.fixture
def message(anna: User, bert: User, settings: Any) -> Message:
    settings.CHANNELS = {
        **settings.CHANNELS,
        "own": {"adapter": "tests.channels.fakes.Own", "label": "Mastodon", "rehearsal": False},
        "once": {"adapter": "tests.channels.fakes.Once", "label": "Sirene", "rehearsal": False},
        "shop": {"adapter": "tests.channels.fakes.Commercial", "label": "Marktplatz", "rehearsal": False},
    }
    return city.released(anna, bert)


def work(message: Message) -> None:
    """What the workers would do now."""
    for delivery in fanout.plan(message.pk):
        jobs.deliver(delivery.pk)


def page(client: Client, message: Message) -> str:
    return client.get(f"/desk/alert/{message.alert.slug}/").content.decode()


def test_the_page_before_the_workers_know_of_it(page_of: Browser, bert: User, message: Message) -> None:
    body = page(page_of(bert), message)
    assert "Zustellungen werden gerade angelegt" in body
    assert "Sperre zu" in body
    assert 'hx-trigger="every 2s"' in body


def test_each_channel_and_the_gate(page_of: Browser, bert: User, message: Message) -> None:
    work(message)
    fanout.open_if_live(message.pk)
    jobs.deliver(Delivery.objects.get(channel="shop").pk)
    body = page(page_of(bert), message)
    assert body.count("fertig") >= 5
    assert "Sperre offen" in body
    assert "Kommerzielle Kanäle" in body
    assert "hx-trigger" not in body, "nothing is left to wait for"


def test_the_part_that_htmx_asks_for_is_a_part(page_of: Browser, bert: User, message: Message) -> None:
    work(message)
    address = f"/desk/alert/{message.alert.slug}/progress/1/"
    body = page_of(bert).get(address, headers={"HX-Request": "true"}).content.decode()
    assert body.startswith('<div id="progress"')
    assert "<html" not in body


def test_a_newer_message_makes_the_whole_page_anew(page_of: Browser, anna: User, bert: User, message: Message) -> None:
    city.followed(message, Kind.UPDATE, anna, bert)
    answer = page_of(bert).get(f"/desk/alert/{message.alert.slug}/progress/1/", headers={"HX-Request": "true"})
    assert answer["HX-Refresh"] == "true"


class TestSubscribers:
    """How far a delivery to subscribers has come, how fast, and why some were not reached."""

    @pytest.fixture
    def crowd(self, anna: User, bert: User, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Delivery:
        settings.CHANNELS = {
            **settings.CHANNELS,
            "crowd": {"adapter": "tests.channels.fakes.Crowd", "label": "Push", "rehearsal": False},
        }
        monkeypatch.setattr(jobs, "ring_batches", lambda _batches: None)
        monkeypatch.setattr(batches, "SIZE", 600)
        city.subscribe("push", *[f"crowd-{number}" for number in range(1200)])
        fakes.answers["crowd-3"] = ["permanent"]
        fakes.answers["crowd-4"] = ["permanent"]
        message = city.released(anna, bert)
        fanout.plan(message.pk)
        delivery = Delivery.objects.select_related("message__alert").get(message=message, channel="crowd")
        jobs.deliver(delivery.pk)
        return delivery

    def test_while_it_runs(self, page_of: Browser, bert: User, crowd: Delivery) -> None:
        first = Batch.objects.filter(delivery=crowd).order_by("pk").first()
        assert first is not None
        jobs.send_batch(first.pk)
        body = page(page_of(bert), crowd.message)
        assert '<progress value="600" max="1200" aria-label="Push: läuft">' in body
        assert "598 von 1.200" in body
        assert "in der Sekunde" in body
        assert "noch " in body

    def test_when_it_is_done(self, page_of: Browser, bert: User, crowd: Delivery) -> None:
        for batch in Batch.objects.filter(delivery=crowd):
            jobs.send_batch(batch.pk)
        body = page(page_of(bert), crowd.message)
        assert "1.198 von 1.200" in body
        assert "von 1.200 Abos" in body
        assert "in der Sekunde" not in body
        assert "Push: 2</b>" in body, "two were not reached, for one reason"

    def test_that_nobody_has_subscribed_is_said(self, page_of: Browser, anna: User, bert: User, settings: Any) -> None:
        settings.CHANNELS = {
            **settings.CHANNELS,
            "crowd": {"adapter": "tests.channels.fakes.Crowd", "rehearsal": False},
        }
        message = city.released(anna, bert)
        work(message)
        assert "kein Abo" in page(page_of(bert), message)

    def test_the_page_asks_the_database_as_often_for_many_as_for_few(
        self, page_of: Browser, bert: User, crowd: Delivery, django_assert_max_num_queries: Any
    ) -> None:
        for batch in Batch.objects.filter(delivery=crowd):
            jobs.send_batch(batch.pk)
        with django_assert_max_num_queries(2):
            tally.counts([crowd.pk])


class TestTrouble:
    def test_a_failed_one_is_tried_again_or_left_out(self, page_of: Browser, bert: User, message: Message) -> None:
        fakes.script["own"].append(Permanent("Schlüssel abgelaufen"))
        work(message)
        client = page_of(bert)
        body = page(client, message)
        assert "Schlüssel abgelaufen" in body
        assert "Erneut senden" in body
        assert "Mastodon auslassen" in body
        delivery = Delivery.objects.get(channel="own")
        client.post(f"/desk/deliveries/{delivery.pk}/again/")
        delivery.refresh_from_db()
        assert delivery.state == State.WAITING
        jobs.deliver(delivery.pk)
        assert Delivery.objects.get(channel="own").state == State.DONE

    def test_an_unclear_one_is_marked_as_sent(self, page_of: Browser, bert: User, message: Message) -> None:
        fakes.script["once"].append(Uncertain("keine Antwort"))
        work(message)
        client = page_of(bert)
        assert "Als gesendet vermerken" in page(client, message)
        assert "keine Antwort" in client.get("/desk/").content.decode()
        delivery = Delivery.objects.get(channel="once")
        client.post(f"/desk/deliveries/{delivery.pk}/sent/")
        assert Delivery.objects.get(channel="once").state == State.DONE

    def test_a_done_one_is_not_sent_again_by_a_forged_post(
        self, page_of: Browser, bert: User, message: Message
    ) -> None:
        work(message)
        delivery = Delivery.objects.get(channel="own")
        for step in ("again", "leave-out", "sent"):
            page_of(bert).post(f"/desk/deliveries/{delivery.pk}/{step}/")
            assert Delivery.objects.get(pk=delivery.pk).state == State.DONE
        assert len(fakes.sent["own"]) == 2  # once in each language

    @pytest.mark.parametrize("step", ["again", "leave-out", "sent"])
    def test_an_administrator_cannot(self, page_of: Browser, carla: User, message: Message, step: str) -> None:
        fakes.script["once"].append(Uncertain("keine Antwort"))
        work(message)
        delivery = Delivery.objects.get(channel="once")
        answer = page_of(carla).post(f"/desk/deliveries/{delivery.pk}/{step}/")
        assert answer.status_code == 403
        assert Delivery.objects.get(pk=delivery.pk).state == State.UNCLEAR

    @pytest.mark.parametrize("step", ["again", "leave-out", "sent"])
    def test_asking_by_get_changes_nothing(self, page_of: Browser, bert: User, message: Message, step: str) -> None:
        fakes.script["once"].append(Uncertain("keine Antwort"))
        work(message)
        delivery = Delivery.objects.get(channel="once")
        assert page_of(bert).get(f"/desk/deliveries/{delivery.pk}/{step}/").status_code == 302
        assert Delivery.objects.get(pk=delivery.pk).state == State.UNCLEAR


class TestGate:
    REASON = "Der Webserver der Stadt steht seit zehn Minuten."

    def test_it_is_opened_by_hand_with_a_reason(self, page_of: Browser, bert: User, message: Message) -> None:
        client = page_of(bert)
        assert "Sperre von Hand öffnen" in page(client, message)
        answer = client.post(f"/desk/messages/{message.pk}/gate/", {"reason": self.REASON})
        assert answer.status_code == 302
        message.refresh_from_db()
        assert message.live_at is not None
        assert self.REASON in page(client, message)

    @pytest.mark.parametrize("reason", ["", "   ", "kaputt"])
    def test_not_without_one(self, page_of: Browser, bert: User, message: Message, reason: str) -> None:
        answer = page_of(bert).post(f"/desk/messages/{message.pk}/gate/", {"reason": reason})
        assert answer.status_code == 422
        assert reason.strip() in answer.content.decode()
        message.refresh_from_db()
        assert message.live_at is None

    def test_an_author_cannot(self, page_of: Browser, anna: User, message: Message) -> None:
        answer = page_of(anna).post(f"/desk/messages/{message.pk}/gate/", {"reason": self.REASON})
        assert answer.status_code == 403
        message.refresh_from_db()
        assert message.live_at is None

    def test_asking_by_get_opens_nothing(self, page_of: Browser, bert: User, message: Message) -> None:
        page_of(bert).get(f"/desk/messages/{message.pk}/gate/", {"reason": self.REASON})
        message.refresh_from_db()
        assert message.live_at is None


class TestChannels:
    def test_each_is_listed_with_what_became_of_its_last_delivery(
        self, page_of: Browser, bert: User, message: Message
    ) -> None:
        fakes.script["own"].append(Permanent("Schlüssel abgelaufen"))
        work(message)
        body = page_of(bert).get("/desk/channels/").content.decode()
        assert "Schlüssel abgelaufen" in body
        assert "Marktplatz" in body
        assert "gehört der Stadt" in body

    def test_deliveries_in_trouble_can_be_asked_for(self, page_of: Browser, bert: User, message: Message) -> None:
        fakes.script["own"].append(Permanent("Schlüssel abgelaufen"))
        work(message)
        body = page_of(bert).get("/desk/deliveries/", {"show": "trouble"}).content.decode()
        assert "Mastodon" in body
        assert "Sirene" not in body


class TestRestored:
    def test_an_administrator_lets_it_work_again(self, page_of: Browser, bert: User, carla: User) -> None:
        hold.hold("Die Datenbank kam aus einer Sicherung.")
        assert "kam aus einer Sicherung" in page_of(bert).get("/desk/channels/").content.decode()
        assert page_of(bert).post("/desk/channels/resume/").status_code == 403
        page_of(carla).get("/desk/channels/resume/")
        assert hold.held()
        page_of(carla).post("/desk/channels/resume/")
        assert not hold.held()
