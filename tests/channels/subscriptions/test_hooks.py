"""What providers and residents' phones say: STOP, START, codes, receipts; forged, twice, or nonsense."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.models import SignUp, Subscription
from channels.subscriptions import hooks, managing, wishes
from tests.channels.subscriptions import fakes
from tests.channels.subscriptions.conftest import (
    ADDRESS,
    MAIL,
    NUMBER,
    by_mail,
    code,
    last,
    path,
    subscribed,
)
from tests.channels.subscriptions.conftest import wishes as form

pytestmark = pytest.mark.django_db


def call(client: Client, *replies: tuple[str, str], channel: str = "phones", sign: bool = True, **more: Any) -> int:
    """What the provider does; its signature covers the public address."""
    headers = {fakes.SIGNATURE: f"{fakes.SECRET} {ADDRESS}/s/hooks/{channel}/"} if sign else {}
    body = json.dumps({"replies": replies, **more})
    answer = client.post(f"/s/hooks/{channel}/", body, content_type="application/json", headers=headers)
    assert not answer.content
    return answer.status_code


@pytest.mark.parametrize("word", sorted(hooks.LEAVE))
def test_every_word_of_leaving_leaves(resident: Client, word: str) -> None:
    subscribed(resident)
    resident.post("/s/start/", form())
    assert call(resident, (NUMBER, word)) == 204
    assert not Subscription.objects.exists()
    assert not SignUp.objects.exists()
    assert call(resident, (NUMBER, word)) == 204, "the same call twice"


NOISE = st.text(alphabet=" .,!?-\t\n\u00a0\u200b\"'()*_0123456789🙂", max_size=6)


@given(st.sampled_from(sorted(hooks.LEAVE)), NOISE, NOISE, st.booleans(), st.data())
def test_leaving_in_any_case_with_any_blanks_and_signs(
    word: str, before: str, after: str, wide: bool, data: Any
) -> None:
    cased = "".join(data.draw(st.sampled_from([letter.lower(), letter.upper()])) for letter in word)
    if wide:
        cased = "".join(chr(ord(letter) + 0xFEE0) for letter in cased)
    assert hooks._word(before + cased + after) in hooks.LEAVE


@given(st.text(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_at_all_is_read(text: str) -> None:
    assert isinstance(hooks._word(text), str)
    assert hooks._digits(text) >= 0


@pytest.mark.parametrize(
    "text", ["", "hallo", "nicht stoppen", "stopping", "STOP IT NOW", "123", "1234567", "🙂", "STA RTER"]
)
def test_anything_else_is_ignored(resident: Client, text: str) -> None:
    subscribed(resident)
    sent = len(fakes.told["sms"])
    assert call(resident, (NUMBER, text)) == 204
    assert Subscription.objects.count() == 1
    assert len(fakes.told["sms"]) == sent


def test_start_and_the_code_that_comes_back_subscribe_to_the_whole_city(resident: Client) -> None:
    assert call(resident, (NUMBER, "Start!")) == 204
    assert not Subscription.objects.exists()
    assert (fakes.told["sms"][0][0], last().language) == (NUMBER, "de")
    assert call(resident, (NUMBER, f" {code()[:3]} {code()[3:]}.")) == 204
    row = Subscription.objects.get()
    assert wishes.of_subscription(row) == wishes.Wishes(("city",), "Moderate", 127, "de", tests=False)
    assert last().name == "welcome"
    assert resident.get(path(last().url)).status_code == 200
    sent = len(fakes.told["sms"])
    assert call(resident, (NUMBER, "123456")) == 204
    assert len(fakes.told["sms"]) == sent, "nothing waits any more"


def test_start_told_twice_sends_one_code(resident: Client) -> None:
    call(resident, (NUMBER, "START"))
    call(resident, (NUMBER, "START"))
    assert len(fakes.told["sms"]) == 1


def test_a_code_asked_for_on_the_page_may_come_back_by_sms(resident: Client) -> None:
    resident.post("/s/start/", form(area=["fern"]))
    assert call(resident, (NUMBER, code())) == 204
    assert wishes.of_subscription(Subscription.objects.get()).areas == ("fern",)


def test_a_code_from_another_number_opens_nothing(resident: Client) -> None:
    resident.post("/s/start/", form())
    call(resident, ("+4915123456789", code()))
    assert not Subscription.objects.exists()


def test_wrong_codes_by_sms_count_too(resident: Client) -> None:
    resident.post("/s/start/", form())
    right = code()
    for number in range(5):
        call(resident, (NUMBER, f"{(int(right) + 1 + number) % 1_000_000:06}"))
    call(resident, (NUMBER, right))
    assert not Subscription.objects.exists()


def test_start_of_who_has_subscribed_brings_the_link_and_keeps_the_choice(resident: Client) -> None:
    row = subscribed(resident)
    call(resident, (NUMBER, "start"))
    assert last().name == "link"
    assert wishes.of_subscription(row).areas == ("nw", "so")
    assert not SignUp.objects.exists()


@pytest.mark.parametrize("number", ["+436641234567", "+49900123456", "Leipzig", "", "+493411234567", "4917"])
def test_start_from_what_is_no_mobile_number_here_sends_nothing(resident: Client, number: str) -> None:
    assert call(resident, (number, "START")) == 204
    assert not fakes.told["sms"]


def test_start_stops_at_the_limits(resident: Client, settings: Any) -> None:
    settings.SUBSCRIBE_LIMITS = {"sms prefix": "2/hour"}
    for number in range(4):
        assert call(resident, (f"+491511234567{number}", "START")) == 204
    assert len(fakes.told["sms"]) == 2


def test_start_while_the_channel_is_down_is_no_error(resident: Client) -> None:
    fakes.outcomes["sms"].append(fakes.Outcome(0, "temporary"))
    assert call(resident, (NUMBER, "START")) == 204


@pytest.mark.parametrize("word", ["STOP", "START", "123456"])
def test_a_forged_call_does_nothing_and_gets_no_words(resident: Client, word: str) -> None:
    row = subscribed(resident)
    sent = len(fakes.told["sms"])
    assert call(resident, (NUMBER, word), sign=False) == 403
    assert Subscription.objects.filter(pk=row.pk).exists()
    assert len(fakes.told["sms"]) == sent


def test_a_signature_for_another_channel_is_forged(resident: Client) -> None:
    headers = {fakes.SIGNATURE: f"{fakes.SECRET} {ADDRESS}/s/hooks/phones/"}
    answer = resident.post("/s/hooks/mailboxes/", "{}", content_type="application/json", headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize("channel", ["website", "nothing", "../phones", "x" * 3000])
def test_a_channel_that_takes_no_calls_answers_as_to_a_forged_one(resident: Client, channel: str) -> None:
    assert resident.post(f"/s/hooks/{channel}/", "x", content_type="text/plain").status_code in {403, 404}


def test_a_signed_call_that_can_t_be_read_is_an_error_of_theirs(resident: Client) -> None:
    headers = {fakes.SIGNATURE: f"{fakes.SECRET} {ADDRESS}/s/hooks/phones/"}
    answer = resident.post("/s/hooks/phones/", "{", content_type="application/json", headers=headers)
    assert (answer.status_code, answer.content) == (400, b"")


def test_a_mail_reply_of_stop_leaves_the_mail_alone(resident: Client) -> None:
    resident.post("/s/start/", by_mail())
    resident.post(path(last("email").url))
    other = subscribed_too(resident)
    assert call(resident, (f"{MAIL.title()}", "Unsubscribe"), channel="mailboxes") == 204
    assert list(Subscription.objects.all()) == [other]


def subscribed_too(client: Client) -> Subscription:
    answer = client.post("/s/start/", form())
    client.post(answer["Location"], {"code": code()})
    row = managing.by_address("sms", NUMBER)
    assert row is not None
    return row


def test_receipts_go_to_their_deliveries(resident: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    monkeypatch.setattr("channels.receipts.take", lambda channel, told: taken.append((channel, list(told))))
    assert call(resident, receipts=[["SM1", "delivered"]]) == 204
    assert [(channel, [one.remote_id for one in told]) for channel, told in taken] == [("phones", ["SM1"])]


def test_a_receipt_of_something_unknown_is_no_error(resident: Client) -> None:
    for _again in range(2):
        assert call(resident, receipts=[["SM1", "delivered"], ["", "failed"]]) == 204


def test_a_huge_call_is_not_read(resident: Client) -> None:
    answer = resident.post("/s/hooks/phones/", "x" * (hooks.MOST_BYTES + 1), content_type="application/json")
    assert (answer.status_code, answer.content) == (413, b"")
