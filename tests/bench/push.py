"""Push subscribers end to end: approval to every POST answered and every outcome recorded, by two city workers.

10,000, 100,000 and 300,000 of them, with fresh keys and with keys made ahead; BELFRY_BENCH_SIZES names others.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.bench import RATIOS, Tables

SIZES = [int(size) for size in os.environ.get("BELFRY_BENCH_SIZES", "10000,100000,300000").split(",")]
AIMS = {"fresh keys": 15, "keys made ahead": 4}


def run() -> Tables:
    import django

    django.setup()
    from django.conf import settings

    from tests.bench._sinks import peak, push_sink, running

    folder = Path(os.environ["BELFRY_DATA"])
    spent: dict[str, dict[int, float]] = {name: {} for name in AIMS}
    memory: dict[str, float] = {}
    first: dict[str, float] = {}
    with push_sink(folder / "sink") as sink, running(folder / "house", sink.toml) as belfry:
        there = 0
        for size in sorted(SIZES):
            belfry.act("residents", "push", str(size - there), sink.origin)
            there = size
            for name in AIMS:
                if name == "keys made ahead":
                    making = belfry.worker("upkeep")
                    belfry.act("prepared", str(size))
                    making.terminate()
                    making.wait()
                before = sink.count()
                told = belfry.act("reach", "webpush")
                counts = told["counts"]["webpush"]
                if (counts["accepted"], sink.count() - before) != (size, size):
                    raise AssertionError(f"{size} subscribers: {counts}, {sink.count() - before} POSTs")
                spent[name][size] = told["done"]["webpush"]
                first[f"{size:,}, {name}"] = told["begun"]["webpush"]
            memory[f"{size:,}"] = peak(belfry)
    database = settings.DATABASES["default"]["ENGINE"].rpartition(".")[2]
    smallest, largest = min(SIZES), max(SIZES)
    return {
        RATIOS: {
            **{
                f"{name}: a subscriber among {largest:,} / among {smallest:,}": (spent[name][largest] / largest)
                / (spent[name][smallest] / smallest)
                for name in AIMS
            },
            "keys made ahead / fresh keys": spent["keys made ahead"][largest] / spent["fresh keys"][largest],
        },
        **{
            f"seconds from approval to the last outcome, {name}, {database} (aim {aim} for 100,000)": {
                f"{size:,}": value for size, value in spent[name].items()
            }
            for name, aim in AIMS.items()
        },
        "seconds from approval to the claim of the delivery": first,
        "megabytes that the largest worker had at most": memory,
    }
