"""What every channel on a platform keeps, its vendor's client at work against a scripted server: inherit ``Posts``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from alerts.notice import Rendering
from alerts.terms import Kind, MsgType
from channels.base import ChannelError, Permanent, Post, Publisher, Temporary, Uncertain
from tests.channels.contract import CONTENT, SECRET, Contract, notices
from tests.channels.platforms import BROKEN, DROPPED, ENDLESS_BODY, HTML, RUBBISH, SILENT, Answer, Platform, platform

SLOTS = {
    "identifier": "warnung.leipzig.example.k7f3x.1.a1b2c3",
    "sent": "2030-09-13T17:35:00+00:00",
    "slug": "k7f3x",
    "digest": "d" * 64,
    "expires": "2030-09-14T04:00:00+00:00",
}
KEY = "warnung.leipzig.example.k7f3x.1.a1b2c3:channel:de"
FIRST = Post("1", "https://platform.example/1", {})
"""An earlier post that updates reply to; where a platform needs more of it, set ``first``."""

UNCLEAR = {
    "silent": SILENT,
    "dropped": DROPPED,
    "broken off": BROKEN,
    "server error": Answer(500, {"error": "internal"}),
    "bad gateway": Answer(502, b"<html>Bad Gateway</html>", {"Content-Type": "text/html"}),
    "no JSON": HTML,
    "invalid UTF-8": RUBBISH,
    "endless": ENDLESS_BODY,
}
"""After these, the call that puts out may have put out."""
ODD = {
    "emoji": "🧨" * 700,
    "one grapheme of many": "👩‍👩‍👧‍👦" * 200,
    "right to left": "تحذير: غادروا المنطقة فورا " * 40,
    "combining": "a\u0301\u0301\u0301" * 400,
    "addresses": "https://www.leipzig.example/eine/lange/adresse?x=1 " * 20,
    "mentions": "@leipzig #panik @everyone " * 40,
    "one long word": "x" * 4000,
}


class Posts(Contract):
    """Tests of a Publisher on a platform; ``at`` makes it for a server, ``healthy`` scripts that server's yes."""

    sends: tuple[str, str] = ("POST", ".*")
    """Method and path (a regular expression) of the one call that puts out."""
    first: Post = FIRST

    def at(self, url: str) -> Publisher:
        """The channel that talks to this server, with ``SECRET`` as its secret and a second of patience."""
        raise NotImplementedError

    def healthy(self, there: Platform) -> None:
        """Script every call that one post needs."""
        raise NotImplementedError

    def size(self, rendering: Rendering) -> int:
        """The length of a rendering's text as the platform counts it; ``limit`` bounds it."""
        return len(str(rendering.fields["text"]))

    def text(self, rendering: Rendering) -> str:
        return str(rendering.fields["text"])

    # the wire

    @pytest.fixture
    def there(self) -> Iterator[Platform]:
        with platform() as server:
            self.healthy(server)
            yield server

    def rendering(self, channel: Publisher) -> Rendering:
        return replace(channel.compose(notices()[0]), slots=SLOTS)

    def put_out(self, channel: Publisher, rendering: Rendering | None = None) -> Post:
        """What the engine does: begin, then publish."""
        rendering = rendering or self.rendering(channel)
        rendering = replace(rendering, begun=channel.begin(rendering, key=KEY))
        return channel.publish(rendering, key=KEY)

    def failing(self, there: Platform, answer: Answer) -> ChannelError:
        """What the channel makes of this answer to the call that puts out."""
        there.on(*self.sends, answer)
        channel = self.at(there.url)
        with pytest.raises(ChannelError) as found:
            self.put_out(channel)
        return found.value

    def test_it_is_put_out(self, there: Platform) -> None:
        post = self.put_out(self.at(there.url))
        assert post.remote_id
        assert json.loads(json.dumps(dict(post.data))) == dict(post.data)
        assert len(there.calls(*self.sends)) == 1

    def test_an_update_is_put_out(self, there: Platform) -> None:
        channel = self.at(there.url)
        update = notices(kind=Kind.UPDATE, msg_type=MsgType.UPDATE)[0]
        rendering = replace(channel.compose(update), slots=SLOTS)
        rendering = replace(rendering, begun=channel.begin(rendering, key=KEY, reply_to=self.first))
        assert channel.update(rendering, self.first, key=KEY).remote_id

    def test_no_server_is_temporary(self) -> None:
        with platform() as server:
            url = server.url
        with pytest.raises(Temporary):
            self.put_out(self.at(url))

    def test_too_many_with_a_time(self, there: Platform) -> None:
        error = self.failing(there, Answer(429, self.refusal(429), {"Retry-After": "17"}))
        assert isinstance(error, Temporary)
        assert error.after is None or 16 <= error.after <= 18

    def test_too_many_without_a_time(self, there: Platform) -> None:
        assert isinstance(self.failing(there, Answer(429, self.refusal(429))), Temporary)

    def test_unavailable_is_temporary(self, there: Platform) -> None:
        assert isinstance(self.failing(there, Answer(503, self.refusal(503))), Temporary)

    @pytest.mark.parametrize("status", [400, 401, 403, 404])
    def test_a_refusal_is_permanent(self, there: Platform, status: int) -> None:
        assert isinstance(self.failing(there, Answer(status, self.refusal(status))), Permanent)

    @pytest.mark.parametrize("how", UNCLEAR)
    def test_what_may_have_gone_out_is_uncertain(self, there: Platform, how: str) -> None:
        error = self.failing(there, UNCLEAR[how])
        assert isinstance(error, Temporary if self.at(there.url).idempotent else Uncertain)

    def refusal(self, status: int) -> Any:
        """The body of a refusal, as the platform writes it."""
        return {"error": f"refused {status}"}

    @pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
    def test_no_error_shows_a_secret(self, there: Platform, status: int) -> None:
        error = self.failing(there, Answer(status, {**self.refusal(status), "token": SECRET}))
        assert SECRET not in str(error)
        assert there.url not in str(error)
        assert str(error).strip()

    # the text

    @pytest.mark.parametrize("what", ODD)
    def test_odd_text_keeps_limit_and_link(self, what: str) -> None:
        texts = {language: replace(old, headline=ODD[what]) for language, old in CONTENT.texts.items()}
        channel = self.at("http://127.0.0.1:9")
        for one in notices(replace(CONTENT, texts=texts)):
            rendering = channel.compose(one)
            assert self.size(rendering) <= self.limit
            assert one.url in self.text(rendering)

    def test_text_at_the_limit_and_one_over(self) -> None:
        channel = self.at("http://127.0.0.1:9")
        before = 0
        for length in range(1, self.limit + 40, max(1, self.limit // 60)):
            texts = {language: replace(old, headline="n" * length) for language, old in CONTENT.texts.items()}
            rendering = channel.compose(notices(replace(CONTENT, texts=texts))[0])
            assert self.size(rendering) <= self.limit
            before = max(before, self.size(rendering))
        assert before > self.limit * 0.9 or self.limit > 1500

    def test_nobody_is_mentioned_by_accident(self) -> None:
        texts = {language: replace(old, headline="Wegen @stadt und #panik") for language, old in CONTENT.texts.items()}
        said = self.text(self.at("http://127.0.0.1:9").compose(notices(replace(CONTENT, texts=texts))[0]))
        assert "@stadt" not in said
        assert "#panik" not in said
