"""``/reach.json``: what anybody may know of the city's reach. Figures of the day, nothing of any one person.

schema    "belfry-reach/1"; fields may be added to it, none change their meaning
city      the city's name
date      of the newest figure (ISO 8601), or null
channels  a list, the city's own first:
    name      the channel's key, which stays the same
    label     what people call it, in the city's first language
    owner     "city" or "commercial"
    audience  followers or subscriptions; "<10" for fewer than ten subscriptions; null where unknown or
              where nobody is counted, as on page and feeds
    date      the day that the figure is of, or null
    source    "asked" (the platform), "typed" (read there by an officer), "counted" (here) or null
    hops      whom a message passes on its way, the city's own host apart: name, and where it is
              subject to the law: "city", "eu" or "abroad"
share     city and all: followers and subscriptions, not people; percent: city of all, or null.
          What is shown as "<10" counts as none here, so that it can't be told from the sum
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from alerts.terms import ui_language

from ..publicfiles import PublicFolder
from . import Figure, Share, figures

SCHEMA = "belfry-reach/1"
FILE = "reach.json"
FEW = 10
"""Fewer subscriptions than this are not told: behind them may be one known neighbour."""


def document(found: Sequence[Figure]) -> dict[str, Any]:
    """The document of these figures; words in the active language."""
    shown = Share(
        sum(figure.count or 0 for figure in found if figure.city and not _is_few(figure)),
        sum(figure.count or 0 for figure in found if not _is_few(figure)),
    )
    dates = [figure.on.isoformat() for figure in found if figure.on]
    return {
        "schema": SCHEMA,
        "city": settings.CITY,
        "date": max(dates, default=None),
        "channels": [
            {
                "name": figure.channel,
                "label": figure.name,
                "owner": "city" if figure.city else "commercial",
                "audience": f"<{FEW}" if _is_few(figure) else figure.count,
                "date": figure.on.isoformat() if figure.on else None,
                "source": figure.source or None,
                "hops": [{"name": _(hop.name), "where": hop.where} for hop in figure.hops],
            }
            for figure in found
        ],
        "share": {
            "city": shown.city,
            "all": shown.total,
            "percent": None if shown.percent is None else round(shown.percent, 1),
        },
    }


def _is_few(figure: Figure) -> bool:
    return figure.subscribers and figure.count is not None and figure.count < FEW


def write() -> None:
    """Put the file into the public folder, where it differs. Raises Temporary where that can't be written."""
    with override(ui_language(settings.CONTENT_LANGUAGES[0])):
        body = (json.dumps(document(figures()), ensure_ascii=False, indent=1) + "\n").encode()
    folder = PublicFolder(settings.PUBLIC_DIR)
    try:
        if (folder.root / FILE).read_bytes() == body:
            return  # an alert that is being published holds the folder's lock: don't wait for it without need
    except OSError:
        pass  # not there yet; what is wrong with the folder is told by writing
    with folder.swap() as staged:
        staged.write(FILE, body)
