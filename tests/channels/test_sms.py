"""SMS as a channel: what every broadcaster keeps, over each kind of gateway."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from alerts.notice import Rendering
from channels.city.sms import Sms
from tests.channels.broadcasting import Broadcasts, Wire
from tests.channels.contract import SECRET
from tests.channels.smsc.twilio import HOOK, entry, over_twilio, refusal
from tests.channels.smsc.wire import Answer, Asked, listening

NUMBERS = ("+4915112345678", "+4915112345679", "+4315112345670")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class OverAnyGateway(Broadcasts):
    """What doesn't depend on the gateway."""

    limit = 3

    def size(self, rendering: Rendering) -> int:
        return int(rendering.fields["segments"])

    def addresses(self) -> Sequence[str]:
        return NUMBERS


class TestOverTwilio(OverAnyGateway):
    def channel(self, **options: Any) -> Sms:
        return Sms("sms", gateways=[entry("http://127.0.0.1:9", **options)])

    @contextmanager
    def answering(self, script: Mapping[str, str]) -> Iterator[Wire]:
        answers = {
            "refuses": refusal(21211, words="The 'To' number is not valid"),
            "later": refusal(20429, 429),
            "silent": Answer(silent=True),
        }
        if "*" in script:
            channel = Sms("sms", gateways=[entry(f"http://127.0.0.1:{free_port()}")])
            try:
                yield Wire(channel, dict)
            finally:
                channel.close()
            return
        with over_twilio({number: [answers[what]] for number, what in script.items()}) as (channel, twilio):
            yield Wire(channel, lambda: twilio.texts)
