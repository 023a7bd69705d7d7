"""Icons, levels, times and names as the desk's templates write them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from django import template
from django.contrib.auth.models import AbstractBaseUser
from django.forms import BoundField
from django.utils import formats, timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts import drafting, notice, readers
from alerts.content import Content
from alerts.desk import differences, people, summary
from alerts.desk.site import desk
from alerts.models import Draft, DraftState, Reader
from alerts.terms import Kind, direction, language_name

register = template.Library()

STATES = {
    DraftState.DRAFT: "wait",
    DraftState.SUBMITTED: "wait",
    DraftState.RETURNED: "severe",
    DraftState.APPROVED: "ok",
    DraftState.RELEASED: "ok",
    DraftState.WITHDRAWN: "bad",
    DraftState.LAPSED: "bad",
}
ACTIONS = {
    "audience-typed": gettext_lazy("Audience typed in"),
    "channel-paused": gettext_lazy("Channel paused"),
    "channel-resumed": gettext_lazy("Channel switched on again"),
    "retraction-asked": gettext_lazy("Post to be taken back"),
    "retracted": gettext_lazy("Post taken back"),
    "draft-new": gettext_lazy("Draft begun"),
    "draft-saved": gettext_lazy("Draft saved"),
    "draft-kept": gettext_lazy("Draft saved by itself"),
    "draft-from-outside": gettext_lazy("Draft from outside"),
    "partner-changed": gettext_lazy("Partner changed"),
    "partner-token": gettext_lazy("Token given to a partner"),
    "partner-token-ended": gettext_lazy("Token of a partner ended"),
    "draft-taken-up": gettext_lazy("Draft taken up again"),
    "submitted": gettext_lazy("Submitted"),
    "returned": gettext_lazy("Returned"),
    "pulled-back": gettext_lazy("Taken back"),
    "withdrawn": gettext_lazy("Withdrawn"),
    "discarded": gettext_lazy("Draft put away"),
    "approved": gettext_lazy("Approved"),
    "released": gettext_lazy("Released"),
    "lapsed": gettext_lazy("Lapsed"),
    "break-glass": gettext_lazy("Released alone (break-glass)"),
    "alarm": gettext_lazy("Alarm"),
    "alarm-ended": gettext_lazy("Alarm ended"),
    "alarm-told": gettext_lazy("Alarm told to the officers"),
    "called": gettext_lazy("Officers told"),
    "call-dropped": gettext_lazy("Nobody had to be told any more"),
    "drill": gettext_lazy("Drill"),
    "gate-opened": gettext_lazy("Gate opened by hand"),
    "try-again": gettext_lazy("Delivery tried again"),
    "left-out": gettext_lazy("Channel left out"),
    "looked-up": gettext_lazy("Looked up at the platform"),
    "marked-sent": gettext_lazy("Marked as sent"),
    "logged-in": gettext_lazy("Logged in"),
    "role-asked": gettext_lazy("Role asked for"),
    "role-agreed": gettext_lazy("Second administrator agreed to a role"),
    "role-given": gettext_lazy("Role given"),
    "role-refused": gettext_lazy("Role refused"),
    "role-withdrawn": gettext_lazy("Role no longer asked for"),
    "role-taken": gettext_lazy("Role taken away"),
    "access-changed": gettext_lazy("Access changed"),
    "sittings-ended": gettext_lazy("Log-ins ended"),
    "reset-asked": gettext_lazy("Reset of second factors asked for"),
    "reset-done": gettext_lazy("Second factors reset"),
    "reset-refused": gettext_lazy("Reset of second factors refused"),
    "officer-made": gettext_lazy("Officer entered"),
    "officer-changed": gettext_lazy("Officer's name changed"),
    "invited": gettext_lazy("Invitation made"),
    "invitation-used": gettext_lazy("Invitation used"),
    "first-officer": gettext_lazy("First officer made"),
    "areas-imported": gettext_lazy("Districts imported"),
    "record-verified": gettext_lazy("Record checked"),
    "templates-loaded": gettext_lazy("Templates loaded"),
    "template-changed": gettext_lazy("Template changed"),
    "incoming-seen": gettext_lazy("Incoming warning acknowledged"),
    "incoming-drafted": gettext_lazy("Incoming warning became a draft"),
    "source-made": gettext_lazy("Source entered"),
    "source-changed": gettext_lazy("Source changed"),
    "intake-taken": gettext_lazy("Mail of an officer taken"),
    "intake-refused": gettext_lazy("Mail of an officer refused"),
    "intake-again": gettext_lazy("Mail read once more"),
    "held": gettext_lazy("Held after a restore"),
    "resumed": gettext_lazy("Resumed after a restore"),
}
COLOURS = {"ok": "ok", "wait": "wait", "run": "wait", "severe": "warn", "hold": "warn", "bad": "bad"}


@register.simple_tag
def icon(name: str) -> SafeString:
    """A picture of the sprite; words stand beside it, so readers of the screen skip it."""
    return format_html('<svg class="icon" aria-hidden="true"><use href="#i-{}"/></svg>', name)


@register.simple_tag
def state(name: str, words: Any) -> SafeString:
    """Icon, word and colour of a state: ok, wait, run, severe, hold or bad."""
    return format_html('<span class="state is-{}">{}{}</span>', COLOURS[name], icon(name), words)


@register.simple_tag
def draft_state(draft: Draft) -> SafeString:
    return state(STATES[DraftState(draft.state)], draft.get_state_display())


@register.simple_tag
def level_tag(content: Content, kind: str = "") -> SafeString:
    """The level as residents see it: shape, word and colour."""
    level = notice.level_of(content)
    words = notice.level_word(content, kind)
    return format_html('<span class="tag sev-{}">{}{}</span>', level, icon(level), words)


@register.filter
def level(content: Content) -> str:
    return notice.level_of(content)


@register.filter
def title(draft: Draft) -> str:
    """What a list calls a draft: its headline, behind the kind where the headline doesn't tell it."""
    words = summary.title(draft.content)
    # an all-clear and a false alarm say in their headline what they are
    return f"{Kind(draft.kind).label}: {words}" if draft.kind in {Kind.UPDATE, Kind.CORRECTION} else words


@register.filter
def writes_now(reader: Reader) -> bool:
    return readers.writes(reader)


@register.filter
def kind_word(kind: str) -> str:
    return str(Kind(kind).label)


@register.filter
def origin(draft: Draft) -> str:
    """Where the words of a draft come from that no officer began."""
    return drafting.origin(draft)


@register.filter
def event(draft: Draft) -> str:
    return summary.event_of(draft)


@register.filter
def area(content: Content) -> str:
    return notice.area_text(content)


@register.filter
def shape(content: Content) -> str:
    """The circles and drawn areas alone, without the districts that they touch."""
    return notice.area_text(replace(content, districts=(), touched=()))


@register.filter
def moment(value: dt.datetime | None) -> SafeString | str:
    """Date and time in words, as a ``time`` element."""
    if value is None:
        return ""
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), notice.moment(value))


@register.filter
def clock(value: dt.datetime | None) -> SafeString | str:
    """The time alone where it is today's, else with its date."""
    if value is None:
        return ""
    local = timezone.localtime(value)
    today = local.date() == timezone.localdate()
    words = _("{time}").format(time=f"{local:%H:%M}") if today else notice.moment(value)
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), words)


@register.filter
def seconds_clock(value: dt.datetime) -> SafeString:
    local = timezone.localtime(value)
    today = local.date() == timezone.localdate()
    words = f"{local:%H:%M:%S}" if today else f"{notice.moment(value)}"
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), words)


@register.filter
def span(value: dt.timedelta) -> str:
    """A stretch of time to the minute: ``1 h 44 min``."""
    return differences.duration(max(0, int(value.total_seconds() // 60)))


@register.filter
def since(value: dt.datetime) -> str:
    return span(timezone.now() - value)


@register.filter
def officer(user: AbstractBaseUser) -> str:
    return people.name(user)


@register.filter
def language(code: str) -> str:
    return language_name(code)


@register.filter
def writing_direction(code: str) -> str:
    return direction(code)


@register.filter
def pieces(change: differences.Change) -> SafeString:
    """A comparison with what goes and what comes; line breaks are kept."""
    marks = {"same": "{}", "added": "<ins>{}</ins>", "removed": "<del>{}</del>"}
    return format_html_join("", "{}", ((format_html(marks[piece.how], _lines(piece.text)),) for piece in change.pieces))


def _lines(text: str) -> SafeString:
    return format_html_join(SafeString("<br>"), "{}", ((line,) for line in text.split("\n")))


@register.filter
def plain_pieces(change: differences.Change) -> SafeString:
    """A line that has nothing to be compared with."""
    return _lines("".join(piece.text for piece in change.pieces))


@register.filter
def minutes(count: int) -> str:
    return differences.duration(count)


@register.filter
def channel_name(name: str) -> str:
    """What officers call a channel."""
    return desk().added.channel_label(name)


@register.filter
def action_word(action: str) -> str:
    """A line of the record in words."""
    return str(ACTIONS.get(action, action))


@register.filter
def seconds(value: dt.timedelta | float) -> str:
    """A short stretch of time: ``0,3 s`` below a minute, else as ``span``."""
    count = value.total_seconds() if isinstance(value, dt.timedelta) else value
    if count >= 60:
        return span(dt.timedelta(seconds=count))
    return _("{count} s").format(count=formats.number_format(max(0.0, count), 1))


@register.filter
def count(value: int) -> str:
    """A number as people read it: ``3.187``."""
    return formats.number_format(value, 0, force_grouping=True)


@register.filter
def rate(value: float) -> str:
    """How many a second: with one decimal where there are few."""
    return formats.number_format(value, 0 if value >= 10 else 1, force_grouping=True)


@register.filter
def time_left(value: float) -> str:
    """Seconds still to go, in whole seconds below two minutes, else as ``span``."""
    if value >= 120:
        return span(dt.timedelta(seconds=value))
    return _("{count} s").format(count=formats.number_format(max(1, round(value)), 0))


@register.filter
def plain(value: int) -> str:
    """A number as HTML's attributes want it."""
    return str(value)


@register.filter
def chosen_words(field: BoundField) -> str:
    """The chosen ones of a list of check boxes, by name."""
    chosen = set(field.value() or [])
    return ", ".join(str(label) for value, label in field.field.choices if value in chosen)  # type: ignore[attr-defined]
