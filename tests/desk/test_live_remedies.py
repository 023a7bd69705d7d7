"""What an officer can do about a delivery in trouble: again where that is safe, look whether it is there, pause."""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from alerts.models import AuditEntry, Message
from alerts.notice import Rendering
from channels import batches, fanout, jobs, remedies
from channels.base import Permanent, Post, Temporary, Uncertain
from channels.models import Batch, Delivery, State
from channels.models import Post as PostRow
from tests import city
from tests.channels import fakes

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]
STEPS = ["again", "look-up", "leave-out", "sent"]
there: dict[str, Post | Exception | None] = {}
"""What a look-up finds, by language; nothing where nothing is said."""
hangs = threading.Event()


class Asked(fakes.Once):
    """One that can't be tried twice and can be asked what stands there."""

    def look_up(
        self, rendering: Rendering, *, key: str, since: dt.datetime, reply_to: Post | None = None
    ) -> Post | None:
        if "hangs" in there:
            hangs.wait(5)
        found = there.get(rendering.language)
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture(autouse=True)
def channels(desk: None, settings: Any) -> None:
    there.clear()
    hangs.clear()
    settings.CHANNELS = {
        **settings.CHANNELS,
        "asked": {"adapter": "tests.desk.test_live_remedies.Asked", "label": "Sirene", "rehearsal": False},
        "once": {"adapter": "tests.channels.fakes.Once", "label": "Lautsprecher", "rehearsal": False},
        "own": {"adapter": "tests.channels.fakes.Own", "label": "Mastodon", "rehearsal": False},
    }


def failing(anna: User, bert: User, channel: str, error: Exception) -> Delivery:
    """A released message whose delivery over this channel ended so; the others went well."""
    fakes.script[channel].append(error)
    message = city.released(anna, bert)
    for delivery in fanout.plan(message.pk):
        jobs.deliver(delivery.pk)
    return Delivery.objects.select_related("message__alert").get(channel=channel)


@pytest.fixture
def unclear(anna: User, bert: User) -> Delivery:
    """Released before a restore: whether it went out is not known, and nobody has looked yet."""
    delivery = failing(anna, bert, "asked", Temporary("voll"))
    Delivery.objects.filter(pk=delivery.pk).update(state=State.UNCLEAR, words="keine Antwort")
    delivery.refresh_from_db()
    return delivery


def post(client: Client, delivery: Delivery, step: str, **data: str) -> str:
    """What the officer reads after it."""
    answer = client.post(f"/desk/deliveries/{delivery.pk}/{step}/", data, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def state(delivery: Delivery) -> str:
    return str(Delivery.objects.get(pk=delivery.pk).state)


def shown(client: Client, message: Message) -> str:
    return client.get(f"/desk/alert/{message.alert.slug}/").content.decode()


def offered(client: Client, delivery: Delivery) -> set[str]:
    """The steps whose buttons stand on the live page."""
    return set(re.findall(rf'action="/desk/deliveries/{delivery.pk}/([a-z-]+)/"', shown(client, delivery.message)))


class TestLookUp:
    def test_found_in_every_language_it_is_done_and_nothing_is_sent(
        self, page_of: Browser, bert: User, unclear: Delivery
    ) -> None:
        there.update(de=Post("7", "https://there.example/7"), en=Post("8"))
        assert "Sirene: Es steht dort." in post(page_of(bert), unclear, "look-up")
        assert state(unclear) == State.DONE
        assert set(unclear.posts.values_list("language", "remote_id")) == {("de", "7"), ("en", "8")}
        assert not fakes.sent["asked"]
        line = AuditEntry.objects.get(action="looked-up")
        assert line.data["found"] == ["de", "en"]

    def test_surely_missing_it_has_failed_and_goes_again_where_it_is_missing_alone(
        self, page_of: Browser, bert: User, unclear: Delivery
    ) -> None:
        client = page_of(bert)
        there.update(de=Post("7"))
        assert "Es steht dort nicht (English)" in post(client, unclear, "look-up")
        assert state(unclear) == State.FAILED
        assert not fakes.sent["asked"], "looking sends nothing"
        post(client, unclear, "again")
        jobs.deliver(unclear.pk)
        assert state(unclear) == State.DONE
        assert [key.rpartition(":")[2] for key, _text in fakes.sent["asked"]] == ["en"]

    @pytest.mark.parametrize("error", [Uncertain("weiß nicht"), Temporary("voll"), RuntimeError("boom")])
    def test_where_nobody_can_tell_it_stays_unclear(
        self, page_of: Browser, bert: User, unclear: Delivery, error: Exception
    ) -> None:
        there.update(de=error)
        body = post(page_of(bert), unclear, "look-up")
        assert "wurde gefragt und kann es nicht sagen" in body
        assert state(unclear) == State.UNCLEAR
        assert "boom" not in body

    def test_a_platform_that_hangs_keeps_nobody_waiting(
        self, page_of: Browser, bert: User, unclear: Delivery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(remedies, "PATIENCE", 0.05)
        there.update(hangs=None)
        assert "antwortet nicht" in post(page_of(bert), unclear, "look-up")
        hangs.set()
        assert state(unclear) == State.UNCLEAR

    def test_only_who_can_be_asked_is_asked(self, page_of: Browser, anna: User, bert: User) -> None:
        delivery = failing(anna, bert, "once", Uncertain("keine Antwort"))
        assert offered(page_of(bert), delivery) == {"again", "sent", "leave-out"}
        post(page_of(bert), delivery, "look-up")
        assert state(delivery) == State.UNCLEAR


class TestAgain:
    def test_an_unclear_one_goes_again_only_once_an_officer_has_looked(
        self, page_of: Browser, bert: User, unclear: Delivery
    ) -> None:
        client = page_of(bert)
        assert "Sehen Sie erst dort nach" in post(client, unclear, "again")
        assert state(unclear) == State.UNCLEAR
        assert "Ich habe nachgesehen" in shown(client, unclear.message)
        post(client, unclear, "again", looked="yes")
        assert state(unclear) == State.WAITING

    def test_a_failed_one_goes_again_as_it_is(self, page_of: Browser, anna: User, bert: User) -> None:
        delivery = failing(anna, bert, "own", Permanent("Schlüssel abgelaufen"))
        assert offered(page_of(bert), delivery) == {"again", "leave-out"}
        post(page_of(bert), delivery, "again")
        assert state(delivery) == State.WAITING

    def test_one_that_waits_for_its_next_try_goes_now(self, page_of: Browser, anna: User, bert: User) -> None:
        delivery = failing(anna, bert, "own", Temporary("voll", after=200))
        client = page_of(bert)
        assert "Jetzt versuchen" in shown(client, delivery.message)
        post(client, delivery, "again")
        jobs.deliver(delivery.pk)
        assert state(delivery) == State.DONE

    def test_what_may_have_reached_subscribers_never_goes_again(
        self, page_of: Browser, anna: User, bert: User, settings: Any
    ) -> None:
        settings.CHANNELS = {
            **settings.CHANNELS,
            "sms": {"adapter": "tests.channels.fakes.CrowdOnce", "rehearsal": False},
        }
        message = city.released(anna, bert)
        fanout.plan(message.pk)
        Delivery.objects.filter(channel="sms").update(state=State.UNCLEAR)
        delivery = Delivery.objects.select_related("message__alert").get(channel="sms")
        client = page_of(bert)
        assert offered(client, delivery) == {"sent", "leave-out"}
        assert "niemand bekommt es doppelt" in shown(client, message)
        for looked in ("", "yes"):
            assert "niemand bekommt es doppelt" in post(client, delivery, "again", looked=looked)
            assert state(delivery) == State.UNCLEAR

    def test_a_failed_batch_goes_again_to_those_alone_who_got_nothing(
        self, page_of: Browser, anna: User, bert: User, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(jobs, "ring_batches", lambda _batches: None)
        monkeypatch.setattr(batches, "SIZE", 40)
        settings.CHANNELS = {
            **settings.CHANNELS,
            "sms": {"adapter": "tests.channels.fakes.CrowdOnce", "rehearsal": False},
        }
        city.subscribe("sms", *[f"sms-{number}" for number in range(30)])
        message = city.released(anna, bert)
        fanout.plan(message.pk)
        delivery = Delivery.objects.select_related("message__alert").get(channel="sms")
        jobs.deliver(delivery.pk)
        fakes.script["sms"] += [lambda: None] * 12 + [Permanent("Guthaben aufgebraucht")]
        batch = Batch.objects.get(delivery=delivery)
        jobs.send_batch(batch.pk)
        assert state(delivery) == State.FAILED
        assert len(fakes.sent["sms"]) == 12
        client = page_of(bert)
        assert "nur an die, die sicher nichts bekommen haben" in shown(client, message)
        post(client, delivery, "again")
        jobs.deliver(delivery.pk)
        jobs.send_batch(batch.pk)
        got = [address for address, _text in fakes.sent["sms"]]
        assert sorted(got) == sorted({f"sms-{number}" for number in range(30)}), "each of them once"


class TestForged:
    @pytest.mark.parametrize("step", STEPS)
    def test_a_done_one_is_left_as_it_is(self, page_of: Browser, anna: User, bert: User, step: str) -> None:
        delivery = failing(anna, bert, "own", Temporary("voll", after=0))
        Delivery.objects.filter(pk=delivery.pk).update(state=State.DONE)
        post(page_of(bert), delivery, step, looked="yes")
        assert state(delivery) == State.DONE
        assert not PostRow.objects.filter(delivery=delivery).exists()

    @pytest.mark.parametrize("step", STEPS)
    @pytest.mark.parametrize("role", ["administrator", "observer", ""])
    def test_a_role_that_may_not_act_changes_and_asks_nothing(
        self, page_of: Browser, unclear: Delivery, role: str, step: str
    ) -> None:
        from tests.desk.conftest import with_roles

        there.update(de=Post("7"), en=Post("8"))
        client = page_of(with_roles("dora", role))
        assert client.post(f"/desk/deliveries/{unclear.pk}/{step}/", {"looked": "yes"}).status_code == 403
        assert state(unclear) == State.UNCLEAR
        assert f'action="/desk/deliveries/{unclear.pk}/' not in shown(client, unclear.message)

    @pytest.mark.parametrize("step", STEPS)
    def test_neither_by_get_nor_without_a_token_nor_by_a_stranger(
        self, page_of: Browser, client: Client, bert: User, unclear: Delivery, step: str
    ) -> None:
        address = f"/desk/deliveries/{unclear.pk}/{step}/"
        page_of(bert).get(address)
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(bert)
        assert strict.post(address, {"looked": "yes"}).status_code == 403
        assert client.post(address, {"looked": "yes"})["Location"].startswith("/desk/login/")
        assert state(unclear) == State.UNCLEAR

    def test_page_and_feeds_are_never_left_out(self, page_of: Browser, anna: User, bert: User) -> None:
        delivery = failing(anna, bert, "page", Temporary("steht nicht", after=60))
        assert "leave-out" not in offered(page_of(bert), delivery)
        post(page_of(bert), delivery, "leave-out")
        assert state(delivery) == State.WAITING


class TestPage:
    def test_pausing_is_one_click_where_the_trouble_stands(self, page_of: Browser, anna: User, bert: User) -> None:
        delivery = failing(anna, bert, "own", Temporary("voll", after=60))
        body = shown(page_of(bert), delivery.message)
        assert f'id="pause-{delivery.pk}"' in body
        assert "Mastodon anhalten" in body

    def test_one_line_says_how_it_stands_and_is_sent_again_only_when_it_changes(
        self, page_of: Browser, bert: User, unclear: Delivery
    ) -> None:
        client, message = page_of(bert), unclear.message
        body = shown(client, message)
        assert 'role="status">4 von 5 Kanälen fertig, 1 unklar.</p>' in body
        address = reverse("admin:progress", args=[message.alert.slug, message.number])
        key = client.get(address).context["told_key"]
        headers = {"HX-Request": "true"}
        assert "hx-swap-oob" not in client.get(f"{address}?told={key}", headers=headers).content.decode()
        Delivery.objects.filter(pk=unclear.pk).update(state=State.DONE)
        changed = client.get(f"{address}?told={key}", headers=headers).content.decode()
        assert '<p id="told" hx-swap-oob="innerHTML">5 von 5 Kanälen fertig.</p>' in changed

    def test_what_has_not_changed_keeps_its_place_in_the_page(
        self, page_of: Browser, bert: User, unclear: Delivery
    ) -> None:
        client = page_of(bert)
        parts = re.compile(r'id="(trouble|posts)-([0-9a-f]+)" [^>]*hx-preserve')
        first, second = (dict(parts.findall(shown(client, unclear.message))) for _time in range(2))
        assert first == second
        assert first.keys() == {"trouble", "posts"}
        Delivery.objects.filter(pk=unclear.pk).update(words="anderes")
        third = dict(parts.findall(shown(client, unclear.message)))
        assert third["trouble"] != first["trouble"]
        assert third["posts"] == first["posts"]

    def test_calm_is_said_too(self, page_of: Browser, anna: User, bert: User) -> None:
        message = city.released(anna, bert)
        for delivery in fanout.plan(message.pk):
            jobs.deliver(delivery.pk)
        assert "Bisher ist nichts gescheitert." in shown(page_of(bert), message)

    @pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "{{ 7*7 }}"])
    def test_what_a_platform_says_is_only_words(self, page_of: Browser, anna: User, bert: User, text: str) -> None:
        delivery = failing(anna, bert, "own", Permanent(text))
        body = shown(page_of(bert), delivery.message)
        assert "<script>alert" not in body
        assert "<img src=x" not in body
        assert "onerror" not in body or "&gt;&lt;img" in body

    def test_the_districts_that_were_told_are_read_back(
        self, page_of: Browser, anna: User, bert: User, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(jobs, "ring_batches", lambda _batches: None)
        settings.CHANNELS = {
            **settings.CHANNELS,
            "crowd": {"adapter": "tests.channels.fakes.Crowd", "rehearsal": False},
        }
        city.subscribe("push", "one", "two")
        message = city.released(anna, bert)
        fanout.plan(message.pk)
        jobs.deliver(Delivery.objects.get(channel="crowd").pk)
        body = " ".join(shown(page_of(bert), message).split())
        assert "An Abos von 4 Stadtteilen" in body

    @pytest.mark.parametrize("messages", [1, 3])
    def test_it_asks_the_database_as_often_for_many_messages_as_for_one(
        self, page_of: Browser, anna: User, bert: User, messages: int, django_assert_max_num_queries: Any
    ) -> None:
        message = city.released(anna, bert)
        for number in range(messages):
            if number:
                message = city.followed(message, "update", anna, bert)
            for delivery in fanout.plan(message.pk):
                jobs.deliver(delivery.pk)
        client = page_of(bert)
        shown(client, message)
        with django_assert_max_num_queries(PAGE_QUERIES):
            shown(client, message)
        address = reverse("admin:progress", args=[message.alert.slug, message.number])
        with django_assert_max_num_queries(FRAGMENT_QUERIES):
            client.get(address, headers={"HX-Request": "true"})


PAGE_QUERIES, FRAGMENT_QUERIES = 25, 19
