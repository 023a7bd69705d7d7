"""Posting in two steps, as Instagram and Threads do: a container that nobody sees, then the word to publish it.

The container is known before anything goes out, so that after a lost answer it can be asked what became of
it. Its states are those of Meta's IG Container and Threads troubleshooting pages.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from alerts.notice import Rendering
from channels.base import ChannelError, Hop, Permanent, Post, Publisher, Temporary, Uncertain

from ._graph import HOPS, INVALID, PAGE, Graph, Refused, Unprepared, count_of, match, text_of, token_end

FINISHED, IN_PROGRESS, PUBLISHED, ERROR, EXPIRED = "FINISHED", "IN_PROGRESS", "PUBLISHED", "ERROR", "EXPIRED"
GONE = "gone"
"""Ours: the platform knows no such container, or not yet."""
USELESS = frozenset({ERROR, EXPIRED, GONE})


class Staged(Publisher):
    """What both platforms share. ``patience``: seconds that a container may take; ``pace``: between two looks at it."""

    city: ClassVar[bool] = False
    seconds: ClassVar[float] = 45.0
    hops: Sequence[Hop] = HOPS
    pictures: ClassVar[Sequence[str]] = ("square",)

    making: ClassVar[str]
    """Edge of the account that makes containers."""
    publishing: ClassVar[str]
    """Edge that publishes one."""
    quota: ClassVar[str]
    """Edge that tells how many posts are left."""
    state: ClassVar[str]
    """Field of a container with its state."""
    said: ClassVar[str]
    """Field of a post with its text."""
    listings: ClassVar[tuple[str, ...]]
    """Edges of the account where its posts are found; replies first, where there are any."""
    replies: ClassVar[bool] = False
    """Whether an update is a reply; else it is a post of its own."""

    def __init__(
        self, name: str, graph: Graph, account: str, *, token_until: str = "", patience: float, pace: float
    ) -> None:
        super().__init__(name)
        self.graph, self.account = graph, account
        self.patience, self.pace = patience, pace
        self._until = token_end(token_until)

    def contents(self, rendering: Rendering, reply_to: Post | None, *, bare: bool) -> dict[str, str]:
        """What a container is made of; ``bare`` without its picture, since that failed. Raises Permanent."""
        raise NotImplementedError

    def begin(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Mapping[str, Any]:
        """The container, made or kept; anew where it has expired or failed."""
        begun, reply_to = rendering.begun, self._place(reply_to)
        bare = bool(begun.get("bare"))
        if _for(begun, reply_to):
            state = self._state(str(begun["container"]))
            if state not in USELESS:
                return begun
            bare = bare or state == ERROR
        return self._made(rendering, reply_to, bare=bare)

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        begun, reply_to = rendering.begun, self._place(reply_to)
        if not _for(begun, reply_to):  # begun without knowing what it replies to
            begun = self._made(rendering, reply_to, bare=False)
        container = str(begun["container"])
        if self._prepared(container) == PUBLISHED:
            return self._standing(rendering)
        path = f"{self.account}/{self.publishing}"
        answer = self.graph.post(path, {"creation_id": container}, puts_out=True)
        remote_id = self.graph.id_of(answer, "id", puts_out=True)
        return Post(remote_id, self._address(remote_id))

    def look_up(
        self, rendering: Rendering, *, key: str, since: dt.datetime, reply_to: Post | None = None
    ) -> Post | None:
        """By the container; by the account's posts where that is published, or unknown."""
        kept = _for(rendering.begun, self._place(reply_to))
        try:
            state = self._state(str(rendering.begun["container"])) if kept else ""
            if state in {FINISHED, ERROR, EXPIRED}:
                return None
            if state == IN_PROGRESS:
                raise Temporary(self._preparing(), after=5)
            if state == PUBLISHED:
                return self._standing(rendering, since)
            found = self._found(rendering, since)
        except Permanent as error:
            raise Uncertain(str(error)) from error
        if found is None and kept:
            raise Uncertain(_("{what} can't tell whether it went out: look there.").format(what=self.graph.what))
        return found

    def retract(self, post: Post) -> None:
        self.graph.remove(post.remote_id)

    def probe(self) -> str:
        """Who posts here, and how many posts of the last 24 hours are left."""
        name = text_of(self.graph.get(self.account, fields="id,username"), "username")
        rows = self.graph.rows(f"{self.account}/{self.quota}", fields="quota_usage,config")
        used = count_of(rows[0], "quota_usage") if rows else None
        config = rows[0].get("config") if rows else None
        total = count_of(config, "quota_total") if isinstance(config, dict) else None
        if used is None or total is None:
            return _("Posts as {name}.").format(name=name)
        if used >= total:
            raise Temporary(_("{what} takes no more posts today.").format(what=self.graph.what))
        return _("Posts as {name}; {used} of {total} posts of 24 hours are used.").format(
            name=name, used=used, total=total
        )

    def valid_until(self) -> dt.datetime | None:
        return self._until

    def _made(self, rendering: Rendering, reply_to: Post | None, *, bare: bool) -> Mapping[str, Any]:
        path = f"{self.account}/{self.making}"
        answer = self.graph.post(path, self.contents(rendering, reply_to, bare=bare), puts_out=False)
        made: dict[str, Any] = {"container": self.graph.id_of(answer, "id", puts_out=False)}
        if reply_to is not None:
            made["reply_to"] = reply_to.remote_id
        return made | ({"bare": True} if bare else {})

    def _state(self, container: str) -> str:
        try:
            return text_of(self.graph.get(container, fields=self.state), self.state) or IN_PROGRESS
        except Unprepared:
            return GONE
        except Refused as error:
            if error.code != INVALID:
                raise
            return GONE

    def _prepared(self, container: str) -> str:
        """FINISHED or PUBLISHED. Raises Temporary while it is neither."""
        until = time.monotonic() + self.patience
        while True:
            state = self._state(container)
            if state in {FINISHED, PUBLISHED}:
                return state
            if state in {ERROR, EXPIRED}:
                words = _("{what} could not prepare the post; it is prepared anew.").format(what=self.graph.what)
                raise Temporary(words, after=5)
            if time.monotonic() >= until:
                raise Temporary(self._preparing(), after=5)
            time.sleep(self.pace)

    def _preparing(self) -> str:
        return _("{what} is still preparing the post.").format(what=self.graph.what)

    def _standing(self, rendering: Rendering, since: dt.datetime | None = None) -> Post:
        """The post of a container that is published. Never Permanent: it is out, whatever can't be read now."""
        since = since or dt.datetime.fromisoformat(rendering.slots["sent"])
        try:
            found = self._found(rendering, since, loose=True)
        except Permanent as error:
            raise Uncertain(str(error)) from error
        if found is None:
            words = _("It stands on {what}, which does not list it yet.").format(what=self.graph.what)
            raise Temporary(words, after=15)
        return found

    def _found(self, rendering: Rendering, since: dt.datetime, *, loose: bool = False) -> Post | None:
        """What says the same since then; ``loose``: or what ends in the same link, as one of them surely does."""
        fields = f"id,{self.said},permalink,timestamp"
        rows: list[Mapping[str, Any]] = []
        for listing in self.listings:
            rows += self.graph.rows(f"{self.account}/{listing}", fields=fields, limit=str(PAGE))
        row = match(rows, str(rendering.fields["text"]), since, said=self.said, at="timestamp", loose=loose)
        return None if row is None else Post(self.graph.id_of(row, "id", puts_out=False), text_of(row, "permalink"))

    def _place(self, reply_to: Post | None) -> Post | None:
        return reply_to if self.replies else None

    def _address(self, remote_id: str) -> str:
        try:
            return text_of(self.graph.get(remote_id, fields="permalink"), "permalink")
        except ChannelError:
            return ""  # it is out; that nobody knows its address yet must not make it go again


def _for(begun: Mapping[str, Any], reply_to: Post | None) -> bool:
    """Whether a container was begun, and for this place."""
    return bool(begun.get("container")) and begun.get("reply_to", "") == (reply_to.remote_id if reply_to else "")
