"""LinkedIn's Posts API: plain words in its own format, a picture that may fail, duplicates, versions, look-up."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.utils.translation import override

from alerts.notice import Picture, Rendering
from alerts.terms import Kind, MsgType
from channels.base import ChannelError, Permanent, Post, Temporary, Uncertain
from channels.commercial.linkedin import LIMIT, LinkedIn, escaped, unescaped
from channels.http import Http
from tests.channels.contract import CONTENT, HOSTILE, SECRET, notices
from tests.channels.platforms import BROKEN, DROPPED, ENDLESS_BODY, HTML, RUBBISH, SILENT, Answer, Platform, platform
from tests.channels.posting import KEY, ODD, SLOTS, Posts

HTTP = Http(seconds=1.0)
CARD = b"\xff\xd8 a card"
PICTURE = Picture(
    "wide", "image/jpeg", 1200, 630, hashlib.sha256(CARD).hexdigest(), "Extreme Gefahr: Bombenfund",
    "https://warnung.leipzig.example/cards/abc.jpg",
)  # fmt: skip
URN = "urn:li:share:6844785523593134080"
PATH = "/rest/posts/urn%3Ali%3Ashare%3A6844785523593134080"
SENT = Answer(201, {}, {"x-restli-id": URN})
FINDING = ("GET", "/rest/posts")
SINCE = dt.datetime(2030, 9, 13, 17, 35, tzinfo=dt.UTC)
LATER, EARLIER = SINCE + dt.timedelta(seconds=20), SINCE - dt.timedelta(hours=1)
IMAGE = "urn:li:image:C4E10AQFn10iWtKexVA"
DUPLICATE = Answer(
    422,
    {
        "message": f"com.linkedin.content.BadRequestResponseException: Content is a duplicate of {URN}",
        "errorDetails": {"inputErrors": [{"description": "Duplicate post is detected", "code": "DUPLICATE_POST"}]},
        "status": 422,
    },
)


def linkedin(url: str, **options: Any) -> LinkedIn:
    given: dict[str, Any] = {"patience": 0.03, "pace": 0.01, **options}
    return LinkedIn("linkedin", http=HTTP, organization=17, token=SECRET, server=url, **given)


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Words for officers are compared as they stand in the code."""
    with override("en"):
        yield


class TestLinkedIn(Posts):
    limit = LIMIT
    sends = ("POST", "/rest/posts")
    first = Post(URN, f"https://www.linkedin.com/feed/update/{URN}/")

    def at(self, url: str) -> LinkedIn:
        return linkedin(url)

    def channel(self, **_options: Any) -> LinkedIn:
        return linkedin("http://127.0.0.1:9")

    def size(self, rendering: Rendering) -> int:
        """What is sent, backslashes and all, in UTF-16 code units."""
        return len(escaped(self.text(rendering)).encode("utf-16-le")) // 2

    def refusal(self, status: int) -> Any:
        return {"message": f"Not enough permissions for {SECRET}", "status": status, "code": "SOME_CODE"}

    def healthy(self, there: Platform) -> None:
        there.on(*self.sends, SENT)
        begun = {"value": {"uploadUrl": f"{there.url}/dms-uploads/1", "uploadUrlExpiresAt": 1, "image": IMAGE}}
        there.on("POST", "/rest/images", Answer(200, begun))
        there.on("PUT", "/dms-uploads/1", Answer(201))
        there.on("GET", "/rest/images/.*", Answer(200, {"id": IMAGE, "status": "AVAILABLE"}))
        there.on("GET", "/rest/networkSizes/urn%3Ali%3Aorganization%3A17", Answer(200, {"firstDegreeSize": 4321}))
        there.on("GET", "/rest/organizations/17", Answer(200, {"localizedName": "Stadt Leipzig"}))
        there.on("GET", PATH, Answer(200, {"id": URN, "lifecycleState": "PUBLISHED"}))
        there.on("DELETE", "/rest/posts/.*", Answer(204, b""))

    def with_card(self, channel: LinkedIn) -> Rendering:
        composed = channel.compose(replace(notices()[0], pictures=(PICTURE,)))
        return replace(composed, slots=SLOTS, pictures={PICTURE.sha256: CARD})

    # what is sent

    def test_a_post_says_who_speaks_and_to_everybody(self, there: Platform) -> None:
        channel = linkedin(there.url, version="202611")
        post = self.put_out(channel)
        assert post == Post(URN, f"https://www.linkedin.com/feed/update/{URN}/")
        (asked,) = there.asked
        assert asked.json["author"] == "urn:li:organization:17"
        assert asked.json["visibility"] == "PUBLIC"
        assert asked.json["lifecycleState"] == "PUBLISHED"
        assert asked.json["distribution"]["feedDistribution"] == "MAIN_FEED"
        assert asked.headers["linkedin-version"] == "202611"
        assert asked.headers["x-restli-protocol-version"] == "2.0.0"
        assert asked.headers["authorization"] == f"Bearer {SECRET}"
        assert "content" not in asked.json

    def test_what_people_read_is_what_was_approved(self, there: Platform) -> None:
        texts = {
            "de": replace(CONTENT.texts["de"], headline="Gas (giftig) [A] <B> {C} a_b *c* ~d~ x|y \\ @stadt #panik")
        }
        channel = linkedin(there.url)
        rendering = replace(channel.compose(notices(replace(CONTENT, texts=texts))[0]), slots=SLOTS)
        self.put_out(channel, rendering)
        sent = there.asked[0].json["commentary"]
        assert unescaped(sent) == rendering.fields["text"]
        assert "Gas \\(giftig\\) \\[A\\] \\<B\\> \\{C\\} a\\_b" in sent
        assert sent.endswith("\nhttps://warnung.leipzig.example/alerts/k7f3x/")

    @pytest.mark.parametrize("text", [*HOSTILE, *ODD.values()])
    def test_no_reserved_character_is_left_bare_outside_of_addresses(self, text: str) -> None:
        sent = escaped(text)
        without = "".join(part for part in sent.split() if not part.startswith("http"))
        pairs = without.replace("\\\\", "")
        for sign in "|{}@[]()<>#*_~":
            assert pairs.count(sign) == pairs.count("\\" + sign)

    def test_an_address_keeps_working(self) -> None:
        assert escaped("x_y https://a.example/s_t/~u?q=1#r_s z_z") == "x\\_y https://a.example/s_t/~u?q=1#r_s z\\_z"
        assert escaped("https://a.example/a(b)|c") == "https://a.example/a%28b%29%7Cc"

    def test_an_update_is_a_post_of_its_own(self, there: Platform) -> None:
        channel = linkedin(there.url)
        update = notices(kind=Kind.UPDATE, msg_type=MsgType.UPDATE)[0]
        channel.update(channel.compose(update), self.first, key=KEY)
        assert URN not in str(there.asked[0].json)

    # its picture

    def test_the_card_is_uploaded_before_and_has_its_alt_text(self, there: Platform) -> None:
        channel = linkedin(there.url)
        rendering = self.with_card(channel)
        begun = channel.begin(rendering, key=KEY)
        assert begun == {"image": IMAGE}
        assert not there.calls(*self.sends)
        assert there.calls("POST", "/rest/images")[0].json == {
            "initializeUploadRequest": {"owner": "urn:li:organization:17"}
        }
        assert there.calls("PUT")[0].body == CARD
        channel.publish(replace(rendering, begun=begun), key=KEY)
        media = there.calls(*self.sends)[0].json["content"]["media"]
        assert media == {"id": IMAGE, "altText": PICTURE.alt}
        assert len(there.asked) == 4

    def test_a_second_try_uploads_nothing_again(self, there: Platform) -> None:
        channel = linkedin(there.url)
        rendering = replace(self.with_card(channel), begun={"image": IMAGE})
        assert channel.begin(rendering, key=KEY) == {"image": IMAGE}
        assert not there.asked

    @pytest.mark.parametrize(
        ("call", "answer"),
        [
            *((("POST", "/rest/images"), one) for one in (Answer(403), SILENT, HTML, Answer(200, {"value": 1}))),
            *((("PUT", "/dms-uploads/1"), one) for one in (Answer(403), Answer(500), Answer(429), DROPPED)),
        ],
    )
    def test_a_picture_that_fails_keeps_nobody_silent(
        self, there: Platform, call: tuple[str, str], answer: Answer
    ) -> None:
        there.on(*call, answer)
        channel = linkedin(there.url)
        assert self.put_out(channel, self.with_card(channel)).remote_id == URN
        assert "content" not in there.calls(*self.sends)[0].json

    def test_a_picture_that_linkedin_can_not_use_is_left_out(self, there: Platform) -> None:
        there.on("GET", "/rest/images/.*", Answer(200, {"status": "PROCESSING_FAILED"}))
        channel = linkedin(there.url)
        assert channel.begin(self.with_card(channel), key=KEY) == {}

    def test_a_picture_in_the_making_is_waited_for(self, there: Platform) -> None:
        there.on("GET", "/rest/images/.*", *(Answer(200, {"status": state}) for state in ("PROCESSING", "AVAILABLE")))
        channel = linkedin(there.url, patience=10)
        assert channel.begin(self.with_card(channel), key=KEY) == {"image": IMAGE}
        assert len(there.calls("GET", "/rest/images/.*")) == 2

    def test_a_picture_in_the_making_is_not_waited_for_long(self, there: Platform) -> None:
        there.on("GET", "/rest/images/.*", Answer(200, {"status": "PROCESSING"}))
        channel = linkedin(there.url)
        assert channel.begin(self.with_card(channel), key=KEY) == {"image": IMAGE}

    def test_a_post_refused_with_its_picture_goes_without(self, there: Platform) -> None:
        there.on(*self.sends, Answer(400, {"message": "Invalid media"}), SENT)
        channel = linkedin(there.url)
        assert self.put_out(channel, self.with_card(channel)).remote_id == URN
        first, second = there.calls(*self.sends)
        assert "content" in first.json
        assert "content" not in second.json
        assert first.json["commentary"] == second.json["commentary"]

    def test_the_token_goes_nowhere_else(self, there: Platform) -> None:
        with platform() as other:
            other.on("PUT", ".*", Answer(201))
            answer = {"value": {"uploadUrl": f"{other.url}/steal", "image": IMAGE}}
            there.on("POST", "/rest/images", Answer(200, answer))
            channel = linkedin(there.url)
            assert channel.begin(self.with_card(channel), key=KEY) == {}
            assert not other.asked

    # its refusals

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (Answer(426, {"code": "NONEXISTENT_VERSION", "message": "Requested version is not active"}), "version"),
            (Answer(401, {"code": "EXPIRED_ACCESS_TOKEN"}), "token"),
            (Answer(403, {"code": "ACCESS_DENIED"}), "administrator"),
            (Answer(422, {"message": "ERROR :: /commentary :: too long"}), "422"),
        ],
    )
    def test_a_refusal_says_what_to_do(self, there: Platform, answer: Answer, words: str) -> None:
        error = self.failing(there, answer)
        assert isinstance(error, Permanent)
        assert words in str(error)

    def test_a_duplicate_stands_there(self, there: Platform) -> None:
        there.on(*self.sends, DUPLICATE)
        assert self.put_out(linkedin(there.url)).remote_id == URN
        assert len(there.calls(*self.sends)) == 1

    @pytest.mark.parametrize(
        "answer", [Answer(404), Answer(403), Answer(500), SILENT, Answer(200, {"lifecycleState": "DRAFT"})]
    )
    def test_a_duplicate_of_nothing_is_uncertain(self, there: Platform, answer: Answer) -> None:
        """LinkedIn is known to name posts that were deleted, or that never were."""
        there.on("GET", PATH, answer)
        assert isinstance(self.failing(there, DUPLICATE), Uncertain)

    def test_a_duplicate_without_a_name_is_uncertain(self, there: Platform) -> None:
        assert isinstance(self.failing(there, Answer(422, {"code": "DUPLICATE_POST"})), Uncertain)

    @pytest.mark.parametrize("headers", [{}, {"x-restli-id": "1"}, {"x-restli-id": "urn:li:share:1/../x"}])
    def test_a_yes_without_a_post_is_uncertain(self, there: Platform, headers: dict[str, str]) -> None:
        assert isinstance(self.failing(there, Answer(201, {}, headers)), Uncertain)

    def test_a_redirect_is_not_followed(self, there: Platform) -> None:
        with platform() as other:
            error = self.failing(there, Answer(307, {}, {"Location": other.url}))
            assert not other.asked
        assert isinstance(error, Permanent)

    # finding it again

    def listed(self, text: str, when: dt.datetime | None = LATER, urn: str = URN) -> dict[str, Any]:
        row: dict[str, Any] = {"id": urn, "commentary": escaped(text), "lifecycleState": "PUBLISHED"}
        return row | ({"createdAt": round(when.timestamp() * 1000)} if when else {})

    def look(self, there: Platform, *rows: Any) -> Post | None:
        there.on(*FINDING, Answer(200, {"elements": list(rows), "paging": {}}))
        channel = linkedin(there.url)
        return channel.look_up(self.rendering(channel), key=KEY, since=SINCE)

    @property
    def said(self) -> str:
        return self.text(self.rendering(linkedin("http://127.0.0.1:9")))

    def test_a_post_is_found_again_by_its_words(self, there: Platform) -> None:
        old, other = self.listed(self.said, EARLIER, "urn:li:share:1"), self.listed("Anderes", urn="urn:li:share:2")
        found = self.look(there, old, other, "junk", {}, self.listed(self.said.replace("\n", " \n")))
        assert found is not None
        assert found.remote_id == URN
        (asked,) = there.asked
        assert asked.headers["x-restli-method"] == "FINDER"
        assert asked.query["author"] == "urn:li:organization:17"

    def test_a_post_without_a_time_counts(self, there: Platform) -> None:
        assert self.look(there, self.listed(self.said, None)) is not None

    def test_where_nothing_stands_nothing_is_found(self, there: Platform) -> None:
        assert self.look(there, self.listed(self.said, EARLIER), self.listed("Anderes")) is None
        assert self.look(there) is None

    def test_too_many_newer_posts_are_uncertain(self, there: Platform) -> None:
        with pytest.raises(Uncertain):
            self.look(there, *[self.listed(f"Anderes {n}") for n in range(50)])

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (SILENT, Temporary), (DROPPED, Temporary), (BROKEN, Temporary), (HTML, Temporary), (RUBBISH, Temporary),
            (ENDLESS_BODY, Temporary), (Answer(500), Temporary), (Answer(429), Temporary), (Answer(200, []), Temporary),
            (Answer(200, {}), Temporary), (Answer(401), Uncertain), (Answer(403), Uncertain), (Answer(426), Uncertain),
        ],
    )  # fmt: skip
    def test_who_does_not_tell(self, there: Platform, answer: Answer, error: type[ChannelError]) -> None:
        there.on(*FINDING, answer)
        channel = linkedin(there.url)
        with pytest.raises(error):
            channel.look_up(self.rendering(channel), key=KEY, since=SINCE)
        assert not there.calls(*self.sends)

    # the page

    @pytest.mark.parametrize("answer", [Answer(204, b""), Answer(404)])
    def test_a_post_is_taken_back(self, there: Platform, answer: Answer) -> None:
        there.on("DELETE", "/rest/posts/.*", answer)
        linkedin(there.url).retract(self.first)
        assert there.calls("DELETE", PATH)[0].headers["x-restli-method"] == "DELETE"

    @pytest.mark.parametrize(
        ("answer", "error"), [(Answer(403), Permanent), (Answer(500), Temporary), (SILENT, Temporary)]
    )
    def test_taking_back_that_fails_says_so(self, there: Platform, answer: Answer, error: type[ChannelError]) -> None:
        there.on("DELETE", "/rest/posts/.*", answer)
        with pytest.raises(error):
            linkedin(there.url).retract(self.first)

    def test_followers_are_counted(self, there: Platform) -> None:
        assert linkedin(there.url).audience() == 4321

    def test_the_probe_names_the_page_and_posts_nothing(self, there: Platform) -> None:
        assert "Stadt Leipzig" in linkedin(there.url).probe()
        assert not there.calls(*self.sends)

    def test_the_probe_finds_an_expired_token(self, there: Platform) -> None:
        there.on("GET", "/rest/organizations/17", Answer(401))
        with pytest.raises(Permanent, match="token"):
            linkedin(there.url).probe()

    def test_it_knows_when_its_token_ends(self) -> None:
        assert linkedin("http://127.0.0.1:9").valid_until() is None
        until = linkedin("http://127.0.0.1:9", token_until="2027-01-14").valid_until()
        assert until == dt.datetime(2027, 1, 14, tzinfo=dt.UTC)

    @pytest.mark.parametrize("wrong", [{"token_until": "soon"}, {"version": "v2"}, {"organization": "stadt-leipzig"}])
    def test_a_wrong_option_is_told_at_start(self, wrong: dict[str, str]) -> None:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            LinkedIn("linkedin", http=HTTP, **{"organization": "17", "token": SECRET, **wrong})

    def test_it_says_whose_hands_it_passes(self) -> None:
        assert [hop.where for hop in LinkedIn.hops] == ["abroad"]
        assert not LinkedIn.city
        assert not LinkedIn.idempotent
