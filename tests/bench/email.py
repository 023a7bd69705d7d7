"""Mails a second to postfix's smtp-sink: the channel's own send against Django's send_messages and smtp-source.

Then from approval to the last outcome through the whole house; BELFRY_BENCH_MAILS says for how many.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.bench import RATIOS, Tables

ROUNDS = 5
OURS, DJANGO, SOURCE, SIGNED = 20_000, 2_000, 20_000, 2_000
"""Mails of each round, by who sends them: each takes a second or two."""
RESIDENTS = int(os.environ.get("BELFRY_BENCH_MAILS", "100000"))
SESSIONS = 8


def run() -> Tables:
    import django

    django.setup()
    from tests.bench._sinks import mail_sink, peak, running

    folder = Path(os.environ["BELFRY_DATA"])
    with mail_sink() as sink:
        found = re.search(r"127\.0\.0\.1:(\d+)", sink.toml)
        assert found
        rates, cpu, size = _compare(int(found[1]), folder)
        with running(folder / "house", sink.toml) as belfry:
            belfry.act("residents", "email", str(RESIDENTS))
            told = belfry.act("reach", "email")
            if told["counts"]["email"]["accepted"] != RESIDENTS:
                raise AssertionError(told["counts"])
            memory = peak(belfry)
    seconds = told["done"]["email"]
    return {
        RATIOS: {
            "channel / Django, one connection (aim 8)": rates["channel"] / rates["Django, one connection"],
            f"channel / smtp-source -d -s {SESSIONS} (aim 0.4)": rates["channel"] / rates["smtp-source"],
            "channel with DKIM / Django without": rates["channel, DKIM"] / rates["Django, one connection"],
        },
        f"mails a second, {size:,} bytes, medians of {ROUNDS} rounds": rates,
        "CPU microseconds a mail, sender only": cpu,
        f"{RESIDENTS:,} residents through the whole house": {
            "seconds from approval to the last outcome": seconds,
            "mails a second": RESIDENTS / seconds,
            "megabytes that the largest worker had at most": memory,
        },
    }


def _compare(port: int, folder: Path) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Rates and CPU of each sender, interleaved, and the bytes of one mail."""
    from tests.channels.broadcasting import SLOTS
    from tests.channels.contract import notices

    plain, signed = _channel(port, folder), _channel(port, folder, signed=True)
    rendering = replace(plain.compose(notices()[0]), slots=SLOTS)
    one = plain._template(rendering).mail(7, "resident7@mail.test.example", "w" * 36, wire=False)
    (folder / "mail.txt").write_bytes(one.replace(b"\r\n", b"\n"))
    senders: dict[str, tuple[int, Callable[[int], None]]] = {
        "channel": (OURS, lambda count: _send(plain, rendering, count)),
        "Django, one connection": (DJANGO, lambda count: _django(port, rendering.fields, count)),
        "smtp-source": (SOURCE, lambda count: _source(port, folder / "mail.txt", count)),
        "channel, DKIM": (SIGNED, lambda count: _send(signed, rendering, count)),
    }
    rates: dict[str, list[float]] = {name: [] for name in senders}
    spent: dict[str, list[float]] = {name: [] for name in senders}
    for _round in range(ROUNDS):
        for name, (count, send) in senders.items():
            wall, cpu = time.perf_counter(), _cpu()
            send(count)
            rates[name].append(count / (time.perf_counter() - wall))
            spent[name].append(1_000_000 * (_cpu() - cpu) / count)
    return _medians(rates), _medians(spent), len(one)


def _cpu() -> float:
    """CPU seconds of this process and of the children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _medians(found: dict[str, list[float]]) -> dict[str, Any]:
    return {name: statistics.median(figures) for name, figures in found.items()}


def _channel(port: int, folder: Path, *, signed: bool = False) -> Any:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    from channels.city.email import Email
    from tests.channels.contract import CITY

    key = {}
    if signed:
        shape = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        pem = generate_private_key(65537, 2048).private_bytes(*shape).decode()
        key = {"dkim_key": pem, "dkim_selector": "s1", "dkim_domain": "leipzig.example"}
    return Email(
        "email",
        address=CITY.address,
        city=CITY,
        data_dir=str(folder),
        mail_from="warnung@leipzig.example",
        mail_url=f"smtp://127.0.0.1:{port}",
        signing_secret="secret",
        bounce_address="bounces@leipzig.example",
        connections=SESSIONS,
        **key,
    )


def _send(channel: Any, rendering: Any, count: int) -> None:
    """As the engine does: checkpoint after checkpoint."""
    from channels.base import Recipient

    taken = first = 0
    while first < count:
        last = min(first + channel.checkpoint, count)
        people = [
            Recipient(number + 1, f"resident{number}@mail.test.example", f"{number:036}")
            for number in range(first, last)
        ]
        taken += sum(outcome.state == "accepted" for outcome in channel.send(rendering, people, key="bench"))
        first = last
    if taken != count:
        raise AssertionError(f"{count - taken} were not taken")


def _django(port: int, fields: Any, count: int) -> None:
    from django.core.mail import EmailMultiAlternatives, get_connection

    from channels.city.email.quoted import PLACE

    def mails() -> Any:
        for number in range(count):
            word = f"{number:036}"
            leave = f"<https://warnung.leipzig.example/s/leave/{word}/>"
            mail = EmailMultiAlternatives(
                fields["subject"],
                fields["text"].replace(PLACE, word),
                "warnung@leipzig.example",
                [f"resident{number}@mail.test.example"],
                headers={"List-Unsubscribe": leave, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
            )
            mail.attach_alternative(fields["html"].replace(PLACE, word), "text/html")
            yield mail

    backend = "django.core.mail.backends.smtp.EmailBackend"
    sent = get_connection(backend, host="127.0.0.1", port=port).send_messages(list(mails()))
    if sent != count:
        raise AssertionError(f"{count - sent} were not taken")


def _source(port: int, mail: Path, count: int) -> None:
    """Postfix's own generator, in C; it keeps its connections open and sends one mail again and again."""
    program = shutil.which("smtp-source") or "/usr/sbin/smtp-source"
    sizes = ["-s", str(SESSIONS), "-m", str(count), "-F", str(mail)]
    names = ["-f", "warnung@leipzig.example", "-t", "resident@mail.test.example"]
    subprocess.run([program, "-d", *sizes, *names, f"127.0.0.1:{port}"], check=True)
