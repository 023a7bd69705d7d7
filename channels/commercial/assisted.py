"""Platforms that let no program post for a city: text, picture and clip lie ready at the desk, an officer posts them.

YouTube has no interface for community posts, only for films; TikTok's posts publicly for audited apps alone
(then: ``tiktok``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from alerts.notice import Notice, Rendering
from channels.base import ByHand, Hop, Post, Publisher
from channels.teasers import teaser

from . import _clip
from ._title import title, units

SECONDS = 10
"""How long a clip shows its card (``_clip.made``)."""


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class _Platform:
    """What a platform takes: ``text`` as ``count`` counts, a ``title`` (characters; 0: none), a film instead."""

    label: str
    hop: Hop
    text: int
    count: Callable[[str], int] = units
    title: int = 0
    film: bool = False
    refused: str = ""


PLATFORMS: Mapping[str, _Platform] = {
    "tiktok": _Platform("TikTok", Hop("TikTok", "abroad"), 2200),
    # developers.google.com/youtube/v3/docs/videos: 100 characters, 5000 bytes, neither < nor >
    "youtube": _Platform("YouTube", Hop("YouTube (Google)", "abroad"), 5000, _bytes, 100, film=True, refused="<>"),
}
INSTEAD = str.maketrans("<>", "‹›")


class Assisted(Publisher):
    """Everything lies ready at the desk; an officer posts it and records it there.

    ``platform`` is ``tiktok``, ``youtube`` or what officers call another one, whose texts may have ``limit``
    characters. A rendering with ``clip`` (seconds) wants a film of its picture.
    """

    idempotent = True  # nothing goes out by itself
    seconds = 5.0
    pictures = ("tall",)

    def __init__(self, name: str, *, platform: str, languages: Sequence[str] = (), limit: int = 2000) -> None:
        super().__init__(name)
        if not platform.strip():
            raise ValueError('"platform" is empty')
        other = _Platform(platform.strip(), Hop(platform.strip(), "abroad"), limit)
        self.platform = PLATFORMS.get(platform.strip().casefold(), other)
        self.languages = tuple(languages)
        self.hops = (self.platform.hop,)

    def compose(self, notice: Notice) -> Rendering:
        there = self.platform
        fields: dict[str, Any] = {}
        if there.title:
            fields["title"] = self._said(title(notice, there.title, units))
        # The signs that stand in for refused ones take three bytes each: counted as such
        fields["text"] = self._said(teaser(notice, there.text, lambda text: there.count(self._said(text))))
        if picture := notice.picture("tall"):
            fields["picture"] = picture
            if there.film:
                fields["clip"] = SECONDS
        return Rendering(self.name, notice.language, fields)

    def measure(self, rendering: Rendering) -> tuple[int, int] | None:
        return self.platform.count(str(rendering.fields["text"])), self.platform.text

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        """Raises ByHand, always."""
        if self.platform.film and rendering.fields.get("picture") and not _clip.can():
            words = _(
                "Everything lies ready at the desk. Post it on {platform} yourself, then mark it as sent here. "
                "For the clip itself this machine lacks ffmpeg: make one from the picture."
            )
        else:
            words = _("Everything lies ready at the desk. Post it on {platform} yourself, then mark it as sent here.")
        raise ByHand(words.format(platform=self.platform.label))

    def probe(self) -> str:
        if self.platform.film and not _clip.can():
            return _("An officer posts by hand. For clips this machine lacks ffmpeg.")
        return _("An officer posts by hand.")

    def _said(self, text: str) -> str:
        return text.translate(INSTEAD) if self.platform.refused else text
