"""Workers killed, and Redis emptied, in the middle of thousands of pushes, mails and SMS; counted at the sink."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.channels import mailservers
from tests.channels.pushservice import PushService
from tests.house import House, house, kill, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

FAKE = 'adapter = "tests.channels.fakes.Page"\n'
SITE = f"[website]\n{FAKE}[feeds]\n{FAKE}"
PUSHES, MAILS, TEXTS = 3000, 2500, 300
CHECKPOINT = 500
"""Pushes and mails that a lost worker may have had in its hand: so many may arrive a second time."""


class Gateway:
    """A provider of SMS on loopback that takes its time: the numbers it was given, in order."""

    def __init__(self, pause: float) -> None:
        self.given: list[str] = []
        self.answered: list[str] = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                gateway.given.append(told["to"])
                gateway.over.wait(pause)
                body = json.dumps({"id": f"id-{told['to'][1:]}"}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                gateway.answered.append(told["to"])

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                return

        self.over = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def toml(self) -> str:
        return (
            '[sms]\nadapter = "channels.city.sms.Sms"\nrehearsal = false\ncheckpoint = 50\nin_flight = 10\n'
            f'[[sms.gateways]]\nkind = "http"\nname = "gateway"\nurl = "http://127.0.0.1:{self.port}/"\nid = "id"\n'
            'json = { to = "{to}", text = "{text}" }\n'
        )


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway(pause=0.05)
    yield made
    made.end()


def push_toml(service: PushService) -> str:
    named = f"{service.host}:{service.port}"
    return (
        '[webpush]\nadapter = "channels.city.webpush.WebPush"\nrehearsal = false\n'
        f'private_hosts = {{ "{named}" = "127.0.0.0/8" }}\nresolve = {{ "{named}" = "127.0.0.1" }}\n'
        f'ca_file = "{service.folder / "ca.pem"}"\n'
    )


def broken_off(
    belfry: House, channel: str, severity: str, arrived: Callable[[], int], enough: int, breaks: Callable[[], object]
) -> dict[str, Any]:
    """Approve, do ``breaks`` once so many have arrived, and wait until the delivery has ended; what it came to."""
    told: dict[str, Any] = {}
    waits = threading.Thread(target=lambda: told.update(belfry.act("reach", channel, severity)))
    waits.start()
    wait_for(lambda: arrived() >= enough, f"{enough} to arrive")
    breaks()
    waits.join()
    return told


def killed(belfry: House) -> Callable[[], None]:
    """Kill the only sender and start another; its lease is over at once, as it would be a minute later."""
    belfry.worker("site")
    worker = belfry.worker("city-urgent", "city")

    def breaks() -> None:
        kill(worker)
        belfry.act("minute_later")
        belfry.upkeep()
        belfry.worker("city-urgent", "city")

    return breaks


def emptied(belfry: House) -> Callable[[], object]:
    for queues in (["site"], ["city-urgent", "city"]):
        belfry.worker(*queues)
    belfry.upkeep()
    return lambda: redis.Redis(port=belfry.redis_port).flushall()


@pytest.mark.parametrize("how", [killed, emptied])
def test_pushes_lose_nobody(tmp_path: Path, how: Callable[[House], Callable[[], object]]) -> None:
    with (
        PushService(tmp_path) as service,
        house(tmp_path / "house", SITE + push_toml(service), **QUICK) as belfry,
    ):
        belfry.redis_start()
        belfry.act("residents", "push", str(PUSHES), f"{service.origin}/push/")
        told = broken_off(belfry, "webpush", "Extreme", lambda: len(service.taken), 700, how(belfry))
        times = Counter(push.path for push in service.taken)
        assert len(times) == PUSHES
        assert sum(times.values()) - PUSHES <= (CHECKPOINT if how is killed else 0)
        counts = told["counts"]["webpush"]
        assert (counts["planned"], counts["accepted"], counts["failed"]) == (PUSHES, PUSHES, 0)


@pytest.mark.parametrize("how", [killed, emptied])
def test_mails_lose_nobody_and_a_second_copy_is_known_by_its_id(
    tmp_path: Path, how: Callable[[House], Callable[[], object]]
) -> None:
    with mailservers.real() as (server, port):
        toml = f'[email]\nadapter = "channels.city.email.Email"\nrehearsal = false\nurl = "smtp://127.0.0.1:{port}"\n'
        with house(tmp_path / "house", SITE + toml, **QUICK) as belfry:
            belfry.redis_start()
            belfry.act("residents", "email", str(MAILS))
            told = broken_off(belfry, "email", "Extreme", lambda: len(server.taken), 700, how(belfry))
        times = Counter(mail.recipient for mail in server.taken)
        assert len(times) == MAILS
        assert sum(times.values()) - MAILS <= (CHECKPOINT if how is killed else 0)
        known = {(mail.recipient, mailservers.parsed(mail.raw)["Message-ID"]) for mail in server.taken}
        assert len(known) == MAILS
        assert told["counts"]["email"]["accepted"] == MAILS


@pytest.mark.parametrize("severity", ["Moderate", "Extreme"])
def test_sms_repeat_none_whose_outcome_was_known(tmp_path: Path, gateway: Gateway, severity: str) -> None:
    with house(tmp_path / "house", SITE + gateway.toml, **QUICK) as belfry:
        belfry.redis_start()
        belfry.act("residents", "sms", str(TEXTS))
        known: set[str] = set()
        breaks = killed(belfry)

        def kills() -> None:
            breaks()
            known.update(belfry.act("accepted")["numbers"])

        told = broken_off(belfry, "sms", severity, lambda: len(gateway.answered), 80, kills)
        counts = told["counts"]["sms"]
    times = Counter(gateway.given)
    assert known
    assert all(times[number] == 1 for number in known), "whose outcome was known"
    twice = {number for number, count in times.items() if count > 1}
    if severity == "Moderate":
        assert not twice, "nothing is sent twice that can't be taken back"
        assert 0 < counts["unclear"] <= 50, "what the lost worker had in its hand is shown as unclear"
        assert counts["accepted"] == TEXTS - counts["unclear"]
    else:
        assert len(twice) <= 50
        assert set(times) == all_numbers(), "where nobody can tell, an extreme one goes again"
        assert (counts["accepted"], counts["unclear"]) == (TEXTS, 0)


def test_sms_go_on_where_redis_was_emptied(tmp_path: Path, gateway: Gateway) -> None:
    with house(tmp_path / "house", SITE + gateway.toml, **QUICK) as belfry:
        belfry.redis_start()
        belfry.act("residents", "sms", str(TEXTS))
        told = broken_off(belfry, "sms", "Extreme", lambda: len(gateway.answered), 80, emptied(belfry))
    assert Counter(gateway.given) == Counter(all_numbers())
    assert told["counts"]["sms"]["accepted"] == TEXTS


def all_numbers() -> set[str]:
    return {f"+49151{number:08}" for number in range(TEXTS)}


QUICK = {"BELFRY_REDIS_PATIENCE_SECONDS": "2"}
