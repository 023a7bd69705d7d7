"""How long a post on X is, as X counts: by its own parser, which is asked only where its answer is not plain."""

from __future__ import annotations

import importlib
import importlib.resources
import importlib.util
import re
import sys
import threading
import types
import unicodedata
from functools import cache, lru_cache
from typing import Any

CHARACTERS = 280
"""As X counts them: a link 23, most scripts 1 each, emoji and CJK 2."""
SIMPLE = re.compile(r"[\n -~\u00a1-\u00a8\u00aa-\u00ad\u00af-\u017f\u2010-\u201f\u2026]*")
"""Letters and signs that count 1 each, the ellipsis 2, and that are no emoji nor part of one."""
INNER_DOT = re.compile(r"[.。．]\S|://")


def weight(text: str) -> int:
    """The length of a post as X counts it; of one that is surely too long no more than that it is."""
    # The exact count takes milliseconds, and cutting asks for it at each word
    words, line, link = text.rpartition("\n")
    if line and SIMPLE.fullmatch(words) and not INNER_DOT.search(words):
        return len(words) + words.count("…") + _exact("\n" + link)
    least = sum(
        1
        for word in unicodedata.normalize("NFC", text).split(" ")
        if not INNER_DOT.search(word)  # it may be a link, and a link counts less than it is long
        for character in f"{word} "
        if ord(character) < 0x1100
    )
    return least if least > CHARACTERS + 1 else _exact(text)


@lru_cache(64)
def _exact(text: str) -> int:
    return int(twitter_text().parse_tweet(text).weightedLength)


_loading = threading.Lock()


@cache
def twitter_text() -> Any:
    """X's own way of counting. The package reads a file by pkg_resources, which setuptools no longer holds: something
    that can do just this stands in for it while it is loaded."""
    with _loading:
        if importlib.util.find_spec("pkg_resources") is not None:
            return importlib.import_module("twitter_text")
        stand_in = types.ModuleType("pkg_resources")
        stand_in.__dict__["resource_string"] = lambda module, name: (
            importlib.resources.files(module.rpartition(".")[0]).joinpath(name).read_bytes()
        )
        sys.modules["pkg_resources"] = stand_in
        try:
            return importlib.import_module("twitter_text")
        finally:
            del sys.modules["pkg_resources"]
