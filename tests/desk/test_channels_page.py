"""The desk's switches: pause, take back, post by hand, pictures, what a platform asked to wait, credentials."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page

from alerts.models import Card, Draft, Message
from alerts.notice import Notice, Rendering
from alerts.terms import Kind
from channels import fanout, jobs, pauses, registry, retractions
from channels.base import ByHand, Permanent, Post, Temporary
from channels.commercial import _clip
from channels.models import Delivery, Pause, Retraction, State
from channels.models import Post as PostRow
from tests import city
from tests.channels import fakes
from tests.desk.browsing import axe, chromium, sideways, window

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]
HERE = "tests.desk.test_channels_page."
WHY = "Der Beitrag nennt die falsche Straße."
READY = "Alles liegt bereit."


class Shop(fakes.Retractable):
    """One whose posts have an address, and whose credentials end."""

    ends: ClassVar[list[dt.datetime]] = []

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        made = super().publish(rendering, key=key, reply_to=reply_to)
        return Post(made.remote_id, f"https://shop.example/{rendering.language}/{made.remote_id}")

    def valid_until(self) -> dt.datetime | None:
        return self.ends[0] if self.ends else None


class Hands(fakes.Commercial):
    """One that an officer posts to by hand: two texts to copy; ``film`` where it takes no pictures."""

    film = False

    def __init__(self, name: str, *, film: bool = False) -> None:
        super().__init__(name)
        self.film = film

    def compose(self, notice: Notice) -> Rendering:
        fields: dict[str, Any] = {"clip": 10} if self.film else {}
        fields |= {"title": f"Titel {notice.language}", "text": f"<b>{notice.headline}</b>", "link": notice.url}
        return Rendering(self.name, notice.language, fields)

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        raise ByHand(READY)


@pytest.fixture(autouse=True)
def wired(desk: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CHANNELS = {
        **settings.CHANNELS,
        "shop": {"adapter": HERE + "Shop", "label": "Marktplatz", "rehearsal": False},
        "hands": {"adapter": HERE + "Hands", "label": "Filmhaus", "rehearsal": False},
    }
    monkeypatch.setattr(jobs, "ring_for", list)
    monkeypatch.setattr(jobs, "ring_to_retract", list)
    Shop.ends.clear()


@pytest.fixture
def message(anna: User, bert: User) -> Message:
    message = city.released(anna, bert)
    Card.objects.bulk_create(card(message.draft, language) for language in ("de", "en"))
    work(message)
    return message


def card(draft: Draft, language: str, shape: str = "tall", mime: str = "image/jpeg") -> Card:
    body = f"\xff\xd8 {language} {shape} {draft.round}".encode("latin-1")
    return Card(
        draft=draft,
        round=draft.round,
        language=language,
        shape=shape,
        mime=mime,
        width=1080,
        height=1920,
        sha256=hashlib.sha256(body).hexdigest(),
        alt=f"Motiv {language}",
        body=body,
    )


def work(message: Message) -> None:
    """What the workers would do now."""
    for delivery in fanout.plan(message.pk):
        if delivery.site:
            jobs.deliver(delivery.pk)
    fanout.open_if_live(message.pk)
    for delivery in message.deliveries.filter(state=State.WAITING):
        jobs.deliver(delivery.pk)


def page(client: Client, message: Message) -> str:
    return client.get(f"/desk/alert/{message.alert.slug}/").content.decode()


def delivery(message: Message, channel: str) -> Delivery:
    return Delivery.objects.get(message=message, channel=channel)


class TestPause:
    def test_a_button_pauses_at_once_and_says_who(self, page_of: Browser, bert: User, message: Message) -> None:
        client = page_of(bert)
        assert "/desk/channels/shop/pause/" in client.get("/desk/channels/").content.decode()
        answer = client.post("/desk/channels/shop/pause/")
        assert answer["Location"] == "/desk/channels/"
        assert pauses.paused()["shop"].by == bert
        for body in (client.get("/desk/channels/").content.decode(), page(client, message)):
            assert "/desk/channels/shop/resume/" in body
            assert "/desk/channels/shop/pause/" not in body
            assert "bert" in body

    def test_from_the_alert_s_page_it_leads_back_there(self, page_of: Browser, anna: User, message: Message) -> None:
        client, slug = page_of(anna), message.alert.slug
        assert client.post("/desk/channels/shop/pause/", {"alert": slug})["Location"] == f"/desk/alert/{slug}/"
        answer = client.post("/desk/channels/shop/resume/", {"alert": "//elsewhere.example"})
        assert answer["Location"] == "/desk/channels/"
        assert not pauses.paused()

    def test_switched_on_again_what_waited_is_rung_for(
        self, page_of: Browser, anna: User, bert: User, message: Message, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pauses.pause("shop", anna)
        newer = city.followed(message, Kind.UPDATE, anna, bert)
        work(newer)
        rung: list[Delivery] = []
        monkeypatch.setattr(jobs, "ring_for", rung.extend)
        page_of(bert).post("/desk/channels/shop/resume/")
        assert [(row.channel, row.message) for row in rung] == [("shop", newer)]

    def test_a_paused_one_that_waits_is_no_trouble(self, page_of: Browser, anna: User, bert: User) -> None:
        pauses.pause("shop", anna)
        message = city.released(anna, bert)
        work(message)
        context = page_of(bert).get(f"/desk/alert/{message.alert.slug}/").context
        row = next(row for row in context["commercial"] if row["channel"] == "shop")
        assert (row["paused"], row["look"]) == (True, "hold")
        assert not context["trouble"]

    @pytest.mark.parametrize("channel", ["page", "feed", "nothing"])
    def test_page_and_feeds_have_no_switch(self, page_of: Browser, bert: User, channel: str) -> None:
        client = page_of(bert)
        assert f"/desk/channels/{channel}/pause/" not in client.get("/desk/channels/").content.decode()
        client.post(f"/desk/channels/{channel}/pause/")
        assert not Pause.objects.exists()

    def test_an_administrator_has_no_switch(self, page_of: Browser, carla: User) -> None:
        client = page_of(carla)
        assert "/pause/" not in client.get("/desk/channels/").content.decode()
        assert client.post("/desk/channels/shop/pause/").status_code == 403
        assert not Pause.objects.exists()

    def test_asking_by_get_and_without_a_token_changes_nothing(self, page_of: Browser, bert: User) -> None:
        page_of(bert).get("/desk/channels/shop/pause/")
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(bert)
        assert strict.post("/desk/channels/shop/pause/").status_code == 403
        assert not Pause.objects.exists()


class TestPosts:
    def test_each_post_is_shown_with_its_address(self, page_of: Browser, bert: User, message: Message) -> None:
        body = page(page_of(bert), message)
        for row in PostRow.objects.filter(delivery=delivery(message, "shop")):
            assert f'href="{row.url}"' in body
            assert f"/desk/posts/{row.pk}/retract/" in body

    def test_an_address_that_is_none_is_no_link(self, page_of: Browser, bert: User, message: Message) -> None:
        PostRow.objects.filter(delivery=delivery(message, "shop")).update(url="javascript:alert(1)")
        assert "javascript:" not in page(page_of(bert), message)

    def test_posts_of_an_earlier_message_can_still_be_taken_back(
        self, page_of: Browser, anna: User, bert: User, message: Message
    ) -> None:
        newer = city.followed(message, Kind.UPDATE, anna, bert)
        work(newer)
        body = page(page_of(bert), newer)
        for row in PostRow.objects.filter(delivery__channel="shop"):
            assert f"/desk/posts/{row.pk}/retract/" in body

    def test_one_is_taken_back_with_a_reason(
        self, page_of: Browser, bert: User, message: Message, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rung: list[int] = []
        monkeypatch.setattr(jobs, "ring_to_retract", rung.extend)
        client, mine = page_of(bert), PostRow.objects.filter(delivery__channel="shop").earliest("pk")
        assert "Marktplatz" in client.get(f"/desk/posts/{mine.pk}/retract/").content.decode()
        answer = client.post(f"/desk/posts/{mine.pk}/retract/", {"reason": WHY})
        assert answer["Location"] == f"/desk/alert/{message.alert.slug}/"
        asked = Retraction.objects.get()
        assert (asked.post, asked.by, asked.reason, rung) == (mine, bert, WHY, [asked.pk])
        assert f"/desk/posts/{mine.pk}/retract/" not in page(client, message), "it is on its way"
        jobs.retract(asked.pk)
        assert f"/desk/posts/{mine.pk}/retract/" not in page(client, message)
        assert looks(client, message)[mine.pk] == "hold"

    def test_a_refusal_is_shown_in_words_and_can_be_tried_again(
        self, page_of: Browser, bert: User, message: Message
    ) -> None:
        fakes.refusals["shop"] = [Temporary("antwortet nicht"), Permanent("Der Zugang darf nicht löschen.")]
        client, mine = page_of(bert), PostRow.objects.filter(delivery__channel="shop").earliest("pk")
        client.post(f"/desk/posts/{mine.pk}/retract/", {"reason": WHY})
        asked = Retraction.objects.get()
        jobs.retract(asked.pk)
        assert "antwortet nicht" in page(client, message)
        assert looks(client, message)[mine.pk] == "run"
        Retraction.objects.update(due_at=timezone.now() - dt.timedelta(seconds=1))
        jobs.retract(asked.pk)
        body = page(client, message)
        assert "Der Zugang darf nicht löschen." in body
        assert f"/desk/posts/{mine.pk}/retract/" in body
        assert looks(client, message)[mine.pk] == "bad"

    @pytest.mark.parametrize("reason", ["", "   ", "falsch"])
    def test_not_without_one(self, page_of: Browser, bert: User, message: Message, reason: str) -> None:
        mine = PostRow.objects.filter(delivery__channel="shop").earliest("pk")
        assert page_of(bert).post(f"/desk/posts/{mine.pk}/retract/", {"reason": reason}).status_code == 422
        page_of(bert).get(f"/desk/posts/{mine.pk}/retract/", {"reason": WHY})
        assert not Retraction.objects.exists()

    def test_an_administrator_cannot(self, page_of: Browser, carla: User, message: Message) -> None:
        mine = PostRow.objects.filter(delivery__channel="shop").earliest("pk")
        client = page_of(carla)
        assert client.post(f"/desk/posts/{mine.pk}/retract/", {"reason": WHY}).status_code == 403
        assert "/retract/" not in page(client, message)
        assert not Retraction.objects.exists()


def looks(client: Client, message: Message) -> dict[int, str]:
    """How each post of an alert looks on its page."""
    platforms = client.get(f"/desk/alert/{message.alert.slug}/").context["platforms"]
    return {standing.post.pk: standing.look for platform in platforms for standing in platform.posts}


class TestByHand:
    def test_text_and_picture_lie_ready(self, page_of: Browser, bert: User, message: Message) -> None:
        body = page(page_of(bert), message)
        assert READY in body
        assert "Titel de</textarea>" in body
        assert "Titel en</textarea>" in body
        assert "&lt;b&gt;Bombenfund" in body
        for each in Card.objects.all():
            assert f'src="/desk/cards/{each.sha256}/" alt="{each.alt}"' in body
            assert f"/desk/cards/{each.sha256}/?download" in body
        assert "/clip/" not in body

    def test_a_platform_of_films_is_offered_one(self, page_of: Browser, settings: Any, anna: User, bert: User) -> None:
        settings.CHANNELS["hands"]["film"] = True
        registry.channel.cache_clear()
        message = city.released(anna, bert)
        Card.objects.bulk_create([card(message.draft, "de")])
        work(message)
        assert f"/desk/cards/{Card.objects.get().sha256}/clip/?download" in page(page_of(bert), message)

    def test_it_is_marked_as_posted_with_its_address(self, page_of: Browser, bert: User, message: Message) -> None:
        client, row = page_of(bert), delivery(message, "hands")
        link = "https://film.example/clip/1"
        client.post(f"/desk/deliveries/{row.pk}/posted/", {"link-de": link, "link-en": ""})
        row.refresh_from_db()
        assert row.state == State.DONE
        assert dict(row.posts.values_list("language", "url")) == {"de": link, "en": ""}
        assert f'href="{link}"' in page(client, message)

    def test_a_wrong_address_loses_nothing(self, page_of: Browser, bert: User, message: Message) -> None:
        row = delivery(message, "hands")
        sent = {"link-de": "https://film.example/1", "link-en": "kein Link"}
        answer = page_of(bert).post(f"/desk/deliveries/{row.pk}/posted/", sent)
        assert answer.status_code == 422
        body = answer.content.decode()
        assert 'value="https://film.example/1"' in body
        assert 'value="kein Link"' in body
        row.refresh_from_db()
        assert (row.state, row.posts.count()) == (State.BY_HAND, 0)

    def test_it_is_left_out(self, page_of: Browser, anna: User, message: Message) -> None:
        row = delivery(message, "hands")
        page_of(anna).post(f"/desk/deliveries/{row.pk}/leave-out/")
        row.refresh_from_db()
        assert row.state == State.LEFT_OUT

    def test_twice_marked_is_one_post(self, page_of: Browser, anna: User, bert: User, message: Message) -> None:
        row = delivery(message, "hands")
        for each in (anna, bert):
            page_of(each).post(f"/desk/deliveries/{row.pk}/posted/", {"link-de": "https://film.example/1"})
        assert row.posts.count() == 2, "one in each language"

    def test_an_administrator_and_a_get_cannot(
        self, page_of: Browser, bert: User, carla: User, message: Message
    ) -> None:
        row = delivery(message, "hands")
        assert page_of(carla).post(f"/desk/deliveries/{row.pk}/posted/").status_code == 403
        assert page_of(bert).get(f"/desk/deliveries/{row.pk}/posted/").status_code == 200
        row.refresh_from_db()
        assert row.state == State.BY_HAND

    def test_the_page_is_made_anew_when_something_comes_to_lie_ready(
        self, page_of: Browser, bert: User, message: Message
    ) -> None:
        client, row = page_of(bert), delivery(message, "hands")
        address = f"/desk/alert/{message.alert.slug}/progress/1/"
        assert client.get(address, {"hands": ""})["HX-Refresh"] == "true"
        assert "HX-Refresh" not in client.get(address, {"hands": str(row.pk)})
        fanout.mark_sent(row.pk, bert)
        assert client.get(address, {"hands": str(row.pk)})["HX-Refresh"] == "true"


class TestCards:
    def test_officers_see_the_file_and_nobody_else(self, page_of: Browser, bert: User, message: Message) -> None:
        row = Card.objects.filter(language="de").get()
        answer = page_of(bert).get(f"/desk/cards/{row.sha256}/")
        assert answer.content == bytes(row.body)
        assert answer["Content-Type"] == "image/jpeg"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "no-store" in answer["Cache-Control"]
        assert answer["Content-Disposition"].startswith("inline")
        assert Client().get(f"/desk/cards/{row.sha256}/").status_code == 302

    def test_it_is_kept_as_a_file(self, page_of: Browser, bert: User, message: Message) -> None:
        row = Card.objects.filter(language="en").get()
        answer = page_of(bert).get(f"/desk/cards/{row.sha256}/?download")
        name = f"{message.alert.slug}-en-tall.jpg"
        assert answer["Content-Disposition"] == f'attachment; filename="{name}"'

    @pytest.mark.parametrize("film", [b"film", None])
    def test_a_film_is_made_where_it_can_be(
        self, page_of: Browser, bert: User, message: Message, monkeypatch: pytest.MonkeyPatch, film: bytes | None
    ) -> None:
        row = Card.objects.filter(language="de").get()
        given: list[bytes] = []

        def made(jpeg: bytes, _seconds: int, **_options: float) -> bytes | None:
            given.append(jpeg)
            return film

        monkeypatch.setattr(_clip, "made", made)
        answer = page_of(bert).get(f"/desk/cards/{row.sha256}/clip/?download")
        assert given == [bytes(row.body)]
        if film is None:
            assert answer.status_code == 404
            assert "ffmpeg" in answer.content.decode()
        else:
            assert (answer.content, answer["Content-Type"]) == (film, "video/mp4")
            assert f'filename="{message.alert.slug}-de-tall.mp4"' in answer["Content-Disposition"]

    def test_nothing_else_is_served(self, page_of: Browser, bert: User, message: Message) -> None:
        row = card(message.draft, "de", shape="odd", mime="text/html")
        row.save()
        client = page_of(bert)
        assert client.get(f"/desk/cards/{row.sha256}/").status_code == 404
        assert client.get("/desk/cards/0000/").status_code == 404

    def test_the_approver_sees_those_of_this_round_alone(self, page_of: Browser, anna: User, bert: User) -> None:
        draft = city.submitted(anna)
        card(draft, "de").save()
        old = card(draft, "en")
        old.round = draft.round - 1
        old.save()
        body = page_of(bert).get(f"/desk/drafts/{draft.pk}/").content.decode()
        assert f"/desk/cards/{card(draft, 'de').sha256}/" in body
        assert body.count("Motiv de") == 2, "as the picture's text, and to be read"
        assert "Motiv en" not in body

    def test_a_draft_without_any_says_nothing_of_them(self, page_of: Browser, anna: User, bert: User) -> None:
        draft = city.submitted(anna)
        assert "/desk/cards/" not in page_of(bert).get(f"/desk/drafts/{draft.pk}/").content.decode()


class TestWaits:
    def test_until_when_a_platform_asked_to_wait(self, page_of: Browser, anna: User, bert: User) -> None:
        fakes.script["shop"].append(Temporary("zu viele Beiträge", after=1800))
        message = city.released(anna, bert)
        work(message)
        row = delivery(message, "shop")
        local = timezone.localtime(row.due_at)
        client = page_of(bert)
        context = client.get(f"/desk/alert/{message.alert.slug}/").context
        assert next(row["waits"] for row in context["commercial"] if row["channel"] == "shop") == row.due_at
        for body in (page(client, message), client.get("/desk/channels/").content.decode()):
            assert "zu viele Beiträge" in body
            assert f"{local:%H:%M}" in body

    def test_one_that_was_not_tried_yet_waits_for_nothing(self, page_of: Browser, anna: User, bert: User) -> None:
        message = city.released(anna, bert)
        fanout.plan(message.pk)
        rows = page_of(bert).get(f"/desk/alert/{message.alert.slug}/").context["commercial"]
        assert [row["waits"] for row in rows] == [None, None]


class TestCredentials:
    @pytest.mark.parametrize(("left", "soon", "ended"), [(-1, True, True), (13, True, False), (40, False, False)])
    def test_when_they_end_stands_on_the_page(
        self, page_of: Browser, bert: User, left: int, soon: bool, ended: bool
    ) -> None:
        Shop.ends[:] = [timezone.now() + dt.timedelta(days=left)]
        answer = page_of(bert).get("/desk/channels/")
        row = next(one for _words, _anchor, group in answer.context["groups"] for one in group if one.key == "shop")
        assert (row.soon, row.ended) == (soon, ended)
        assert Shop.ends[0].isoformat() in answer.content.decode()


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
class TestInTheBrowser:
    def test_pages_are_sound_and_work_by_keyboard_alone(
        self, live_server: Any, settings: Any, anna: User, bert: User
    ) -> None:
        settings.ADDRESS = live_server.url
        Shop.ends[:] = [timezone.now() + dt.timedelta(days=3)]
        message = city.released(anna, bert)
        Card.objects.bulk_create([card(message.draft, "de")])
        work(message)
        fakes.refusals["shop"] = [Permanent("Der Zugang darf nicht löschen.")]
        mine = PostRow.objects.filter(delivery__channel="shop").earliest("pk")
        jobs.retract(retractions.ask(mine.pk, WHY, bert).pk)
        Delivery.objects.filter(channel="feed").update(state=State.WAITING, done_at=None)  # so that the page asks again
        client = Client()
        client.force_login(bert)
        cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
        addresses = {  # of each width and scheme two
            "live": f"/desk/alert/{message.alert.slug}/",
            "channels": "/desk/channels/",
            "retract": f"/desk/posts/{mine.pk}/retract/",
            "posted": f"/desk/deliveries/{delivery(message, 'hands').pk}/posted/",
        }
        found: dict[str, list[str]] = {}
        with chromium() as browser:
            for width, scheme, names in ((1280, "light", ("channels", "posted")), (390, "dark", ("live", "retract"))):
                options: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
                with window(browser, bypass_csp=True, **options) as shown:
                    shown.context.add_cookies([cookie])  # type: ignore[list-item]
                    for name in names:
                        shown.goto(live_server.url + addresses[name])
                        if name == "live":
                            shown.locator(".hands summary").click()
                        found[name] = [*axe(shown), *(["sideways"] if sideways(shown) > 0 else [])]
            assert {name: faults for name, faults in found.items() if faults} == {}
            with window(browser) as shown:
                shown.context.add_cookies([cookie])  # type: ignore[list-item]
                shown.goto(live_server.url + addresses["live"])
                tab_to(shown, "#switch-shop")
                with shown.expect_response("**/progress/**"):
                    pass
                shown.wait_for_function("document.activeElement.id === 'switch-shop'")
                shown.keyboard.press("Enter")
                shown.wait_for_selector("form[action$='/resume/']")
        assert "shop" in pauses.paused()


def tab_to(shown: Page, selector: str) -> None:
    for _number in range(80):
        shown.keyboard.press("Tab")
        if shown.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"{selector} can't be reached by keyboard")
