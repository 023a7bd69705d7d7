"""What Meta's Graph API answers, for the tests of its three platforms."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from django.utils.translation import override

from alerts.notice import Notice, Picture, Rendering
from alerts.terms import Kind, MsgType
from channels.base import ChannelError, Permanent, Post, Publisher, Temporary, Uncertain
from channels.http import Http
from tests.channels.contract import CONTENT, SECRET, notices
from tests.channels.platforms import DROPPED, ENDLESS_BODY, HTML, RUBBISH, SILENT, Answer, Platform
from tests.channels.posting import KEY, SLOTS, Posts

PATIENT, HASTY = Http(seconds=10), Http(seconds=0.3)
"""For all tests: to make one reads all certificates. The hasty one is for who says nothing."""
BODY = b"\xff\xd8a card\xff\xd9"
CARD = Picture(
    "square", "image/jpeg", 1080, 1080, "ab" * 32, "Extreme Gefahr: Bombenfund. Stadt Leipzig",
    f"https://warnung.leipzig.example/cards/{'ab' * 16}.jpg",
)  # fmt: skip
SINCE = dt.datetime(2030, 9, 13, 17, 35, tzinfo=dt.UTC)
LATER, EARLIER = "2030-09-13T17:35:20+0000", "2030-09-13T16:00:00+0000"
CODES = {400: 100, 401: 190, 403: 200, 404: 803, 429: 4, 500: 1, 503: 2}
UNREADABLE = {"silent": SILENT, "no JSON": HTML, "invalid UTF-8": RUBBISH, "endless": ENDLESS_BODY}


def refused(code: int, subcode: int = 0, *, status: int = 400, **more: Any) -> Answer:
    """An error as Meta writes it; its text holds the token, as that of a malformed one does."""
    error = {"message": f"Malformed access token {SECRET}", "type": "OAuthException", "code": code}
    return Answer(status, {"error": {**error, **({"error_subcode": subcode} if subcode else {}), **more}})


def with_card(one: Notice) -> Notice:
    return replace(one, pictures=(CARD,))


class OnGraph(Posts):
    """Tests that hold for each of the three."""

    looking: ClassVar[str]
    """Path (a regular expression) of the listing that is looked through."""
    said: ClassVar[str]
    """Field of a listed post with its text."""
    at_time: ClassVar[str] = "timestamp"
    account: ClassVar[str]
    """Path of the account."""

    http = PATIENT

    @pytest.fixture(autouse=True)
    def english(self) -> Iterator[None]:
        """What officers read is compared in the language that the code is written in."""
        with override("en"):
            yield

    def refusal(self, status: int) -> Any:
        return refused(CODES[status]).body

    def failing(self, there: Platform, answer: Answer) -> ChannelError:
        self.haste(answer)
        return super().failing(there, answer)

    def haste(self, answer: Answer) -> None:
        if answer.way == "silent":
            self.http = HASTY

    def rendering(
        self, channel: Publisher, *, kind: Kind = Kind.WARNING, begun: Mapping[str, Any] | None = None
    ) -> Rendering:
        msg_type = MsgType.ALERT if kind == Kind.WARNING else MsgType.UPDATE
        made = channel.compose(with_card(notices(kind=kind, msg_type=msg_type)[0]))
        return replace(made, slots=SLOTS, pictures={CARD.sha256: BODY}, begun=begun or {})

    def listed(self, rendering: Rendering, when: str = LATER, text: str = "", remote_id: str = "77") -> dict[str, str]:
        """A post as the account's listing shows it."""
        words = text or str(rendering.fields["text"])
        return {"id": remote_id, self.said: words, self.at_time: when, "permalink": "https://meta.example/77"}

    def list(self, there: Platform, *rows: Mapping[str, str]) -> None:
        there.on("GET", self.looking, Answer(200, {"data": list(rows)}))

    def look(self, there: Platform, rendering: Rendering, reply_to: Post | None = None) -> Post | None:
        return self.at(there.url).look_up(rendering, key=KEY, since=SINCE, reply_to=reply_to)

    def test_many_emoji_are_counted_as_the_platform_does(self) -> None:
        texts = {language: replace(old, headline="🧨 " * 1500) for language, old in CONTENT.texts.items()}
        rendering = self.at("http://127.0.0.1:9").compose(notices(replace(CONTENT, texts=texts))[0])
        assert min(self.limit, 2000) * 0.9 < self.size(rendering) <= self.limit

    def test_the_token_is_in_a_header_and_in_no_address(self, there: Platform) -> None:
        self.put_out(self.at(there.url))
        assert there.asked
        for one in there.asked:
            assert one.headers["authorization"] == f"Bearer {SECRET}"
            assert SECRET not in f"{one.path}{one.query}"
            assert SECRET.encode() not in one.body

    def test_a_post_is_found_again_by_its_words(self, there: Platform) -> None:
        rendering = self.rendering(self.at(there.url))
        said = str(rendering.fields["text"])
        old, other = (
            self.listed(rendering, EARLIER, remote_id="1"),
            self.listed(rendering, text="Anderes", remote_id="2"),
        )
        self.list(there, old, other, self.listed(rendering, text=said.replace("\n", " \n\n")))
        found = self.look(there, rendering)
        assert found is not None
        assert found.remote_id == "77"
        assert not there.calls(*self.sends)

    def test_where_nothing_stands_nothing_is_found(self, there: Platform) -> None:
        rendering = self.rendering(self.at(there.url))
        self.list(there, self.listed(rendering, EARLIER), self.listed(rendering, text="Anderes"))
        assert self.look(there, rendering) is None

    @pytest.mark.parametrize("how", UNREADABLE)
    def test_who_can_not_be_asked_now_is_asked_again(self, there: Platform, how: str) -> None:
        rendering = self.rendering(self.at(there.url))
        there.on("GET", self.looking, UNREADABLE[how])
        self.haste(UNREADABLE[how])
        with pytest.raises(Temporary):
            self.look(there, rendering)

    def test_who_may_not_look_can_not_tell(self, there: Platform) -> None:
        rendering = self.rendering(self.at(there.url))
        there.on("GET", self.looking, refused(190))
        with pytest.raises(Uncertain):
            self.look(there, rendering)

    def test_a_post_is_taken_back(self, there: Platform) -> None:
        there.on("DELETE", ".*/77", Answer(200, {"success": True}))
        self.at(there.url).retract(Post("77"))
        assert len(there.calls("DELETE")) == 1

    @pytest.mark.parametrize("answer", [refused(100, 33), refused(10), refused(190), Answer(200, {"success": False})])
    def test_what_is_not_taken_back_is_left_to_an_officer(self, there: Platform, answer: Answer) -> None:
        there.on("DELETE", ".*/77", answer)
        with pytest.raises(Permanent, match="by hand"):
            self.at(there.url).retract(Post("77"))

    def test_taking_back_goes_again_after_a_lost_answer(self, there: Platform) -> None:
        there.on("DELETE", ".*/77", DROPPED)
        with pytest.raises(Temporary):
            self.at(there.url).retract(Post("77"))

    def test_a_token_that_ends(self) -> None:
        channel = self.at("http://127.0.0.1:9", token_until="2027-01-31")
        assert channel.valid_until() == dt.datetime(2027, 1, 31, tzinfo=dt.UTC)
        assert self.at("http://127.0.0.1:9").valid_until() is None
        with pytest.raises(ValueError, match="2027"):
            self.at("http://127.0.0.1:9", token_until="31.1.2027")

    def test_followers_are_counted(self, there: Platform) -> None:
        self.followed(there, 30_123)
        assert self.at(there.url).audience() == 30_123

    def followed(self, there: Platform, count: int) -> None:
        there.on("GET", self.account, Answer(200, {"id": "17", "followers_count": count}))

    def test_followers_that_are_not_told(self, there: Platform) -> None:
        there.on("GET", ".*", refused(10))
        with pytest.raises(ChannelError):
            self.at(there.url).audience()

    def test_a_probe_that_fails_says_what_to_mend(self, there: Platform) -> None:
        there.on("GET", ".*", refused(190))
        with pytest.raises(Permanent, match="token"):
            self.at(there.url).probe()

    def at(self, url: str, **options: Any) -> Publisher:
        raise NotImplementedError

    def channel(self, **options: Any) -> Publisher:
        return self.at("http://127.0.0.1:9", **options)


class Errors(OnGraph):
    """What each error of the Graph API comes to; the same code answers for all three."""

    @pytest.mark.parametrize("code", [4, 17, 32, 341, 613])
    def test_too_many_calls_are_temporary(self, there: Platform, code: int) -> None:
        assert isinstance(self.failing(there, refused(code)), Temporary)

    def test_meta_says_how_long_to_wait(self, there: Platform) -> None:
        usage = '{"17": [{"call_count": 100, "estimated_time_to_regain_access": 3}]}'
        answer = replace(refused(32), headers={"X-Business-Use-Case-Usage": usage})
        error = self.failing(there, answer)
        assert isinstance(error, Temporary)
        assert error.after == 180

    @pytest.mark.parametrize(
        "usage", ["[]", "{", '{"17": [{}]}', '{"17": 4}', '{"17": [{"estimated_time_to_regain_access": 0}]}']
    )
    def test_a_usage_header_that_says_nothing(self, there: Platform, usage: str) -> None:
        error = self.failing(there, replace(refused(4), headers={"X-Business-Use-Case-Usage": usage}))
        assert isinstance(error, Temporary)
        assert error.after is None

    @pytest.mark.parametrize("code", [-2, -1, 1, 2])
    def test_a_fault_of_metas_may_have_put_out(self, there: Platform, code: int) -> None:
        assert isinstance(self.failing(there, refused(code)), Uncertain)

    def test_what_is_transient_is_looked_up(self, there: Platform) -> None:
        assert isinstance(self.failing(there, refused(7777, is_transient=True)), Uncertain)

    @pytest.mark.parametrize(
        ("code", "subcode", "mend"),
        [
            (190, 463, "[channel]"), (102, 0, "token"), (10, 0, "permission"), (200, 0, "permission"),
            (299, 0, "permission"), (368, 0, "Sign in"), (4, 2207051, "Sign in"), (100, 33, "account"),
            (7777, 0, "7777"),
        ],
    )  # fmt: skip
    def test_what_must_be_mended_is_permanent_and_says_how(
        self, there: Platform, code: int, subcode: int, mend: str
    ) -> None:
        error = self.failing(there, refused(code, subcode))
        assert isinstance(error, Permanent)
        assert mend in str(error)
        assert SECRET not in str(error)

    def test_the_posts_of_a_day_are_used_up(self, there: Platform) -> None:
        error = self.failing(there, refused(9, 2207042))
        assert isinstance(error, Temporary)
        assert error.after == 1800


class OnStages(OnGraph):
    """Tests that hold where a container is made first."""

    making: ClassVar[str]
    container: ClassVar[str]
    state: ClassVar[str]
    pictures = True

    def healthy(self, there: Platform) -> None:
        there.on("POST", self.making, Answer(200, {"id": "c1"}), Answer(200, {"id": "c2"}))
        self.is_in(there, "FINISHED")
        there.on(*self.sends, Answer(200, {"id": "77"}))
        there.on("GET", self.looking, Answer(200, {"data": []}))
        there.on("GET", ".*/77", Answer(200, {"id": "77", "permalink": "https://meta.example/77"}))

    def at(self, url: str, *, patience: float = 5, **options: Any) -> Publisher:
        raise NotImplementedError

    def is_in(self, there: Platform, *states: str, container: str = "c[12]") -> None:
        there.on("GET", f".*/{container}", *(Answer(200, {self.state: one, "id": "c1"}) for one in states))

    def test_an_update_is_put_out(self, there: Platform) -> None:
        channel = self.at(there.url)
        rendering = self.rendering(channel, kind=Kind.UPDATE)
        rendering = replace(rendering, begun=channel.begin(rendering, key=KEY))
        assert channel.update(rendering, self.first, key=KEY).remote_id
        assert len(there.calls(*self.sends)) == 1

    def test_the_calls_of_one_post(self, there: Platform) -> None:
        post = self.put_out(self.at(there.url))
        assert [one.method for one in there.asked] == ["POST", "GET", "POST", "GET"]
        assert there.calls(*self.sends)[0].form == {"creation_id": "c1"}
        assert post == Post("77", "https://meta.example/77")

    def test_a_post_without_an_address_is_out_all_the_same(self, there: Platform) -> None:
        there.on("GET", ".*/77", refused(1, status=500))
        assert self.put_out(self.at(there.url)) == Post("77", "")

    def test_what_was_begun_is_kept(self, there: Platform) -> None:
        channel = self.at(there.url)
        rendering = self.rendering(channel, begun={"container": "c1"})
        assert channel.begin(rendering, key=KEY) == {"container": "c1"}
        assert not there.calls("POST")

    @pytest.mark.parametrize("answer", [refused(100, 33), refused(24, 4279009), "EXPIRED", "ERROR"])
    def test_a_container_that_is_of_no_use_is_made_anew(self, there: Platform, answer: Answer | str) -> None:
        if isinstance(answer, str):
            self.is_in(there, answer)
        else:
            there.on("GET", ".*/c1", answer)
        channel = self.at(there.url)
        there.on("POST", self.making, Answer(200, {"id": "c2"}))
        assert channel.begin(self.rendering(channel, begun={"container": "c1"}), key=KEY)["container"] == "c2"

    def test_a_container_takes_its_time(self, there: Platform) -> None:
        self.is_in(there, "IN_PROGRESS", "IN_PROGRESS", "FINISHED")
        assert self.put_out(self.at(there.url)).remote_id == "77"

    def test_a_container_that_takes_too_long_is_left_for_later(self, there: Platform) -> None:
        self.is_in(there, "IN_PROGRESS")
        with pytest.raises(Temporary) as found:
            self.put_out(self.at(there.url, patience=0))
        assert found.value.after == 5
        assert not there.calls(*self.sends)

    @pytest.mark.parametrize("state", ["ERROR", "EXPIRED"])
    def test_a_container_that_failed_is_temporary(self, there: Platform, state: str) -> None:
        self.is_in(there, state)
        with pytest.raises(Temporary):
            self.put_out(self.at(there.url))
        assert not there.calls(*self.sends)

    @pytest.mark.parametrize(("code", "subcode"), [(9007, 2207027), (24, 2207008), (24, 4279009)])
    def test_a_container_that_is_not_ready_after_all(self, there: Platform, code: int, subcode: int) -> None:
        error = self.failing(there, refused(code, subcode))
        assert isinstance(error, Temporary)
        assert error.after == 10

    def test_what_is_published_already_is_not_published_again(self, there: Platform) -> None:
        channel = self.at(there.url)
        self.is_in(there, "PUBLISHED")
        rendering = self.rendering(channel, begun={"container": "c1"})
        self.list(there, self.listed(rendering))
        assert channel.publish(rendering, key=KEY) == Post("77", "https://meta.example/77")
        assert not there.calls("POST")

    def test_what_is_published_but_not_listed_yet_is_asked_for_again(self, there: Platform) -> None:
        channel = self.at(there.url)
        self.is_in(there, "PUBLISHED")
        rendering = self.rendering(channel, begun={"container": "c1"})
        self.list(there, self.listed(rendering, EARLIER))
        with pytest.raises(Temporary):
            channel.publish(rendering, key=KEY)
        with pytest.raises(Temporary):
            self.look(there, rendering)
        assert not there.calls("POST")

    def test_what_is_published_in_other_words_is_known_by_its_link(self, there: Platform) -> None:
        self.is_in(there, "PUBLISHED")
        rendering = self.rendering(self.at(there.url), begun={"container": "c1"})
        link = str(rendering.fields["text"]).rsplit("\n", 1)[-1]
        self.list(there, self.listed(rendering, text=f"Gekürzt {link}"))
        found = self.look(there, rendering)
        assert found is not None
        assert found.remote_id == "77"

    @pytest.mark.parametrize("state", ["FINISHED", "ERROR", "EXPIRED"])
    def test_what_was_never_published_goes_again(self, there: Platform, state: str) -> None:
        self.is_in(there, state)
        rendering = self.rendering(self.at(there.url), begun={"container": "c1"})
        assert self.look(there, rendering) is None
        assert not there.calls("GET", self.looking)

    def test_what_is_being_published_is_asked_again(self, there: Platform) -> None:
        self.is_in(there, "IN_PROGRESS")
        with pytest.raises(Temporary):
            self.look(there, self.rendering(self.at(there.url), begun={"container": "c1"}))

    def test_a_container_that_is_gone_leaves_it_unclear(self, there: Platform) -> None:
        there.on("GET", ".*/c1", refused(100, 33))
        with pytest.raises(Uncertain):
            self.look(there, self.rendering(self.at(there.url), begun={"container": "c1"}))

    def test_a_lost_answer_is_never_posted_twice(self, there: Platform) -> None:
        channel = self.at(there.url)
        there.on(*self.sends, DROPPED)
        rendering = self.rendering(channel)
        rendering = replace(rendering, begun=channel.begin(rendering, key=KEY))
        with pytest.raises(Uncertain):
            channel.publish(rendering, key=KEY)
        self.is_in(there, "PUBLISHED")
        self.list(there, self.listed(rendering))
        found = self.look(there, rendering)
        assert found is not None
        assert found.remote_id == "77"
        assert len(there.calls("POST", self.making)) == 1

    @pytest.mark.parametrize("how", UNREADABLE)
    def test_beginning_is_never_uncertain(self, there: Platform, how: str) -> None:
        there.on("POST", self.making, UNREADABLE[how])
        self.haste(UNREADABLE[how])
        channel = self.at(there.url)
        with pytest.raises(Temporary):
            channel.begin(self.rendering(channel), key=KEY)

    def test_a_probe_tells_who_posts_and_what_is_left(self, there: Platform) -> None:
        self.quota(there, 3)
        words = self.at(there.url).probe()
        assert "stadtleipzig" in words
        assert "3 of 100" in words

    def test_a_probe_tells_that_no_post_is_left(self, there: Platform) -> None:
        self.quota(there, 100)
        with pytest.raises(Temporary):
            self.at(there.url).probe()

    def quota(self, there: Platform, used: int) -> None:
        there.on("GET", ".*_limit", Answer(200, {"data": [{"quota_usage": used, "config": {"quota_total": 100}}]}))
        there.on("GET", self.account, Answer(200, {"id": "17", "username": "stadtleipzig"}))
