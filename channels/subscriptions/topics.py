"""Topics: the few groups of CAP categories that residents choose from; a subscription keeps them as a mask of bits."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

from alerts.terms import Category

TOPICS = {
    "weather": (1, _("Weather and flood"), (Category.MET, Category.GEO)),
    "fire": (2, _("Fire and rescue"), (Category.FIRE, Category.RESCUE)),
    "safety": (4, _("Public safety and police"), (Category.SAFETY, Category.SECURITY)),
    "health": (8, _("Health and environment"), (Category.HEALTH, Category.ENV, Category.CBRNE)),
    "supply": (16, _("Power, water, telephone"), (Category.INFRA,)),
    "traffic": (32, _("Traffic"), (Category.TRANSPORT,)),
    "other": (64, _("All else"), (Category.OTHER,)),
}
"""name -> (bit, name for residents, CAP categories). A bit is never given another meaning: rows keep it."""
ALL = 127


def mask(names: Iterable[str]) -> int:
    """The mask of these topics. Raises KeyError for an unknown one."""
    found = 0
    for name in names:
        found |= TOPICS[name][0]
    return found


def names(given: int) -> list[str]:
    """The topics of a mask."""
    return [name for name, (bit, _label, _categories) in TOPICS.items() if given & bit]


def of_categories(categories: Iterable[str]) -> int:
    """The mask that a message with these CAP categories has; all where it has none."""
    wanted = set(categories)
    return sum(bit for bit, _label, members in TOPICS.values() if wanted & set(members)) or ALL
