"""Threads: posts of the city's account; updates are replies under the first one.

The token lives 60 days. It needs threads_basic, threads_content_publish and threads_manage_replies;
threads_manage_insights to count followers, threads_delete to take posts back.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import grapheme

from alerts.notice import Notice, Rendering
from channels.base import Post
from channels.http import Http
from channels.teasers import teaser

from ._containers import Staged
from ._graph import INVALID, Graph, Refused, Unfetched, Unprepared, count_of

LIMIT = 500
"""Characters; an emoji counts as many as it has bytes in UTF-8."""
PLAIN = re.compile(r"[\t\n\x20-\x7e\u00a1-\u00a8\u00aa-\u00ad\u00af-\u024f]*")
SIGNS = frozenset("\ufe0f\u20e3\u200d")


class Threads(Staged):
    """Posts of a Threads account. ``account`` is its number, ``token_until`` the day on which the token ends."""

    making: ClassVar[str] = "threads"
    publishing: ClassVar[str] = "threads_publish"
    quota: ClassVar[str] = "threads_publishing_limit"
    state: ClassVar[str] = "status"
    said: ClassVar[str] = "text"
    listings: ClassVar[tuple[str, ...]] = ("replies", "threads")
    replies: ClassVar[bool] = True

    def __init__(
        self,
        name: str,
        *,
        http: Http,
        account: str,
        token: str,
        token_until: str = "",
        languages: Sequence[str] = (),
        server: str = "https://graph.threads.net",
        version: str = "v1.0",
        patience: float = 6.0,
        pace: float = 1.0,
    ) -> None:
        graph = Graph(http, what="Threads", name=name, server=server, version=version, token=token)
        super().__init__(name, graph, str(account), token_until=token_until, patience=patience, pace=pace)
        self.languages = languages

    def compose(self, notice: Notice) -> Rendering:
        fields = {"text": teaser(notice, LIMIT, length, most=LIMIT)}
        card = notice.picture("square")
        return Rendering(self.name, notice.language, {**fields, "picture": card} if card else fields)

    def measure(self, rendering: Rendering) -> tuple[int, int] | None:
        return length(str(rendering.fields["text"])), LIMIT

    def contents(self, rendering: Rendering, reply_to: Post | None, *, bare: bool) -> dict[str, str]:
        card = None if bare else rendering.fields.get("picture")
        place = {"reply_to_id": reply_to.remote_id} if reply_to else {}
        text = {"text": str(rendering.fields["text"]), **place}
        if not card:
            return {"media_type": "TEXT", **text}
        return {"media_type": "IMAGE", "image_url": card["url"], "alt_text": card["alt"], **text}

    def audience(self) -> int | None:
        for row in self.graph.rows(f"{self.account}/threads_insights", metric="followers_count"):
            if isinstance(total := row.get("total_value"), dict):
                return count_of(total, "value")
        return None

    def _made(self, rendering: Rendering, reply_to: Post | None, *, bare: bool) -> Mapping[str, Any]:
        """With what the platform can have: neither a picture nor a first post that is gone may keep it silent."""
        try:
            return super()._made(rendering, reply_to, bare=bare)
        except Unfetched:
            return super()._made(rendering, reply_to, bare=True)
        except (Refused, Unprepared) as error:
            gone = isinstance(error, Unprepared) or error.code == INVALID
            if reply_to is None or not gone:
                raise
            return {**super()._made(rendering, None, bare=bare), "reply_to": reply_to.remote_id}


def length(text: str) -> int:
    """Characters as Threads counts them, rather more than fewer: whatever may be an emoji counts as bytes."""
    if PLAIN.fullmatch(text) or not _is_sign(text):
        return len(text)
    return sum(len(seen.encode()) if _is_sign(seen) else len(seen) for seen in grapheme.graphemes(text))


def _is_sign(seen: str) -> bool:
    return any(c > "\uffff" or c in SIGNS or unicodedata.category(c) == "So" for c in seen)
