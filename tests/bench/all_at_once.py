"""100,000 pushes, 100,000 mails and 20,000 SMS from one approval: total time, first and last of each, memory."""

from __future__ import annotations

import os
from pathlib import Path

from tests.bench import RATIOS, Tables

PUSH, MAIL, SMS = (int(size) for size in os.environ.get("BELFRY_BENCH_ALL", "100000,100000,20000").split(","))


def run() -> Tables:
    import django

    django.setup()
    from tests.bench._sinks import mail_sink, peak, push_sink, running, sms_sink

    folder = Path(os.environ["BELFRY_DATA"])
    ways = {"webpush": ("push", PUSH), "email": ("email", MAIL), "sms": ("sms", SMS)}
    memory = {}
    with (
        push_sink(folder / "sink") as pushes,
        mail_sink() as mails,
        sms_sink(folder / "gateway") as texts,
        running(folder / "house", pushes.toml + mails.toml + texts.toml) as belfry,
    ):
        for way, size in ways.values():
            belfry.act("residents", way, str(size // 10), pushes.origin)
        few = belfry.act("reach", ",".join(ways))
        memory["with a tenth of them"] = peak(belfry)
        for way, size in ways.values():
            belfry.act("residents", way, str(size - size // 10), pushes.origin)
        told = belfry.act("reach", ",".join(ways))
        memory["with all of them (aim 300)"] = peak(belfry)
    for name, (_way, size) in ways.items():
        if told["counts"][name]["accepted"] != size:
            raise AssertionError(f"{name}: {told['counts'][name]}")
    everything, tenth = max(told["done"].values()), max(few["done"].values())
    return {
        RATIOS: {
            "all of them / a tenth of them, time for one": everything / tenth / 10,
            "memory, all of them / a tenth of them": memory["with all of them (aim 300)"]
            / memory["with a tenth of them"],
        },
        f"seconds from approval, {PUSH:,} pushes, {MAIL:,} mails, {SMS:,} SMS": {
            **{f"{name}, first checkpoint": told["first"][name] for name in ways},
            **{f"{name}, last": told["done"][name] for name in ways},
            "everything": everything,
            "page and feeds public": told["live"],
        },
        "megabytes that the largest worker had at most": memory,
    }
