"""A title out of a notice, for platforms that want one beside the text."""

from __future__ import annotations

from collections.abc import Callable

import grapheme
from django.utils.translation import override

from alerts.notice import ELLIPSIS, Notice, fit
from alerts.terms import ui_language
from channels.teasers import words


def title(notice: Notice, limit: int, count: Callable[[str], int]) -> str:
    """The first line of the teaser within ``limit`` as ``count`` counts: cut at a word, else between characters."""
    with override(ui_language(notice.words_language)):
        said = words(notice).strip().partition("\n")[0].strip()
    kept = fit(said, "", limit, count)
    if kept.strip(ELLIPSIS):
        return kept
    seen = list(grapheme.graphemes(said))
    while seen and count("".join(seen) + ELLIPSIS) > limit:
        del seen[-max(1, len(seen) // 20) :]
    return "".join(seen) + ELLIPSIS


def units(text: str) -> int:
    """UTF-16 code units, as these platforms count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
