"""From approval to page and feeds live: p50 and p99 over 100 alerts, one after another, with all workers running."""

from __future__ import annotations

import os
from pathlib import Path

from tests.bench import RATIOS, Tables, percentile

COUNT = 100


def run() -> Tables:
    import django

    django.setup()
    from tests.house import house, wait_for

    with house(Path(os.environ["BELFRY_DATA"]) / "house", BELFRY_SWEEP_SECONDS="1") as belfry:
        belfry.redis_start()
        belfry.web()
        for queues in (["site"], ["city-urgent"], ["city-urgent", "city"], ["commercial", "upkeep"]):
            belfry.worker(*queues)
        belfry.upkeep()
        wait_for(lambda: belfry.get("/healthz")[0] == 200, "health")
        belfry.act("release", "3")
        told = belfry.act("approvals", str(COUNT))
    live, approve = sorted(told["live"]), sorted(told["approve"])
    return {
        RATIOS: {"p99 / p50 of approval to live": percentile(live, 0.99) / percentile(live, 0.5)},
        f"milliseconds, {COUNT} alerts one after another": {
            "approval to live, p50": 1000 * percentile(live, 0.5),
            "approval to live, p99": 1000 * percentile(live, 0.99),
            "of that the approval itself, p50": 1000 * percentile(approve, 0.5),
            "of that the approval itself, p99": 1000 * percentile(approve, 0.99),
            "aim, p50": 300,
            "aim, p99": 1000,
        },
    }
