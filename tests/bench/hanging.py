"""The city's channels while every commercial platform hangs, against none being configured: approval to done.

And with healthy stubs: approval to the last teaser, and the calls that each platform is asked for one message.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from tests.bench import RATIOS, Tables, percentile
from tests.channels import stubs
from tests.channels.platforms import SILENT, platform

TIMES = int(os.environ.get("BELFRY_BENCH_TIMES", "40"))
CROWD = 200
CITY = "website,feeds,webpush"


def run() -> Tables:
    import django

    django.setup()
    from tests.bench._sinks import push_sink, running

    folder = Path(os.environ["BELFRY_DATA"])
    found: dict[str, dict[str, list[float]]] = {}
    with push_sink(folder / "sink") as sink, platform() as hangs, platform() as healthy:
        for method in ("GET", "POST", "PUT", "DELETE"):
            hangs.on(method, ".*", SILENT)
        stubs.healthy(healthy)
        setups = {
            "none configured": "",
            "all hanging": stubs.channels(hangs.url),
            "none configured, again": "",
            "all healthy": stubs.channels(healthy.url),
        }
        last: list[float] = []
        for name, toml in setups.items():
            with running(folder / name.replace(" ", "-").replace(",", ""), sink.toml + toml) as belfry:
                belfry.act("residents", "push", str(CROWD), sink.origin)
                belfry.act("volley", "3", CITY)
                found[name] = belfry.act("volley", str(TIMES), CITY)["spent"]
                if name == "all healthy":
                    healthy.asked.clear()
                    told = belfry.act("reach", ",".join(stubs.NAMES))
                    last = list(told["done"].values())
    base = [*found["none configured"]["webpush"], *found["none configured, again"]["webpush"]]
    pages = [*found["none configured"]["feeds"], *found["none configured, again"]["feeds"]]
    calls = Counter(stubs.of(asked) for asked in healthy.asked)
    return {
        RATIOS: {
            "push, all platforms hanging / none configured, p99 (at most 1.05)": percentile(
                found["all hanging"]["webpush"], 0.99
            )
            / percentile(base, 0.99),
            "push, p50": percentile(found["all hanging"]["webpush"], 0.5) / percentile(base, 0.5),
            "feeds, p99 (at most 1.05)": percentile(found["all hanging"]["feeds"], 0.99) / percentile(pages, 0.99),
            "feeds, p50": percentile(found["all hanging"]["feeds"], 0.5) / percentile(pages, 0.5),
            "push, none configured: again / before, p99": percentile(found["none configured, again"]["webpush"], 0.99)
            / percentile(found["none configured"]["webpush"], 0.99),
        },
        f"seconds from approval to done, {TIMES} messages each": {
            f"{channel}, {name}, {word}": percentile(spent[channel], share)
            for name, spent in found.items()
            for channel in ("feeds", "webpush")
            for word, share in (("p50", 0.5), ("p99", 0.99))
        },
        "seconds from approval to the last teaser, healthy platforms": {"all of them": max(last)},
        "calls for one message in three languages": dict(sorted(calls.items())),
    }
