"""Help in plain words, opened at the part that belongs to the page it was asked on."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from .confirming import word_for
from .site import page


def show(request: HttpRequest) -> HttpResponse:
    """What an officer does at the desk, step by step."""
    return page(request, "desk/help.html", word=word_for(False), exercise_word=word_for(True))
