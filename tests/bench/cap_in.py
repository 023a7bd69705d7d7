"""CAP documents handed in over HTTP: documents a second, against parsing alone."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

from tests.bench import RATIOS, Tables, percentile, ready

MANY = 300


def run() -> Tables:
    ready()
    from django.conf import settings
    from django.test import Client

    from alerts import cap
    from alerts.intake import capreading, door, partners
    from alerts.models import Draft
    from alerts.terms import Status
    from tests import city
    from tests.alerts.capcases import minimal, told

    settings.ALLOWED_HOSTS = ["testserver"]
    settings.CAP_PER_MINUTE = 10**9
    city.districts()
    token = partners.give_token(partners.enter("Leitstelle", partners.Scope(Status.values), None), None)
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    area = told()[0].info[0].area

    def document(number: int) -> bytes:
        return cap.write(
            minimal(identifier=f"bench.{number}", sent=now, expires=now + dt.timedelta(hours=4), area=area)
        )

    bodies = [document(number) for number in range(MANY)]
    client = Client(headers={"authorization": f"Bearer {token}"})

    def hand_in(body: bytes) -> None:
        door._addresses.storage.reset()
        answer = client.post("/intake/cap", body, content_type="application/cap+xml")
        assert answer.status_code == 201, answer.content

    hand_in(document(-1))
    parsing = timed(cap.read, bodies)
    reading = timed(lambda body: capreading.read(body, languages=settings.CONTENT_LANGUAGES), bodies)
    whole = timed(hand_in, bodies)
    again = timed(lambda body: client.post("/intake/cap", body, content_type="application/cap+xml"), bodies[:200])
    assert Draft.objects.count() == MANY + 1
    return {
        RATIOS: {"handing in takes, of parsing alone": sum(whole) / sum(parsing)},
        "documents a second, one after the other": {
            "parsed alone": MANY / sum(parsing),
            "read for a draft": MANY / sum(reading),
            "handed in, kept and drafted": MANY / sum(whole),
            "handed in again": 200 / sum(again),
        },
        "milliseconds to hand one in": {
            "p50": 1000 * percentile(whole, 0.5),
            "p99": 1000 * percentile(whole, 0.99),
        },
    }


def timed(act: Callable[[bytes], object], bodies: list[bytes]) -> list[float]:
    """Seconds for each."""
    taken = []
    for body in bodies:
        start = time.perf_counter()
        act(body)
        taken.append(time.perf_counter() - start)
    return taken
