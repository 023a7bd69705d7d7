"""Instagram: a card in two steps, the container kept before anything goes out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alerts.notice import Rendering
from channels.base import Permanent, Post, Publisher, Temporary
from channels.commercial.instagram import Instagram
from tests.channels.contract import SECRET, notices
from tests.channels.graphs import CARD, LATER, OnStages, refused
from tests.channels.platforms import Platform
from tests.channels.posting import SLOTS


class TestInstagram(OnStages):
    limit = 2200
    sends = ("POST", "/v26.0/17/media_publish")
    making = "/v26.0/17/media"
    looking = "/v26.0/17/media"
    container = "/v26.0/c[12]"
    state = "status_code"
    said = "caption"
    account = "/v26.0/17"

    def at(self, url: str, *, patience: float = 5, **options: Any) -> Publisher:
        return Instagram(
            "channel", http=self.http, server=url, account="17", token=SECRET, patience=patience, pace=0.01, **options
        )

    def size(self, rendering: Rendering) -> int:
        return len(self.text(rendering).encode("utf-16-le")) // 2

    def test_the_container_holds_card_caption_and_alt_text(self, there: Platform) -> None:
        channel = self.at(there.url)
        self.put_out(channel)
        assert there.calls("POST", self.making)[0].form == {
            "image_url": CARD.url,
            "caption": self.rendering(channel).fields["text"],
            "alt_text": CARD.alt,
        }

    def test_without_a_card_it_says_so(self, there: Platform) -> None:
        channel = self.at(there.url)
        rendering = replace(channel.compose(notices()[0]), slots=SLOTS)
        with pytest.raises(Permanent, match="picture"):
            self.put_out(channel, rendering)
        assert not there.asked

    @pytest.mark.parametrize("subcode", [2207003, 2207052])
    def test_a_card_that_meta_can_not_fetch_is_tried_again(self, there: Platform, subcode: int) -> None:
        there.on("POST", self.making, refused(9004, subcode))
        with pytest.raises(Temporary, match="picture"):
            self.put_out(self.at(there.url))

    def test_an_update_is_looked_up_by_its_own_container(self, there: Platform) -> None:
        rendering = self.rendering(self.at(there.url), begun={"container": "c1"})
        assert self.look(there, rendering, reply_to=Post("1")) is None
        assert not there.calls("GET", self.looking)

    def test_a_caption_that_lost_its_at_signs_is_found(self, there: Platform) -> None:
        rendering = self.rendering(self.at(there.url))
        rendering = replace(rendering, fields={"text": "Fragen an @\u2060stadt\nhttps://warnung.example/k7f3x"})
        said = "Fragen an stadt https://warnung.example/k7f3x"
        self.list(there, self.listed(rendering, LATER, said))
        assert self.look(there, rendering) == Post("77", "https://meta.example/77")
