"""The image cards of a draft, for the page that approves it."""

from __future__ import annotations

from typing import Any

from django import template

from alerts.models import Draft
from channels.desk.cards import cards_of

register = template.Library()


@register.inclusion_tag("desk/cards.html")
def image_cards(draft: Draft) -> dict[str, Any]:
    """Each card with its alt text, as it will go out; nothing where no channel asked for one."""
    return {"cards": cards_of(draft)}
