"""What the desk shows of each channel before it goes out: its words, its counter, its price, its picture."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from PIL import Image

from alerts import approval, drafting
from alerts.content import Text
from alerts.models import Draft
from alerts.terms import Kind, Status
from channels.desk import counters, spoken
from tests import city

Browser = Callable[[User], Client]
KEYS = dict.fromkeys(("consumer_key", "consumer_secret", "access_token", "access_token_secret"), "k")
ALL = {
    "website": {"adapter": "channels.city.website.Website"},
    "feeds": {"adapter": "channels.city.feeds.Feeds"},
    "webpush": {"adapter": "channels.city.webpush.WebPush", "rehearsal": False},
    "sms": {"adapter": "channels.city.sms.Sms", "rehearsal": False},
    "email": {"adapter": "channels.city.email.Email", "rehearsal": False},
    "x": {"adapter": "channels.commercial.x.X", "rehearsal": False, **KEYS},
    "facebook": {"adapter": "channels.commercial.facebook.Facebook", "rehearsal": False, "page": "1", "token": "k"},
    "telegram": {"adapter": "channels.commercial.telegram.Telegram", "token": "1:k", "chat": "@stadt"},
    "bluesky": {
        "adapter": "channels.commercial.bluesky.Bluesky",
        "rehearsal": False,
        "handle": "stadt",
        "app_password": "k",
    },
    "mastodon": {
        "adapter": "channels.city.mastodon.Mastodon",
        "rehearsal": False,
        "instance": "https://social.stadt.example",
        "token": "k",
    },
}
HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "{{ 7*7 }}{% now 'Y' %}",
    "</p></div></article><style>*{display:none}</style>",
)


class TestCounters:
    def test_a_post_is_counted_against_its_limit(self) -> None:
        assert counters.counter({"text": "…"}, (220, 280)) == counters.Counter("220 von 280")
        assert counters.counter({"text": "…"}, (1220, 5000)).counted == "1.220 von 5.000"
        assert counters.counter({"text": "…"}, None) == counters.Counter()

    def test_more_than_is_allowed_is_told(self) -> None:
        assert counters.counter({"text": "…"}, (281, 280)).over
        assert not counters.counter({"text": "…"}, (280, 280)).over

    def test_an_sms_says_characters_segments_and_encoding(self) -> None:
        fields = {"text": "…", "encoding": "GSM-7", "segments": 2, "characters": 282}
        assert counters.counter(fields, (282, 459)).counted == "282 Zeichen, 2 SMS, GSM-7"

    def test_a_push_counts_title_and_text(self) -> None:
        fields = {"payload": {"notification": {"title": "x" * 42, "body": "y" * 120}}}
        assert counters.counter(fields, (162, 560)).counted == "42 + 120 Zeichen"

    @pytest.mark.parametrize("broken", [{}, {"payload": None}, {"payload": {"notification": "x"}}, {"payload": []}])
    def test_odd_fields_count_nothing(self, broken: dict[str, Any]) -> None:
        assert counters.counter(broken, None) == counters.Counter()

    @pytest.mark.parametrize(
        ("cents", "words"), [(7.5, "0,08 €"), (15, "0,15 €"), (9_999, "99,99 €"), (178_000, "1.780 €")]
    )
    def test_a_price_is_as_exact_as_an_estimate_can_be(self, cents: float, words: str) -> None:
        assert counters.euros(cents) == words


@pytest.fixture
def channels(desk: None, settings: Any, tmp_path: Path) -> None:
    settings.PUBLIC_DIR = tmp_path / "public"
    settings.CHANNELS = ALL


def body(client: Client, draft: Draft) -> str:
    answer = client.get(f"/desk/drafts/{draft.pk}/")
    assert answer.status_code == 200
    return answer.content.decode()


def articles(html: str) -> dict[str, str]:
    """The first article of each heading."""
    found: dict[str, str] = {}
    for piece in html.split('<article class="pv">')[1:]:
        name = re.search(r"<h[34]>(.*?)</h", piece)
        assert name is not None
        found.setdefault(name[1], piece.partition("</article>")[0])
    return found


@pytest.mark.django_db
@pytest.mark.usefixtures("channels")
class TestPage:
    def test_the_city_s_channels_come_first_and_each_has_its_counter(self, page_of: Browser, anna: User) -> None:
        shown = articles(body(page_of(anna), city.drafted(anna)))
        assert list(shown) == [
            "Website",
            "Feeds",
            "Push",
            "SMS",
            "E-Mail",
            "Mastodon",
            "X, Facebook, Telegram",
            "Bluesky",
        ]
        assert re.search(r"\d+ Zeichen, \d SMS, GSM-7", shown["SMS"])
        assert re.search(r"\d+ \+ \d+ Zeichen", shown["Push"])
        assert re.search(r"Betreff \d+ von 150", shown["E-Mail"])
        assert re.search(r"\d+ von 500", shown["Mastodon"])
        assert re.search(r"\d+ von 300", shown["Bluesky"])

    def test_the_same_text_stands_there_once_with_each_channel_s_own_counter(
        self, page_of: Browser, anna: User
    ) -> None:
        shown = articles(body(page_of(anna), city.drafted(anna)))["X, Facebook, Telegram"]
        assert "gleicher Text" in shown
        assert re.search(r"X: <span class=\"num\">\d+ von 280", shown)
        assert re.search(r"Facebook: <span class=\"num\">\d+ von 5\.000", shown)
        assert re.search(r"Telegram: <span class=\"num\">\d+ von 1\.024</span> \(im Probebetrieb\)", shown)

    def test_a_long_text_parts_them_again(self, page_of: Browser, anna: User) -> None:
        long = {"de": replace(city.content().texts["de"], description="Ein Satz mit Sinn. " * 40)}
        shown = articles(body(page_of(anna), city.drafted(anna, texts=city.content().texts | long)))
        assert "X" in shown
        assert "Facebook, Telegram" in shown

    def test_before_submission_they_are_what_is_frozen_then(self, page_of: Browser, anna: User, bert: User) -> None:
        draft = city.drafted(anna, valid_for=None, next_in=None, expires=city.content().facts_at.replace(year=2040))
        before = articles(body(page_of(anna), draft))
        draft = approval.submit(draft.pk, draft.version, anna)
        after = articles(body(page_of(bert), draft))
        words = re.compile(r"<div class=\"pv-body.*?</div>", re.DOTALL)
        strip = re.compile(r"<img[^>]*>|<p><a [^>]*>.*?</p>")
        for name, one in before.items():
            assert [strip.sub("", piece) for piece in words.findall(one)] == [
                strip.sub("", piece) for piece in words.findall(after[name])
            ], name

    def test_the_approver_sees_all_languages_unfolded(self, page_of: Browser, anna: User, bert: User) -> None:
        html = body(page_of(bert), city.submitted(anna))
        assert 'id="spoken-de"' in html
        assert 'id="spoken-en"' in html
        assert "pv-tabs" not in html

    def test_the_author_has_a_tab_for_each_without_any_script(self, page_of: Browser, anna: User) -> None:
        html = body(page_of(anna), city.drafted(anna))
        assert html.count('<details name="spoken"') == 2
        assert html.count('<details name="spoken" open>') == 1

    def test_feeds_say_the_codes_of_cap(self, page_of: Browser, anna: User) -> None:
        shown = articles(body(page_of(anna), city.drafted(anna)))["Feeds"]
        assert "Actual, Alert, Safety: Extreme, Immediate, Observed" in shown

    def test_a_price_is_told_where_one_is_set(self, page_of: Browser, anna: User, settings: Any) -> None:
        draft = city.drafted(anna)
        assert "€" not in articles(body(page_of(anna), draft))["SMS"]
        settings.CHANNELS = ALL | {"sms": ALL["sms"] | {"price": 7.5}}
        city.subscribe("sms", *[f"+49341123{number:03}" for number in range(40)])
        shown = articles(body(page_of(anna), draft))["SMS"]
        segments = int(re.findall(r"(\d) SMS", shown)[0])
        assert f"{counters.euros(7.5 * segments)} je Empfänger" in shown
        assert f"höchstens {counters.euros(40 * 7.5 * segments)} für 40 Abos" in shown

    def test_a_channel_removed_since_is_still_shown(
        self, page_of: Browser, anna: User, bert: User, settings: Any
    ) -> None:
        draft = city.submitted(anna)
        settings.CHANNELS = {name: ALL[name] for name in ("website", "feeds")}
        assert any("Mastodon" in names for names in articles(body(page_of(bert), draft)))

    @pytest.mark.parametrize(
        "now",
        [
            {"adapter": "channels.city.email.Email"},
            {"adapter": "channels.city.sms.Sms", "price": 7},
            {"adapter": "no.such.Adapter"},
            {"adapter": "channels.city.sms.Sms", "leave": "never"},
        ],
    )
    def test_what_is_frozen_is_read_whatever_its_channel_is_now(
        self, page_of: Browser, anna: User, bert: User, settings: Any, now: dict[str, Any]
    ) -> None:
        draft = city.submitted(anna)
        settings.CHANNELS = {name: ALL[name] for name in ("website", "feeds")} | {"webpush": now}
        assert "Verlassen Sie das Gebiet" in articles(body(page_of(bert), draft))["Push"]

    @pytest.mark.parametrize("text", HOSTILE)
    def test_hostile_words_are_words_in_every_preview(self, page_of: Browser, anna: User, text: str) -> None:
        texts = {language: Text(text, text, text, text, text) for language in ("de", "en")}
        html = body(page_of(anna), city.drafted(anna, texts=texts))
        previews = "".join(html.split('<article class="pv">')[1:])
        assert text not in previews
        assert "<script>alert" not in html
        assert "49" not in previews.split("{{ 7*7 }}")[0] or "{{ 7*7 }}" not in text
        assert len(articles(html)) >= 7

    def test_an_exercise_never_prints_the_order(self, page_of: Browser, anna: User) -> None:
        html = body(page_of(anna), city.drafted(anna, status=Status.EXERCISE))
        for name, one in articles(html).items():
            assert "Verlassen Sie" not in one, name

    def test_composing_for_a_preview_asks_the_database_seldom(
        self, anna: User, django_assert_max_num_queries: Any
    ) -> None:
        draft = city.drafted(anna)
        from alerts.desk import approving

        with django_assert_max_num_queries(3):
            listed, cannot = approving.renderings(draft)
            assert not cannot
            assert len(spoken.tongues(listed, draft)) == 2


@pytest.mark.django_db
@pytest.mark.usefixtures("channels")
class TestCard:
    def at(self, client: Client, draft: Draft, shape: str = "wide", language: str = "de") -> Any:
        return client.get(f"/desk/drafts/{draft.pk}/card/{language}/{shape}/?v={draft.version}")

    def test_it_is_drawn_of_what_is_saved_and_kept_by_nobody(self, page_of: Browser, anna: User) -> None:
        client, draft = page_of(anna), city.drafted(anna)
        answer = self.at(client, draft)
        assert Image.open(io.BytesIO(answer.content)).size == (1200, 630)
        assert "no-store" in answer["Cache-Control"]
        assert answer["X-Content-Type-Options"] == "nosniff"
        html = body(client, draft)
        src = f"/desk/drafts/{draft.pk}/card/de/wide/?v={draft.version}"
        assert f'src="{src}" width="1200" height="630"' in html
        assert 'loading="lazy"' in html

    def test_each_shape_stands_there_once_in_each_language(self, page_of: Browser, anna: User) -> None:
        html = body(page_of(anna), city.drafted(anna))
        sources = re.findall(r'<img class="pv-card[^>]* src="([^"]+)"', html)
        assert len(sources) == len(set(sources))
        assert "mit der Bildkarte von oben, 1200 × 630" in articles(html)["Bluesky"]

    def test_its_alt_text_is_shown(self, page_of: Browser, anna: User) -> None:
        html = body(page_of(anna), city.drafted(anna))
        assert html.count("Das Bild wird vorgelesen als:") == 2, "once in each language"

    def test_once_submitted_it_is_the_frozen_one(self, page_of: Browser, anna: User, bert: User) -> None:
        draft = city.submitted(anna)
        frozen = draft.cards.get(language="de", shape="wide")
        client = page_of(bert)
        assert self.at(client, draft).content == bytes(frozen.body)
        assert f"/desk/cards/{frozen.sha256}/" in body(client, draft)

    @pytest.mark.parametrize(("shape", "language"), [("tall", "de"), ("huge", "de"), ("wide", "fr"), ("wide", "xx")])
    def test_what_no_channel_asks_for_is_not_drawn(
        self, page_of: Browser, anna: User, shape: str, language: str
    ) -> None:
        assert self.at(page_of(anna), city.drafted(anna), shape, language).status_code == 404

    def test_nothing_is_drawn_of_nothing(self, page_of: Browser, anna: User) -> None:
        assert self.at(page_of(anna), drafting.new(anna)).status_code == 404

    def test_strangers_see_none(self, client: Client, anna: User) -> None:
        answer = self.at(client, city.drafted(anna))
        assert answer.status_code == 302
        assert "/login/" in answer["Location"]


@pytest.mark.django_db
@pytest.mark.usefixtures("channels")
class TestMail:
    def at(self, client: Client, draft: Draft, channel: str = "email", language: str = "de") -> Any:
        return client.get(f"/desk/drafts/{draft.pk}/mail/{channel}/{language}/")

    def test_the_whole_mail_is_shown_where_it_can_do_nothing(self, page_of: Browser, anna: User) -> None:
        client, draft = page_of(anna), city.drafted(anna)
        assert f"/desk/drafts/{draft.pk}/mail/email/de/" in articles(body(client, draft))["E-Mail"]
        answer = self.at(client, draft)
        assert "Bombenfund: Verlassen Sie das Gebiet" in answer.content.decode()
        assert "Diese E-Mail ist nicht gesendet." in answer.content.decode()
        policy = answer["Content-Security-Policy"]
        assert policy.startswith("sandbox;")
        assert "allow-" not in policy
        assert "default-src 'none'" in policy
        assert "script-src" not in policy

    @pytest.mark.parametrize(("channel", "language"), [("sms", "de"), ("email", "fr"), ("nothing", "de")])
    def test_there_is_no_other(self, page_of: Browser, anna: User, channel: str, language: str) -> None:
        assert self.at(page_of(anna), city.drafted(anna), channel, language).status_code == 404

    def test_before_there_are_words_it_says_so(self, page_of: Browser, anna: User) -> None:
        assert self.at(page_of(anna), drafting.new(anna)).status_code == 409

    def test_strangers_see_none(self, client: Client, anna: User) -> None:
        assert self.at(client, city.drafted(anna)).status_code == 302


@pytest.mark.django_db
@pytest.mark.usefixtures("channels")
def test_an_all_clear_is_previewed_too(page_of: Browser, anna: User, bert: User) -> None:
    draft = drafting.derive(city.released(anna, bert), Kind.ALL_CLEAR, anna)
    assert "Actual, Cancel" in articles(body(page_of(anna), draft))["Feeds"]
