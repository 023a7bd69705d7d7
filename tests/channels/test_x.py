"""X by tweepy: its own counting, replies, pictures, and what its refusals mean."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import gzip
import hashlib
import json
import logging
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.notice import Picture, Rendering
from alerts.terms import Kind, MsgType
from channels.base import ChannelError, Permanent, Post, Temporary, Uncertain
from channels.commercial._tweetcount import twitter_text
from channels.commercial.x import X, weight
from tests.channels.contract import CONTENT, SECRET, notices
from tests.channels.platforms import DROPPED, ENDLESS_BODY, HTML, RUBBISH, SILENT, SLOW, Answer, Platform, platform
from tests.channels.posting import KEY, SLOTS, Posts

CARD = b"\xff\xd8 a card"
PICTURE = Picture(
    "wide", "image/jpeg", 1200, 630, hashlib.sha256(CARD).hexdigest(), "Bombenfund " * 120, "https://w.x/c"
)
ME = Answer(200, {"data": {"id": "42", "username": "leipzig", "public_metrics": {"followers_count": 90_321}}})
SINCE = dt.datetime(2030, 9, 13, 17, 35, tzinfo=dt.UTC)
TWEETS = ("POST", "/2/tweets")
LINK = "https://warnung.leipzig.example/alerts/k7f3x/"
DUPLICATE = {
    "title": "Forbidden",
    "status": 403,
    "detail": "You are not allowed to create a Tweet with duplicate content.",
    "type": "about:blank",
}


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """What errors say is looked at in the language of the code."""
    with translation.override("en"):
        yield


def x(url: str, patience: float = 1.0) -> X:
    return X(
        "x",
        consumer_key=SECRET,
        consumer_secret=SECRET,
        access_token=SECRET,
        access_token_secret=SECRET,
        server=url,
        patience=patience,
    )


def standing(text: str, number: str = "7", link: str = LINK, **more: Any) -> dict[str, Any]:
    """A post as X shows it: links shortened, ``&<>`` escaped, the picture's own link at the end."""
    shown = text.replace("&", "&amp;").replace("<", "&lt;").replace(link, "https://t.co/Ab1") + " https://t.co/Pic"
    urls = [
        {"url": "https://t.co/Ab1", "expanded_url": link, "display_url": "warnung.leipzig…"},
        {"url": "https://t.co/Pic", "expanded_url": f"https://x.com/leipzig/status/{number}/photo/1"},
    ]
    return {"id": number, "text": shown, "entities": {"urls": urls}} | more


def timeline(*tweets: dict[str, Any], after: str = "") -> Answer:
    return Answer(200, {"data": list(tweets), "meta": {"next_token": after} if after else {}})


class TestX(Posts):
    limit = 280
    sends = TWEETS

    def at(self, url: str) -> X:
        return x(url)

    def channel(self, **options: Any) -> X:
        return x("http://127.0.0.1:9", **options)

    def healthy(self, there: Platform) -> None:
        there.on(*TWEETS, Answer(201, {"data": {"id": "1929", "text": "…"}}))
        there.on("GET", "/2/users/me", ME)
        there.on("GET", "/2/users/42/tweets", timeline())
        there.on("POST", "/2/media/upload", Answer(200, {"data": {"id": "55", "expires_after_secs": 86_400}}))
        there.on("POST", "/2/media/metadata", Answer(200, {"data": {"id": "55"}}))
        there.on("DELETE", "/2/tweets/1929", Answer(200, {"data": {"deleted": True}}))

    def size(self, rendering: Rendering) -> int:
        return weight(self.text(rendering))

    def refusal(self, status: int) -> Any:
        return {"title": "Refused", "detail": f"refused {status}", "type": "about:blank", "status": status}

    def with_card(self, channel: X) -> Rendering:
        one = replace(notices()[0], pictures=(PICTURE,))
        return replace(channel.compose(one), slots=SLOTS, pictures={PICTURE.sha256: CARD})

    # what is sent

    def test_a_post_is_one_signed_call_with_the_approved_words(self, there: Platform) -> None:
        channel = x(there.url)
        rendering = self.rendering(channel)
        post = self.put_out(channel, rendering)
        [asked] = there.asked
        assert asked.json == {"text": rendering.fields["text"]}
        assert asked.headers["authorization"].startswith("OAuth ")
        assert asked.headers["user-agent"] == "Belfry"
        assert post == Post("1929", "https://x.com/i/web/status/1929")

    def test_an_update_replies_to_the_first_post(self, there: Platform) -> None:
        channel = x(there.url)
        update = notices(kind=Kind.UPDATE, msg_type=MsgType.UPDATE)[0]
        channel.update(replace(channel.compose(update), slots=SLOTS), Post("11"), key=KEY)
        assert there.asked[0].json["reply"] == {"in_reply_to_tweet_id": "11"}

    def test_an_update_goes_out_alone_where_the_first_post_is_gone(self, there: Platform) -> None:
        gone = "You attempted to reply to a Tweet that is deleted or not visible to you."
        there.on(*TWEETS, Answer(403, {"detail": gone}), Answer(201, {"data": {"id": "12"}}))
        channel = x(there.url)
        assert channel.update(self.rendering(channel), Post("11"), key=KEY).remote_id == "12"
        assert [("reply" in one.json) for one in there.calls(*TWEETS)] == [True, False]

    def test_a_card_goes_first_with_its_description(self, there: Platform) -> None:
        channel = x(there.url)
        self.put_out(channel, self.with_card(channel))
        upload, metadata, post = there.asked
        assert base64.b64decode(upload.json["media"]) == CARD
        assert (upload.json["media_category"], upload.json["media_type"]) == ("tweet_image", "image/jpeg")
        assert metadata.json == {"id": "55", "metadata": {"alt_text": {"text": PICTURE.alt[:1000]}}}
        assert post.json["media"] == {"media_ids": ["55"]}

    def test_a_card_is_uploaded_once_for_all_tries_until_x_forgets_it(self, there: Platform) -> None:
        channel = x(there.url)
        rendering = self.with_card(channel)
        begun = channel.begin(rendering, key=KEY)
        assert channel.begin(replace(rendering, begun=begun), key=KEY) == begun
        assert len(there.calls("POST", "/2/media/upload")) == 1
        old = {**begun, "until": time.time() - 1}
        channel.begin(replace(rendering, begun=old), key=KEY)
        assert len(there.calls("POST", "/2/media/upload")) == 2

    @pytest.mark.parametrize("path", ["/2/media/upload", "/2/media/metadata"])
    def test_the_words_go_without_a_picture_that_x_refuses(self, there: Platform, path: str) -> None:
        there.on("POST", path, Answer(400, self.refusal(400)))
        channel = x(there.url)
        assert self.put_out(channel, self.with_card(channel)).remote_id == "1929"
        assert "media" not in there.calls(*TWEETS)[0].json

    @pytest.mark.parametrize("answer", [SILENT, DROPPED, ENDLESS_BODY, HTML, RUBBISH, Answer(500), Answer(429)])
    def test_an_upload_is_never_uncertain(self, there: Platform, answer: Answer) -> None:
        there.on("POST", "/2/media/upload", answer)
        channel = x(there.url)
        with pytest.raises(Temporary):
            channel.begin(self.with_card(channel), key=KEY)
        assert not there.calls(*TWEETS)

    # its refusals

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (402, {"title": "CreditsDepleted", "type": "https://api.twitter.com/2/problems/credits"}),
            (402, {}),
            (403, {"detail": "Your enrolled account does not have any credits to fulfill this request."}),
            (429, {"title": "UsageCapExceeded", "type": "https://api.twitter.com/2/problems/usage-capped"}),
        ],
    )
    def test_used_up_credits_say_so(self, there: Platform, status: int, body: dict[str, str]) -> None:
        error = self.failing(there, Answer(status, body))
        assert isinstance(error, Permanent)
        assert "credits" in str(error)

    def test_a_wrong_key_says_so(self, there: Platform) -> None:
        assert "keys" in str(self.failing(there, Answer(401, self.refusal(401))))

    def test_too_many_waits_until_the_limit_is_reset(self, there: Platform) -> None:
        headers = {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(time.time()) + 300)}
        error = self.failing(there, Answer(429, self.refusal(429), headers))
        assert isinstance(error, Temporary)
        assert error.after is not None
        assert 200 < error.after <= 300

    @pytest.mark.parametrize(("quarter", "day", "wait"), [("0", "50", 300), ("99", "0", 9000), ("0", "0", 9000)])
    def test_only_a_limit_that_is_used_up_is_waited_for(
        self, there: Platform, quarter: str, day: str, wait: int
    ) -> None:
        headers = {
            "x-rate-limit-remaining": quarter,
            "x-rate-limit-reset": str(int(time.time()) + 300),
            "x-user-limit-24hour-remaining": day,
            "x-user-limit-24hour-reset": str(int(time.time()) + 9000),
        }
        error = self.failing(there, Answer(429, {}, headers))
        assert isinstance(error, Temporary)
        assert error.after is not None
        assert wait - 100 < error.after <= wait

    def test_a_reset_of_an_odd_shape_is_no_time(self, there: Platform) -> None:
        error = self.failing(there, Answer(429, [], {"x-rate-limit-reset": "soon"}))
        assert isinstance(error, Temporary)
        assert error.after is None

    @pytest.mark.parametrize("body", [[], "no", 7, None, {"errors": {"a": 1}}, {"errors": None}, {"detail": 5}])
    def test_a_refusal_of_an_odd_shape_is_a_refusal(self, there: Platform, body: Any) -> None:
        assert isinstance(self.failing(there, Answer(400, body)), Permanent)

    def test_a_redirect_is_not_followed(self, there: Platform) -> None:
        with platform() as other:
            error = self.failing(there, Answer(307, {}, {"Location": f"{other.url}/2/tweets"}))
            assert not other.asked
        assert isinstance(error, Permanent)

    def test_proxies_of_the_environment_are_not_used(self, there: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert self.put_out(x(there.url)).remote_id == "1929"

    def test_a_packed_answer_is_read(self, there: Platform) -> None:
        packed = gzip.compress(json.dumps({"data": {"id": "1930"}}).encode())
        there.on(*TWEETS, Answer(201, packed, {"Content-Encoding": "gzip"}))
        assert self.put_out(x(there.url)).remote_id == "1930"

    def test_an_answer_that_drips_ends_with_our_patience(self, there: Platform) -> None:
        error = self.failing(there, SLOW)
        assert isinstance(error, Uncertain)
        assert "X: no answer in time" in str(error)

    def test_an_endless_answer_ends_by_its_length(self, there: Platform) -> None:
        there.on(*TWEETS, ENDLESS_BODY)
        channel = x(there.url, patience=20)
        with pytest.raises(Uncertain, match="too long"):
            self.put_out(channel)

    @pytest.mark.parametrize(
        "body", [{"data": {}}, {"data": {"id": "x/../y"}}, {"data": {"id": 5}}, {"data": None}, []]
    )
    def test_a_yes_without_a_number_is_uncertain(self, there: Platform, body: Any) -> None:
        assert isinstance(self.failing(there, Answer(201, body)), Uncertain)

    @pytest.mark.parametrize("answer", [Answer(201, {"data": {"id": "5"}}), SILENT, Answer(401), Answer(500)])
    def test_no_log_holds_a_key(self, there: Platform, answer: Answer, caplog: pytest.LogCaptureFixture) -> None:
        there.on(*TWEETS, answer)
        with caplog.at_level(logging.INFO), contextlib.suppress(ChannelError):
            self.put_out(x(there.url))
        assert SECRET not in caplog.text

    def test_an_update_without_its_first_post_may_be_a_duplicate_too(self, there: Platform) -> None:
        channel = x(there.url)
        rendering = self.rendering(channel)
        there.on(*TWEETS, Answer(400, {"detail": "reply to a Tweet that is deleted"}), Answer(403, DUPLICATE))
        there.on("GET", "/2/users/42/tweets", timeline(standing(rendering.fields["text"], "14")))
        assert channel.update(rendering, Post("11"), key=KEY).remote_id == "14"

    # what stands there

    def test_a_duplicate_is_found_and_counts_as_posted(self, there: Platform) -> None:
        channel = x(there.url)
        text = self.rendering(channel).fields["text"]
        there.on(*TWEETS, Answer(403, DUPLICATE))
        there.on("GET", "/2/users/42/tweets", timeline(standing("Anderes\n" + LINK, "6"), standing(text, "7")))
        assert self.put_out(channel) == Post("7", "https://x.com/i/web/status/7")
        assert there.calls("GET", "/2/users/42/tweets")[0].query["start_time"] == "2030-09-13T17:34:00Z"
        assert len(there.calls(*TWEETS)) == 1

    @pytest.mark.parametrize("answer", [timeline(), Answer(429), Answer(403), SILENT, HTML])
    def test_a_duplicate_that_is_not_found_is_uncertain(self, there: Platform, answer: Answer) -> None:
        there.on("GET", "/2/users/42/tweets", answer)
        assert isinstance(self.failing(there, Answer(403, DUPLICATE)), Uncertain)

    def test_the_older_words_for_a_duplicate_are_known(self, there: Platform) -> None:
        old = {"errors": [{"code": 187, "message": "Status is a duplicate."}]}
        assert isinstance(self.failing(there, Answer(403, old)), Uncertain)

    def look_up(self, there: Platform, *answers: Answer, rendering: Rendering | None = None) -> Post | None:
        there.on("GET", "/2/users/42/tweets", *answers)
        channel = x(there.url)
        return channel.look_up(rendering or self.rendering(channel), key=KEY, since=SINCE)

    def test_nothing_there_is_none(self, there: Platform) -> None:
        assert self.look_up(there, Answer(200, {"meta": {"result_count": 0}})) is None
        assert not there.calls(*TWEETS)

    def test_a_post_is_found_by_words_and_target(self, there: Platform) -> None:
        text = "Rauch & Gas <Süd>, siehe www.leipzig.de und https://feuerwehr.de/a?b=1\n" + LINK
        shown = standing(text, "8")
        for number, link in enumerate(("www.leipzig.de", "https://feuerwehr.de/a?b=1")):
            shown["text"] = shown["text"].replace(link, f"https://t.co/L{number}")
            shown["entities"]["urls"].append({"url": f"https://t.co/L{number}", "expanded_url": "http://other.de"})
        rendering = Rendering("x", "de", {"text": text}, SLOTS)
        assert self.look_up(there, timeline(shown), rendering=rendering) == Post("8", "https://x.com/i/web/status/8")

    def test_the_same_words_with_another_target_are_another_post(self, there: Platform) -> None:
        text = self.rendering(x(there.url)).fields["text"]
        other = standing(text, "9")
        other["entities"]["urls"][0]["expanded_url"] = "https://warnung.leipzig.example/alerts/other/"
        assert self.look_up(there, timeline(other)) is None

    def test_a_link_that_x_left_as_it_is_is_found_too(self, there: Platform) -> None:
        text = self.rendering(x(there.url)).fields["text"]
        assert self.look_up(there, timeline({"id": "10", "text": text})) == Post("10", "https://x.com/i/web/status/10")

    def test_the_search_goes_on_over_the_pages(self, there: Platform) -> None:
        text = self.rendering(x(there.url)).fields["text"]
        found = self.look_up(there, timeline(after="abc"), timeline(standing(text, "13")))
        assert found is not None
        assert found.remote_id == "13"
        assert [one.query.get("pagination_token") for one in there.calls("GET", "/2/users/42/tweets")] == [None, "abc"]

    def test_a_search_without_end_is_uncertain(self, there: Platform) -> None:
        with pytest.raises(Uncertain):
            self.look_up(there, timeline(after="more"))
        assert len(there.calls("GET", "/2/users/42/tweets")) == 3

    @pytest.mark.parametrize(
        "body",
        [{"data": [None, 7], "meta": []}, {"data": [{"entities": [1]}]}, {"data": [{"entities": {"urls": [3]}}]}],
    )
    def test_a_timeline_of_an_odd_shape_holds_nothing(self, there: Platform, body: Any) -> None:
        assert self.look_up(there, Answer(200, body)) is None

    @pytest.mark.parametrize("answer", [SILENT, DROPPED, HTML, ENDLESS_BODY, Answer(500), Answer(429)])
    def test_a_search_that_fails_is_temporary(self, there: Platform, answer: Answer) -> None:
        with pytest.raises(Temporary):
            self.look_up(there, answer)

    # the account

    def test_a_post_is_taken_back(self, there: Platform) -> None:
        x(there.url).retract(Post("1929"))
        assert len(there.calls("DELETE", "/2/tweets/1929")) == 1

    def test_taking_back_what_is_gone_is_done(self, there: Platform) -> None:
        there.on("DELETE", "/2/tweets/1929", Answer(404, self.refusal(404)))
        x(there.url).retract(Post("1929"))

    @pytest.mark.parametrize(
        ("answer", "error"),
        [(SILENT, Temporary), (Answer(403), Permanent), (Answer(200, {"data": {"deleted": False}}), Permanent)],
    )
    def test_taking_back_that_fails_says_so(self, there: Platform, answer: Answer, error: type[ChannelError]) -> None:
        there.on("DELETE", "/2/tweets/1929", answer)
        with pytest.raises(error):
            x(there.url).retract(Post("1929"))

    def test_followers_are_counted(self, there: Platform) -> None:
        assert x(there.url).audience() == 90_321
        assert "public_metrics" in there.asked[0].query["user.fields"]

    def test_the_probe_names_the_account(self, there: Platform) -> None:
        assert "@leipzig" in x(there.url).probe()
        assert not there.calls("POST")

    def test_the_probe_warns_of_an_account_that_nobody_sees(self, there: Platform) -> None:
        there.on("GET", "/2/users/me", Answer(200, {"data": {"id": "42", "protected": True}}))
        with pytest.raises(Permanent, match="protected"):
            x(there.url).probe()

    def test_it_says_whose_hands_it_passes(self) -> None:
        assert [(hop.name, hop.where) for hop in X.hops] == [("X Corp.", "abroad")]
        assert not X.city
        assert not X.idempotent


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("Rauch", 5),
        ("äöüß €", 7),  # the euro sign counts 2
        ("日本", 4),
        ("👩‍👩‍👧‍👦", 2),
        ("https://warnung.leipzig.de/alerts/k7f3x/", 23),
        ("a\nhttps://warnung.leipzig.de/en/alerts/k7f3x/", 25),
        ("a\u0301", 1),
    ],
)
def test_x_counts_in_its_own_way(text: str, length: int) -> None:
    assert weight(text) == length


def test_what_is_surely_too_long_is_not_counted_out() -> None:
    assert weight("Wort " * 2000) > 280
    assert weight("Satz. " * 46 + "https://warnung.leipzig.de/" + "x" * 900) == 46 * 6 + 23


def test_a_long_link_of_the_city_leaves_its_words_their_room() -> None:
    link = "https://warnung.leipzig.de/alerts/" + "k" * 300 + "/"
    texts = {language: replace(old, headline="Wort " * 200) for language, old in CONTENT.texts.items()}
    one = replace(notices(replace(CONTENT, texts=texts))[0], url=link)
    text = x("http://127.0.0.1:9").compose(one).fields["text"]
    assert 270 <= weight(text) <= 280
    assert text.endswith(f"\n{link}")


def test_characters_that_x_refuses_are_left_out() -> None:
    texts = {language: replace(old, headline="\ufeffGas\uffff tritt aus") for language, old in CONTENT.texts.items()}
    text = x("http://127.0.0.1:9").compose(notices(replace(CONTENT, texts=texts))[0]).fields["text"]
    assert "Gas tritt aus" in text


def test_nothing_stays_of_the_stand_in_for_pkg_resources() -> None:
    weight("x")
    assert "pkg_resources" not in sys.modules


@settings(max_examples=60, deadline=None)
@given(st.text("abc äöüÄß.,:;!?–—„“”‚‘’…-@#123\n\u2060©🧨é\u0301/()&<>", max_size=270))
def test_the_quick_count_is_the_exact_one(words: str) -> None:
    for link in ("https://warnung.leipzig.de/alerts/k7f3/", "https://w.leipzig.example/k7", "http://127.0.0.1:8000/a/"):
        exact = int(twitter_text().parse_tweet(f"{words}\n{link}").weightedLength)
        counted = weight(f"{words}\n{link}")
        assert counted == exact or min(counted, exact) > 280
