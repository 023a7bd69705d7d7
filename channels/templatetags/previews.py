"""The previews of a draft: what every channel will say, as people will see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import template
from django.utils.safestring import SafeString

from alerts.desk.approving import Spoken
from alerts.models import Draft
from alerts.notice import Rendering
from channels.desk import spoken as previews

register = template.Library()


@register.simple_tag
def previewed(spoken: Iterable[Spoken], draft: Draft) -> list[previews.Tongue]:
    """Each language with its previews, the city's channels first."""
    return previews.tongues(spoken, draft)


@register.simple_tag
def rendering(words: Rendering, draft: Draft) -> SafeString:
    """What a channel said, as its people saw it."""
    return previews.body(words, draft)


@register.filter
def shown_fields(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A rendering's fields as name and text."""
    return previews.everything(fields)
