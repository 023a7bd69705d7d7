"""What lists and heads of pages say about an alert, a draft, a template."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from ..content import Content, Text
from ..models import Alert, Draft, Message, Template
from ..terms import MsgType
from . import gaps


@dataclass(frozen=True, slots=True)
class LiveAlert:
    """An alert by its latest message. ``overdue`` is how long the promised next message has not come."""

    alert: Alert
    message: Message
    content: Content
    title: str
    since: dt.timedelta
    overdue: dt.timedelta | None
    live: bool

    @property
    def slug(self) -> str:
        return self.alert.slug

    @property
    def status(self) -> str:
        return self.alert.status

    @property
    def ran_out(self) -> bool:
        """Ended by its time alone, without an all-clear."""
        return not self.live and self.message.msg_type != MsgType.CANCEL


def live_alert(alert: Alert, now: dt.datetime) -> LiveAlert:
    """The summary of an alert that has a latest message."""
    message = alert.latest
    if message is None:
        raise ValueError("nothing of this alert was released yet")
    content = message.content
    live = message.is_live(now)
    promised = content.next_by
    overdue = now - promised if live and promised and promised < now else None
    return LiveAlert(alert, message, content, title(content), now - message.sent, overdue, live)


def first_text(content: Content) -> Text:
    """The words in the city's first language that has any."""
    for language in (*settings.CONTENT_LANGUAGES, *content.texts):
        text = content.texts.get(language)
        if text is not None and (text.headline or text.event):
            return text
    return Text()


def title(content: Content) -> str:
    """The headline, else the event and place, else that there is none yet."""
    text = first_text(content)
    words = text.headline or " ".join(part for part in (text.event, content.place) if part) or _("(no headline yet)")
    return gaps.GAP.sub("…", words)


def event_of(draft: Draft) -> str:
    """What an alert is called in crumbs and heads: the event and place of its draft."""
    text = first_text(draft.content)
    return ", ".join(part for part in (text.event, draft.content.place) if part) or _("New alert")


def name_of(template: Template) -> str:
    """The template's name in the officer's language."""
    names = template.names
    language = (get_language() or "de").split("-", 1)[0]
    return str(names.get(language) or next(iter(names.values()), template.key))
