"""Apprise's own plugins against the scripted server: what its yes, its no and its log are made into."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils.translation import override

from alerts.notice import Picture, Rendering
from channels.base import ChannelError, Permanent, Temporary, Uncertain
from channels.commercial.apprise import Apprise, size
from tests.channels.contract import CITY, SECRET, notices
from tests.channels.platforms import DROPPED, ENDLESS_BODY, HTML, RUBBISH, SILENT, Answer, Platform
from tests.channels.posting import KEY, UNCLEAR, Posts

CARD = b"\xff\xd8 a card"
PICTURE = Picture("wide", "image/jpeg", 1200, 630, hashlib.sha256(CARD).hexdigest(), "Bombenfund", "https://w.x/c.jpg")
UNREAD = {"no JSON": HTML, "invalid UTF-8": RUBBISH, "endless": ENDLESS_BODY}


def apprise(url: str, **options: Any) -> Apprise:
    return Apprise("matrix", **{"url": url, "city": CITY, "patience": 1.0, **options})


def aimed(scheme: str, url: str, tail: str = "/") -> str:
    """An address of Apprise's for the scripted server, with the secret as its password."""
    return f"{scheme}://bot:{SECRET}@{url.removeprefix('http://')}{tail}"


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Words for officers are compared as they stand in the code."""
    with override("en"):
        yield


class TestApprise(Posts):
    limit = 300

    def at(self, url: str) -> Apprise:
        return apprise(aimed("json", url), limit=self.limit)

    def channel(self, **_options: Any) -> Apprise:
        return self.at("http://127.0.0.1:9")

    def healthy(self, there: Platform) -> None:
        there.on(*self.sends, Answer(200))

    def size(self, rendering: Rendering) -> int:
        return size(self.text(rendering))

    # Apprise's plugins read a status alone: what comes after a 200 is nothing to them, so the message is accepted
    @pytest.mark.parametrize("how", [how for how in UNCLEAR if how not in UNREAD])
    def test_what_may_have_gone_out_is_uncertain(self, there: Platform, how: str) -> None:
        assert isinstance(self.failing(there, UNCLEAR[how]), Uncertain)

    @pytest.mark.parametrize("how", ["no JSON", "invalid UTF-8"])
    def test_a_yes_needs_no_words(self, there: Platform, how: str) -> None:
        there.on(*self.sends, UNREAD[how])
        assert self.put_out(self.at(there.url)).remote_id == KEY

    def test_an_endless_answer_ends_all_the_same(self, there: Platform) -> None:
        there.on(*self.sends, ENDLESS_BODY)
        channel = self.at(there.url)
        channel.seconds = 5.2  # type: ignore[misc]
        with contextlib.suppress(Uncertain):  # or accepted, where it has ended before the time is over
            self.put_out(channel)
        assert len(there.asked) == 1

    # what is sent

    def test_title_and_text_are_what_was_approved(self, there: Platform) -> None:
        rendering = self.rendering(self.at(there.url))
        assert rendering.fields["title"] == "Stadt Leipzig"
        self.put_out(self.at(there.url), rendering)
        sent = there.asked[0].json
        assert sent["title"] == rendering.fields["title"]
        assert sent["message"] == rendering.fields["text"]
        assert not sent["attachments"]

    @pytest.mark.parametrize(
        ("scheme", "tail", "said"),
        [("ntfy", "/warnungen", "message"), ("nctalk", "/room", "message"), ("gotify", f"/{'A' * 15}", "message")],
    )
    def test_other_services_say_the_same(self, there: Platform, scheme: str, tail: str, said: str) -> None:
        channel = apprise(aimed(scheme, there.url, tail))
        rendering = self.rendering(channel)
        self.put_out(channel, rendering)
        sent = there.asked[0].json
        assert sent[said].endswith(rendering.fields["text"])
        assert "Apprise" not in there.asked[0].body.decode()
        assert "github" not in f"{there.asked[0].headers}{sent}"

    def test_a_service_without_a_title_gets_none(self) -> None:
        fields = apprise("tgram://123456789:abcdefg_hijklmnop/12315544/").compose(notices()[0]).fields
        assert not fields["title"]
        assert notices()[0].url in fields["text"]

    def test_a_service_s_own_limit_is_kept(self) -> None:
        long = replace(notices()[0], headline="Satz mit Sinn. " * 300)
        for url, most in (("rocket://u:p@chat.example/%23c", 1000), ("whatsapp://tok@123456/+4917111111111", 1024)):
            text = apprise(url).compose(long).fields["text"]
            assert most * 0.8 < size(text) <= most

    def test_a_card_goes_along_where_it_is_wanted_and_can(self, there: Platform) -> None:
        channel = apprise(aimed("json", there.url), attach=True)
        composed = channel.compose(replace(notices()[0], pictures=(PICTURE,)))
        self.put_out(channel, replace(composed, pictures={PICTURE.sha256: CARD}))
        (attached,) = there.asked[0].json["attachments"]
        assert base64.b64decode(attached["base64"]) == CARD
        assert attached["mimetype"] == "image/jpeg"
        talk = apprise(aimed("nctalk", there.url, "/room"), attach=True)
        self.put_out(talk, replace(composed, pictures={PICTURE.sha256: CARD}))
        assert len(there.asked) == 2

    # what it can't do: try again by itself, go elsewhere, call a failure a success

    @pytest.mark.parametrize("option", ["retry=3&wait=0.01", "optional=yes"])
    def test_options_of_the_address_change_no_outcome(self, there: Platform, option: str) -> None:
        there.on(*self.sends, Answer(500))
        with pytest.raises(Uncertain):
            self.put_out(apprise(aimed("json", there.url, f"/?{option}")))
        assert len(there.asked) == 1

    def test_a_redirect_is_not_followed(self, there: Platform) -> None:
        error = self.failing(there, Answer(302, {}, {"Location": f"{there.url}/elsewhere"}))
        assert isinstance(error, Permanent)
        assert len(there.asked) == 1

    def test_where_the_address_allows_it_neither(self, there: Platform) -> None:
        there.on(*self.sends, Answer(302, {}, {"Location": f"{there.url}/elsewhere"}))
        with pytest.raises(Permanent):
            self.put_out(apprise(aimed("json", there.url, "/?redirect=yes")))
        assert len(there.asked) == 1

    def test_nothing_waits_longer_than_we_do(self) -> None:
        service = apprise("ntfy://bot:x@127.0.0.1:9/warnungen?cto=60&rto=60")._service
        assert service.request_timeout == (1.0, 1.0)
        assert service.request_rate_per_sec == 0

    # what its log says

    @pytest.mark.parametrize(
        ("code", "error"), [(40001, Permanent), (40301, Permanent), (42901, Temporary), (50001, Uncertain)]
    )
    def test_a_service_s_own_error_numbers_are_read(
        self, there: Platform, code: int, error: type[ChannelError]
    ) -> None:
        there.on(*self.sends, Answer(code // 100, {"code": code, "error": "error=200."}))
        with pytest.raises(error):
            self.put_out(apprise(aimed("ntfy", there.url, "/warnungen")))

    @pytest.mark.parametrize(
        ("answers", "error"),
        [
            ([Answer(200), Answer(403)], Uncertain),
            ([Answer(403), Answer(200)], Uncertain),
            ([Answer(403), SILENT], Uncertain),
            ([Answer(403), Answer(403)], Permanent),
            ([Answer(403), Answer(503)], Temporary),
        ],
    )
    def test_several_receivers_are_one_outcome(
        self, there: Platform, answers: list[Answer], error: type[ChannelError]
    ) -> None:
        there.on(*self.sends, *answers)
        with pytest.raises(error):
            self.put_out(apprise(aimed("ntfy", there.url, "/eins/zwei")))
        assert len(there.asked) == 2

    @pytest.mark.parametrize(
        ("entries", "receivers"),
        [
            ([("INFO", "Sent it."), ("WARNING", "error=403."), ("WARNING", "error=403.")], 2),
            ([("WARNING", "error=403.")], 2),
            ([("WARNING", "It failed.")], 1),
            ([("DEBUG", "error=403.")], 1),
            ([("WARNING", "error=403. of many")], 1),
            ([], 1),
        ],
    )
    def test_what_its_log_does_not_prove_is_uncertain(self, entries: list[tuple[str, str]], receivers: int) -> None:
        logged = [SimpleNamespace(level=level, message=message) for level, message in entries]
        assert isinstance(self.channel()._error("FAILURE", logged, receivers), Uncertain)

    @pytest.mark.parametrize("status", ["TIMEOUT", "PARTIAL", "SOMETHING"])
    def test_any_other_result_is_uncertain(self, status: str) -> None:
        assert isinstance(self.channel()._error(status, [], 1), Uncertain)

    def test_a_name_that_no_server_has_is_temporary(self) -> None:
        with pytest.raises(Temporary):
            self.put_out(apprise(f"json://bot:{SECRET}@nothing.invalid/"))

    @pytest.mark.parametrize("answer", [Answer(200), Answer(403, {"error": SECRET}), DROPPED])
    @pytest.mark.parametrize("scheme", ["json", "ntfy"])
    def test_no_error_and_no_log_holds_the_secret(
        self, there: Platform, scheme: str, answer: Answer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.rendering(self.at(there.url))  # Apprise is read: what it says of its language then is no matter
        heard: list[logging.LogRecord] = []
        ear = logging.Handler()
        ear.emit = heard.append  # type: ignore[method-assign]
        root = logging.getLogger()
        monkeypatch.setattr(root, "handlers", [ear])
        monkeypatch.setattr(root, "level", logging.DEBUG)
        there.on(*self.sends, answer)
        said = ""
        try:
            self.put_out(apprise(aimed(scheme, there.url, f"/{SECRET}")))
        except ChannelError as error:
            said = f"{error}{error.__cause__!r}"
        assert SECRET not in said
        assert not [one for one in heard if one.name.startswith("apprise")]
        assert not [one for one in heard if one.name.startswith("channels") and SECRET in one.getMessage()]
        assert bool(heard) is (answer.status != 200 or answer.way != "")

    # its address

    def test_an_address_that_apprise_does_not_know_keeps_no_draft_from_being_submitted(self) -> None:
        channel = apprise(f"unheardof://{SECRET}")
        assert notices()[0].url in channel.compose(notices()[0]).fields["text"]
        with pytest.raises(Permanent) as found:
            self.put_out(channel)
        assert SECRET not in str(found.value)
        with pytest.raises(Permanent):
            channel.probe()

    def test_no_address_is_told_at_start_without_showing_it(self) -> None:
        with pytest.raises(ValueError, match="url") as found:
            apprise(SECRET)
        assert SECRET not in str(found.value)

    def test_a_limit_without_room_for_the_link_is_told_at_start(self) -> None:
        with pytest.raises(ValueError, match="limit"):
            apprise("json://127.0.0.1:9/", limit=20)

    @pytest.mark.parametrize("hop", [{"name": "Hoster"}, {"name": "Hoster", "where": "EU"}])
    def test_hops_that_say_nothing_are_told_at_start(self, hop: dict[str, str]) -> None:
        with pytest.raises(ValueError, match="hops"):
            apprise("json://127.0.0.1:9/", hops=[hop])

    def test_the_probe_sends_nothing(self, there: Platform) -> None:
        assert "JSON" in self.at(there.url).probe()
        assert not there.asked

    @pytest.mark.parametrize(
        ("url", "hops"),
        [
            ("nctalks://u:p@cloud.leipzig.example/room", [("cloud.leipzig.example", "city")]),
            ("matrixs://u:p@chat.leipzig.example/#warnung", [("chat.leipzig.example", "city")]),
            ("matrixs://u:p@matrix.org/#warnung", [("matrix.org", "abroad")]),
            ("matrixs://u:p@boese-leipzig.example.org/#w", [("boese-leipzig.example.org", "abroad")]),
            ("signal://10.1.2.3:8080/+4934111/+4934112", [("10.1.2.3", "city"), ("Signal", "abroad")]),
            ("threema://*CITY123/key/4915100000000", [("Threema", "abroad")]),
            ("seven://key/+49151000000", [("seven", "eu")]),
            ("ntfy://topic", [("ntfy", "abroad")]),
            ("pbul://o.gn5kj6nfhv736I7jC3cj3QLRiyhgl98b/", [("pbul", "abroad")]),
        ],
    )
    def test_it_says_whose_hands_it_passes(self, url: str, hops: list[tuple[str, str]]) -> None:
        assert [(hop.name, hop.where) for hop in apprise(url).hops] == hops

    def test_the_settings_may_say_whose_hands_it_passes(self) -> None:
        channel = apprise("matrixs://u:p@matrix.hoster.example/#w", hops=[{"name": "Hoster", "where": "eu"}])
        assert [(hop.name, hop.where) for hop in channel.hops] == [("Hoster", "eu")]
        assert not channel.city
        assert not channel.idempotent
