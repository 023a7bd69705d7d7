"""Where an alert holds and who is reached: what the map of the compose page needs, and the count of subscriptions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext_lazy

from .. import ports, tiles
from ..models import Draft
from .maps import ReadBack, outlines, read_back

YEAR = 365 * 24 * 3600
WAYS = {"push": gettext_lazy("Push"), "sms": gettext_lazy("SMS"), "email": gettext_lazy("E-mail")}


@dataclass(frozen=True, slots=True)
class Reach:
    """Who would get a draft as it is saved: subscriptions of each way by its label; and the districts read back."""

    ways: list[tuple[str, int]]
    districts: ReadBack
    follows: bool
    exercise: bool
    has_area: bool

    @property
    def total(self) -> int:
        return sum(count for _label, count in self.ways)


def reach_of(draft: Draft) -> Reach:
    """Counted now, from the rows: some 50 ms with 100,000 subscriptions."""
    content = draft.content
    counts = ports.reached(content, draft.alert_id)
    return Reach(
        ways=[(str(WAYS.get(way, way)), count) for way, count in counts.items()],
        districts=read_back(content),
        follows=draft.base_id is not None,
        exercise=content.exercise,
        has_area=content.has_area,
    )


def districts(request: HttpRequest, stamp: str) -> HttpResponse:
    """The districts' outlines as JSON; under the stamp they have now they may be kept for good, by this browser."""
    now = outlines()
    response = HttpResponse(now.body, content_type="application/json")
    if stamp == now.stamp:
        patch_cache_control(response, private=True, max_age=YEAR, immutable=True)
    else:
        patch_cache_control(response, private=True, no_store=True)
    return response


def with_tiles(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A page that may show the map: where a tile server is set, it may fetch pictures from that host too."""

    @wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if source := tiles.source(settings.TILES, settings.ADDRESS):
            response._csp_update = {"img-src": [source]}  # type: ignore[attr-defined]  # as csp.decorators do
        return response

    return inner
