"""A word in a path is not written down, whoever logs the path."""

from __future__ import annotations

import logging

import pytest

from channels.subscriptions import tokens
from channels.subscriptions.logs import WithoutWords


@pytest.mark.parametrize("place", ["manage", "leave", "yes", "confirm", "test"])
def test_a_word_is_left_out_of_what_django_says_of_a_failure(place: str) -> None:
    word = tokens.make("own", 7)
    record = logging.LogRecord(
        "django.request", logging.ERROR, "", 1, "%s: %s", ("Internal Server Error", f"/s/{place}/{word}/?page=de"), None
    )
    assert WithoutWords().filter(record)
    assert record.getMessage() == f"Internal Server Error: /s/{place}/…/?page=de"


@pytest.mark.parametrize("said", ["GET /s/start/", "/desk/alert/bcdfg/", "100 % done", "/s/push/changed/"])
def test_all_else_is_written_as_it_is(said: str) -> None:
    record = logging.LogRecord("x", logging.INFO, "", 1, said, None, None)
    WithoutWords().filter(record)
    assert record.getMessage() == said
