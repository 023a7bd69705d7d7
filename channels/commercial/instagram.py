"""Instagram: posts of the city's professional account, each with a card; in their text a link can't be tapped.

An update is a post of its own: captions can't be changed by the API, and hardly anybody reads comments.

The token needs instagram_basic, instagram_content_publish and pages_read_engagement, and
instagram_manage_contents to take posts back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django.utils.translation import gettext as _

from alerts.notice import Notice, Rendering
from channels.base import Permanent, Post
from channels.http import Http
from channels.teasers import teaser

from ._containers import Staged
from ._graph import Graph, count_of

LIMIT = 2200
"""UTF-16 units of a caption, which are never fewer than its characters."""


class Instagram(Staged):
    """Posts of an Instagram account. ``account`` is its number, ``token_until`` the day on which the token ends."""

    making: ClassVar[str] = "media"
    publishing: ClassVar[str] = "media_publish"
    quota: ClassVar[str] = "content_publishing_limit"
    state: ClassVar[str] = "status_code"
    said: ClassVar[str] = "caption"
    listings: ClassVar[tuple[str, ...]] = ("media",)

    def __init__(
        self,
        name: str,
        *,
        http: Http,
        account: str,
        token: str,
        token_until: str = "",
        languages: Sequence[str] = (),
        server: str = "https://graph.facebook.com",
        version: str = "v26.0",
        patience: float = 6.0,
        pace: float = 1.0,
    ) -> None:
        graph = Graph(http, what="Instagram", name=name, server=server, version=version, token=token)
        super().__init__(name, graph, str(account), token_until=token_until, patience=patience, pace=pace)
        self.languages = languages

    def compose(self, notice: Notice) -> Rendering:
        fields = {"text": teaser(notice, LIMIT, _units)}
        card = notice.picture("square")
        return Rendering(self.name, notice.language, {**fields, "picture": card} if card else fields)

    def measure(self, rendering: Rendering) -> tuple[int, int] | None:
        return _units(str(rendering.fields["text"])), LIMIT

    def contents(self, rendering: Rendering, reply_to: Post | None, *, bare: bool) -> dict[str, str]:
        card = rendering.fields.get("picture")
        if not card:
            raise Permanent(_("Instagram takes no post without a picture, and for this message none was drawn."))
        return {"image_url": card["url"], "caption": str(rendering.fields["text"]), "alt_text": card["alt"]}

    def audience(self) -> int | None:
        return count_of(self.graph.get(self.account, fields="followers_count"), "followers_count")


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
