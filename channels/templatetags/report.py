"""Exact times, stretches and actions as the after-action report writes them."""

from __future__ import annotations

import datetime as dt

from django import template
from django.utils import formats, timezone, translation
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from alerts.templatetags.desk import action_word, seconds, span
from alerts.terms import ui_language
from channels.desk.report.words import OURS
from channels.desk.state import LOOKS
from channels.models import State
from channels.timeline import Event

register = template.Library()


@register.filter
def exact(value: dt.datetime | None) -> SafeString | str:
    """Date and time to the second, as a ``time`` element."""
    if value is None:
        return ""
    clock = f"{timezone.localtime(value):%H:%M:%S}"
    return format_html('<time datetime="{}">{}, {}</time>', value.isoformat(), day(value), clock)


@register.filter
def day(value: dt.datetime) -> str:
    """The day alone, with its year."""
    local = timezone.localtime(value)
    german = ui_language(translation.get_language() or "de") == "de"
    return f"{local.day}{'.' if german else ''} {formats.date_format(local, 'F')} {local.year}"


@register.filter
def to_the_second(value: dt.datetime) -> SafeString:
    """The time of day alone, as a ``time`` element."""
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), f"{timezone.localtime(value):%H:%M:%S}")


@register.filter
def stretch(value: dt.timedelta) -> str:
    """A span that keeps its seconds below an hour: ``0,3 s``, ``2 min 5 s``, ``1 h 44 min``."""
    count = value.total_seconds()
    if count < 60 or count >= 3600:
        return seconds(value) if count < 60 else span(value)
    return _("{minutes} min {seconds} s").format(minutes=int(count // 60), seconds=int(count % 60))


@register.filter
def what(event: Event) -> str:
    """What happened, in words."""
    ours = OURS.get(event.action)
    return str(ours) if ours else action_word(event.action)


@register.filter
def look(state: str) -> str:
    """How the state of a delivery looks, for the tag ``state``."""
    return LOOKS[State(state)]
