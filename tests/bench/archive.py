"""Publishing one message with 2,000 alerts in the archive against 20: the ratio of what it costs."""

from __future__ import annotations

import os
import statistics
from pathlib import Path

from tests.bench import RATIOS, Tables

FEW, MANY, TIMES = 20, 2000, 20


def run() -> Tables:
    import django

    django.setup()
    from tests.house import house

    with house(Path(os.environ["BELFRY_DATA"]) / "house") as belfry:
        belfry.web()
        belfry.act("past", str(FEW))
        belfry.manage("rebuild_site")
        belfry.act("publishing", "25")  # fills the feeds, so that both measurements list as much
        few = belfry.act("publishing", str(TIMES))["spent"]
        belfry.act("past", str(MANY - FEW - TIMES))
        belfry.manage("rebuild_site")
        many = belfry.act("publishing", str(TIMES))["spent"]
    one, other = 1000 * statistics.median(few), 1000 * statistics.median(many)
    return {
        RATIOS: {f"archive of {MANY} / archive of {FEW} (aim under 1.5)": other / one},
        f"milliseconds to carry out one message, median of {TIMES}": {
            f"archive of {FEW}": one,
            f"archive of {MANY}": other,
        },
    }
