"""SMS as a channel: what every broadcaster keeps, over each kind of gateway that leads to a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from alerts.notice import Rendering
from channels.city.sms import Sms
from tests.channels.broadcasting import Broadcasts, Wire
from tests.channels.smsc import plain, twilio
from tests.channels.smsc.node import over_smpp
from tests.channels.smsc.wire import PATIENT, SHORT, Answer
from tests.house import free_port

NUMBERS = ("+4915112345678", "+4915112345679", "+4315112345670")


def timed(script: Mapping[str, str]) -> dict[str, float]:
    """The time-out is set short where silence is what is tried."""
    return {"timeout": SHORT if "silent" in script.values() else PATIENT}


class OverGateways(Broadcasts):
    """What doesn't depend on the gateway."""

    limit = 3

    def size(self, rendering: Rendering) -> int:
        return int(rendering.fields["segments"])

    def addresses(self) -> Sequence[str]:
        return NUMBERS

    def gateway(self, url: str) -> dict[str, Any]:
        """An entry of ``channels.toml``."""
        raise NotImplementedError

    def channel(self, **options: Any) -> Sms:
        return Sms("sms", gateways=[self.gateway(f"http://127.0.0.1:{free_port()}")], **options)

    @contextmanager
    def answering(self, script: Mapping[str, str]) -> Iterator[Wire]:
        if "*" not in script:
            with self.there(script) as wire:
                yield wire
            return
        channel = self.channel()
        try:
            yield Wire(channel, dict)
        finally:
            channel.close()

    def there(self, script: Mapping[str, str]) -> Any:
        raise NotImplementedError


class TestOverTwilio(OverGateways):
    def gateway(self, url: str) -> dict[str, Any]:
        return twilio.entry(url)

    @contextmanager
    def there(self, script: Mapping[str, str]) -> Iterator[Wire]:
        answers = {
            "refuses": twilio.refusal(21211, words=f"The 'To' number {NUMBERS[1]} is not valid"),
            "later": twilio.refusal(20429, 429),
            "silent": Answer(silent=True),
        }
        script_ = {number: [answers[what]] for number, what in script.items()}
        with twilio.over_twilio(script_, gateway=timed(script)) as (channel, there):
            yield Wire(channel, lambda: there.texts)


class TestOverPlainHttp(OverGateways):
    def gateway(self, url: str) -> dict[str, Any]:
        return plain.entry(url)

    @contextmanager
    def there(self, script: Mapping[str, str]) -> Iterator[Wire]:
        answers = {"refuses": plain.said(202), "later": plain.said(500), "silent": Answer(silent=True)}
        script_ = {number: [answers[what]] for number, what in script.items()}
        with plain.over_http(script_, **timed(script)) as (channel, provider, _wire):
            yield Wire(channel, lambda: provider.texts)


@pytest.mark.slow
class TestOverSmpp(OverGateways):
    def gateway(self, url: str) -> dict[str, Any]:
        port = int(url.rpartition(":")[2])
        options = {"host": "127.0.0.1", "port": port, "system_id": "belfry", "password": "geheim-4"}
        return {"kind": "smpp", **options, "sender": "Leipzig", "timeout": PATIENT}

    @contextmanager
    def there(self, script: Mapping[str, str]) -> Iterator[Wire]:
        words = {"refuses": "refused", "later": "throttled", "silent": "silent"}
        numbers = {number.lstrip("+"): [words[what]] * 3 for number, what in script.items()}
        with over_smpp(gateway=timed(script), numbers=numbers) as (channel, server):
            yield Wire(channel, lambda: server.texts)
