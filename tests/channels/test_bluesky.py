"""Bluesky by atproto: its record, keys and session, before a scripted server (a real one: ``atproto/network.py``)."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import grapheme
import pytest
from django.utils import translation

from alerts.notice import Picture, Rendering
from alerts.terms import Kind, MsgType
from channels.base import ChannelError, Permanent, Post, Temporary
from channels.commercial.bluesky import THUMB, Bluesky, length, record_key
from channels.http import Http
from tests.channels.contract import CONTENT, SECRET, notices
from tests.channels.platforms import DROPPED, HTML, RUBBISH, SILENT, Answer, Asked, Platform, platform
from tests.channels.posting import KEY, ODD, SLOTS, Posts

CARD = b"\xff\xd8 a card"
PICTURE = Picture("wide", "image/jpeg", 1200, 630, hashlib.sha256(CARD).hexdigest(), "Bombenfund", "https://w.x/c")
LINK = "https://warnung.leipzig.example/alerts/k7f3x/"
SENT = dt.datetime(2030, 9, 13, 17, 35, tzinfo=dt.UTC)
DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
CID = "bafyreibjifzpqj6o6wcq3hejh7y4z4z2vmiklkvykc57tw3pcbx3kxifpm"
BLOB = {
    "$type": "blob",
    "ref": {"$link": "bafkreiccldh766hwcnuxnf2wh6jgzepf2nlu2lvcllt63eww5p6chi4ity"},
    "mimeType": "image/jpeg",
    "size": len(CARD),
}
RKEY = record_key(SENT, KEY)
URI = f"at://{DID}/app.bsky.feed.post/{RKEY}"
PUT = ("POST", "/xrpc/com.atproto.repo.putRecord")
SIGN_IN = ("POST", "/xrpc/com.atproto.server.createSession")
REFRESH = ("POST", "/xrpc/com.atproto.server.refreshSession")
UPLOAD = ("POST", "/xrpc/com.atproto.repo.uploadBlob")
PROFILE = ("GET", "/xrpc/app.bsky.actor.getProfile")
SESSION = ("GET", "/xrpc/com.atproto.server.getSession")
EXPIRED = Answer(400, {"error": "ExpiredToken", "message": "Token has expired"})
HTTP = Http(seconds=1.0)
STANDS = Answer(200, {"uri": URI, "cid": CID, "validationStatus": "valid"})


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """What errors say is looked at in the language of the code."""
    with translation.override("en"):
        yield


def bluesky(url: str, **options: Any) -> Bluesky:
    given = {"handle": "leipzig.example", "app_password": SECRET, "service": url, **options}
    return Bluesky("bluesky", http=HTTP, **given)


def token(name: str, seconds: float = 7200) -> str:
    """A JWT as the server gives it, ``name`` to tell it by."""
    claims = {"sub": DID, "scope": name, "exp": int(time.time() + seconds)}
    parts = [json.dumps({"alg": "HS256"}), json.dumps(claims), "a signature"]
    return ".".join(base64.urlsafe_b64encode(one.encode()).decode().rstrip("=") for one in parts)


def shown(asked: Asked) -> str:
    """The name of the token that a request shows."""
    kind, _, shown = asked.headers["authorization"].partition(" ")
    assert kind == "Bearer"
    claims = shown.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["scope"])


def session(name: str = "first", seconds: float = 7200, endpoint: str = "") -> Answer:
    document = {
        "@context": ["https://www.w3.org/ns/did/v1"],
        "id": DID,
        "service": [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": endpoint}],
    }
    body = {
        "did": DID,
        "handle": "leipzig.example",
        "accessJwt": token(name, seconds),
        "refreshJwt": token(f"{name}-refresh"),
        "active": True,
    }
    return Answer(200, {**body, **({"didDoc": document} if endpoint else {})})


class TestBluesky(Posts):
    limit = 300
    sends = PUT
    first = Post(
        f"at://{DID}/app.bsky.feed.post/3first",
        "https://bsky.app/x",
        {
            "uri": f"at://{DID}/app.bsky.feed.post/3first",
            "cid": CID,
            "root": {"uri": f"at://{DID}/app.bsky.feed.post/3root", "cid": CID},
        },
    )

    def at(self, url: str) -> Bluesky:
        return bluesky(url)

    def channel(self, **options: Any) -> Bluesky:
        return bluesky("http://127.0.0.1:9", **options)

    def healthy(self, there: Platform) -> None:
        there.on(*SIGN_IN, session())
        there.on(*REFRESH, session("refreshed"))
        there.on(*PUT, STANDS)
        there.on(*UPLOAD, Answer(200, {"blob": BLOB}))
        there.on("POST", "/xrpc/com.atproto.repo.deleteRecord", Answer(200, {}))
        there.on(*SESSION, Answer(200, {"did": DID, "handle": "leipzig.example", "active": True}))
        there.on(*PROFILE, Answer(200, {"did": DID, "handle": "leipzig.example", "followersCount": 8_123}))

    def refusal(self, status: int) -> Any:
        return {"error": "InvalidRequest", "message": f"refused {status}"}

    def size(self, rendering: Rendering) -> int:
        assert len(self.text(rendering).encode()) <= 3000
        return int(grapheme.length(self.text(rendering)))

    def with_card(self, channel: Bluesky, body: bytes = CARD) -> Rendering:
        card = replace(PICTURE, sha256=hashlib.sha256(body).hexdigest())
        one = replace(notices()[0], pictures=(card,))
        return replace(channel.compose(one), slots=SLOTS, pictures={card.sha256: body})

    # what is sent

    def test_a_post_is_a_record_with_the_approved_words(self, there: Platform) -> None:
        channel = bluesky(there.url)
        rendering = self.rendering(channel)
        post = self.put_out(channel, rendering)
        sign_in, put = there.asked
        assert sign_in.json == {"identifier": "leipzig.example", "password": SECRET}
        assert shown(put) == "first"
        assert put.headers["user-agent"] == "Belfry"
        record = put.json["record"]
        assert {name: put.json[name] for name in ("repo", "collection", "rkey")} == {
            "repo": DID,
            "collection": "app.bsky.feed.post",
            "rkey": RKEY,
        }
        assert record["text"] == rendering.fields["text"]
        assert record["createdAt"] == "2030-09-13T17:35:00.000Z"
        assert record["langs"] == ["de"]
        assert "reply" not in record
        own = {"uri": URI, "cid": CID}
        assert post == Post(URI, f"https://bsky.app/profile/{DID}/post/{RKEY}", {**own, "root": own})

    def test_the_link_is_marked_by_its_bytes_and_shown_as_a_card(self, there: Platform) -> None:
        channel = bluesky(there.url)
        rendering = self.rendering(channel)
        self.put_out(channel, rendering)
        record = there.calls(*PUT)[0].json["record"]
        [facet] = record["facets"]
        said = record["text"].encode()
        assert len(said) > len(record["text"])
        assert said[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode() == LINK
        assert facet["features"] == [{"$type": "app.bsky.richtext.facet#link", "uri": LINK}]
        external = record["embed"]["external"]
        assert external["uri"] == LINK
        assert external["title"] == notices()[0].headline
        assert "thumb" not in external

    def test_each_language_is_tagged_and_has_a_key_of_its_own(self, there: Platform) -> None:
        channel = bluesky(there.url)
        for one in notices():
            key = KEY.replace(":de", f":{one.language}")
            rkey = record_key(SENT, key)
            there.on(*PUT, Answer(200, {"uri": URI.replace(RKEY, rkey), "cid": CID}))
            channel.publish(replace(channel.compose(one), slots=SLOTS), key=key)
        assert [asked.json["record"]["langs"] for asked in there.calls(*PUT)] == [["de"], ["de"], ["en"]]
        assert len({asked.json["rkey"] for asked in there.calls(*PUT)}) == 3
        assert len(there.calls(*SIGN_IN)) == 1

    @pytest.mark.parametrize("lost", [SILENT, DROPPED, HTML, Answer(500, {"error": "InternalServerError"})])
    def test_another_try_puts_the_very_same_record_under_the_same_key(self, there: Platform, lost: Answer) -> None:
        there.on(*PUT, lost, STANDS)
        with pytest.raises(Temporary):
            self.put_out(bluesky(there.url))
        self.put_out(bluesky(there.url))
        once, again = there.calls(*PUT)
        assert once.json == again.json

    def test_an_update_replies_under_the_root(self, there: Platform) -> None:
        channel = bluesky(there.url)
        update = notices(kind=Kind.UPDATE, msg_type=MsgType.UPDATE)[0]
        post = channel.update(replace(channel.compose(update), slots=SLOTS), self.first, key=KEY)
        root, parent = self.first.data["root"], {"uri": self.first.data["uri"], "cid": CID}
        reply = there.calls(*PUT)[0].json["record"]["reply"]
        assert {name: {**reply[name], "$type": ""} for name in ("root", "parent")} == {
            "root": {**root, "$type": ""},
            "parent": {**parent, "$type": ""},
        }
        assert post.data["root"] == root

    def test_an_update_stands_alone_where_the_first_was_posted_by_hand(self, there: Platform) -> None:
        channel = bluesky(there.url)
        channel.update(self.rendering(channel), Post("by hand", "https://bsky.app/y"), key=KEY)
        assert "reply" not in there.calls(*PUT)[0].json["record"]

    # its card

    def test_the_card_s_picture_goes_first(self, there: Platform) -> None:
        channel = bluesky(there.url)
        self.put_out(channel, self.with_card(channel))
        upload = there.calls(*UPLOAD)[0]
        assert upload.body == CARD
        assert upload.headers["content-type"] == "image/jpeg"
        assert there.calls(*PUT)[0].json["record"]["embed"]["external"]["thumb"] == BLOB

    def test_a_picture_is_uploaded_once_for_all_tries_until_the_server_may_drop_it(self, there: Platform) -> None:
        channel = bluesky(there.url)
        rendering = self.with_card(channel)
        begun = channel.begin(rendering, key=KEY)
        assert json.loads(json.dumps(dict(begun))) == begun
        assert channel.begin(replace(rendering, begun=begun), key=KEY) == begun
        assert len(there.calls(*UPLOAD)) == 1
        assert channel.begin(replace(rendering, begun={**begun, "until": time.time() - 1}), key=KEY)["thumb"] == BLOB
        assert len(there.calls(*UPLOAD)) == 2

    @pytest.mark.parametrize("refused", [Answer(400, {"error": "InvalidRequest"}), Answer(413), Answer(403)])
    def test_the_words_go_without_a_picture_that_is_refused(self, there: Platform, refused: Answer) -> None:
        there.on(*UPLOAD, refused)
        channel = bluesky(there.url)
        assert self.put_out(channel, self.with_card(channel)).remote_id == URI
        assert "thumb" not in there.calls(*PUT)[0].json["record"]["embed"]["external"]

    def test_the_words_go_without_a_picture_that_is_gone(self, there: Platform) -> None:
        there.on(*PUT, Answer(400, {"error": "BlobNotFound", "message": "Could not find blob"}), STANDS)
        channel = bluesky(there.url)
        assert self.put_out(channel, self.with_card(channel)).remote_id == URI
        cards = [one.json["record"]["embed"]["external"] for one in there.calls(*PUT)]
        assert ["thumb" in card for card in cards] == [True, False]

    def test_a_picture_too_large_is_not_uploaded(self, there: Platform) -> None:
        channel = bluesky(there.url)
        self.put_out(channel, self.with_card(channel, b"x" * (THUMB + 1)))
        assert not there.calls(*UPLOAD)

    @pytest.mark.parametrize(
        "answer", [SILENT, DROPPED, HTML, RUBBISH, Answer(500), Answer(429), Answer(200, {"blob": 7})]
    )
    def test_an_upload_is_never_uncertain(self, there: Platform, answer: Answer) -> None:
        there.on(*UPLOAD, answer)
        channel = bluesky(there.url)
        with pytest.raises(Temporary):
            channel.begin(self.with_card(channel), key=KEY)
        assert not there.calls(*PUT)

    # keys and counting

    def test_a_key_is_a_tid(self) -> None:
        seen = {record_key(SENT, f"warnung.example.{number}:bluesky:de") for number in range(2000)}
        assert len(seen) == 2000
        for one in seen:
            assert re.fullmatch("[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}", one)

    def test_keys_are_in_the_order_of_their_seconds(self) -> None:
        keys = [record_key(SENT + dt.timedelta(seconds=number), KEY) for number in range(50)]
        assert keys == sorted(keys)

    def test_a_key_tells_the_second_when_the_message_was_sent(self) -> None:
        digits = "234567abcdefghijklmnopqrstuvwxyz"
        number = 0
        for one in record_key(SENT, KEY):
            number = number * 32 + digits.index(one)
        assert (number >> 10) // 1_000_000 == SENT.timestamp()

    def test_a_text_of_many_bytes_counts_by_these(self) -> None:
        family = "👩‍👩‍👧‍👦"
        assert len(family.encode()) == 25
        assert length(family) == 3
        assert length(family * 120) == 300
        assert length("ü" * 300) == 300

    @pytest.mark.parametrize("what", ODD)
    def test_the_card_s_words_stay_within_bounds(self, what: str) -> None:
        texts = {
            language: replace(old, headline=ODD[what], description=ODD[what]) for language, old in CONTENT.texts.items()
        }
        for one in notices(replace(CONTENT, texts=texts)):
            fields = self.channel().compose(one).fields
            assert len(fields["title"]) <= 300
            assert len(fields["description"]) <= 300

    # its session

    def test_one_session_serves_many_calls(self, there: Platform) -> None:
        channel = bluesky(there.url)
        self.put_out(channel)
        channel.probe()
        channel.audience()
        assert len(there.calls(*SIGN_IN)) == 1

    def test_a_session_about_to_end_is_refreshed(self, there: Platform) -> None:
        there.on(*SIGN_IN, session(seconds=60))
        self.put_out(bluesky(there.url))
        [refresh] = there.calls(*REFRESH)
        assert shown(refresh) == "first-refresh"
        assert shown(there.calls(*PUT)[0]) == "refreshed"

    @pytest.mark.parametrize(
        "over", [EXPIRED, Answer(401, {"error": "AuthMissing"}), Answer(400, {"error": "InvalidToken"})]
    )
    def test_a_session_that_is_over_is_followed_by_a_new_one(self, there: Platform, over: Answer) -> None:
        channel = bluesky(there.url)
        self.put_out(channel)
        there.on(*SIGN_IN, session("second"))
        there.on(*PUT, over, STANDS)
        assert self.put_out(channel).remote_id == URI
        assert shown(there.calls(*PUT)[-1]) == "second"

    def test_a_session_that_can_no_longer_be_refreshed_is_followed_by_a_new_one(self, there: Platform) -> None:
        there.on(*SIGN_IN, session(seconds=60), session("second"))
        channel = bluesky(there.url)
        channel._sign_in()
        there.on(*REFRESH, EXPIRED)
        assert self.put_out(channel).remote_id == URI
        assert shown(there.calls(*PUT)[0]) == "second"

    def test_a_new_session_that_is_refused_too_is_not_asked_for_again_and_again(self, there: Platform) -> None:
        there.on(*PUT, Answer(401, {"error": "AuthMissing"}))
        channel = bluesky(there.url)
        with pytest.raises(Permanent, match="app password"):
            self.put_out(channel)
        assert len(there.calls(*SIGN_IN)) == 1

    def test_a_wrong_password_says_so(self, there: Platform) -> None:
        there.on(
            *SIGN_IN, Answer(401, {"error": "AuthenticationRequired", "message": "Invalid identifier or password"})
        )
        with pytest.raises(Permanent, match="make a new one"):
            self.put_out(bluesky(there.url))
        assert not there.calls(*PUT)

    def test_the_account_s_own_password_says_so(self, there: Platform) -> None:
        there.on(*SIGN_IN, Answer(401, {"error": "AuthFactorTokenRequired"}))
        with pytest.raises(Permanent, match="second factor"):
            self.put_out(bluesky(there.url))

    @pytest.mark.parametrize("answer", [SILENT, DROPPED, HTML, RUBBISH, Answer(200, {"did": DID}), Answer(502)])
    def test_signing_in_that_fails_is_temporary(self, there: Platform, answer: Answer) -> None:
        there.on(*SIGN_IN, answer)
        with pytest.raises(Temporary):
            self.put_out(bluesky(there.url))
        assert not there.calls(*PUT)

    def test_tokens_that_are_none_are_temporary(self, there: Platform) -> None:
        there.on(*SIGN_IN, Answer(200, {"did": DID, "handle": "leipzig.example", "accessJwt": "a", "refreshJwt": "b"}))
        with pytest.raises(Temporary):
            self.put_out(bluesky(there.url))

    def test_too_many_sign_ins_wait_until_the_limit_is_reset(self, there: Platform) -> None:
        headers = {"ratelimit-reset": str(int(time.time()) + 300), "ratelimit-remaining": "0"}
        there.on(*SIGN_IN, Answer(429, {"error": "RateLimitExceeded"}, headers))
        with pytest.raises(Temporary) as found:
            self.put_out(bluesky(there.url))
        assert found.value.after is not None
        assert 200 < found.value.after < 302

    @pytest.mark.parametrize("reset", ["", "soon", "-5", "9" * 40])
    def test_an_odd_reset_says_nothing(self, there: Platform, reset: str) -> None:
        error = self.failing(there, Answer(429, {}, {"ratelimit-reset": reset}))
        assert isinstance(error, Temporary)
        assert error.after is None

    def test_it_goes_on_at_the_server_that_holds_the_account(self, there: Platform) -> None:
        with platform() as other:
            other.on(*PUT, STANDS)
            there.on(*SIGN_IN, session(endpoint=other.url))
            self.put_out(bluesky(there.url))
            assert len(other.calls(*PUT)) == 1

    @pytest.mark.parametrize("endpoint", ["http://192.0.2.7", "http://pds.example:2583"])
    def test_no_token_goes_to_a_server_without_encryption(self, there: Platform, endpoint: str) -> None:
        there.on(*SIGN_IN, session(endpoint=endpoint))
        with pytest.raises(Permanent, match="encryption"):
            self.put_out(bluesky(there.url))

    # its refusals

    @pytest.mark.parametrize(
        ("status", "error", "words"),
        [(403, "Forbidden", "locked"), (400, "AccountDeactivated", "locked"), (400, "InvalidRequest", "400")],
    )
    def test_a_refusal_says_what_to_do(self, there: Platform, status: int, error: str, words: str) -> None:
        found = self.failing(there, Answer(status, {"error": error, "message": "nein"}))
        assert isinstance(found, Permanent)
        assert words in str(found)

    @pytest.mark.parametrize("body", [[], 7, {}, {"uri": URI}, {"uri": "at://x", "cid": CID}, {"uri": 7, "cid": 7}])
    def test_a_yes_of_an_odd_shape_is_tried_again(self, there: Platform, body: Any) -> None:
        assert isinstance(self.failing(there, Answer(200, body)), Temporary)

    def test_another_post_than_ours_is_tried_again(self, there: Platform) -> None:
        assert isinstance(self.failing(there, Answer(200, {"uri": f"{URI}x", "cid": CID})), Temporary)

    def test_a_redirect_is_not_followed(self, there: Platform) -> None:
        with platform() as other:
            error = self.failing(there, Answer(307, {}, {"Location": other.url}))
            assert not other.asked
        assert isinstance(error, Permanent)

    @pytest.mark.parametrize("answer", [SILENT, HTML, Answer(401), Answer(500), Answer(200, {"uri": SECRET})])
    def test_no_error_holds_the_password(self, there: Platform, answer: Answer) -> None:
        assert SECRET not in str(self.failing(there, answer))

    # the account

    def test_a_post_is_taken_back(self, there: Platform) -> None:
        bluesky(there.url).retract(Post(URI))
        assert there.asked[-1].json == {"repo": DID, "collection": "app.bsky.feed.post", "rkey": RKEY}

    def test_what_was_posted_by_hand_is_taken_back_by_hand(self, there: Platform) -> None:
        with pytest.raises(Permanent, match="yourself"):
            bluesky(there.url).retract(Post("by hand"))

    @pytest.mark.parametrize(
        ("answer", "error"), [(SILENT, Temporary), (Answer(500), Temporary), (Answer(403), Permanent)]
    )
    def test_taking_back_that_fails_says_so(self, there: Platform, answer: Answer, error: type[ChannelError]) -> None:
        there.on("POST", "/xrpc/com.atproto.repo.deleteRecord", answer)
        with pytest.raises(error):
            bluesky(there.url).retract(Post(URI))

    def test_the_probe_names_the_account_and_posts_nothing(self, there: Platform) -> None:
        assert bluesky(there.url).probe() == "Signed in as @leipzig.example."
        assert not there.calls(*PUT)

    def test_the_probe_finds_a_closed_account(self, there: Platform) -> None:
        there.on(
            *SESSION, Answer(200, {"did": DID, "handle": "leipzig.example", "active": False, "status": "suspended"})
        )
        with pytest.raises(Permanent, match="closed"):
            bluesky(there.url).probe()

    def test_followers_are_counted(self, there: Platform) -> None:
        assert bluesky(there.url).audience() == 8_123

    @pytest.mark.parametrize("answer", [Answer(501, {"error": "MethodNotImplemented"}), Answer(404)])
    def test_a_server_without_profiles_counts_nobody(self, there: Platform, answer: Answer) -> None:
        there.on(*PROFILE, answer)
        assert bluesky(there.url).audience() is None

    @pytest.mark.parametrize("service", ["http://bsky.example", "bsky.social", "", "ftp://127.0.0.1"])
    def test_a_wrong_service_is_refused_in_words(self, service: str) -> None:
        with pytest.raises(ValueError, match="https"):
            bluesky(service)

    def test_it_says_whose_hands_it_passes(self) -> None:
        assert [(hop.name, hop.where) for hop in Bluesky.hops] == [("Bluesky Social", "abroad")]
        assert not Bluesky.city
        assert Bluesky.idempotent
