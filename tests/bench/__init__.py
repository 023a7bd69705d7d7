"""Benchmarks: how they give their figures, and what they share."""

from __future__ import annotations

import math
from collections.abc import Sequence

# What a benchmark gives: title of a table -> row -> figure. The table RATIOS compares two things
# measured in one run, and is printed first.
Tables = dict[str, dict[str, float | int | str]]
RATIOS = "ratios"


def ready() -> None:
    """Set Django up and make the tables, in the data folder of this benchmark."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0, interactive=False)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]
