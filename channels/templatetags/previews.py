"""The previews of a draft: what every channel will say, as people will see it."""

from __future__ import annotations

from collections.abc import Iterable

from django import template

from alerts.desk.approving import Spoken
from alerts.models import Draft
from channels.desk import spoken as previews

register = template.Library()


@register.simple_tag
def previewed(spoken: Iterable[Spoken], draft: Draft) -> list[previews.Tongue]:
    """Each language with its previews, the city's channels first."""
    return previews.tongues(spoken, draft)
