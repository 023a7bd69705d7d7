"""A provider's plain HTTP, the folder of the embedded set-up, what a wrong set-up is told, and processes that fork."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

from alerts.notice import Rendering
from channels.base import ChannelError, Forged, Inbound, Outcome, Permanent, Receipt, Recipient, Reply, Temporary
from channels.city.sms import Sms
from tests.channels.contract import SECRET, notices
from tests.channels.smsc import twilio
from tests.channels.smsc.plain import CALLS, entry, over_http, said
from tests.channels.smsc.wire import SHORT, Answer, Asked, listening

ONE, TWO = Recipient(7, "+4915112345678"), Recipient(8, "+4915112345679")
TEXT = 'Rauch & "Qualm" <überall>. https://warnung.leipzig.example/alerts/k7f3x/'
RENDERING = Rendering("sms", "de", {"text": TEXT})


def came(channel: Sms, *recipients: Recipient) -> dict[int, Outcome] | ChannelError:
    try:
        return {one.recipient: one for one in channel.send(RENDERING, recipients or [ONE], key="k")}
    except ChannelError as error:
        return error


# Plain HTTP: what is sent


ESCAPED = TEXT.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
JSON = {"to": ["{to}"], "sms": {"text": "{text}", "n": 1}}


def sent(**options: Any) -> Asked:
    """One text, over a gateway with these options, as it came in."""
    heard: list[Asked] = []

    def answer(asked: Asked) -> Answer:
        heard.append(asked)
        return Answer(202, "OK")

    with listening(answer) as wire:
        given = {"code": "", "id": "", "json": None, **options}
        path = given.pop("path", "/sms")
        channel = Sms("sms", gateways=[entry(wire.url, **given) | {"url": wire.url + path}])
        assert came(channel) == {7: Outcome(7, "accepted")}
        channel.close()
    [asked] = heard
    return asked


def test_it_is_sent_as_json() -> None:
    asked = sent(json=JSON)
    assert json.loads(asked.body) == {"to": [ONE.address], "sms": {"text": TEXT, "n": 1}}
    assert asked.headers["content-type"] == "application/json"


def test_it_is_sent_as_a_form() -> None:
    asked = sent(form={"recipient": "{digits}", "message": "{text}"})
    assert asked.form == {"recipient": ONE.address[1:], "message": TEXT}


def test_it_is_sent_in_the_address() -> None:
    asked = sent(path="/send/{digits}?key=1", query={"t": "{text}"}, method="GET")
    assert (asked.method, asked.path) == ("GET", f"/send/{ONE.address[1:]}")
    assert asked.query == {"key": "1", "t": TEXT}


def test_it_is_sent_as_a_body_of_one_s_own_and_escaped_for_it() -> None:
    xml = sent(body="<sms to='{to}'>{text}</sms>", content_type="text/xml; charset=utf-8")
    assert xml.body.decode() == f"<sms to='{ONE.address}'>{ESCAPED}</sms>"
    as_json = sent(body='{"to": "{to}", "text": "{text}"}', content_type="application/json")
    assert json.loads(as_json.body) == {"to": ONE.address, "text": TEXT}


def test_who_calls_is_said_by_password_or_header() -> None:
    asked = sent(json=JSON, user="leipzig", password=SECRET)
    assert asked.headers["authorization"] == "Basic " + base64.b64encode(f"leipzig:{SECRET}".encode()).decode()
    assert asked.headers["x-api-key"] == SECRET


def test_what_a_text_says_is_never_taken_for_a_blank() -> None:
    with over_http() as (channel, provider, _wire):
        list(channel.send(replace(RENDERING, fields={"text": "{to} {id} {callback}"}), [ONE], key="k"))
    assert provider.texts == {ONE.address: "{to} {id} {callback}"}


# Plain HTTP: what comes back


def test_the_id_is_kept_with_the_gateway_s_name() -> None:
    """Two providers may count alike."""
    with over_http(name="carrier") as (channel, _provider, _wire):
        assert came(channel) == {7: Outcome(7, "accepted", remote_id="carrier:m1")}


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (said(202), "permanent gone"),
        (said(305), "temporary"),
        (said(999), "permanent"),
        (said(500), Temporary),
        (said(401), Permanent),
        (Answer(400, "no"), "permanent"),
        (Answer(422, "no"), "permanent"),
        (Answer(401, "no"), Permanent),
        (Answer(404, "no"), Permanent),
        (Answer(302, "", {"Location": "http://127.0.0.1:9/"}), Permanent),
        (Answer(429, "", {"Retry-After": "9"}), Temporary),
        (Answer(503, ""), Temporary),
        (Answer(204, ""), "uncertain"),
        (Answer(202, said(100).body), "accepted"),
        (Answer(silent=True), "uncertain"),
        (Answer(drop=True), "uncertain"),
        (Answer(200, "x" * 400, drip=0.05), "uncertain"),
        (Answer(200, b"x" * 2_100_000), "uncertain"),
        (Answer(200, "not JSON"), "uncertain"),
    ],
)
def test_its_answers_mean_what_the_options_say(answer: Answer, state: object) -> None:
    with over_http({ONE.address: [answer]}, timeout=SHORT) as (channel, _provider, wire):
        told = came(channel)
        assert len(wire.asked) == 1
    if isinstance(told, dict):
        assert " ".join([told[7].state, *(["gone"] if told[7].gone else [])]) == state
        assert ONE.address not in told[7].words
    else:
        assert type(told) is state
        assert ONE.address not in str(told)


def test_a_pattern_reads_an_answer_that_is_no_json() -> None:
    options = {"code": "", "code_pattern": r"^(\w+):", "accepted": ["OK"], "id": "", "id_pattern": r"id=(\d+)"}
    with over_http({ONE.address: [Answer(200, "OK: id=77")], TWO.address: [Answer(200, "ERR: +4915")]}, **options) as (
        channel, _provider, _wire,
    ):  # fmt: skip
        told = came(channel, ONE, TWO)
    assert isinstance(told, dict)
    assert (told[7].state, told[7].remote_id) == ("accepted", "http:77")
    assert told[8].state == "permanent"
    assert "ERR" in told[8].words


def test_a_get_is_never_repeated_over_a_connection_that_died() -> None:
    options = {"json": None, "query": {"to": "{to}", "text": "{text}"}, "method": "GET", "code": "", "id": ""}
    answers = iter([Answer(200, "OK"), Answer(drop=True)])
    with listening(lambda asked: next(answers)) as wire:
        channel = Sms("sms", gateways=[entry(wire.url, **options)])
        assert isinstance(came(channel), dict)
        told = came(channel, TWO)
        channel.close()
    assert isinstance(told, dict)
    assert told[8].state == "uncertain"
    assert len(wire.asked) == 2


def test_what_it_can_not_tell_afterwards_stays_uncertain() -> None:
    with over_http() as (channel, _provider, _wire):
        [outcome] = channel.look_up(RENDERING, [ONE], since=notices()[0].facts_at)  # type: ignore[arg-type]
    assert outcome.state == "uncertain"


def test_what_another_gateway_may_have_taken_is_not_said_to_be_nowhere() -> None:
    """Twilio has none of it, but the provider beside it can't tell."""
    with over_http() as (_channel, _provider, plain), listening(twilio.TwilioAtTheWire()) as wire:
        channel = Sms("sms", gateways=[twilio.entry(wire.url), entry(plain.url)])
        [outcome] = channel.look_up(RENDERING, [ONE], since=notices()[0].facts_at)  # type: ignore[arg-type]
        channel.close()
    assert outcome.state == "uncertain"


# Plain HTTP: its calls


def call(body: object, *, secret: str = CALLS["secret"], **more: Any) -> Inbound:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    return Inbound("POST", "https://warnung.leipzig.example/s/hooks/sms/", {"X-SIGNATURE": signature, **more}, {}, raw)


def listener(**calls: Any) -> Sms:
    return Sms("sms", gateways=[entry("http://127.0.0.1:9", callbacks={**CALLS, **calls})])


def test_a_signed_call_is_a_receipt_or_an_answer() -> None:
    channel = listener(id="data.id", state="data.state", delivered=[1, "DELIVRD"], failed=[2], gone=[3])
    assert list(channel.receive(call({"data": {"id": "m1", "state": 1}}))) == [Receipt("delivered", "http:m1")]
    [failed] = channel.receive(call({"data": {"id": "m1", "state": 2}}))
    assert isinstance(failed, Receipt)
    assert (failed.state, failed.gone) == ("failed", False)
    [gone] = channel.receive(call({"data": {"id": 5, "state": "3"}}))
    assert isinstance(gone, Receipt)
    assert (gone.remote_id, gone.gone) == ("http:5", True)
    assert list(channel.receive(call({"data": {"id": "m1", "state": "buffered"}}))) == []
    for number in ("4915112345678", "+49 151 12345678", "004915112345678"):
        assert list(channel.receive(call({"from": number, "text": "STOPP"}))) == [Reply("+4915112345678", "STOPP")]


def test_a_call_as_a_form_is_read_too() -> None:
    form = {"id": "m1", "status": "delivered"}
    assert list(listener().receive(replace(call(b"id=m1&status=delivered"), form=form))) == [
        Receipt("delivered", "http:m1")
    ]


@pytest.mark.parametrize(
    "forged",
    [
        call({"id": "m1", "status": "failed"}, secret="ein-falsches-geheimnis"),
        replace(call({"id": "m1", "status": "delivered"}), body=b'{"id": "m1", "status": "failed"}'),
        replace(call({"id": "m1", "status": "delivered"}), headers={}),
        replace(call({"id": "m1", "status": "delivered"}), headers={"X-Signature": "\xff"}),
    ],
)
def test_a_forged_call_is_refused(forged: Inbound) -> None:
    with pytest.raises(Forged):
        listener().receive(forged)


def test_a_signature_of_nothing_proves_no_address() -> None:
    empty = call(b"")
    forged = replace(empty, method="GET", url=f"{empty.url}?id=m1&status=failed")
    assert list(listener().receive(forged)) == []


def test_a_call_that_can_not_be_read_says_so() -> None:
    with pytest.raises(ValueError):
        listener().receive(call(b"{"))


def test_a_secret_in_a_header_will_do() -> None:
    channel = listener(hmac=False)
    url = "https://warnung.leipzig.example/s/hooks/sms/?id=m1&status=delivered"
    told = channel.receive(Inbound("GET", url, {"x-signature": CALLS["secret"]}, {}, b""))
    assert list(told) == [Receipt("delivered", "http:m1")]
    with pytest.raises(Forged):
        channel.receive(Inbound("GET", url, {"x-signature": CALLS["secret"][:-1]}, {}, b""))


# The folder


def test_the_embedded_set_up_writes_files_to_be_read(tmp_path: Path) -> None:
    channel = Sms("sms", data_dir=str(tmp_path), address="https://warnung.leipzig.example")
    rendering = channel.compose(notices()[0])
    outcomes = list(channel.send(rendering, [ONE, TWO], key="k"))
    channel.close()
    assert {one.state for one in outcomes} == {"accepted"}
    files = sorted((tmp_path / "sms").iterdir())
    assert {file.stem for file in files} == {one.remote_id for one in outcomes}
    assert all(file.suffix == ".txt" for file in files)
    for file in files:
        said_ = file.read_text()
        assert rendering.fields["text"] in said_
        assert "Segments: 2 GSM-7" in said_
        assert ("To: …678" in said_) != ("To: …679" in said_)
        assert ONE.address[:-3] not in said_ + file.name
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "sms").stat().st_mode) == 0o700


def test_a_folder_that_can_not_be_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    channel = Sms("sms", data_dir=str(tmp_path / "file"))
    with pytest.raises(Permanent):
        channel.probe()
    assert isinstance(came(channel), Permanent)
    channel.close()


def test_a_folder_is_probed(tmp_path: Path) -> None:
    channel = Sms("sms", data_dir=str(tmp_path))
    assert "folder" in channel.probe()
    channel.close()


def test_one_probe_of_two_that_fails_is_told_and_does_not_stop_the_channel(tmp_path: Path) -> None:
    with listening(there := twilio.TwilioAtTheWire()) as wire:
        there.account = twilio.refusal(20003, 401)
        channel = Sms("sms", data_dir=str(tmp_path), gateways=[twilio.entry(wire.url), {"kind": "folder"}])
        words = channel.probe()
        channel.close()
    assert "twilio: " in words
    assert "folder: " in words


# What is wrong with a set-up


@pytest.mark.parametrize(
    ("gateway", "word"),
    [
        ({"kind": "pigeon"}, "pigeon"),
        ({}, "twilio"),
        ({"kind": "folder", "colour": SECRET}, "colour"),
        ({"kind": "twilio", "account_sid": "AC1", "key_sid": "SK1", "sender": "Leipzig"}, "key_secret"),
        ({"kind": "twilio", "account_sid": "AC1", "key_sid": "SK1", "key_secret": "", "sender": "L"}, "key_secret"),
        ({"kind": "twilio", "account_sid": "AC1", "key_sid": "SK1", "key_secret": SECRET}, "sender"),
        ({"kind": "http"}, "url"),
        ({"kind": "http", "url": "ftp://example"}, "url"),
        ({"kind": "http", "url": "https://sms.example", "form": {"a": "b"}, "body": "x"}, "form"),
        ({"kind": "http", "url": "https://sms.example", "meanings": {"1": "wonderful"}}, "wonderful"),
        ({"kind": "http", "url": "https://sms.example", "id_pattern": "("}, "pattern"),
        ({"kind": "http", "url": "https://sms.example", "callbacks": {"secret": "short", "header": "X"}}, "16"),
        ({"kind": "smpp", "host": "h", "port": 1, "system_id": "b", "password": SECRET, "sender": "L"}, "8"),
        ({"kind": "folder", "per_second": 0}, "per_second"),
        ({"kind": "folder", "timeout": 60.0}, "timeout"),
    ],
)
def test_a_wrong_gateway_is_told_in_words_without_its_secrets(gateway: Mapping[str, object], word: str) -> None:
    with translation.override("en"), pytest.raises(ValueError, match=word) as caught:
        Sms("sms", data_dir="/nowhere", gateways=[gateway])
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"gateways": []},
        {"gateways": [{"kind": "folder"}, {"kind": "folder"}]},
        {"segments": 0},
        {"in_flight": 51},
        {"leave": "never"},
        {"slow_seconds": 0},
        {"checkpoint": 0},
    ],
)
def test_a_wrong_channel_is_told_in_words(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Sms("sms", data_dir="/nowhere", **options)


# Threads and processes


def test_words_for_officers_come_in_the_language_that_is_active() -> None:
    """The loop's thread has the caller's language."""
    with over_http({ONE.address: [said(999)], TWO.address: [said(999)]}) as (channel, _provider, _wire):
        with translation.override("de"):
            [outcome] = channel.send(RENDERING, [ONE], key="k")
            assert outcome.words == "http hat sie nicht angenommen (Code 999)."
        with translation.override("en"):
            [outcome] = channel.send(RENDERING, [TWO], key="k")
            assert outcome.words == "http did not take it (code 999)."


@pytest.mark.parametrize(
    ("language", "words"), [("de", "http: keine Antwort in der Zeit"), ("en", "http: no answer in time")]
)
def test_a_failure_that_a_library_reports_is_told_in_it_too(language: str, words: str) -> None:
    """The connection was opened for somebody else, who speaks another language."""
    with over_http({TWO.address: [Answer(silent=True)]}, timeout=SHORT) as (channel, _provider, _wire):
        with translation.override("en" if language == "de" else "de"):
            list(channel.send(RENDERING, [ONE], key="k"))
        with translation.override(language):
            [outcome] = channel.send(RENDERING, [TWO], key="k")
    assert outcome.words == words


def test_a_forked_process_sends_over_connections_of_its_own() -> None:
    """RQ forks for each job: whoever has sent before must not be disturbed by its children."""
    with over_http() as (channel, provider, wire):
        assert isinstance(came(channel, ONE), dict)
        child = os.fork()
        if child == 0:
            told = came(channel, TWO)
            os._exit(0 if isinstance(told, dict) and told[8].state == "accepted" else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        third = Recipient(9, "+4915112345670")
        told = came(channel, third)
        assert isinstance(told, dict)
        assert told[9].state == "accepted"
        assert set(provider.texts) == {ONE.address, TWO.address, third.address}
        assert len(wire.asked) == 3


def test_a_channel_that_was_closed_opens_anew() -> None:
    with over_http() as (channel, provider, _wire):
        came(channel, ONE)
        channel.close()
        came(channel, TWO)
    assert set(provider.texts) == {ONE.address, TWO.address}


def test_a_channel_that_is_forgotten_ends_its_thread() -> None:
    import gc
    import threading

    def threads() -> set[threading.Thread]:
        """The channels' own: what servers of other tests still have is none of theirs."""
        return {thread for thread in threading.enumerate() if thread.name == "sms"}

    with over_http() as (_channel, _provider, wire):
        gc.collect()
        before = threads()
        channel = Sms("sms", gateways=[entry(wire.url)])
        came(channel)
        assert len(threads() - before) == 1
        del channel
        gc.collect()
        assert not threads() - before
