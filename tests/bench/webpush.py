"""CPU seconds for 1,000 push messages, sender alone: a pywebpush loop, Node's web-push, ours with either kind of keys.

A payload of 483 bytes to real subscriptions, over TLS to nginx on loopback; each run in a process of its
own, warmed up before it is measured, all of them in turn, medians. BELFRY_BENCH_ROUNDS says how often.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench import RATIOS, Tables

SIZE = 483
ROUNDS = int(os.environ.get("BELFRY_BENCH_ROUNDS", "5"))
LOOP, NODE, FRESH, PREPARED = "pywebpush loop", "Node web-push, 64 at once", "ours, fresh keys", "ours, prepared keys"
COUNTS = {LOOP: 150, NODE: 2000, FRESH: 3000, PREPARED: 10_000}
WARM = 500
"""Messages before those that are measured."""
WARM_LOOP = 5
"""The same for the loop, which keeps nothing from one to the next."""
AIMS = (
    (LOOP, FRESH, 25),
    (LOOP, PREPARED, 80),
    (NODE, PREPARED, 25),
)
TTL, TOPIC, CONTACT = 3600, "k7f3x", "https://warnung.leipzig.example"

Spent = Mapping[str, float]
"""``cpu`` and ``wall`` in seconds for ``count`` messages."""


@dataclass(frozen=True)
class Task:
    """What a sender's process is told."""

    keys_dir: str
    origin: str
    options: Mapping[str, Any]
    payload: str
    count: int


def run() -> Tables:
    import django

    django.setup()
    from tests.bench._sinks import push_sink

    folder = Path(os.environ["BELFRY_DATA"])
    found: dict[str, list[Spent]] = {name: [] for name in COUNTS}
    with push_sink(folder / "sink") as sink:
        for _round in range(ROUNDS):
            for name, spent in found.items():
                before = sink.count()
                measured = node(folder, sink.origin) if name == NODE else in_child(name, folder, sink)
                spent.append(measured)
                warm = WARM_LOOP if name == LOOP else WARM
                if (taken := sink.count() - before) != COUNTS[name] + warm:
                    raise AssertionError(f"{name}: {taken} of {COUNTS[name] + warm} taken")
    cpu = {name: 1000 * median(one["cpu"] / one["count"] for one in spent) for name, spent in found.items()}
    return {
        RATIOS: {f"{ours}: 1/x of {theirs} (aim {aim})": cpu[theirs] / cpu[ours] for theirs, ours, aim in AIMS},
        "CPU seconds for 1,000 messages": {name: f"{value:.4f}" for name, value in cpu.items()},
        "messages a second, one process": {
            name: median(one["count"] / one["wall"] for one in spent) for name, spent in found.items()
        },
    }


def in_child(name: str, folder: Path, sink: Any) -> Spent:
    """Run one of ours, or the loop, in a process of its own."""
    sender = {LOOP: loop, FRESH: fresh, PREPARED: prepared}[name]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        task = Task(str(folder / "keys"), sink.origin, dict(sink.options), payload(), COUNTS[name])
        return pool.apply(sender, (task,))


def loop(task: Task) -> Spent:
    """What the library's own page shows: ``webpush()`` for each, with the path of the key.

    It trusts the sink's authority alone. The public ones, which it reads anew for each connection, would
    cost it seven times as much, and the others nothing.
    """
    import socket

    from pywebpush import webpush

    from channels import vapid

    real = socket.getaddrinfo
    socket.getaddrinfo = lambda _host, *rest, **more: real("127.0.0.1", *rest, **more)  # type: ignore[assignment]
    os.environ["REQUESTS_CA_BUNDLE"] = task.options["ca_file"]
    vapid.public_key(task.keys_dir)
    key = str(Path(task.keys_dir) / vapid.FILE)
    headers = {"Urgency": "high", "Topic": TOPIC}
    subscriptions = [subscription(address) for address in addresses(task.origin, WARM_LOOP + task.count)]

    def send(some: Sequence[Mapping[str, Any]]) -> int:
        return sum(
            webpush(
                one,
                task.payload,
                vapid_private_key=key,
                vapid_claims={"sub": CONTACT},
                ttl=TTL,
                timeout=10,
                headers=headers,
            ).status_code
            == 201
            for one in some
        )

    send(subscriptions[:WARM_LOOP])
    return measured(lambda: send(subscriptions[WARM_LOOP:]), task.count)


def fresh(task: Task) -> Spent:
    return ours(task, ahead=False)


def prepared(task: Task) -> Spent:
    return ours(task, ahead=True)


def ours(task: Task, *, ahead: bool) -> Spent:
    """The channel as the engine calls it: checkpoint after checkpoint."""
    import django

    django.setup()
    from channels.base import Recipient
    from channels.city.webpush import WebPush
    from tests.channels.broadcasting import SLOTS
    from tests.channels.contract import CITY, notices

    channel = WebPush("webpush", keys_dir=task.keys_dir, city=CITY, **task.options)
    rendering = replace(channel.compose(notices()[0]), slots=SLOTS)
    rendering = replace(rendering, fields={**rendering.fields, "payload": json.loads(task.payload)})
    recipients = [
        Recipient(number, address, "", channel.prepare(address) if ahead else b"")
        for number, address in enumerate(addresses(task.origin, WARM + task.count))
    ]

    def send(some: Sequence[Recipient]) -> int:
        return sum(
            outcome.state == "accepted"
            for start in range(0, len(some), channel.checkpoint)
            for outcome in channel.send(rendering, some[start : start + channel.checkpoint], key="k")
        )

    send(recipients[:WARM])
    return measured(lambda: send(recipients[WARM:]), task.count)


def node(folder: Path, origin: str) -> Spent:
    """web-push of npm, in Node."""
    told = {
        "subscriptions": [subscription(address) for address in addresses(origin, WARM + COUNTS[NODE])],
        "payload": payload(),
        "ttl": TTL,
        "topic": TOPIC,
        "contact": CONTACT,
        "warm": WARM,
    }
    (folder / "told.json").write_text(json.dumps(told))
    done = subprocess.run(
        [shutil.which("node") or "node", str(Path(__file__).with_suffix(".cjs")), str(folder / "told.json")],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "NODE_EXTRA_CA_CERTS": str(folder / "sink" / "ca.pem")},
    )
    spent: dict[str, float] = json.loads(done.stdout)
    return spent


def measured(send: Callable[[], int], count: int) -> Spent:
    """User and system time of this process while it sends. Raises AssertionError where not all are taken."""
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    taken = send()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    if taken != count:
        raise AssertionError(f"{taken} of {count} taken")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, "wall": wall, "count": count}


def addresses(origin: str, count: int) -> list[str]:
    """Real subscriptions, their endpoints as long as the services' own."""
    from tests.channels.pushservice import browser, text

    return [browser(f"{origin}wpush/v2/{text(os.urandom(120))}").address for _ in range(count)]


def subscription(address: str) -> dict[str, Any]:
    endpoint, p256dh, auth = address.split(" ")
    return {"endpoint": endpoint, "keys": {"p256dh": p256dh, "auth": auth}}


def payload() -> str:
    """A real one, its text as long as makes ``SIZE`` bytes."""
    from channels.city.webpush import wording
    from tests.channels.contract import notices

    said = wording.fields(notices()[0])["payload"]
    notification = said["notification"]
    notification["body"] = ""
    notification["body"] = "x" * (SIZE - len(wording.plain(said)))
    return wording.plain(said).decode()
