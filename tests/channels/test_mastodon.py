"""Mastodon by Mastodon.py: its counting, pictures and replies, before a scripted server and a mock instance."""

from __future__ import annotations

import datetime as dt
import hashlib
import html
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import grapheme
import pytest
from django.utils import translation

from alerts.notice import Picture, Rendering
from alerts.terms import Kind, MsgType
from channels.base import ChannelError, Hop, Permanent, Post, Temporary, Uncertain
from channels.city.mastodon import ALT, PAGE, Mastodon
from channels.http import Http
from tests.channels import mastodonserver
from tests.channels.contract import CONTENT, SECRET, notices
from tests.channels.mastodonserver import TOKEN, Instance
from tests.channels.platforms import DROPPED, HTML, RUBBISH, SILENT, Answer, Asked, Platform, platform
from tests.channels.posting import KEY, ODD, SLOTS, Posts

CARD = b"\x89PNG\r\n\x1a\n a card"
PICTURE = Picture(
    "square-png", "image/png", 1080, 1080, hashlib.sha256(CARD).hexdigest(), "Bombenfund. " * 200, "https://w.x/c"
)
LINK = "https://warnung.leipzig.example/alerts/k7f3x/"
SINCE = dt.datetime(2030, 9, 13, 17, 35, tzinfo=dt.UTC)
STATUSES = ("POST", "/api/v1/statuses")
UPLOAD = ("POST", "/api/v2/media")
ME = {"id": "42", "username": "leipzig", "acct": "leipzig", "followers_count": 12_345, "suspended": None}


one_client = cache(Http)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What errors say is looked at in the language of the code; one HTTP client, whose certificates take 50 ms."""
    monkeypatch.setattr("channels.city.mastodon.Http", one_client)
    with translation.override("en"):
        yield


def mastodon(url: str, **options: Any) -> Mastodon:
    channel = Mastodon("mastodon", instance=url, **{"token": SECRET, "timeout": 1.0, **options})
    channel.pause = 0
    return channel


def standing(text: str, number: str = "7", language: str | None = "de", **more: Any) -> dict[str, Any]:
    """A post as an instance shows it: HTML, the link's middle alone in sight."""
    words = html.escape(text.removesuffix(LINK), quote=False).replace("\n", "<br />")
    link = (
        f'<a href="{LINK}" rel="nofollow noopener"><span class="invisible">https://</span>'
        '<span class="ellipsis">warnung.leipzig.example/alerts</span><span class="invisible">/k7f3x/</span></a>'
    )
    return {
        "id": number,
        "uri": f"https://social.example/users/leipzig/statuses/{number}",
        "url": f"https://social.example/@leipzig/{number}",
        "created_at": "2030-09-13T17:35:04.210Z",
        "in_reply_to_id": None,
        "visibility": "public",
        "language": language,
        "content": f"<p>{words}{link}</p>",
        "account": ME,
        "media_attachments": [],
        **more,
    }


def limits(characters: int = 500, link: int = 23) -> Answer:
    statuses = {"max_characters": characters, "characters_reserved_per_url": link}
    return Answer(200, {"version": "4.4.0", "configuration": {"statuses": statuses}})


def part(asked: Asked, name: str) -> bytes:
    """One field of a multipart form."""
    _, _, rest = asked.body.partition(f'name="{name}"'.encode())
    return rest.partition(b"\r\n\r\n")[2].partition(b"\r\n--")[0]


class TestMastodon(Posts):
    limit = 500
    sends = STATUSES

    def at(self, url: str) -> Mastodon:
        return mastodon(url)

    def channel(self, **options: Any) -> Mastodon:
        return mastodon("http://127.0.0.1:9", **options)

    def healthy(self, there: Platform) -> None:
        there.on(*STATUSES, Answer(200, standing("…", "109")))
        there.on(*UPLOAD, Answer(200, {"id": "55", "type": "image", "url": "https://files.example/55.png"}))
        there.on("GET", "/api/v1/accounts/verify_credentials", Answer(200, ME))
        there.on("GET", "/api/v1/accounts/42/statuses", Answer(200, []))
        there.on("GET", "/api/v2/instance/?", limits())
        there.on("DELETE", "/api/v1/statuses/109", Answer(200, standing("…", "109")))

    def size(self, rendering: Rendering) -> int:
        """As the instance counts: the link 23, whatever else as long as it looks."""
        words, _, link = self.text(rendering).rpartition("\n")
        assert link.startswith("https://")
        return int(grapheme.length(words)) + 1 + 23

    def test_limits_are_kept(self) -> None:
        """As elsewhere, but counted as the instance counts: the link is longer than it weighs."""
        words = {language: replace(old, description="Satz mit Sinn. " * 300) for language, old in CONTENT.texts.items()}
        for one in notices(replace(CONTENT, texts=words)):
            assert self.limit * 0.9 < self.size(self.channel().compose(one)) <= self.limit

    def with_card(self, channel: Mastodon) -> Rendering:
        one = replace(notices()[0], pictures=(PICTURE,))
        return replace(channel.compose(one), slots=SLOTS, pictures={PICTURE.sha256: CARD})

    # what is sent

    def test_a_post_is_one_call_with_the_approved_words(self, there: Platform) -> None:
        channel = mastodon(there.url)
        rendering = self.rendering(channel)
        post = self.put_out(channel, rendering)
        [asked] = there.asked
        sent = {"status": rendering.fields["text"], "language": "de", "visibility": "public", "sensitive": "0"}
        assert asked.form == sent
        assert asked.headers["idempotency-key"] == KEY
        assert asked.headers["authorization"] == f"Bearer {SECRET}"
        assert asked.headers["user-agent"] == "Belfry"
        assert post == Post("109", "https://social.example/@leipzig/109")

    def test_each_language_is_tagged_as_mastodon_knows_it(self, there: Platform) -> None:
        channel = mastodon(there.url)
        for one in notices():
            channel.publish(replace(channel.compose(one), slots=SLOTS), key=KEY)
        assert [asked.form["language"] for asked in there.asked] == ["de", "de", "en"]

    def test_an_update_replies_to_the_first_post(self, there: Platform) -> None:
        channel = mastodon(there.url)
        update = notices(kind=Kind.UPDATE, msg_type=MsgType.UPDATE)[0]
        channel.update(channel.compose(update), Post("11"), key=KEY)
        assert there.asked[0].form["in_reply_to_id"] == "11"

    def test_an_update_goes_out_alone_where_the_first_post_is_gone(self, there: Platform) -> None:
        there.on(*STATUSES, Answer(404, {"error": "Record not found"}), Answer(200, standing("…", "12")))
        channel = mastodon(there.url)
        assert channel.update(self.rendering(channel), Post("11"), key=KEY).remote_id == "12"
        assert ["in_reply_to_id" in one.form for one in there.calls(*STATUSES)] == [True, False]

    def test_a_card_goes_first_with_its_description(self, there: Platform) -> None:
        channel = mastodon(there.url)
        self.put_out(channel, self.with_card(channel))
        upload, post = there.asked
        assert part(upload, "file") == CARD
        described = part(upload, "description").decode()
        assert described.startswith("Bombenfund. Bombenfund.")
        assert len(described) <= ALT
        assert post.form["media_ids[]"] == "55"

    def test_a_card_is_uploaded_once_for_all_tries_until_the_instance_forgets_it(self, there: Platform) -> None:
        channel = mastodon(there.url)
        rendering = self.with_card(channel)
        begun = channel.begin(rendering, key=KEY)
        assert channel.begin(replace(rendering, begun=begun), key=KEY) == begun
        assert len(there.calls(*UPLOAD)) == 1
        channel.begin(replace(rendering, begun={**begun, "until": time.time() - 1}), key=KEY)
        assert len(there.calls(*UPLOAD)) == 2

    def test_a_card_at_work_is_waited_for(self, there: Platform) -> None:
        there.on(*UPLOAD, Answer(202, {"id": "55", "url": None}))
        busy, done = Answer(206, {"id": "55", "url": None}), Answer(200, {"id": "55", "url": "https://files.example/5"})
        there.on("GET", "/api/v1/media/55", busy, done)
        channel = mastodon(there.url)
        assert channel.begin(self.with_card(channel), key=KEY)["media"] == "55"

    def test_a_card_at_work_is_not_waited_for_without_an_end(self, there: Platform) -> None:
        there.on(*UPLOAD, Answer(202, {"id": "55", "url": None}))
        there.on("GET", "/api/v1/media/55", Answer(206, {"id": "55", "url": None}))
        channel = mastodon(there.url)
        with pytest.raises(Temporary, match="picture"):
            channel.begin(self.with_card(channel), key=KEY)
        assert len(there.asked) < 10

    @pytest.mark.parametrize("refused", [Answer(422, {"error": "Validation failed"}), Answer(403), Answer(413)])
    def test_the_words_go_without_a_picture_that_is_refused(self, there: Platform, refused: Answer) -> None:
        there.on(*UPLOAD, refused)
        channel = mastodon(there.url)
        assert self.put_out(channel, self.with_card(channel)).remote_id == "109"
        assert "media_ids[]" not in there.calls(*STATUSES)[0].form

    @pytest.mark.parametrize("answer", [SILENT, DROPPED, HTML, RUBBISH, Answer(500), Answer(503), Answer(429)])
    def test_an_upload_is_never_uncertain(self, there: Platform, answer: Answer) -> None:
        there.on(*UPLOAD, answer)
        channel = mastodon(there.url)
        with pytest.raises(Temporary):
            channel.begin(self.with_card(channel), key=KEY)
        assert len(there.asked) == 1

    # its counting

    def test_an_instance_with_room_is_used(self) -> None:
        texts = {language: replace(old, description="Satz mit Sinn. " * 200) for language, old in CONTENT.texts.items()}
        one = notices(replace(CONTENT, texts=texts))[0]
        long = self.channel(max_characters=2000).compose(one)
        assert 1900 < self.size(long) <= 2000
        assert self.text(long).endswith(f"\n{LINK}")

    def test_a_link_counts_as_the_instance_says(self) -> None:
        channel = self.channel()
        assert channel.length(f"Bombe\n{LINK}") == 6 + 23
        assert self.channel(characters_reserved_per_url=30).length(f"Bombe\n{LINK}") == 6 + 30

    def test_other_addresses_count_no_less_than_the_instance_counts_them(self) -> None:
        assert self.channel().length(f"https://a.de https://example.org/{'x' * 50}\n{LINK}") == 23 + 1 + 70 + 1 + 23

    @pytest.mark.parametrize("what", ODD)
    def test_mastodon_s_own_way_of_counting_finds_no_more(self, what: str) -> None:
        from mastodon import Mastodon as Client

        texts = {language: replace(old, headline=ODD[what]) for language, old in CONTENT.texts.items()}
        for one in notices(replace(CONTENT, texts=texts)):
            # Its list of top-level domains lacks .example
            said = self.text(self.channel().compose(one)).replace(".example", ".de")
            assert Client.get_status_length(said) <= 500

    # its refusals

    @pytest.mark.parametrize(
        ("status", "words"), [(401, "make a new one"), (403, "may write"), (422, "max_characters"), (404, "404")]
    )
    def test_a_refusal_says_what_to_do(self, there: Platform, status: int, words: str) -> None:
        error = self.failing(there, Answer(status, {"error": "nein"}))
        assert isinstance(error, Permanent)
        assert words in str(error)

    def test_too_many_waits_until_the_limit_is_reset_by_the_instance_s_clock(self, there: Platform) -> None:
        reset = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=300)
        error = self.failing(there, Answer(429, {}, {"X-RateLimit-Reset": reset.isoformat().replace("+00:00", "Z")}))
        assert isinstance(error, Temporary)
        assert error.after is not None
        assert 200 < error.after < 302

    @pytest.mark.parametrize("reset", ["", "bald", "1e400", "2030-09-13T17:35:00"])
    def test_an_odd_rate_limit_changes_nothing(self, there: Platform, reset: str) -> None:
        there.on(
            *STATUSES, Answer(200, standing("…", "109"), {"X-RateLimit-Reset": reset, "X-RateLimit-Remaining": "x"})
        )
        assert self.put_out(mastodon(there.url)).remote_id == "109"
        error = self.failing(there, Answer(429, {}, {"X-RateLimit-Reset": reset}))
        assert isinstance(error, Temporary)
        assert error.after is None

    @pytest.mark.parametrize("body", [[], 7, None, {}, {"id": None}, {"id": "../7"}, {"id": [1]}, "x"])
    def test_a_yes_of_an_odd_shape_is_uncertain(self, there: Platform, body: Any) -> None:
        assert isinstance(self.failing(there, Answer(200, body)), Uncertain)

    def test_an_address_that_is_none_is_not_kept(self, there: Platform) -> None:
        there.on(*STATUSES, Answer(200, standing("…", url="javascript:alert(1)")))
        assert self.put_out(mastodon(there.url)).url == ""

    def test_a_redirect_is_not_followed(self, there: Platform) -> None:
        with platform() as other:
            error = self.failing(there, Answer(307, {}, {"Location": other.url}))
            assert not other.asked
        assert isinstance(error, Permanent)

    @pytest.mark.parametrize("answer", [SILENT, HTML, Answer(401), Answer(422), Answer(500)])
    def test_no_error_holds_the_token(self, there: Platform, answer: Answer) -> None:
        error: BaseException | None = self.failing(there, answer)
        while error is not None:
            assert SECRET not in f"{error} {error!r}"
            error = error.__cause__ or error.__context__

    # looking up

    def looked_up(self, there: Platform, *pages: Any) -> Post | None:
        there.on("GET", "/api/v1/accounts/42/statuses", *[Answer(200, page) for page in pages])
        channel = mastodon(there.url)
        return channel.look_up(self.rendering(channel), key=KEY, since=SINCE)

    def test_a_post_that_stands_there_is_found(self, there: Platform) -> None:
        text = self.rendering(self.channel()).fields["text"]
        found = self.looked_up(there, [standing("Etwas anderes"), standing(text, "8")])
        assert found == Post("8", "https://social.example/@leipzig/8")
        assert not there.calls("POST")

    def test_what_stands_there_is_found_whatever_it_says(self, there: Platform) -> None:
        for text in (*ODD.values(), '<script>"&amp;', "&lt;b&gt;"):
            texts = {language: replace(old, headline=text) for language, old in CONTENT.texts.items()}
            rendering = self.channel().compose(notices(replace(CONTENT, texts=texts))[0])
            there.on("GET", "/api/v1/accounts/42/statuses", Answer(200, [standing(rendering.fields["text"], "8")]))
            assert mastodon(there.url).look_up(rendering, key=KEY, since=SINCE) is not None

    def test_another_message_of_the_same_alert_is_not_taken_for_it(self, there: Platform) -> None:
        text = self.rendering(self.channel()).fields["text"]
        assert self.looked_up(there, [standing(text.replace("Bombenfund", "Entwarnung"))]) is None

    def test_another_language_is_not_taken_for_it(self, there: Platform) -> None:
        text = self.rendering(self.channel()).fields["text"]
        assert self.looked_up(there, [standing(text, language="en")]) is None

    @pytest.mark.parametrize("page", [[], [{"id": "3"}, {"id": "2", "content": None, "language": "de"}]])
    def test_where_nothing_stands_nothing_is_found(self, there: Platform, page: Any) -> None:
        assert self.looked_up(there, page) is None

    def test_it_reads_on_to_the_time_when_the_message_was_sent(self, there: Platform) -> None:
        text = self.rendering(self.channel()).fields["text"]
        full = [standing("Anderes", str(100 - number)) for number in range(PAGE)]
        assert self.looked_up(there, full, [standing(text, "8")]) is not None
        assert [one.query.get("max_id") for one in there.calls("GET", ".*/statuses")] == [None, "61"]
        old = [{**one, "created_at": "2030-09-13T17:00:00.000Z"} for one in full]
        assert self.looked_up(there, old, [standing(text, "8")]) is None

    def test_an_account_with_too_many_posts_stays_uncertain(self, there: Platform) -> None:
        with pytest.raises(Uncertain, match="look at the account"):
            self.looked_up(there, [standing("Anderes", str(number)) for number in range(PAGE)])

    @pytest.mark.parametrize(
        "answer",
        [
            SILENT,
            DROPPED,
            HTML,
            RUBBISH,
            Answer(500),
            Answer(429),
            *[Answer(200, odd) for odd in ({"a": 1}, [7], "", None)],
        ],
    )
    def test_what_cannot_be_asked_now_is_asked_later(self, there: Platform, answer: Answer) -> None:
        there.on("GET", "/api/v1/accounts/42/statuses", answer)
        channel = mastodon(there.url)
        with pytest.raises(Temporary):
            channel.look_up(self.rendering(channel), key=KEY, since=SINCE)

    # the account

    def test_a_post_is_taken_back(self, there: Platform) -> None:
        mastodon(there.url).retract(Post("109"))
        [asked] = there.asked
        assert (asked.method, asked.path) == ("DELETE", "/api/v1/statuses/109")

    def test_taking_back_what_is_gone_is_done(self, there: Platform) -> None:
        mastodon(there.url).retract(Post("110"))

    @pytest.mark.parametrize(
        ("answer", "error"), [(SILENT, Temporary), (Answer(500), Temporary), (Answer(403), Permanent)]
    )
    def test_taking_back_that_fails_says_so(self, there: Platform, answer: Answer, error: type[ChannelError]) -> None:
        there.on("DELETE", "/api/v1/statuses/109", answer)
        with pytest.raises(error):
            mastodon(there.url).retract(Post("109"))

    def test_followers_are_counted(self, there: Platform) -> None:
        assert mastodon(there.url).audience() == 12_345

    def test_the_probe_names_the_account_and_posts_nothing(self, there: Platform) -> None:
        assert mastodon(there.url).probe() == "Signed in as @leipzig@127.0.0.1."
        assert not there.calls("POST")

    @pytest.mark.parametrize("body", [Answer(404), HTML, Answer(200, []), Answer(200, {"configuration": 7})])
    def test_the_probe_does_without_an_instance_s_limits(self, there: Platform, body: Answer) -> None:
        there.on("GET", "/api/v2/instance/?", body)
        if body is HTML:
            with pytest.raises(Temporary):
                mastodon(there.url).probe()
        else:
            assert "leipzig" in mastodon(there.url).probe()

    def test_the_probe_says_where_an_instance_gives_more_room(self, there: Platform) -> None:
        there.on("GET", "/api/v2/instance/?", limits(1000))
        assert "max_characters = 1000, channels.toml 500" in mastodon(there.url).probe()

    @pytest.mark.parametrize("said", [limits(300), limits(500, 40)])
    def test_the_probe_fails_where_posts_would_be_refused(self, there: Platform, said: Answer) -> None:
        there.on("GET", "/api/v2/instance/?", said)
        with pytest.raises(Permanent, match="refuse long posts"):
            mastodon(there.url).probe()

    @pytest.mark.parametrize("more", [{"suspended": True}, {"limited": True}])
    def test_the_probe_finds_a_restricted_account(self, there: Platform, more: dict[str, bool]) -> None:
        there.on("GET", "/api/v1/accounts/verify_credentials", Answer(200, {**ME, **more}))
        with pytest.raises(Permanent, match="restricted"):
            mastodon(there.url).probe()

    def test_the_probe_finds_a_wrong_token(self, there: Platform) -> None:
        there.on("GET", "/api/v1/accounts/verify_credentials", Answer(401, {"error": "The access token is invalid"}))
        with pytest.raises(Permanent, match="token"):
            mastodon(there.url).probe()

    # its options

    def test_it_says_whose_hands_it_passes(self) -> None:
        there = "https://social.leipzig.example"
        assert tuple(mastodon(there).hops) == (Hop("social.leipzig.example", "city"),)
        assert tuple(mastodon(there, own=False).hops) == (Hop("social.leipzig.example", "eu"),)
        assert tuple(mastodon(there, own=False, where="abroad").hops) == (Hop("social.leipzig.example", "abroad"),)
        assert Mastodon.city
        assert not Mastodon.idempotent

    @pytest.mark.parametrize(
        "wrong",
        [
            {"instance": "http://social.leipzig.example"},
            {"instance": "social.leipzig.example"},
            {"visibility": "private"},
            {"where": "city"},
            {"max_characters": 30},
            {"characters_reserved_per_url": 0},
        ],
    )
    def test_a_wrong_option_is_refused_in_words(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"\w+ \w+"):
            Mastodon("mastodon", **{"instance": "https://social.leipzig.example", "token": SECRET, **wrong})


@pytest.fixture(scope="module")
def running() -> Iterator[Instance]:
    with mastodonserver.instance() as found:
        yield found


@pytest.fixture
def real(running: Instance) -> Iterator[Instance]:
    yield running
    running.mend()


class TestWithAnInstance:
    """The same against ``mastodon_mock``."""

    def channel(self, real: Instance, **options: Any) -> Mastodon:
        return mastodon(real.url, **{"token": TOKEN, "timeout": 20, **options})

    def rendering(self, channel: Mastodon, what: str, kind: Kind = Kind.WARNING) -> Rendering:
        texts = {language: replace(old, headline=what) for language, old in CONTENT.texts.items()}
        return channel.compose(notices(replace(CONTENT, texts=texts), kind=kind)[0])

    def of(self, real: Instance, what: str) -> list[dict[str, Any]]:
        return [one for one in real.posts() if what in one["content"]]

    def test_one_thread_with_its_picture_described(self, real: Instance) -> None:
        channel = self.channel(real)
        with_card = replace(notices()[0], pictures=(PICTURE,))
        first = replace(channel.compose(with_card), pictures={PICTURE.sha256: CARD})
        first = replace(first, begun=channel.begin(first, key="thread-1"))
        post = channel.publish(first, key="thread-1")
        update = channel.update(self.rendering(channel, "Faden 2", Kind.UPDATE), post, key="thread-2")
        over = channel.update(self.rendering(channel, "Faden 3", Kind.ALL_CLEAR), post, key="thread-3")
        seen = {one["id"]: one for one in real.posts()}
        assert [seen[one.remote_id]["in_reply_to_id"] for one in (update, over)] == [post.remote_id] * 2
        assert seen[post.remote_id]["visibility"] == "public"
        assert seen[post.remote_id]["language"] == "de"
        [picture] = seen[post.remote_id]["media_attachments"]
        assert picture["description"].startswith("Bombenfund. Bombenfund.")

    def test_one_key_is_one_post(self, real: Instance) -> None:
        channel = self.channel(real)
        rendering = self.rendering(channel, "Einmal")
        assert channel.publish(rendering, key="once") == channel.publish(rendering, key="once")
        assert len(self.of(real, "Einmal")) == 1

    def test_the_longest_text_is_taken_and_one_over_refused(self, real: Instance) -> None:
        """The mock counts each character, the link's too."""
        channel = self.channel(real, characters_reserved_per_url=len(LINK))
        rendering = self.rendering(channel, "Lang")
        longest = "ü" * (500 - 1 - len(LINK)) + f"\n{LINK}"
        assert channel.length(longest) == 500
        assert channel.publish(replace(rendering, fields={"text": longest}), key="longest").remote_id
        with pytest.raises(Permanent, match="max_characters"):
            channel.publish(replace(rendering, fields={"text": f"ü{longest}"}), key="over")

    def test_a_wrong_token_is_refused(self, real: Instance) -> None:
        with pytest.raises(Permanent, match="token"):
            self.channel(real, token=SECRET).publish(self.rendering(self.channel(real), "Nie"), key="never")
        assert not self.of(real, "Nie")

    def test_a_rate_limit_waits_as_long_as_it_says(self, real: Instance) -> None:
        real.fault("POST", "/api/v1/statuses", type="ratelimit")
        channel = self.channel(real)
        rendering = self.rendering(channel, "Gebremst")
        with pytest.raises(Temporary) as found:
            channel.publish(rendering, key="braked")
        assert found.value.after == 300
        channel.publish(rendering, key="braked")
        assert len(self.of(real, "Gebremst")) == 1

    @pytest.mark.parametrize("effect", [{"type": "malformed"}, {"type": "status", "status": 502}])
    def test_what_did_not_arrive_is_looked_up_and_sent_once(self, real: Instance, effect: dict[str, Any]) -> None:
        real.fault("POST", "/api/v1/statuses", **effect)
        what = f"Verloren {effect['type']}"
        channel = self.channel(real)
        rendering = self.rendering(channel, what)
        with pytest.raises(Uncertain):
            channel.publish(rendering, key=what)
        since = dt.datetime.now(dt.UTC)
        assert channel.look_up(rendering, key=what, since=since) is None
        post = channel.publish(rendering, key=what)
        assert channel.look_up(rendering, key=what, since=since) == post
        assert len(self.of(real, what)) == 1

    def test_what_arrived_without_an_answer_is_found(self, real: Instance) -> None:
        channel = self.channel(real)
        rendering = self.rendering(channel, "Still")
        real.fault("POST", "/api/v1/statuses", type="timeout")
        with pytest.raises(Uncertain, match="in time"):
            self.channel(real, timeout=0.2).publish(rendering, key="still")
        since = dt.datetime.now(dt.UTC)
        assert channel.look_up(rendering, key="still", since=since) is None
        post = channel.publish(rendering, key="still")
        assert channel.look_up(rendering, key="another key", since=since) == post

    def test_a_server_that_is_down_stops_after_one_request(self, real: Instance) -> None:
        real.fault("POST", "/api/v2/media", count=9, type="status", status=503)
        channel = self.channel(real)
        with_card = replace(notices()[0], pictures=(PICTURE,))
        with pytest.raises(Temporary):
            channel.begin(replace(channel.compose(with_card), pictures={PICTURE.sha256: CARD}), key="down")
        [rule] = real.ask("GET", mastodonserver.FAULTS)
        assert rule["remaining"] == 8

    def test_a_post_is_taken_back_once_and_for_all(self, real: Instance) -> None:
        channel = self.channel(real)
        post = channel.publish(self.rendering(channel, "Zurück"), key="back")
        channel.retract(post)
        channel.retract(post)
        assert not self.of(real, "Zurück")

    def test_the_probe_names_account_and_differing_limit(self, real: Instance) -> None:
        assert self.channel(real).probe() == "Signed in as @testuser@127.0.0.1."
        assert "max_characters = 500, channels.toml 400" in self.channel(real, max_characters=400).probe()
        assert self.channel(real).audience() == 0
