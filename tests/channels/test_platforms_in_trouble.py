"""Platforms that hang, refuse for an hour, or take a post and drop the line: the city's channels don't notice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.channels import stubs
from tests.channels.platforms import DROPPED, SILENT, Answer, platform
from tests.channels.test_faults import FAKE, SITE
from tests.house import House, house, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

OWN = "[own]\n" + FAKE.format(name="Own")


def test_the_city_speaks_while_every_platform_hangs_refuses_or_drops(tmp_path: Path) -> None:
    with platform() as there, house(tmp_path, SITE + OWN + stubs.channels(there.url)) as belfry:
        for method in ("GET", "POST", "PUT"):
            there.on(method, "/.*", SILENT)
        there.on("POST", "/linkedin/.*", Answer(429, {}, {"Retry-After": "3600"}))
        there.on("POST", "/2/.*", DROPPED)
        belfry.redis_start()
        for queues in (["site"], ["city-urgent"], ["commercial"]):
            belfry.worker(*queues)
        belfry.upkeep()
        belfry.act("release")
        wait_for(lambda: there.asked, "a platform to be asked")
        first = done(belfry, 3)
        assert first == {"website", "feeds", "own"}, "everything of the city's, nothing of a platform"


def done(belfry: House, many: int) -> set[str]:
    """The channels of the deliveries that are done, once there are so many."""

    def looked() -> Any:
        found = [channel for channel, state in belfry.act("state")["deliveries"] if state == "done"]
        return found if len(found) >= many else None

    return set(wait_for(looked, f"{many} deliveries"))
