"""Twilio's own description of its API, served by Prism: it takes what the channel sends, and nothing that is wrong."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from channels.base import Outcome, Permanent, Recipient
from channels.city.sms import Sms
from tests.channels.broadcasting import SLOTS
from tests.channels.contract import notices
from tests.channels.smsc.node import SPEC, prism
from tests.channels.smsc.twilio import entry, over_twilio

pytestmark = pytest.mark.slow
ONE = Recipient(7, "+4915112345678")


@pytest.fixture(scope="module")
def described() -> Iterator[str]:
    with prism() as url:
        yield url


def over(url: str, **options: Any) -> Sms:
    return Sms("sms", address="https://warnung.leipzig.example", gateways=[entry(url, **options)])


def sent(channel: Sms) -> list[Outcome]:
    rendering = replace(channel.compose(notices()[0]), slots=SLOTS)
    try:
        return list(channel.send(rendering, [ONE], key="k"))
    finally:
        channel.close()


@pytest.mark.parametrize("options", [{}, {"messaging_service_sid": "", "sender": "Leipzig"}, {"auth_token": ""}])
def test_what_the_channel_sends_is_what_twilio_describes(described: str, options: dict[str, str]) -> None:
    [outcome] = sent(over(described, **options))
    assert outcome.state == "accepted"
    assert outcome.remote_id.startswith(("SM", "MM"))


def test_what_the_channel_lists_and_asks_is_what_twilio_describes(described: str) -> None:
    channel = over(described)
    rendering = channel.compose(notices()[0])
    [outcome] = channel.look_up(rendering, [ONE], since=dt.datetime.now(dt.UTC))
    assert outcome.state in {"accepted", "temporary", "permanent"}  # it could be read; Prism makes the list up
    channel.close()


@pytest.mark.parametrize("options", [{"account_sid": "AC1"}, {"account_sid": "XX" + "0" * 32}])
def test_what_is_wrong_is_refused(described: str, options: dict[str, str]) -> None:
    with pytest.raises(Permanent, match="422"):
        sent(over(described, **options))


def test_every_name_that_the_channel_sends_is_in_the_description(described: str) -> None:
    del described  # it has put the description there
    paths = json.loads(SPEC.read_text())["paths"]
    body = paths["/2010-04-01/Accounts/{AccountSid}/Messages.json"]["post"]["requestBody"]["content"]
    known = body["application/x-www-form-urlencoded"]["schema"]["properties"]
    with over_twilio() as (channel, twilio):
        rendering = replace(channel.compose(notices()[0]), slots=SLOTS)
        list(channel.send(rendering, [ONE], key="k"))
    assert set(twilio.sent[0].form) <= set(known)
