"""What the form "Did it reach you?" lets people choose from, for pages that others make."""

from __future__ import annotations

from django import template

from channels.reach import feedback

register = template.Library()


@register.simple_tag
def reached_choices() -> feedback.Choices:
    """Ways and districts, in the active language."""
    return feedback.choices()


@register.filter
def slug_of(path: str) -> str:
    """The slug at the end of an alert's address."""
    return path.rstrip("/").rpartition("/")[2]
