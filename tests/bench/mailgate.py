"""The mail gateway: from a mail accepted to its draft answered, and 1,000 mails at once over SMTP, each tenth twice."""

from __future__ import annotations

import os
import smtplib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.bench import Tables, percentile, ready

MAILS = int(os.environ.get("BELFRY_BENCH_MAILS") or 1000)
ONE_BY_ONE = int(os.environ.get("BELFRY_BENCH_TIMES") or 40)
SENDERS = 20
CODES = 20


def run() -> Tables:
    ready()
    from django.conf import settings

    settings.INTAKE_ADDRESS = "alarm@city.example"
    settings.INTAKE_PER_SENDER = settings.INTAKE_TOTAL = settings.INTAKE_ANSWERS = 10 * MAILS
    from alerts.intake import proof
    from alerts.intake.listener import Listener
    from alerts.management.commands import mail_gateway
    from tests import city
    from tests.alerts.intake import senders as mails
    from tests.house import free_port

    proof.resolve = mails.dns
    city.districts()
    letters = _letters(mails, city, ONE_BY_ONE + MAILS)
    over, news = threading.Event(), threading.Event()
    port = free_port()
    listener = Listener(f"smtp://127.0.0.1:{port}", news.set)
    listener.start()
    worker = threading.Thread(target=mail_gateway.work, args=(over, news))
    worker.start()
    try:
        single = _one_by_one(port, letters[:ONE_BY_ONE])
        crowd = _at_once(port, letters[ONE_BY_ONE:])
    finally:
        over.set()
        news.set()
        worker.join()
        listener.stop()
    return {
        "one mail after another, accepted to answered, seconds": {
            "p50": percentile(single, 0.5),
            "p99": percentile(single, 0.99),
        },
        f"{MAILS:,} mails at once over {SENDERS} connections": crowd,
    }


def _letters(mails: Any, city: Any, count: int) -> list[bytes]:
    """So many mails, each with a printed code of its own, by as many officers as that takes."""
    from alerts.desk.factors import codes

    found: list[bytes] = []
    while len(found) < count:
        officer = mails.Officer(city.officer(f"author{len(found)}", "write_draft"))
        printed = [f"{at:04d}-abcd-{len(found):04d}".translate(str.maketrans("01", "xz")) for at in range(CODES)]
        for code in printed:
            officer.printed.token_set.create(token=codes.sealed(code))
        found += [officer.mail(mails.FORM, code=code) for code in printed]
    return found[:count]


def _hand_in(port: int, letters: list[bytes]) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=120) as client:
        for raw in letters:
            client.sendmail("relay@mail.example", ["alarm@city.example"], raw)


def _one_by_one(port: int, letters: list[bytes]) -> list[float]:
    from alerts.models import Intake

    spent = []
    for raw in letters:
        _hand_in(port, [raw])
        started = time.monotonic()
        while Intake.objects.filter(answered_at__isnull=True).exists():
            time.sleep(0.005)
        spent.append(time.monotonic() - started)
    return spent


def _at_once(port: int, letters: list[bytes]) -> dict[str, float]:
    from alerts.models import Draft, Intake

    before = Draft.objects.count()
    twice = [*letters, *letters[::10]]
    started = time.monotonic()
    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(lambda at: _hand_in(port, twice[at::SENDERS]), range(SENDERS)))
    accepted = time.monotonic() - started
    while Intake.objects.filter(done_at__isnull=True).exists():
        time.sleep(0.1)
    made = Draft.objects.count() - before
    tied = Intake.objects.filter(draft__isnull=False).values("draft").distinct().count() - before
    return {
        "accepted a second": len(twice) / accepted,
        "seconds until all were carried out": time.monotonic() - started,
        "lost": len(letters) - tied,
        "double": made - len(letters),
    }
