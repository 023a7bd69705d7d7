"""TikTok's Content Posting API: asked, ordered, waited for; what is taken and never heard of again is looked up."""

from __future__ import annotations

import datetime as dt
import json
import stat
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.utils.translation import override

from alerts.notice import Notice, Picture, Rendering
from alerts.terms import Kind, MsgType
from channels.base import ChannelError, Permanent, Post, Temporary, Uncertain
from channels.commercial.tiktok import TEXT, TITLE, TikTok
from channels.http import Http
from tests.channels.contract import CONTENT, HOSTILE, SECRET, notices
from tests.channels.platforms import BROKEN, DROPPED, ENDLESS_BODY, HTML, RUBBISH, SILENT, Answer, Platform
from tests.channels.posting import KEY, ODD, SLOTS, Posts

HTTP = Http(seconds=1.0)
PICTURE = Picture("tall", "image/jpeg", 1080, 1920, "ab" * 32, "Extreme Gefahr", "https://w.example/cards/ab.jpg")
SINCE = dt.datetime(2030, 9, 13, 17, 35, tzinfo=dt.UTC)
ACCESS = f"act.{SECRET}.1"
TOKENS = ("POST", "/v2/oauth/token/")
ASKING = ("POST", "/v2/post/publish/creator_info/query/")
WATCHING = ("POST", "/v2/post/publish/status/fetch/")
NUMBER = 7_312_345_678_901_234_567


def ok(data: Any) -> Answer:
    return Answer(200, {"data": data, "error": {"code": "ok", "message": "", "log_id": "1"}})


def no(status: int, code: str, **headers: str) -> Answer:
    return Answer(status, {"data": {}, "error": {"code": code, "message": f"no {SECRET}", "log_id": "1"}}, headers)


def state(status: str, **more: Any) -> Answer:
    return ok({"status": status, "publicaly_available_post_id": [], **more})


def fresh(access: str = ACCESS, refresh: str = "rft.2", **more: Any) -> Answer:
    given = {"access_token": access, "expires_in": 86_400, "refresh_token": refresh, "refresh_expires_in": 31_536_000}
    return Answer(200, {"open_id": "1", "token_type": "Bearer", **given, **more})


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Words for officers are compared as they stand in the code."""
    with override("en"):
        yield


class TestTikTok(Posts):
    limit = TEXT
    sends = ("POST", "/v2/post/publish/content/init/")

    @pytest.fixture(autouse=True)
    def _keys(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def tiktok(self, url: str, **options: Any) -> TikTok:
        given: dict[str, Any] = {"patience": 0.02, "pace": 0.01, "refresh_token": f"rft.{SECRET}", **options}
        return TikTok(
            "tiktok", http=HTTP, server=url, keys_dir=str(self.folder), client_key="k", client_secret=SECRET, **given
        )

    def at(self, url: str) -> TikTok:
        return self.tiktok(url)

    def channel(self, **_options: Any) -> TikTok:
        return self.tiktok("http://127.0.0.1:9")

    def refusal(self, status: int) -> Any:
        return no(status, {401: "access_token_invalid", 429: "rate_limit_exceeded"}.get(status, "some_code")).body

    def healthy(self, there: Platform) -> None:
        there.on(*TOKENS, fresh())
        info = {
            "creator_username": "leipzig",
            "privacy_level_options": ["PUBLIC_TO_EVERYONE", "SELF_ONLY"],
            "comment_disabled": True,
        }
        there.on(*ASKING, ok(info))
        there.on(*self.sends, ok({"publish_id": "p_pub_url~v2.1"}))
        there.on(*WATCHING, state("PUBLISH_COMPLETE", publicaly_available_post_id=[NUMBER]))
        there.on("GET", "/v2/user/info/", ok({"user": {"follower_count": 12_345}}))

    def size(self, rendering: Rendering) -> int:
        return len(self.text(rendering).encode("utf-16-le")) // 2

    def of(self, channel: TikTok, one: Notice) -> Rendering:
        return replace(channel.compose(replace(one, pictures=(PICTURE,))), slots=SLOTS)

    def rendering(self, channel: Any) -> Rendering:
        """With its card: TikTok takes no post without one."""
        return self.of(channel, notices()[0])

    # As in Posts, but with a card, without which TikTok takes nothing
    def test_an_update_is_put_out(self, there: Platform) -> None:
        channel = self.at(there.url)
        rendering = self.of(channel, notices(kind=Kind.UPDATE, msg_type=MsgType.UPDATE)[0])
        rendering = replace(rendering, begun=channel.begin(rendering, key=KEY))
        assert channel.update(rendering, self.first, key=KEY).remote_id
        assert len(there.calls(*self.sends)) == 1

    # what is sent

    def test_it_asks_orders_and_looks(self, there: Platform) -> None:
        channel = self.at(there.url)
        rendering = self.rendering(channel)
        post = self.put_out(channel, rendering)
        assert post.remote_id == str(NUMBER)
        assert post.url == f"https://www.tiktok.com/@leipzig/photo/{NUMBER}"
        assert [one.path.removeprefix("/v2/") for one in there.asked] == [
            "oauth/token/",
            "post/publish/creator_info/query/",
            "post/publish/content/init/",
            "post/publish/status/fetch/",
        ]
        assert all(one.headers["authorization"] == f"Bearer {ACCESS}" for one in there.asked[1:])
        sent = there.calls(*self.sends)[0].json
        assert (sent["media_type"], sent["post_mode"]) == ("PHOTO", "DIRECT_POST")
        assert sent["post_info"]["privacy_level"] == "PUBLIC_TO_EVERYONE"
        assert sent["post_info"]["title"] == rendering.fields["title"]
        assert sent["post_info"]["description"] == rendering.fields["text"]
        assert sent["post_info"]["disable_comment"] is True
        assert sent["source_info"]["photo_images"] == [PICTURE.url]

    @pytest.mark.parametrize("what", [*ODD, *HOSTILE])
    def test_a_title_is_there_and_keeps_its_limit(self, what: str) -> None:
        texts = {language: replace(old, headline=ODD.get(what, what)) for language, old in CONTENT.texts.items()}
        for one in notices(replace(CONTENT, texts=texts)):
            title = self.channel().compose(one).fields["title"]
            assert 0 < len(title.encode("utf-16-le")) // 2 <= TITLE

    def test_without_a_card_nothing_is_ordered(self, there: Platform) -> None:
        channel = self.at(there.url)
        with pytest.raises(Permanent, match="picture"):
            self.put_out(channel, channel.compose(notices()[0]))
        assert not there.asked

    def test_an_account_that_nobody_sees_is_not_posted_to(self, there: Platform) -> None:
        there.on(*ASKING, ok({"creator_username": "leipzig", "privacy_level_options": ["SELF_ONLY"]}))
        with pytest.raises(Permanent, match="public"):
            self.put_out(self.at(there.url))
        assert not there.calls(*self.sends)

    @pytest.mark.parametrize("answer", [SILENT, DROPPED, HTML, RUBBISH, ENDLESS_BODY, Answer(500), ok([])])
    def test_asking_is_never_uncertain(self, there: Platform, answer: Answer) -> None:
        there.on(*ASKING, answer)
        channel = self.at(there.url)
        with pytest.raises(Temporary):
            channel.begin(self.rendering(channel), key=KEY)

    # what becomes of it

    def test_a_post_in_the_making_is_waited_for(self, there: Platform) -> None:
        there.on(*WATCHING, state("PROCESSING_DOWNLOAD"), no(500, "internal_error"), state("PUBLISH_COMPLETE"))
        post = self.put_out(self.tiktok(there.url, patience=10))
        assert post == Post("p_pub_url~v2.1", "https://www.tiktok.com/@leipzig", {"publish_id": "p_pub_url~v2.1"})
        assert len(there.calls(*WATCHING)) == 3

    @pytest.mark.parametrize(
        "answer", [state("PROCESSING_DOWNLOAD"), SILENT, DROPPED, BROKEN, HTML, RUBBISH, Answer(401), Answer(429)]
    )
    def test_what_is_taken_and_not_heard_of_is_uncertain_and_known(self, there: Platform, answer: Answer) -> None:
        there.on(*WATCHING, answer)
        channel = self.at(there.url)
        with pytest.raises(Uncertain) as found:
            self.put_out(channel)
        assert isinstance(found.value, Uncertain)
        assert found.value.begun["publish_id"] == "p_pub_url~v2.1"
        there.on(*WATCHING, state("PUBLISH_COMPLETE", publicaly_available_post_id=[NUMBER]))
        rendering = replace(self.rendering(channel), begun=json.loads(json.dumps(found.value.begun)))
        post = channel.look_up(rendering, key=KEY, since=SINCE)
        assert post is not None
        assert post.url.endswith(str(NUMBER))
        assert len(there.calls(*self.sends)) == 1

    @pytest.mark.parametrize(
        ("reason", "error"),
        [
            ("photo_pull_failed", Temporary), ("internal", Temporary), ("spam_risk_too_many_posts", Temporary),
            ("spam_risk_text", Permanent), ("picture_size_check_failed", Permanent), ("auth_removed", Permanent),
            (f"x {SECRET}", Permanent), ("", Permanent),
        ],
    )  # fmt: skip
    def test_a_failure_put_out_nothing(self, there: Platform, reason: str, error: type[ChannelError]) -> None:
        there.on(*WATCHING, state("FAILED", fail_reason=reason))
        with pytest.raises(error) as found:
            self.put_out(self.at(there.url))
        assert SECRET not in str(found.value)

    @pytest.mark.parametrize(
        ("answer", "error", "words"),
        [
            (no(403, "unaudited_client_can_only_post_to_private_accounts"), Permanent, "audited"),
            (no(403, "url_ownership_unverified"), Permanent, "domain"),
            (no(401, "scope_not_authorized"), Permanent, "authorise"),
            (no(403, "spam_risk_user_banned_from_posting"), Permanent, "spam"),
            (no(403, "spam_risk_too_many_posts"), Temporary, "today"),
            (no(403, "reached_active_user_cap"), Temporary, "today"),
            (no(200, "rate_limit_exceeded"), Temporary, "wait"),
            (no(200, "something_new"), Uncertain, "read"),
        ],
    )
    def test_a_refusal_says_what_to_do(
        self, there: Platform, answer: Answer, error: type[ChannelError], words: str
    ) -> None:
        found = self.failing(there, answer)
        assert isinstance(found, error)
        assert words in str(found)

    @pytest.mark.parametrize("data", [{}, {"publish_id": 7}, {"publish_id": ""}, [], None])
    def test_a_yes_of_an_odd_shape_is_uncertain(self, there: Platform, data: Any) -> None:
        assert isinstance(self.failing(there, ok(data)), Uncertain)

    def look(self, there: Platform, answer: Answer | None = None, **begun: Any) -> Post | None:
        if answer is not None:
            there.on(*WATCHING, answer)
        channel = self.at(there.url)
        return channel.look_up(replace(self.rendering(channel), begun=begun), key=KEY, since=SINCE)

    def test_what_nobody_has_a_number_of_stays_uncertain(self, there: Platform) -> None:
        with pytest.raises(Uncertain):
            self.look(there, name="leipzig")
        assert not there.asked

    def test_what_failed_is_not_there(self, there: Platform) -> None:
        assert self.look(there, state("FAILED", fail_reason="internal"), publish_id="p1") is None

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (state("PROCESSING_DOWNLOAD"), Temporary), (SILENT, Temporary), (HTML, Temporary), (Answer(500), Temporary),
            (no(400, "invalid_publish_id"), Uncertain), (no(401, "access_token_invalid"), Uncertain),
        ],
    )  # fmt: skip
    def test_who_does_not_tell(self, there: Platform, answer: Answer, error: type[ChannelError]) -> None:
        with pytest.raises(error):
            self.look(there, answer, publish_id="p1")

    def test_a_new_try_forgets_the_old_number(self, there: Platform) -> None:
        channel = self.at(there.url)
        rendering = replace(self.rendering(channel), begun={"name": "leipzig", "publish_id": "old"})
        assert "publish_id" not in channel.begin(rendering, key=KEY)

    def test_taking_back_is_left_to_officers(self, there: Platform) -> None:
        with pytest.raises(NotImplementedError):
            self.at(there.url).retract(self.first)

    # its token

    def test_a_token_is_renewed_once_and_kept_from_others(self, there: Platform) -> None:
        self.at(there.url).probe()
        self.at(there.url).probe()
        assert len(there.calls(*TOKENS)) == 1
        form = there.calls(*TOKENS)[0].form
        assert form["grant_type"] == "refresh_token"
        assert form["refresh_token"] == f"rft.{SECRET}"
        assert stat.S_IMODE((self.folder / "tiktok-tiktok.json").stat().st_mode) == 0o600

    def age(self) -> None:
        """The access token ends."""
        path = self.folder / "tiktok-tiktok.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"until": int(time.time())}))

    def test_the_next_token_comes_by_the_newest_refresh_token(self, there: Platform) -> None:
        there.on(*TOKENS, fresh("act.1", "rft.2"), fresh("act.2", "rft.3"))
        self.at(there.url).probe()
        self.age()
        self.at(there.url).probe()
        assert there.calls(*TOKENS)[1].form["refresh_token"] == "rft.2"
        assert there.calls(*ASKING)[1].headers["authorization"] == "Bearer act.2"

    def test_a_new_token_in_the_settings_goes_first(self, there: Platform) -> None:
        self.at(there.url).probe()
        self.tiktok(there.url, refresh_token="rft.new").probe()
        assert there.calls(*TOKENS)[1].form["refresh_token"] == "rft.new"

    def test_a_spoilt_file_is_as_none(self, there: Platform) -> None:
        (self.folder / "tiktok-tiktok.json").write_bytes(b"\xff{")
        assert "@leipzig" in self.at(there.url).probe()

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (Answer(400, {"error": "invalid_grant", "error_description": SECRET}), Permanent),
            (Answer(200, {"error": "invalid_grant"}), Permanent),
            (Answer(500), Temporary), (Answer(429), Temporary), (SILENT, Temporary), (DROPPED, Temporary),
            (HTML, Temporary), (RUBBISH, Temporary), (ENDLESS_BODY, Temporary), (Answer(200, []), Temporary),
            (Answer(200, {}), Temporary),
        ],
    )  # fmt: skip
    def test_a_token_that_can_not_be_renewed(self, there: Platform, answer: Answer, error: type[ChannelError]) -> None:
        there.on(*TOKENS, answer)
        channel = self.at(there.url)
        with pytest.raises(error) as found:
            channel.publish(self.rendering(channel), key=KEY)
        assert SECRET not in str(found.value)
        assert not there.calls(*self.sends)

    def test_it_knows_when_its_sign_in_ends(self, there: Platform) -> None:
        assert self.at(there.url).valid_until() is None
        self.at(there.url).probe()
        until = self.at(there.url).valid_until()
        assert until is not None
        assert 364 <= (until - dt.datetime.now(dt.UTC)).days <= 365

    # the account

    def test_followers_are_counted(self, there: Platform) -> None:
        assert self.at(there.url).audience() == 12_345
        assert there.calls("GET")[0].query == {"fields": "follower_count"}

    def test_the_probe_posts_nothing(self, there: Platform) -> None:
        assert "@leipzig" in self.at(there.url).probe()
        assert not there.calls(*self.sends)

    def test_it_says_whose_hands_it_passes(self) -> None:
        assert [hop.where for hop in TikTok.hops] == ["abroad"]
        assert not TikTok.city
        assert not TikTok.idempotent
