"""An Extreme alert approved while a Minor one is half-way through its 100,000 pushes: seconds to its first push."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from tests.bench import RATIOS, Tables, percentile

CROWD = int(os.environ.get("BELFRY_BENCH_CROWD", "100000"))
TIMES = int(os.environ.get("BELFRY_BENCH_TIMES", "20"))


def run() -> Tables:
    import django

    django.setup()
    from tests.bench._sinks import push_sink, running

    folder = Path(os.environ["BELFRY_DATA"])
    waited, alone = [], []
    with push_sink(folder / "sink") as sink, running(folder / "house", sink.toml) as belfry:
        belfry.act("residents", "push", str(CROWD), sink.origin)
        for _time in range(TIMES):
            before = sink.count()
            minor = threading.Thread(target=belfry.act, args=("reach", "webpush", "Minor"))
            minor.start()
            while sink.count() - before < CROWD // 2:
                time.sleep(0.005)
            told = belfry.act("first", "Extreme")
            waited.append(told["spent"])
            minor.join()
            belfry.act("settle")
            alone.append(belfry.act("first", "Extreme")["spent"])
            belfry.act("settle")
    middle, least = percentile(waited, 0.5), percentile(alone, 0.5)
    return {
        RATIOS: {"half-way through a Minor one / with nothing else, p50": middle / least},
        f"seconds from approval to the first checkpoint of pushes, {CROWD:,} subscribers, {TIMES} times": {
            "half-way through a Minor one, p50": middle,
            "half-way through a Minor one, p99 (aim 1)": percentile(waited, 0.99),
            "with nothing else, p50": least,
            "with nothing else, p99": percentile(alone, 0.99),
        },
    }
