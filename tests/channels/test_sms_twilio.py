"""Twilio: what its codes and its silence mean, its receipts, and what it says when asked afterwards."""

from __future__ import annotations

import datetime as dt
import email.utils
import json
import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from twilio.request_validator import RequestValidator

from alerts.notice import Rendering
from channels.base import (
    ChannelError,
    Forged,
    Inbound,
    Outcome,
    Permanent,
    Receipt,
    Recipient,
    Reply,
    Temporary,
    Uncertain,
)
from channels.city.sms import Sms
from tests.channels.broadcasting import SLOTS
from tests.channels.smsc.twilio import (
    ACCOUNT,
    HOOK,
    KEY,
    SECRET,
    SERVICE,
    TOKEN,
    entry,
    over_twilio,
    refusal,
    taken,
)
from tests.channels.smsc.wire import SHORT, Answer

ONE, TWO = Recipient(7, "+4915112345678"), Recipient(8, "+4915112345679")
RENDERING = Rendering("sms", "de", {"text": "Rauch. Fenster zu. https://warnung.leipzig.example/alerts/k7f3x/"}, SLOTS)
SINCE = dt.datetime(2026, 9, 13, 17, 40, tzinfo=dt.UTC)


def send(channel: Sms, *recipients: Recipient, rendering: Rendering = RENDERING) -> list[Outcome]:
    return list(channel.send(rendering, recipients or [ONE], key="k"))


def what_came(channel: Sms, recipient: Recipient = ONE) -> Outcome | ChannelError:
    """The one outcome, or what was raised for the whole channel instead."""
    try:
        [outcome] = send(channel, recipient)
    except ChannelError as error:
        return error
    return outcome


# What is sent


def test_a_text_goes_out_as_it_was_approved_with_its_end_and_the_address_for_receipts() -> None:
    with over_twilio() as (channel, twilio):
        [outcome] = send(channel)
        assert outcome == Outcome(7, "accepted", remote_id="SM" + "0" * 32)
    [asked] = twilio.sent
    assert asked.path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert asked.form == {
        "To": ONE.address,
        "Body": RENDERING.fields["text"],
        "MessagingServiceSid": SERVICE,
        "StatusCallback": f"{HOOK}?recipient=7",
        "ValidityPeriod": "36000",
    }


def test_it_is_not_sent_after_the_warning_has_ended() -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=90)
    over = soon - dt.timedelta(seconds=91)
    with over_twilio() as (channel, twilio):
        send(channel, rendering=replace(RENDERING, slots={"expires": soon.isoformat()}))
        with pytest.raises(Permanent):
            send(channel, rendering=replace(RENDERING, slots={"expires": over.isoformat()}))
    [asked] = twilio.sent
    assert 80 <= int(asked.form["ValidityPeriod"]) <= 90


def test_a_sender_instead_of_a_messaging_service() -> None:
    with over_twilio(gateway={"messaging_service_sid": "", "sender": "Leipzig"}) as (channel, twilio):
        send(channel)
    assert twilio.sent[0].form["From"] == "Leipzig"
    assert "MessagingServiceSid" not in twilio.sent[0].form


def test_a_code_asks_for_no_receipt() -> None:
    """A service text belongs to no delivery."""
    from tests.channels.broadcasting import SERVICE as TEXT

    with over_twilio() as (channel, twilio):
        assert channel.tell(TEXT, ONE).state == "accepted"
    assert "StatusCallback" not in twilio.sent[0].form


def test_nothing_of_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_EDGE", "TWILIO_REGION", "http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1:9")
    with over_twilio() as (channel, _twilio):
        assert [one.state for one in send(channel)] == ["accepted"]


# What its answers mean


@pytest.mark.parametrize("code", [21610, 21211, 21614, 21635, 30005])
def test_a_number_that_is_none_or_wants_no_texts_is_gone(code: int) -> None:
    with over_twilio({ONE.address: [refusal(code)]}) as (channel, _twilio):
        outcomes = {one.recipient: one for one in send(channel, ONE, TWO)}
    assert (outcomes[7].state, outcomes[7].gone) == ("permanent", True)
    assert outcomes[8].state == "accepted"


@pytest.mark.parametrize("code", [21612, 30006, 30004, 30007, 21606, 21657])
def test_what_is_refused_for_this_number_is_permanent_and_it_stays_subscribed(code: int) -> None:
    with over_twilio({ONE.address: [refusal(code)]}) as (channel, _twilio):
        outcomes = {one.recipient: one for one in send(channel, ONE, TWO)}
    assert (outcomes[7].state, outcomes[7].gone) == ("permanent", False)
    assert outcomes[7].words
    assert outcomes[8].state == "accepted"


@pytest.mark.parametrize(("code", "status"), [(20003, 401), (20404, 404), (21408, 400), (30002, 400), (20003, 403)])
def test_a_wrong_set_up_stops_the_channel(code: int, status: int) -> None:
    with over_twilio({ONE.address: [refusal(code, status)] * 9}) as (channel, twilio):
        with pytest.raises(Permanent):
            send(channel)
    assert len(twilio.sent) == 1


def test_a_country_that_is_not_allowed_stops_only_its_own_number_once_others_are_taken() -> None:
    with over_twilio({TWO.address: [refusal(21408)]}) as (channel, _twilio):
        send(channel, ONE)
        [outcome] = send(channel, TWO)
    assert outcome.state == "permanent"


@pytest.mark.parametrize(("code", "status"), [(20429, 429), (21611, 400), (30001, 400), (20500, 500), (20503, 503)])
def test_too_much_at_once_is_tried_again_later(code: int, status: int) -> None:
    with over_twilio({ONE.address: [refusal(code, status)]}) as (channel, twilio):
        assert isinstance(what_came(channel), Temporary)
    assert len(twilio.sent) == 1


@pytest.mark.parametrize("code", [30003, 30008])
def test_a_phone_that_is_off_is_tried_again_later(code: int) -> None:
    with over_twilio({ONE.address: [refusal(code)]}) as (channel, _twilio):
        outcome = what_came(channel)
    assert isinstance(outcome, Outcome)
    assert outcome.state == "temporary"


def test_it_waits_as_long_as_it_is_asked_to() -> None:
    with over_twilio({ONE.address: [refusal(20429, 429, Retry_After="37")]}) as (channel, _twilio):
        error = what_came(channel)
    assert isinstance(error, Temporary)
    assert error.after == 37


def test_a_short_wait_is_waited_for_at_once() -> None:
    """Two are asked to come back after no time; the rest of the batch follows in the same send."""
    many = [Recipient(number, f"+49151123456{number:02d}") for number in range(20)]
    busy = refusal(20429, 429, Retry_After="0")
    with over_twilio({many[0].address: [busy], many[1].address: [busy]}) as (channel, _twilio):
        states = {one.recipient: one.state for one in send(channel, *many)}
    assert {states[0], states[1]} == {"temporary"}
    assert {states[number] for number in range(2, 20)} == {"accepted"}


def test_both_forms_of_an_error_are_understood() -> None:
    new = {"type": "https://www.twilio.com/docs/errors/21610", "title": "Unsubscribed", "status": 400, "code": 21610}
    with over_twilio({ONE.address: [Answer(400, new)]}) as (channel, _twilio):
        outcome = what_came(channel)
    assert isinstance(outcome, Outcome)
    assert outcome.gone


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(29999), "permanent"),
        (refusal(29999, 418), Permanent),
        (Answer(302, "", {"Location": "http://127.0.0.1:9/"}), Permanent),
        (Answer(400, "<html>no</html>"), "permanent"),
        (Answer(201, "<html>welcome</html>"), "uncertain"),
        (Answer(201, ""), "uncertain"),
        (Answer(201, {"status": "queued"}), "uncertain"),
        (Answer(201, b"\xff\xfe{"), "uncertain"),
        (Answer(201, "[1]"), "uncertain"),
    ],
)
def test_an_answer_that_nobody_foresaw_is_never_taken_for_accepted(answer: Answer, kind: object) -> None:
    with over_twilio({ONE.address: [answer]}) as (channel, _twilio):
        came = what_came(channel)
    if isinstance(came, Outcome):
        assert came.state == kind
    else:
        assert type(came) is kind


# What its silence means


@pytest.mark.parametrize(
    "answer",
    [
        Answer(silent=True),
        Answer(drop=True),
        Answer(201, taken("SM1"), drip=0.05),
        Answer(201, taken("SM1"), {"Content-Length": "9000"}),
        Answer(201, taken("SM1"), delay=2 * SHORT),
    ],
    ids=["time-out", "dropped", "byte by byte", "broken off", "late"],
)
def test_what_may_have_gone_out_is_uncertain_and_never_sent_again_by_itself(answer: Answer) -> None:
    with over_twilio({ONE.address: [answer]}, gateway={"timeout": SHORT}) as (channel, twilio):
        outcome = what_came(channel)
        if twilio.wire is not None and answer.headers:
            twilio.wire.hang_up()
    assert isinstance(outcome, Outcome)
    assert outcome.state == "uncertain"
    assert len(twilio.sent) == 1


def test_a_kept_connection_that_dies_with_a_text_on_it_sends_it_once() -> None:
    """What many clients do then is to send it again over a new connection."""
    with over_twilio({TWO.address: [Answer(drop=True)]}) as (channel, twilio):
        assert [one.state for one in send(channel, ONE)] == ["accepted"]
        assert [one.state for one in send(channel, TWO)] == ["uncertain"]
    assert [asked.form["To"] for asked in twilio.sent] == [ONE.address, TWO.address]


def test_nobody_there_has_taken_nothing() -> None:
    from tests.house import free_port

    channel = Sms("sms", gateways=[entry(f"http://127.0.0.1:{free_port()}")])
    assert isinstance(what_came(channel), Temporary)
    channel.close()


def test_a_name_that_is_not_known_has_taken_nothing() -> None:
    channel = Sms("sms", gateways=[entry("http://nirgends.invalid")])
    assert isinstance(what_came(channel), Temporary)
    channel.close()


def test_at_most_fifty_are_in_flight_and_no_more_connections() -> None:
    many = [Recipient(number, f"+4915112{number:06d}") for number in range(400)]
    with over_twilio(usual=Answer(delay=0.02), checkpoint=400) as (channel, twilio):
        assert {one.state for one in send(channel, *many)} == {"accepted"}
        assert twilio.wire is not None
        assert 10 < twilio.wire.most <= 50
    assert len(twilio.texts) == 400


def test_outcomes_come_as_answers_arrive() -> None:
    with over_twilio({ONE.address: [Answer(201, taken("SM1"), delay=0.8)]}) as (channel, _twilio):
        assert [one.recipient for one in send(channel, ONE, TWO)] == [8, 7]


def test_who_stops_listening_ends_the_sending() -> None:
    many = [ONE, *(Recipient(number, f"+4915112{number:06d}") for number in range(100, 300))]
    hanging = {one.address: [Answer(silent=True)] for one in many[1:]}
    with over_twilio(hanging, in_flight=5, checkpoint=201, gateway={"timeout": 15.0}) as (channel, twilio):
        outcomes = channel.send(RENDERING, many, key="k")
        assert next(iter(outcomes)).recipient == ONE.id
        outcomes.close()
        assert [one.state for one in send(channel, TWO)] == ["accepted"]
        assert len(twilio.sent) <= 1 + 5 + 1


# Nothing is shown


def test_no_log_and_no_error_holds_a_number_a_text_or_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    words = f"The 'To' number {ONE.address} is not valid: {RENDERING.fields['text']}"
    told: list[object] = []
    for answer in (
        refusal(21211, words=words), refusal(20003, 401, words=words), refusal(29999, words=words), refusal(20500, 500),
        Answer(201, words), Answer(drop=True), Answer(silent=True), Answer(201, taken("SM1")),
    ):  # fmt: skip
        with over_twilio({ONE.address: [answer]}, gateway={"timeout": SHORT}) as (channel, twilio):
            came = what_came(channel)
            told += [repr(came), repr(getattr(came, "__cause__", None)), repr(channel), repr(channel.gateways)]
            twilio.listing = refusal(20404, 404, words=words)
            told += list(channel.look_up(RENDERING, [ONE], since=SINCE))
    everything = caplog.text + json.dumps(told, default=repr)
    for hidden in (ONE.address, ONE.address[1:], "Fenster zu", SECRET, TOKEN, KEY):
        assert hidden not in everything


# Asked afterwards


def looked_up(channel: Sms, *recipients: Recipient) -> dict[int, Outcome]:
    return {one.recipient: one for one in channel.look_up(RENDERING, recipients or [ONE], since=SINCE)}


def listed(body: object = RENDERING.fields["text"], minutes: float = 1.0, **fields: Any) -> dict[str, Any]:
    made = email.utils.format_datetime(SINCE + dt.timedelta(minutes=minutes))
    return taken("SM5", to=ONE.address, body=body, date_created=made, **fields)


def test_what_twilio_has_was_accepted() -> None:
    with over_twilio() as (channel, twilio):
        twilio.kept = [listed()]
        assert looked_up(channel)[7] == Outcome(7, "accepted", remote_id="SM5")
        assert twilio.wire is not None
        assert twilio.wire.asked[-1].query["To"] == ONE.address


def test_what_twilio_has_not_goes_again() -> None:
    """An older one with the same words, other words, and what a resident wrote are not it."""
    with over_twilio() as (channel, twilio):
        twilio.kept = [listed(minutes=-30), listed(body="Anderes"), listed(direction="inbound")]
        assert looked_up(channel)[7].state == "temporary"


@pytest.mark.parametrize(("code", "gone"), [(30003, False), (30005, True), (None, False)])
def test_what_twilio_could_not_deliver_has_failed(code: int | None, gone: bool) -> None:
    with over_twilio() as (channel, twilio):
        twilio.kept = [listed(status="undelivered", error_code=code)]
        outcome = looked_up(channel)[7]
    assert (outcome.state, outcome.gone) == ("permanent", gone)


@pytest.mark.parametrize(
    "listing", [refusal(20404, 404), refusal(20500, 500), Answer(drop=True), Answer(200, "no"), Answer(200, {})]
)
def test_when_twilio_can_not_tell_it_stays_uncertain(listing: Answer) -> None:
    with over_twilio() as (channel, twilio):
        twilio.listing = listing
        outcome = looked_up(channel)[7]
    assert outcome.state == "uncertain"
    assert outcome.words


def test_a_time_out_is_found_out_afterwards() -> None:
    """Twilio took it, its answer was lost."""
    with over_twilio({ONE.address: [Answer(silent=True)]}, gateway={"timeout": SHORT}) as (channel, twilio):
        assert [one.state for one in send(channel, ONE, TWO)] == ["accepted", "uncertain"]
        twilio.kept.append(listed())
        assert {one.state for one in looked_up(channel, ONE, TWO).values()} == {"accepted"}


# Its calls


def inbound(form: dict[str, str], url: str = f"{HOOK}?recipient=7", token: str = TOKEN, **headers: str) -> Inbound:
    signature = RequestValidator(token).compute_signature(url, form)
    return Inbound("POST", url, {"x-twilio-signature": signature, **headers}, form, b"")


def status(state: str, **more: str) -> dict[str, str]:
    return {"AccountSid": ACCOUNT, "MessageSid": "SM5", "MessageStatus": state, "To": ONE.address, **more}


@pytest.fixture
def channel() -> Sms:
    return Sms("sms", gateways=[entry("http://127.0.0.1:9")])


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("accepted", "accepted"), ("queued", "accepted"), ("sending", "accepted"), ("sent", "accepted"),
        ("delivered", "delivered"), ("read", "delivered"),
        ("undelivered", "failed"), ("failed", "failed"), ("canceled", "failed"),
    ],
)  # fmt: skip
def test_a_receipt_says_what_became_of_a_text(channel: Sms, said: str, state: str) -> None:
    [receipt] = channel.receive(inbound(status(said)))
    assert isinstance(receipt, Receipt)
    assert (receipt.state, receipt.remote_id, receipt.recipient, receipt.gone) == (state, "SM5", 7, False)
    assert bool(receipt.words) == (state == "failed")


@pytest.mark.parametrize(
    ("code", "gone"), [("30005", True), ("21610", True), ("30003", False), ("30006", False), ("x", False)]
)
def test_a_failure_tells_whether_the_number_is_none(channel: Sms, code: str, gone: bool) -> None:
    [receipt] = channel.receive(inbound(status("undelivered", ErrorCode=code)))
    assert isinstance(receipt, Receipt)
    assert (receipt.state, receipt.gone) == ("failed", gone)
    assert ONE.address not in receipt.words


def test_repeated_and_out_of_order_calls_are_read_alike(channel: Sms) -> None:
    """Which of them counts, the engine's receipts decide."""
    calls = [inbound(status(one)) for one in ("delivered", "sent", "delivered", "queued")]
    states = [receipt.state for call in calls for receipt in channel.receive(call) if isinstance(receipt, Receipt)]
    assert states == ["delivered", "accepted", "delivered", "accepted"]


def test_a_status_that_is_not_known_says_nothing(channel: Sms) -> None:
    assert list(channel.receive(inbound(status("teleported")))) == []


def test_an_answer_of_a_resident_is_passed_on(channel: Sms) -> None:
    form = {"AccountSid": ACCOUNT, "MessageSid": "SM9", "SmsStatus": "received", "From": ONE.address, "Body": "STOPP"}
    assert list(channel.receive(inbound(form, HOOK))) == [Reply(ONE.address, "STOPP")]


def forgeries() -> Iterable[Inbound]:
    genuine = inbound(status("delivered"))
    yield replace(genuine, form=status("failed", ErrorCode="30005"))
    yield replace(genuine, url=f"{HOOK}?recipient=8")
    yield replace(genuine, url=genuine.url.replace("sms/", "sms2/"))
    yield replace(genuine, headers={})
    yield replace(genuine, headers={"x-twilio-signature": ""})
    yield replace(genuine, headers={"x-twilio-signature": "ÄÖ"})
    yield inbound(status("delivered"), token=SECRET)
    yield inbound({**status("delivered"), "AccountSid": "AC" + "9" * 32})


@pytest.mark.parametrize("number", range(8))
def test_a_forged_call_is_refused(channel: Sms, number: int) -> None:
    with pytest.raises(Forged):
        channel.receive(list(forgeries())[number])


def test_without_the_auth_token_no_call_is_believed_and_none_is_asked_for() -> None:
    with over_twilio(gateway={"auth_token": ""}) as (channel, twilio):
        send(channel)
        with pytest.raises(Forged):
            channel.receive(inbound(status("delivered"), token=""))
    assert "StatusCallback" not in twilio.sent[0].form


# Whether it would work


def test_a_probe_asks_for_the_account() -> None:
    with over_twilio() as (channel, twilio):
        assert "twilio" in channel.probe()
        assert twilio.wire is not None
        assert twilio.wire.asked[0].path == f"/2010-04-01/Accounts/{ACCOUNT}.json"
        assert not twilio.sent


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(20003, 401), Permanent), (Answer(200, {"sid": ACCOUNT, "status": "suspended"}), Permanent),
        (refusal(20500, 500), Temporary), (Answer(drop=True), Temporary), (Answer(200, "no"), Temporary),
    ],
)  # fmt: skip
def test_a_probe_says_what_is_wrong(answer: Answer, kind: type[ChannelError]) -> None:
    with over_twilio() as (channel, twilio):
        twilio.account = answer
        with pytest.raises(kind):
            channel.probe()


def test_a_code_that_may_have_gone_out_says_so() -> None:
    from tests.channels.broadcasting import SERVICE as TEXT

    with over_twilio({ONE.address: [Answer(silent=True)]}, gateway={"timeout": SHORT}) as (channel, _twilio):
        with pytest.raises(Uncertain):
            channel.tell(TEXT, ONE)
