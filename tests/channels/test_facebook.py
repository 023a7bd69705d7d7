"""Facebook: a photo where there is a card, else a link; found again by its words; never twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from channels.base import Permanent, Post, Publisher, Uncertain
from channels.commercial.facebook import Facebook
from tests.channels.contract import SECRET, notices
from tests.channels.graphs import BODY, CARD, LATER, Errors, refused
from tests.channels.platforms import DROPPED, Answer, Platform
from tests.channels.posting import KEY, SLOTS


class TestFacebook(Errors):
    limit = 5000
    sends = ("POST", "/v26.0/17/(feed|photos)")
    looking = "/v26.0/17/published_posts"
    said = "message"
    at_time = "created_time"
    account = "/v26.0/17"
    pictures = True

    def at(self, url: str, **options: Any) -> Publisher:
        return Facebook("channel", http=self.http, server=url, page="17", token=SECRET, **options)

    def healthy(self, there: Platform) -> None:
        there.on("POST", "/v26.0/17/photos", Answer(200, {"id": "5", "post_id": "17_77"}))
        there.on("POST", "/v26.0/17/feed", Answer(200, {"id": "17_78"}))
        there.on("GET", self.looking, Answer(200, {"data": []}))

    def test_with_a_card_it_is_a_photo_with_alt_text(self, there: Platform) -> None:
        channel = self.at(there.url)
        post = self.put_out(channel)
        [asked] = there.asked
        assert asked.path.endswith("/photos")
        for part in (BODY, CARD.alt.encode(), b'name="caption"', b'name="alt_text_custom"', notices()[0].url.encode()):
            assert part in asked.body
        assert post == Post("17_77", "https://www.facebook.com/17_77")

    def test_without_a_card_it_is_a_link(self, there: Platform) -> None:
        channel = self.at(there.url)
        rendering = replace(channel.compose(notices()[0]), slots=SLOTS)
        assert self.put_out(channel, rendering).remote_id == "17_78"
        [asked] = there.asked
        assert asked.form == {"message": rendering.fields["text"], "link": notices()[0].url}

    def test_a_card_whose_file_is_missing_keeps_nobody_silent(self, there: Platform) -> None:
        channel = self.at(there.url)
        self.put_out(channel, replace(self.rendering(channel), pictures={}))
        assert there.asked[0].path.endswith("/feed")

    def test_a_card_that_is_refused_keeps_nobody_silent(self, there: Platform) -> None:
        there.on("POST", "/v26.0/17/photos", refused(324, 2069019))
        assert self.put_out(self.at(there.url)).remote_id == "17_78"

    def test_an_update_is_a_post_of_its_own(self, there: Platform) -> None:
        channel = self.at(there.url)
        assert channel.update(self.rendering(channel), Post("17_1"), key=KEY).remote_id == "17_77"
        assert b"17_1" not in there.asked[0].body

    def test_a_duplicate_of_this_message_is_posted(self, there: Platform) -> None:
        channel = self.at(there.url)
        there.on(*self.sends, refused(506))
        self.list(there, self.listed(self.rendering(channel), LATER))
        assert self.put_out(channel).remote_id == "77"

    def test_a_duplicate_of_something_older_is_told(self, there: Platform) -> None:
        there.on(*self.sends, refused(506))
        with pytest.raises(Permanent, match="already"):
            self.put_out(self.at(there.url))

    def test_a_lost_answer_is_never_posted_twice(self, there: Platform) -> None:
        channel = self.at(there.url)
        there.on(*self.sends, DROPPED)
        rendering = self.rendering(channel)
        with pytest.raises(Uncertain):
            self.put_out(channel, rendering)
        self.list(there, self.listed(rendering))
        assert self.look(there, rendering) == Post("77", "https://www.facebook.com/77")
        assert len(there.calls(*self.sends)) == 1

    def test_a_page_too_full_to_look_through_is_uncertain(self, there: Platform) -> None:
        rendering = self.rendering(self.at(there.url))
        self.list(there, *(self.listed(rendering, text=f"Anderes {number}") for number in range(50)))
        with pytest.raises(Uncertain):
            self.look(there, rendering)

    def test_a_probe_tells_whose_token_it_is(self, there: Platform) -> None:
        there.on("GET", "/v26.0/me", Answer(200, {"id": "17", "name": "Stadt Leipzig"}))
        assert "Stadt Leipzig" in self.at(there.url).probe()

    def test_a_probe_finds_the_token_of_a_person(self, there: Platform) -> None:
        there.on("GET", "/v26.0/me", Answer(200, {"id": "4", "name": "Erika Muster"}))
        with pytest.raises(Permanent, match="Erika Muster"):
            self.at(there.url).probe()
