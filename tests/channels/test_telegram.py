"""Telegram's Bot API: message or captioned card, replies, refusals under any status, and no token anywhere."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.utils import translation

from alerts.notice import Picture, Rendering
from alerts.terms import Kind, MsgType
from channels.base import ChannelError, Permanent, Post, Temporary, Uncertain
from channels.commercial.telegram import CAPTION, Telegram, units
from channels.http import Http
from tests.channels.contract import CONTENT, SECRET, notices
from tests.channels.platforms import DROPPED, HTML, SILENT, Answer, Asked, Platform, platform
from tests.channels.posting import KEY, SLOTS, Posts

CARD = b"\xff\xd8 a card"
PICTURE = Picture("wide", "image/jpeg", 1200, 630, hashlib.sha256(CARD).hexdigest(), "Bombenfund", "https://w.x/c.jpg")
CHANNEL = {"id": -1001234, "type": "channel", "title": "Stadt Leipzig", "username": "leipzig"}
SENT = Answer(200, {"ok": True, "result": {"message_id": 77, "date": 1, "chat": CHANNEL}})


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """What errors say is looked at in the language of the code."""
    with translation.override("en"):
        yield


def method(name: str) -> tuple[str, str]:
    return "POST", f"/bot{SECRET}/{name}"


def no(code: int, description: str = "Bad Request", status: int | None = None, **parameters: Any) -> Answer:
    body = {"ok": False, "error_code": code, "description": description, "parameters": parameters}
    return Answer(code if status is None else status, body)


def telegram(url: str) -> Telegram:
    return Telegram("telegram", http=Http(seconds=1.0), token=SECRET, chat="@leipzig", server=url)


def part(asked: Asked, name: str) -> bytes:
    """One field of a multipart form."""
    _, _, rest = asked.body.partition(f'name="{name}"'.encode())
    return rest.partition(b"\r\n\r\n")[2].partition(b"\r\n--")[0]


class TestTelegram(Posts):
    limit = 4096
    sends = ("POST", f"/bot{SECRET}/send(Message|Photo)")

    def at(self, url: str) -> Telegram:
        return telegram(url)

    def channel(self, **_options: Any) -> Telegram:
        return telegram("http://127.0.0.1:9")

    def healthy(self, there: Platform) -> None:
        there.on(*self.sends, SENT)
        there.on(*method("deleteMessage"), Answer(200, {"ok": True, "result": True}))
        there.on(*method("getMe"), Answer(200, {"ok": True, "result": {"id": 5, "username": "leipzig_bot"}}))
        there.on(*method("getChat"), Answer(200, {"ok": True, "result": CHANNEL}))
        there.on(*method("getChatMemberCount"), Answer(200, {"ok": True, "result": 12_345}))
        self.member(there, "administrator", can_post_messages=True)

    def member(self, there: Platform, status: str, **rights: bool) -> None:
        there.on(*method("getChatMember"), Answer(200, {"ok": True, "result": {"status": status, **rights}}))

    def size(self, rendering: Rendering) -> int:
        return units(self.text(rendering))

    def refusal(self, status: int) -> Any:
        return {"ok": False, "error_code": status, "description": f"refused {status}"}

    def with_card(self, channel: Telegram, description: str = "Gehen Sie weg.") -> Rendering:
        texts = {language: replace(old, description=description) for language, old in CONTENT.texts.items()}
        one = replace(notices(replace(CONTENT, texts=texts))[0], pictures=(PICTURE,))
        return replace(channel.compose(one), slots=SLOTS, pictures={PICTURE.sha256: CARD})

    # what is sent

    def test_a_message_is_one_call_with_the_approved_words_and_the_page_s_preview(self, there: Platform) -> None:
        channel = telegram(there.url)
        rendering = self.rendering(channel)
        post = self.put_out(channel, rendering)
        [asked] = there.asked
        assert asked.path.endswith("/sendMessage")
        assert asked.json == {
            "chat_id": "@leipzig",
            "text": rendering.fields["text"],
            "link_preview_options": {"url": notices()[0].url, "prefer_large_media": True},
        }
        assert post == Post("77", "https://t.me/leipzig/77", {"chat": -1001234})

    def test_a_short_text_is_the_caption_of_its_card(self, there: Platform) -> None:
        channel = telegram(there.url)
        rendering = self.with_card(channel)
        assert channel.publish(rendering, key=KEY, reply_to=Post("12")).remote_id == "77"
        [asked] = there.asked
        assert asked.path.endswith("/sendPhoto")
        assert part(asked, "photo") == CARD
        assert part(asked, "caption").decode() == rendering.fields["text"]
        assert part(asked, "chat_id") == b"@leipzig"
        assert json.loads(part(asked, "reply_parameters")) == {"message_id": 12, "allow_sending_without_reply": True}

    def test_a_text_too_long_for_a_caption_comes_without_the_card(self, there: Platform) -> None:
        channel = telegram(there.url)
        rendering = self.with_card(channel, "Satz mit Sinn. " * 100)
        assert units(rendering.fields["text"]) > CAPTION
        assert "picture" not in rendering.fields
        self.put_out(channel, rendering)
        assert there.asked[0].path.endswith("/sendMessage")

    @pytest.mark.parametrize("over", [0, 1])
    def test_the_caption_s_limit_counts_as_the_apps_count(self, over: int) -> None:
        channel = self.channel()
        texts = {language: replace(old, headline="🧨", description="") for language, old in CONTENT.texts.items()}
        rest = units(channel.compose(notices(replace(CONTENT, texts=texts))[0]).fields["text"]) - 2
        room, odd = divmod(CAPTION - rest, 2)
        headline = "🧨" * room + "x" * (odd + over)
        texts = {language: replace(old, headline=headline, description="") for language, old in CONTENT.texts.items()}
        rendering = channel.compose(replace(notices(replace(CONTENT, texts=texts))[0], pictures=(PICTURE,)))
        assert units(rendering.fields["text"]) == CAPTION + over
        assert ("picture" in rendering.fields) == (over == 0)

    @pytest.mark.parametrize(
        "refused",
        [no(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"), no(400, "Bad Request: IMAGE_PROCESS_FAILED"), no(413)],
    )
    def test_the_words_go_without_a_picture_that_telegram_refuses(self, there: Platform, refused: Answer) -> None:
        there.on(*method("sendPhoto"), refused)
        channel = telegram(there.url)
        rendering = self.with_card(channel)
        assert self.put_out(channel, rendering).remote_id == "77"
        assert there.calls(*method("sendMessage"))[0].json["text"] == rendering.fields["text"]

    @pytest.mark.parametrize("answer", [SILENT, DROPPED, HTML, Answer(502)])
    def test_a_picture_that_may_stand_there_is_not_followed_by_words(self, there: Platform, answer: Answer) -> None:
        there.on(*method("sendPhoto"), answer)
        channel = telegram(there.url)
        with pytest.raises(Uncertain):
            self.put_out(channel, self.with_card(channel))
        assert not there.calls(*method("sendMessage"))

    def test_an_update_replies_to_the_first_message_even_if_it_is_gone(self, there: Platform) -> None:
        channel = telegram(there.url)
        update = notices(kind=Kind.UPDATE, msg_type=MsgType.UPDATE)[0]
        channel.update(channel.compose(update), Post("12"), key=KEY)
        assert there.asked[0].json["reply_parameters"] == {"message_id": 12, "allow_sending_without_reply": True}

    def test_a_message_of_a_closed_group_has_its_members_address(self, there: Platform) -> None:
        closed = {"message_id": 77, "chat": {"id": -1001234, "type": "supergroup"}}
        there.on(*self.sends, Answer(200, {"ok": True, "result": closed}))
        assert self.put_out(telegram(there.url)).url == "https://t.me/c/1234/77"

    # its refusals

    @pytest.mark.parametrize("status", [200, 429])
    def test_too_many_waits_as_long_as_telegram_says(self, there: Platform, status: int) -> None:
        error = self.failing(there, no(429, "Too Many Requests: retry after 35", status, retry_after=35))
        assert isinstance(error, Temporary)
        assert error.after == 35

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (no(403, "Forbidden: bot was kicked from the channel chat"), "administrator"),
            (no(403, "Forbidden: bot was kicked from the channel chat", 200), "administrator"),
            (no(400, "Bad Request: not enough rights to send text messages to the chat"), "administrator"),
            (no(401, "Unauthorized"), "token"),
            (no(404, "Not Found"), "token"),
            (no(400, "Bad Request: chat not found"), "does not find the chat"),
            (no(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-100777), "-100777"),
            (Answer(200, {"ok": False}), "400"),
        ],
    )
    def test_a_refusal_says_what_to_do(self, there: Platform, answer: Answer, words: str) -> None:
        error = self.failing(there, answer)
        assert isinstance(error, Permanent)
        assert words in str(error)

    @pytest.mark.parametrize("body", [[], 7, {"ok": "yes"}, {"ok": True}, {"ok": True, "result": {"message_id": "7"}}])
    def test_a_yes_of_an_odd_shape_is_uncertain(self, there: Platform, body: Any) -> None:
        assert isinstance(self.failing(there, Answer(200, body)), Uncertain)

    @pytest.mark.parametrize("code", [500, 502])
    def test_a_server_s_failure_under_a_good_status_is_uncertain(self, there: Platform, code: int) -> None:
        assert isinstance(self.failing(there, no(code, "Internal", 200)), Uncertain)

    def test_what_is_uncertain_stays_so(self, there: Platform) -> None:
        channel = telegram(there.url)
        since = notices()[0].facts_at
        assert since is not None
        with pytest.raises(Uncertain):
            channel.look_up(self.rendering(channel), key=KEY, since=since)
        assert not there.asked

    def test_a_redirect_is_not_followed(self, there: Platform) -> None:
        with platform() as other:
            error = self.failing(there, Answer(307, {}, {"Location": other.url}))
            assert not other.asked
        assert isinstance(error, Permanent)

    @pytest.mark.parametrize("answer", [SENT, SILENT, DROPPED, HTML, no(400), no(401), no(500)])
    def test_no_error_and_no_log_of_ours_holds_the_token(
        self, there: Platform, answer: Answer, caplog: pytest.LogCaptureFixture
    ) -> None:
        there.on(*self.sends, answer)
        said = ""
        with caplog.at_level(logging.INFO), caplog.at_level(logging.WARNING, logger="httpx"):
            try:
                self.put_out(telegram(there.url))
            except ChannelError as error:
                while error is not None:
                    said += f"{error} {error!r} {getattr(error, '__dict__', {}).get('words', '')}"
                    error = error.__cause__  # type: ignore[assignment]
        assert SECRET not in said + caplog.text

    # the account

    def test_a_message_is_taken_back_where_it_was_put(self, there: Platform) -> None:
        telegram(there.url).retract(Post("77", data={"chat": -1009}))
        assert there.asked[0].json == {"chat_id": -1009, "message_id": 77}

    def test_taking_back_what_is_gone_is_done(self, there: Platform) -> None:
        there.on(*method("deleteMessage"), no(400, "Bad Request: message to delete not found"))
        telegram(there.url).retract(Post("77"))

    @pytest.mark.parametrize(
        ("answer", "error"),
        [(no(400, "Bad Request: message can't be deleted"), Permanent), (SILENT, Temporary), (no(500), Temporary)],
    )
    def test_taking_back_that_fails_says_so(self, there: Platform, answer: Answer, error: type[ChannelError]) -> None:
        there.on(*method("deleteMessage"), answer)
        with pytest.raises(error):
            telegram(there.url).retract(Post("77"))

    def test_members_are_counted(self, there: Platform) -> None:
        assert telegram(there.url).audience() == 12_345

    def test_the_probe_names_bot_and_chat_and_sends_nothing(self, there: Platform) -> None:
        words = telegram(there.url).probe()
        assert "@leipzig_bot" in words
        assert "Stadt Leipzig" in words
        assert not there.calls(*self.sends)

    @pytest.mark.parametrize(
        ("status", "rights"),
        [("left", {}), ("kicked", {}), ("administrator", {"can_post_messages": False})],
    )
    def test_the_probe_finds_a_bot_that_may_not_write(
        self, there: Platform, status: str, rights: dict[str, bool]
    ) -> None:
        self.member(there, status, **rights)
        with pytest.raises(Permanent, match="administrator"):
            telegram(there.url).probe()

    def test_the_probe_finds_a_wrong_token(self, there: Platform) -> None:
        there.on(*method("getMe"), no(401, "Unauthorized"))
        with pytest.raises(Permanent, match="token"):
            telegram(there.url).probe()

    def test_it_says_whose_hands_it_passes(self) -> None:
        assert [(hop.name, hop.where) for hop in Telegram.hops] == [("Telegram", "abroad")]
        assert not Telegram.city
        assert not Telegram.idempotent
