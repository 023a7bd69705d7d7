"""SMS a second to a local Twilio: the channel's own send against ``messages.create`` in a loop."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.bench import RATIOS, Tables

TEXTS, ROUNDS = 3_000, 3
AWAY, AWAY_LOOP = 50, 60
"""Milliseconds of a round trip to a real provider, and texts that the loop gets to send over it."""
ACCOUNT, TO = "AC" + "0" * 32, "+49151{:08d}"


def run() -> Tables:
    import django

    django.setup()
    near, far = _compare(0, TEXTS, TEXTS, ROUNDS), _compare(AWAY, TEXTS, AWAY_LOOP, 1)
    return {
        RATIOS: {
            "channel / create in a loop": near["channel"] / near["create in a loop"],
            f"the same, answers after {AWAY} ms": far["channel"] / far["create in a loop"],
        },
        "SMS a second, answered at once": near,
        f"SMS a second, answered after {AWAY} ms": far,
        "CPU seconds for 1,000, sender only": dict(_cpu),
    }


_cpu: dict[str, float] = {}


def _compare(milliseconds: float, ours: int, loop: int, rounds: int) -> dict[str, Any]:
    """Medians of interleaved rounds."""
    found: dict[str, list[float]] = {"channel": [], "create in a loop": []}
    with _sink(milliseconds) as url:
        for _round in range(rounds):
            for name, send, count in (("channel", _channel, ours), ("create in a loop", _loop, loop)):
                wall, cpu = time.perf_counter(), time.process_time()
                send(url, count)
                found[name].append(count / (time.perf_counter() - wall))
                if not milliseconds:
                    _cpu[name] = 1000 * (time.process_time() - cpu) / count
    return {name: statistics.median(figures) for name, figures in found.items()}


def _channel(url: str, count: int) -> None:
    """As the engine does: checkpoint after checkpoint, each outcome as it comes."""
    from alerts.notice import Rendering
    from channels.base import Recipient
    from channels.city.sms import Sms

    options = {"account_sid": ACCOUNT, "key_sid": "SK1", "key_secret": "secret", "sender": "Leipzig", "base_url": url}
    channel = Sms("sms", address="https://warnung.leipzig.example", gateways=[{"kind": "twilio", **options}])
    rendering = Rendering("sms", "de", {"text": "Bombenfund. https://warnung.leipzig.example/alerts/k7f3x/"})
    taken = 0
    for first in range(0, count, channel.checkpoint):
        last = min(first + channel.checkpoint, count)
        batch = [Recipient(number, TO.format(number)) for number in range(first, last)]
        taken += sum(outcome.state == "accepted" for outcome in channel.send(rendering, batch, key="bench"))
    channel.close()
    if taken != count:
        raise RuntimeError(f"{count - taken} were not taken")


def _loop(url: str, count: int) -> None:
    from twilio.rest import Client

    client = Client("SK1", "secret", ACCOUNT)
    client.api.base_url = url
    for number in range(count):
        body = "Bombenfund. https://warnung.leipzig.example/alerts/k7f3x/"
        client.messages.create(to=TO.format(number), from_="Leipzig", body=body)


@contextmanager
def _sink(milliseconds: float) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.channels.smsc.sink", str(milliseconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()
