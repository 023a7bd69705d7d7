"""Threads: 500 characters with emoji as bytes, in two steps, updates as replies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alerts.notice import Rendering
from alerts.terms import Kind
from channels.base import Permanent, Post, Publisher
from channels.commercial.threads import Threads, length
from tests.channels.contract import SECRET, notices
from tests.channels.graphs import CARD, OnStages, refused
from tests.channels.platforms import Answer, Platform
from tests.channels.posting import KEY, SLOTS


class TestThreads(OnStages):
    limit = 500
    sends = ("POST", "/v1.0/17/threads_publish")
    making = "/v1.0/17/threads"
    looking = "/v1.0/17/(threads|replies)"
    container = "/v1.0/c[12]"
    state = "status"
    said = "text"
    account = "/v1.0/17"

    def at(self, url: str, *, patience: float = 5, **options: Any) -> Publisher:
        return Threads(
            "channel", http=self.http, server=url, account="17", token=SECRET, patience=patience, pace=0.01, **options
        )

    def size(self, rendering: Rendering) -> int:
        """Emoji as bytes: here every character beyond the basic plane, and no other that these texts hold."""
        return sum(4 if c > "\uffff" else 1 for c in self.text(rendering))

    def followed(self, there: Platform, count: int) -> None:
        row = {"name": "followers_count", "total_value": {"value": count}}
        there.on("GET", "/v1.0/17/threads_insights", Answer(200, {"data": [row]}))

    def made(self, there: Platform) -> list[dict[str, str]]:
        return [one.form for one in there.calls("POST", self.making)]

    def test_with_a_card_it_is_an_image_with_alt_text(self, there: Platform) -> None:
        channel = self.at(there.url)
        self.put_out(channel)
        text = self.rendering(channel).fields["text"]
        picture = {"media_type": "IMAGE", "image_url": CARD.url, "alt_text": CARD.alt}
        assert self.made(there) == [{**picture, "text": text}]

    def test_without_a_card_it_is_text(self, there: Platform) -> None:
        channel = self.at(there.url)
        rendering = replace(channel.compose(notices()[0]), slots=SLOTS)
        self.put_out(channel, rendering)
        assert self.made(there) == [{"media_type": "TEXT", "text": rendering.fields["text"]}]

    @pytest.mark.parametrize(("code", "subcode"), [(1, 2207052), (-2, 2207003)])
    def test_a_card_that_meta_can_not_fetch_keeps_nobody_silent(self, there: Platform, code: int, subcode: int) -> None:
        there.on("POST", self.making, refused(code, subcode), Answer(200, {"id": "c2"}))
        assert self.put_out(self.at(there.url)).remote_id == "77"
        assert [one["media_type"] for one in self.made(there)] == ["IMAGE", "TEXT"]

    def test_a_container_that_failed_is_made_anew_without_its_card(self, there: Platform) -> None:
        self.is_in(there, "ERROR", container="c1")
        there.on("POST", self.making, Answer(200, {"id": "c2"}))
        channel = self.at(there.url)
        begun = channel.begin(self.rendering(channel, begun={"container": "c1"}), key=KEY)
        assert begun == {"container": "c2", "bare": True}
        assert self.made(there)[0]["media_type"] == "TEXT"

    def test_an_update_is_a_reply(self, there: Platform) -> None:
        channel = self.at(there.url)
        rendering = self.rendering(channel, kind=Kind.UPDATE)
        begun = channel.begin(rendering, key=KEY, reply_to=Post("70"))
        assert channel.update(replace(rendering, begun=begun), Post("70"), key=KEY).remote_id == "77"
        [made] = self.made(there)
        assert made["reply_to_id"] == "70"

    def test_an_update_begun_without_its_first_post_is_a_reply_all_the_same(self, there: Platform) -> None:
        channel = self.at(there.url)
        rendering = self.rendering(channel, kind=Kind.UPDATE, begun={"container": "c1"})
        channel.update(rendering, Post("70"), key=KEY)
        assert self.made(there)[-1]["reply_to_id"] == "70"

    def test_such_an_update_is_looked_up_among_the_posts(self, there: Platform) -> None:
        rendering = self.rendering(self.at(there.url), begun={"container": "c1"})
        there.on("GET", "/v1.0/17/replies", Answer(200, {"data": [self.listed(rendering)]}))
        assert self.look(there, rendering, reply_to=Post("70")) == Post("77", "https://meta.example/77")

    def test_an_update_is_looked_up_by_its_container(self, there: Platform) -> None:
        begun = {"container": "c1", "reply_to": "70"}
        assert self.look(there, self.rendering(self.at(there.url), begun=begun), reply_to=Post("70")) is None
        assert not there.calls("GET", self.looking)

    @pytest.mark.parametrize("answer", [refused(100, 33), refused(24, 4279009)])
    def test_a_first_post_that_is_gone_keeps_nobody_silent(self, there: Platform, answer: Answer) -> None:
        there.on("POST", self.making, answer, Answer(200, {"id": "c2"}))
        channel = self.at(there.url)
        rendering = self.rendering(channel, kind=Kind.ALL_CLEAR)
        begun = channel.begin(rendering, key=KEY, reply_to=Post("70"))
        assert channel.update(replace(rendering, begun=begun), Post("70"), key=KEY).remote_id == "77"
        assert ["reply_to_id" in one for one in self.made(there)] == [True, False]

    def test_a_refused_reply_is_refused(self, there: Platform) -> None:
        there.on("POST", self.making, refused(190))
        channel = self.at(there.url)
        with pytest.raises(Permanent, match="token"):
            channel.begin(self.rendering(channel), key=KEY, reply_to=Post("70"))
        assert len(there.asked) == 1

    def test_followers_in_an_answer_without_any(self, there: Platform) -> None:
        there.on("GET", "/v1.0/17/threads_insights", Answer(200, {"data": []}))
        assert self.at(there.url).audience() is None


@pytest.mark.parametrize(
    ("text", "counted"),
    [("Straße", 6), ("🧨", 4), ("👩‍👩‍👧‍👦", 25), ("☎️", 6), ("1️⃣", 7), ("שלום", 4), ("a\u0301", 2), ("„so“ – …", 8)],
)
def test_an_emoji_counts_as_its_bytes(text: str, counted: int) -> None:
    assert length(text) == counted
