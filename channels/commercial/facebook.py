"""Facebook: posts of the city's Page.

With a card, a photo: it is read at a glance where a link's preview is fetched late or not at all. Its
bytes are handed over, so that Meta's servers need not reach the city's page. Without one, a link with
its preview. An update is a post of its own: as a comment under the first one, hardly anybody would see it.

The token is a Page token with pages_manage_posts and pages_read_engagement.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import ClassVar

from django.utils.translation import gettext as _

from alerts.notice import Notice, Rendering
from channels.base import Hop, Permanent, Post, Publisher, Uncertain
from channels.http import Http
from channels.teasers import teaser

from ._graph import HOPS, PAGE, SLACK, Duplicate, Graph, Refused, count_of, match, text_of, token_end

LIMIT = 5000
"""Characters: far below the 63,206 that Facebook takes, far more than anybody reads."""
NO_IMAGE = 324
"""Meta's error for a file that it can't read as a picture."""


class Facebook(Publisher):
    """Posts of a Facebook Page. ``page`` is its number, ``token_until`` the day on which the token ends, if it does."""

    city: ClassVar[bool] = False
    hops: Sequence[Hop] = HOPS
    pictures: ClassVar[Sequence[str]] = ("square",)

    def __init__(
        self,
        name: str,
        *,
        http: Http,
        page: str,
        token: str,
        token_until: str = "",
        languages: Sequence[str] = (),
        server: str = "https://graph.facebook.com",
        version: str = "v26.0",
    ) -> None:
        super().__init__(name)
        self.page, self.languages = str(page), languages
        self.graph = Graph(http, what="Facebook", name=name, server=server, version=version, token=token)
        self._until = token_end(token_until)

    def compose(self, notice: Notice) -> Rendering:
        fields = {"text": teaser(notice, LIMIT), "link": notice.url}
        card = notice.picture("square")
        return Rendering(self.name, notice.language, {**fields, "picture": card} if card else fields)

    def measure(self, rendering: Rendering) -> tuple[int, int] | None:
        return len(str(rendering.fields["text"])), LIMIT

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        try:
            return _post(self._put(rendering))
        except Duplicate:
            found = self.look_up(rendering, key=key, since=dt.datetime.fromisoformat(rendering.slots["sent"]))
            if found is None:
                raise
            return found

    def _put(self, rendering: Rendering) -> str:
        text = str(rendering.fields["text"])
        card = rendering.fields.get("picture") or {}
        if body := rendering.pictures.get(str(card.get("sha256", ""))):
            fields = {"caption": text, "alt_text_custom": str(card["alt"])}
            source = ("card", body, str(card["mime"]))
            try:
                answer = self.graph.post(f"{self.page}/photos", fields, puts_out=True, source=source)
                return self.graph.id_of(answer, "post_id", "id", puts_out=True)
            except Refused as error:  # nothing went out, and no picture is no reason to be silent
                if error.code != NO_IMAGE:
                    raise
        fields = {"message": text, "link": str(rendering.fields["link"])}
        return self.graph.id_of(self.graph.post(f"{self.page}/feed", fields, puts_out=True), "id", puts_out=True)

    def update(self, rendering: Rendering, post: Post, *, key: str) -> Post:
        return self.publish(rendering, key=key)

    def look_up(
        self, rendering: Rendering, *, key: str, since: dt.datetime, reply_to: Post | None = None
    ) -> Post | None:
        """By its words among the Page's newest posts."""
        try:
            rows = self.graph.rows(
                f"{self.page}/published_posts",
                fields="id,message,created_time",
                since=str(int((since - SLACK).timestamp())),
                limit=str(PAGE),
            )
        except Permanent as error:
            raise Uncertain(str(error)) from error
        row = match(rows, str(rendering.fields["text"]), since, said="message", at="created_time")
        if row is None and len(rows) >= PAGE:
            raise Uncertain(_("The Page has too many new posts to find this one among them: look there."))
        return None if row is None else _post(self.graph.id_of(row, "id", puts_out=False))

    def retract(self, post: Post) -> None:
        self.graph.remove(post.remote_id)

    def probe(self) -> str:
        """Whose token it is."""
        me = self.graph.get("me", fields="id,name")
        name = text_of(me, "name")
        if self.graph.id_of(me, "id", puts_out=False) != self.page:
            words = _(
                "The token is not the Page's but that of “{name}”: make one of the Page, or mend “page” of [{channel}]."
            )
            raise Permanent(words.format(name=name, channel=self.name))
        return _("Posts as {name}.").format(name=name)

    def audience(self) -> int | None:
        return count_of(self.graph.get(self.page, fields="followers_count"), "followers_count")

    def valid_until(self) -> dt.datetime | None:
        return self._until


def _post(remote_id: str) -> Post:
    return Post(remote_id, f"https://www.facebook.com/{remote_id}")
