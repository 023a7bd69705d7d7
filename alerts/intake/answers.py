"""What comes back to an officer who wrote a mail: owed rows first, then sent, never to a stranger."""

from __future__ import annotations

import datetime as dt
import logging
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from .. import approval, drafting, ports
from ..desk.site import desk
from ..models import Draft, DraftState, Intake, IntakeWay
from ..notice import Rendering
from ..terms import language_name
from . import shown, vocabulary
from .letters import one_line
from .mail import Mail

log = logging.getLogger(__name__)

HOUR = dt.timedelta(hours=1)
LEASE = dt.timedelta(minutes=2)
LATER = dt.timedelta(seconds=60)
MOST_WRONG = 3
"""Answers to wrong codes within an hour for one address."""
LONGEST = 60_000
LONGEST_SUBJECT = 150
WRONG = "wrong-code"
NO_WORDS = {
    "html",
    "picture",
    "card",
    "circles",
    "polygons",
    "hit",
    "districts",
    "categories",
    "status",
    "topic",
    "urgency",
}
"""Fields of a rendering that are no words, or that say again in another form what stands beside them."""

_CODE = re.compile(r"[a-z0-9_:/.#+-]*|\d{4}-\d\d-\d\dT.*")
"""A value that is a key, an address or a time for machines."""
_ENGLISH = re.compile(
    r"(?im)^\W*(?:re:\s*)*(?:approved?|approval|return(?:ed)?|reject|all[ -]?clear|update|event|area|severity|valid"
    r"|place|headline|template|what to do|next message|draft)\b"
)
_GERMAN = re.compile(
    r"(?im)^\W*(?:(?:re|aw):\s*)*(?:freigabe|zur(?:ü|ue)ck|entwarnung|aktualisierung|ereignis|gebiet|stufe|gültig"
    r"|gueltig|ort|überschrift|ueberschrift|vorlage|was tun|nächste meldung|entwurf)\b"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """``subject`` and ``body`` as plain text; ``most`` how many of its ``kind`` one address gets within an hour."""

    subject: str
    body: str
    most: int

    @property
    def gist(self) -> str:
        """Its first line, for lists."""
        return self.body.partition("\n")[0]

    def owed(self, to: User) -> dict[str, Any]:
        """The columns that owe it to an officer; none where he had too many within the hour."""
        lately = Intake.objects.filter(way=IntakeWay.MAIL, reply_to=to.email, done_at__gt=timezone.now() - HOUR)
        if not to.email or lately.exclude(reply="").count() >= self.most:
            return {}
        subject = one_line(self.subject, LONGEST_SUBJECT)
        body = self.body[:LONGEST].replace("\0", "")  # PostgreSQL keeps none
        return {"reply": f"{subject}\n\n{body}", "reply_to": to.email}


def language(mail: Mail) -> str:
    """The language of the words that an officer used for fields and orders; German where there is no telling."""
    said = f"{mail.subject}\n{mail.text[:5000]}"
    return "en" if len(_ENGLISH.findall(said)) > len(_GERMAN.findall(said)) else "de"


def plain(mail: Mail, words: str, draft: Draft | None = None, *, example: bool = False) -> Answer:
    """A few words, in the language that is active; with a draft's number in the subject, so that a reply finds it."""
    context = {
        "words": words,
        "draft": draft,
        "link": f"{settings.ADDRESS}/desk/drafts/{draft.pk}/" if draft else "",
        "example": first_example() if example else "",
    }
    subject = _("Draft {number}: {words}").format(number=draft.pk, words=words) if draft else _re(mail)
    return Answer(subject, _text("intake-plain", context), settings.INTAKE_ANSWERS)


def wrong_code(mail: Mail, words: str) -> Answer:
    with translation.override(language(mail)):
        return Answer(_re(mail), _text("intake-code", {"words": words}), MOST_WRONG)


def fallen(intake: Intake) -> Answer:
    """An officer's mail that we could not carry out, whatever the reason."""
    words = _("Your mail arrived, but could not be carried out. Call the duty officer or use the desk.")
    return Answer(words, _text("intake-plain", {"words": words, "draft": intake.draft}), settings.INTAKE_ANSWERS)


def of_draft(
    draft: Draft,
    *,
    done: str,
    missing: Sequence[drafting.Fault],
    told: Sequence[str],
    language: str,
) -> Answer:
    """All about a draft: its number, what is missing with lines to copy, what every channel would say, what is next."""
    submitted = draft.state == DraftState.SUBMITTED
    renderings = approval.renderings_of(draft) if submitted else _previewed(draft)
    context = {
        "draft": draft,
        "done": done,
        "state": drafting.label(draft),
        "missing": [(fault.words, example_for(fault.field, language)) for fault in missing],
        "told": told,
        "order": order_to_approve(draft, language) if submitted else "",
        "form": "" if submitted else shown.show(draft.content, language),
        "channels": list(spoken(renderings)),
        "link": f"{settings.ADDRESS}/desk/drafts/{draft.pk}/",
    }
    subject = _("Draft {number}: {words}").format(number=draft.pk, words=done)
    return Answer(subject, _text("intake-draft", context), settings.INTAKE_ANSWERS)


def order_to_approve(draft: Draft, language: str = "de") -> str:
    """The line with which a second officer approves a submitted draft by mail, but for his code."""
    word = "APPROVE" if language == "en" else "FREIGABE"
    return f"{word} {draft.pk}-{draft.digest[:8].upper()}"


def example_for(field: str, language: str) -> str:
    """A line to copy that mends a fault; empty where no line of the form does."""
    names = vocabulary.PRINTED["en" if language == "en" else "de"]
    english = language == "en"
    examples = {
        "place": "place",
        "area": "area",
        "severity": "severity",
        "category": "category",
        "expires": "valid",
        "next_by": "next",
    }
    values = {
        "place": "Dimitroffstraße",
        "area": "51.3348, 12.3727 600 m",
        "severity": "high" if english else "hoch",
        "category": "Fire" if english else "Feuer",
        "valid": "4 hours" if english else "4 Stunden",
        "next": "1 hour" if english else "1 Stunde",
        "event": "…",
        "headline": "…",
        "instruction": "…",
    }
    if field.startswith("area"):
        field = "area"
    if name := examples.get(field):
        return f"{names[name]}: {values[name]}"
    if field.startswith("text-"):
        spoken, _dash, part = field.removeprefix("text-").rpartition("-")
        sign = vocabulary.SIGNS.get(spoken, spoken.upper())
        return f"{sign}:\n{names.get(part, names['headline'])}: …"
    return ""


def first_example() -> str:
    """A whole mail to copy, in the language that is active."""
    return render_to_string("mail/intake-example.txt").strip()


def spoken(renderings: Sequence[Rendering]) -> Iterator[tuple[str, str]]:
    """Each channel's words as plain text, under its name and language."""
    for one in sorted(renderings, key=lambda one: (one.channel, one.language)):
        words = words_of(one.fields)
        if words:
            yield f"{desk().added.channel_label(one.channel)}, {language_name(one.language)}", words


def words_of(fields: Mapping[str, Any]) -> str:
    """What a resident reads of a rendering: its text where it has one, else every value that is words."""
    if isinstance(fields.get("text"), str):
        lines = [str(fields[name]) for name in ("subject", "text") if fields.get(name)]
    else:
        lines = [line for name, value in fields.items() if name not in NO_WORDS for line in _words(value)]
    text = "\n".join(dict.fromkeys(line.strip() for line in lines if line.strip()))
    link = fields.get("link") or fields.get("url")
    return f"{text}\n{link}" if isinstance(link, str) and link and link not in text else text


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str) and not _CODE.fullmatch(value):
        yield value
    elif isinstance(value, Mapping):
        yield words_of(value)
    elif isinstance(value, list | tuple):
        for one in value:
            named = isinstance(one, list | tuple) and len(one) == 2 and all(isinstance(part, str) for part in one)
            yield from [": ".join(one)] if named else _words(one)


def _previewed(draft: Draft) -> list[Rendering]:
    try:
        return drafting.preview(draft)
    except ports.CannotCompose:
        return []


def _re(mail: Mail) -> str:
    subject = one_line(mail.subject, 100)
    return subject if subject.lower().startswith("re:") else f"Re: {subject}"


def _text(name: str, context: Mapping[str, Any]) -> str:
    text = render_to_string(f"mail/{name}.txt", dict(context))
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"


def send_owed(most: int = 50) -> None:
    """Send what is owed; what the server does not take stays owed.

    A process that dies between sending and writing that down has the answer sent again, with the same
    Message-ID: better twice than never.
    """
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=timezone.now())
    rows = Intake.objects.filter(free, way=IntakeWay.MAIL, done_at__isnull=False, answered_at__isnull=True)
    rows = rows.exclude(reply="")
    for pk in list(rows.order_by("pk").values_list("pk", flat=True)[:most]):
        lease = secrets.token_hex(16)
        if rows.filter(pk=pk).update(lease=lease, lease_until=timezone.now() + LEASE) != 1:
            continue
        intake = Intake.objects.get(pk=pk)
        subject, _gap, body = intake.reply.partition("\n\n")
        mine = Intake.objects.filter(pk=pk, lease=lease)
        answers = intake.key if re.fullmatch(r"<[^<>\s]+>", intake.key) else ""
        try:
            ports.mail(intake.reply_to, subject, body, key=f"intake-{pk}-{intake.sha256[:16]}", answers=answers)
        except OSError as error:  # smtplib's errors are OSError
            mine.update(lease_until=timezone.now() + LATER)
            log.warning("answer to intake %s: %s", pk, type(error).__name__)
            return
        mine.update(answered_at=timezone.now(), lease_until=None)
