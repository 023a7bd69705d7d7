"""What officers are told of a draft: its level, headline, place, author and a link; nothing else of what it says."""

from __future__ import annotations

import unicodedata

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import override

from .content import Content, Text
from .models import CallKind, Draft, Part, PartKind
from .notice import exercise_text, level_word
from .ports import Words
from .terms import ui_language

AGAIN = "again"
"""The kind of call that says once more that a draft waits."""
LONGEST = 160
"""Characters that one line of an officer's words may have here."""
BREAKS, HIDDEN = {"Cc", "Zl", "Zp"}, {"Cf", "Cs", "Co", "Cn"}
"""Unicode's categories of what ends a line, and of what nobody sees though it can reorder the rest."""


def said(draft: Draft, kind: str) -> Words:
    """The words of a call, in the city's first language."""
    with override(ui_language(settings.CONTENT_LANGUAGES[0])):
        content = draft.content
        lead, sentence, button = _lead(kind)
        subject = f"{lead}: {what(content)} ({level_word(content, draft.kind)})"
        if content.exercise:
            subject = f"{settings.EXERCISE_WORD}: {lead}: {what(content)}"
            sentence = f"{settings.EXERCISE_WORD}. {sentence}"
        link = address_of(draft)
        facts = [
            (_("Level"), level_word(content, draft.kind)),
            (_("Headline"), _headline(content)),
            (_("Place"), content.place),
            (_("Written by"), ", ".join(called(officer) for officer in authors(draft))),
        ]
        lines = "\n".join(f"{name}: {one_line(value)}" for name, value in facts if one_line(value))
        return Words(one_line(subject), f"{sentence}\n\n{lines}\n\n{button}\n{link}\n", link)


def what(content: Content) -> str:
    """What happened and where, as one line; in the active language where nothing is written."""
    text = _text(content)
    event, place = text.event or ("" if content.exercise else text.headline) or _("Alert"), content.place
    return one_line(event if not place or place in event else f"{event} {place}")


def address_of(draft: Draft) -> str:
    return f"{settings.ADDRESS}/desk/drafts/{draft.pk}/"


def marked(draft: Draft, text: str) -> str:
    """An alarm's text about a draft, its ``{what}`` filled in; one about an exercise says so first."""
    words = text.format(what=what(draft.content))
    return f"{settings.EXERCISE_WORD}: {words}" if draft.content.exercise else words


def called(officer: User) -> str:
    """How an officer is called: by name, where the account has one."""
    return one_line(officer.get_full_name() or officer.get_username())


def authors(draft: Draft) -> list[User]:
    """Who wrote or submitted it."""
    parts = Part.objects.filter(draft=draft).exclude(part=PartKind.APPROVED).select_related("officer").order_by("pk")
    return [part.officer for part in parts]


def one_line(text: str) -> str:
    """A text that can stand in a header: no line break, nothing that hides or reorders what is read, not too long."""
    kinds = [(letter, unicodedata.category(letter)) for letter in text]
    line = " ".join("".join(" " if kind in BREAKS else letter for letter, kind in kinds if kind not in HIDDEN).split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1].rstrip()}…"


def _lead(kind: str) -> tuple[str, str, str]:
    """Of a kind of call: how the subject begins, the first sentence, what the link is for."""
    if kind == CallKind.RETURNED:
        return _("Returned"), _("Your draft was returned. The reason stands at the draft."), _("Read and mend it:")
    if kind == CallKind.RELEASED:
        return _("Sent out"), _("Your draft was approved and is being sent out."), _("Look at it:")
    if kind == CallKind.LAPSED:
        return (
            _("Not sent out"),
            _("Your draft has lapsed and does not go out. The reason stands at the draft."),
            _("Look at it and take it up again:"),
        )
    if kind == AGAIN:
        return _("Still to be approved"), _("A draft still waits for your approval."), _("Read and approve it:")
    return _("Approval needed"), _("A draft waits for your approval."), _("Read and approve it:")


def _text(content: Content) -> Text:
    """The words in the first of the city's languages that has any."""
    for language in (*settings.CONTENT_LANGUAGES, *content.texts):
        text = content.texts.get(language)
        if text is not None and (text.event or text.headline):
            return text
    return Text()


def _headline(content: Content) -> str:
    """In an exercise the fixed one: its own may hold the order (DESIGN, rule 7)."""
    text = _text(content)
    return exercise_text(text.event, content.place).headline if content.exercise else text.headline
