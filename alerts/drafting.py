"""Write a draft; derive an update, a correction, a false alarm, an all-clear from the latest message."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from . import areas, audit, pictures, ports, public
from .content import Content, Text, from_json, to_json
from .models import OPEN, Alert, Draft, DraftState, Message, Part, PartKind, ReleasePlan, Template, new_slug
from .notice import Notice, Rendering, notice
from .people import NotAllowed, Refused, may
from .terms import (
    MSG_TYPE,
    Category,
    Certainty,
    Kind,
    MsgType,
    ResponseType,
    Severity,
    Status,
    Urgency,
    language_name,
    ui_language,
)

LIMITS = {"event": 80, "headline": 160, "description": 6000, "instruction": 4000, "short": 400}
OTHER_LIMITS = {"place": 120, "contact": 200, "web": 500, "note": 200}
# What can reorder or hide text (Unicode TR 36) is refused, since what is read must be what is there: all format
# characters and line separators, but for joiners, and for direction marks in text that runs from right to left
JOINERS = {"\u200c", "\u200d"}
MARKS = {"\u200e", "\u200f", "\u061c"}
GAP = re.compile(r"\{[^{}\n]{1,40}\}")
URL = re.compile(
    r"(?:https?://|www\.)[^\s<>\"']+"
    r"|(?<![@\w.-])(?:[a-z0-9-]+\.)+[a-z]{2,}(?=/)[^\s<>\"']*"
    r"|(?<![@\w.-])(?:[a-z0-9-]+\.)+(?:de|com|org|net|info|eu|io|app|link|ly|biz|ru|cn|to|me)\b",
    re.IGNORECASE,
)


class Overwritten(Refused):
    """Somebody saved this draft in between; ``current`` is what stands there now."""

    def __init__(self, current: Draft) -> None:
        super().__init__(_("Somebody else has saved this draft meanwhile. Your text is not lost: compare both."))
        self.current = current


class NotEditable(Refused):
    """The draft is past editing."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a draft: ``field`` to mend, ``words`` for the officer; a ``hard`` one stops submitting."""

    field: str
    code: str
    words: str
    hard: bool = True


def new(by: User, *, status: str = Status.ACTUAL, template: Template | None = None) -> Draft:
    """The first draft of a new alert, from a template or blank, with the usual times filled in."""
    _writer(by)
    content = from_json(template.content_json) if template else Content(valid_for=240, next_in=60)
    content = replace(content, status=status, facts_at=timezone.now().replace(second=0, microsecond=0))
    with transaction.atomic():
        alert = Alert.objects.create(status=status, slug=new_slug(5 if status == Status.ACTUAL else 20))
        draft = Draft.objects.create(alert=alert, kind=Kind.WARNING, content_json=to_json(content))
        _wrote(draft, by)
        audit.record(by, "draft-new", subject(draft), kind=draft.kind, status=status)
    return draft


def save(
    draft_id: int,
    version: int,
    content: Content,
    by: User,
    *,
    plan: str = ReleasePlan.NOW,
    release_at: dt.datetime | None = None,
    by_itself: bool = False,
) -> Draft:
    """Keep what was written on top of ``version``. Saving a submitted draft voids its submission.

    ``by_itself`` says that the page saved, not its officer: that never voids a submission, and leaves one
    line in the record however often it happens in a row. Raises Overwritten where another version stands
    there, NotEditable past submission.
    """
    _writer(by)
    with transaction.atomic():
        draft = Draft.objects.select_for_update(of=("self",)).select_related("alert").get(pk=draft_id)
        if not draft.editable and (by_itself or draft.state != DraftState.SUBMITTED):
            raise NotEditable(_("This draft can no longer be changed: it is “{state}”.").format(state=label(draft)))
        if draft.version != version:
            raise Overwritten(draft)
        content = replace(content, status=draft.alert.status, touched=areas.touched(content))
        voids = draft.state == DraftState.SUBMITTED
        draft.content_json = to_json(content)
        draft.plan = plan
        draft.release_at = release_at if plan == ReleasePlan.AT else None
        draft.version += 1
        draft.digest = ""
        if voids:
            draft.state = DraftState.RETURNED
            draft.reason = _("Changed after it was submitted.")
        draft.save()
        _wrote(draft, by)
        if not (by_itself and audit.ends_with(by, "draft-kept", subject(draft))):
            action = "draft-kept" if by_itself else "draft-saved"
            audit.record(by, action, subject(draft), version=draft.version, voids=voids)
    return draft


def derive(message: Message, kind: str, by: User) -> Draft:
    """The next draft of an alert in one step, from its latest message, also after that has expired.

    Update and correction start as a copy with the facts' time to be set anew; false alarm and
    all-clear start with the fixed words that ``cap.md`` asks for.
    """
    _writer(by)
    if kind == Kind.WARNING:
        raise Refused(_("A warning starts a new alert; this one goes on with an update."))
    alert = Alert.objects.select_related("latest").get(pk=message.alert_id)
    if alert.latest is None or alert.latest.pk != message.pk:
        raise Refused(_("There is a newer message of this alert. Go on from that one."))
    content = follow_up(message.content, kind)
    with transaction.atomic():
        draft = Draft.objects.create(alert=alert, kind=kind, base=message, content_json=to_json(content))
        _wrote(draft, by)
        audit.record(by, "draft-new", subject(draft), kind=kind, base=message.identifier)
    return draft


def follow_up(content: Content, kind: str) -> Content:
    """The content that a next message of ``kind`` starts from; pure but for the clock."""
    content = replace(
        content,
        facts_at=timezone.now().replace(second=0, microsecond=0),
        effective=None,
        onset=None,
        expires=None,
        valid_for=240,
        next_by=None,
        next_in=60,
        touched=content.touched,
    )
    if MSG_TYPE[Kind(kind)] != MsgType.CANCEL:
        return content
    texts = {}
    for language, text in content.texts.items():
        with override(ui_language(language)):
            texts[language] = _closing(text, kind)
    return replace(
        content,
        texts=texts,
        response=(ResponseType.ALL_CLEAR,),
        urgency=Urgency.PAST,
        severity=Severity.MINOR,
        certainty=Certainty.OBSERVED,
        valid_for=24 * 60,
        next_in=None,
    )


def _closing(text: Text, kind: str) -> Text:
    if kind == Kind.FALSE_ALARM:
        return Text(
            event=text.event,
            headline=_("False alarm: {event}").format(event=text.event),
            description=_("Our earlier warning was a mistake. There is no danger and there was none."),
            instruction=_("You don't need to do anything."),
        )
    return Text(
        event=text.event,
        headline=_("All-clear: {event}").format(event=text.event),
        description=_("The danger is over."),
        instruction=_("You can return to your everyday life."),
    )


def take_up(draft: Draft, by: User) -> Draft:
    """The text of a lapsed or withdrawn draft as a new draft upon the alert's latest message."""
    _writer(by)
    if draft.state not in {DraftState.LAPSED, DraftState.WITHDRAWN}:
        raise Refused(_("Only a lapsed or withdrawn draft is taken up again."))
    alert = Alert.objects.select_related("latest").get(pk=draft.alert_id)
    if alert.latest is None and Draft.objects.filter(alert=alert, state__in=OPEN).exists():
        raise Refused(_("The first warning of this alert is being written again already."))
    kind = draft.kind
    if alert.latest is not None and kind == Kind.WARNING:
        kind = Kind.UPDATE
    with transaction.atomic():
        copy = Draft.objects.create(alert=alert, kind=kind, base=alert.latest, content_json=draft.content_json)
        _wrote(copy, by)
        audit.record(by, "draft-taken-up", subject(copy), source=subject(draft))
    return copy


def notices(draft: Draft, content: Content | None = None) -> list[Notice]:
    """One notice for each of the city's languages that the draft has words in; the required ones always."""
    content = content or draft.content
    languages = [
        language
        for language in settings.CONTENT_LANGUAGES
        if language in settings.REQUIRED_LANGUAGES or written(content, language)
    ]
    return [
        notice(
            content,
            slug=draft.alert.slug,
            kind=draft.kind,
            msg_type=MSG_TYPE[Kind(draft.kind)],
            language=language,
            fallback=settings.CONTENT_LANGUAGES[0],
            city=public.city(),
        )
        for language in languages
    ]


def preview(draft: Draft) -> list[Rendering]:
    """What every channel would say now; raises ports.CannotCompose."""
    start = draft.release_at or timezone.now()
    content = draft.content if draft.plan == ReleasePlan.DRILL else draft.content.settled(start)
    return ports.compose(pictures.imagined(notices(draft, content)))


def written(content: Content, language: str) -> bool:
    """Whether anything was written in this language."""
    text = content.texts.get(language)
    return text is not None and any((text.headline, text.description, text.instruction, text.short))


def faults(content: Content, *, kind: str, now: dt.datetime, drill: bool = False) -> list[Fault]:
    """All that keeps this content from being submitted (hard) or deserves a second look, in plain words."""
    found = [*_words(content), *_codes(content, kind), *_times(content, now, drill=drill)]
    if not content.place.strip():
        found.append(Fault("place", "no-place", _("The place is missing. A warning names where it holds.")))
    if not content.has_area:
        found.append(
            Fault(
                "area",
                "no-area",
                _("The area is missing. Without an area nothing goes out: no area never means everyone."),
            )
        )
    else:
        found += [
            Fault(f"area-{fault.field}", fault.code, fault.words, fault.hard) for fault in areas.faults_of_area(content)
        ]
    return found


def _words(content: Content) -> Iterator[Fault]:
    for language in settings.REQUIRED_LANGUAGES:
        if not written(content, language):
            yield Fault(
                f"text-{language}-headline",
                "no-language",
                _("{language} is missing. Without it the warning does not go out.").format(
                    language=language_name(language)
                ),
            )
    for language, text in content.texts.items():
        name = language_name(language)
        if language not in settings.CONTENT_LANGUAGES:
            yield Fault(
                f"text-{language}", "language", _("{language} is none of the city's languages.").format(language=name)
            )
            continue
        if written(content, language):
            for field, words in (
                ("event", _("{language}: what happened is missing (in a few words).")),
                ("headline", _("{language}: the headline is missing.")),
                ("instruction", _("{language}: what to do is missing. Short sentences, one a line.")),
            ):
                if not getattr(text, field).strip():
                    yield Fault(f"text-{language}-{field}", f"no-{field}", words.format(language=name))
        if any(GAP.search(getattr(text, field)) for field in LIMITS):
            yield Fault(
                f"text-{language}-headline",
                "gap",
                _("{language}: a gap of the template is not filled in yet.").format(language=name),
            )
        for field, limit in LIMITS.items():
            yield from _plain(f"text-{language}-{field}", name, getattr(text, field), limit)
    for field, limit in OTHER_LIMITS.items():
        yield from _plain(field, "", getattr(content, field), limit)
    if content.web and not re.fullmatch(r"https?://[^\s\\/]+(?:/[^\s\\]*)?", content.web):
        yield Fault("web", "web", _("The link must begin with https://."))


def _plain(field: str, name: str, value: str, limit: int) -> Iterator[Fault]:
    where = f"{name}: " if name else ""
    if len(value) > limit:
        yield Fault(
            field,
            "too-long",
            where
            + _("too long by {over} characters; {limit} are allowed.").format(over=len(value) - limit, limit=limit),
        )
    if any(unicodedata.category(letter) in {"Cc", "Cs", "Cn", "Co"} and letter not in "\n\r\t" for letter in value):
        yield Fault(
            field,
            "control",
            where + _("holds invisible control characters. Type the text anew or paste it as plain text."),
        )
    if _hidden(value):
        yield Fault(
            field,
            "hidden",
            where + _("holds characters that hide or reorder text. Type the text anew or paste it as plain text."),
        )
    own = urlsplit(settings.ADDRESS).hostname or ""
    for url in URL.findall(value[: 4 * limit]):
        host = (urlsplit(url if "//" in url else f"//{url}").hostname or "").lower()
        if "\\" in url or not any(
            host == allowed or host.endswith(f".{allowed}") for allowed in (own, *settings.LINK_HOSTS)
        ):
            yield Fault(
                field,
                "link",
                where
                + _("links to {host}, which is not among the city's hosts (setting BELFRY_LINK_HOSTS).").format(
                    host=host
                ),
            )


def _hidden(value: str) -> bool:
    """Whether a text holds characters that nobody sees and that change what is read."""
    found = {letter for letter in value if unicodedata.category(letter) in {"Cf", "Zl", "Zp"}} - JOINERS
    if found & MARKS and any(
        unicodedata.bidirectional(letter) in {"R", "AL"} for letter in value if letter not in MARKS
    ):
        found -= MARKS
    return bool(found)


def _codes(content: Content, kind: str) -> Iterator[Fault]:
    if not content.category:
        yield Fault("category", "no-category", _("The kind of danger is missing."))
    for field, values, known in (
        ("category", content.category, Category.values),
        ("urgency", (content.urgency,), Urgency.values),
        ("severity", (content.severity,), Severity.values),
        ("certainty", (content.certainty,), Certainty.values),
        ("response", content.response, ResponseType.values),
    ):
        if set(values) - set(known):
            yield Fault(field, "unknown-word", _("“{value}” is not a word of CAP 1.2.").format(value=", ".join(values)))
    if MSG_TYPE[Kind(kind)] == MsgType.CANCEL and not content.all_clear:
        yield Fault("response", "no-all-clear", _("An all-clear or false alarm says “All-clear” as what to do."))
    if MSG_TYPE[Kind(kind)] != MsgType.CANCEL and content.all_clear:
        yield Fault("response", "all-clear", _("“All-clear” belongs to an all-clear. Use “Give the all-clear” for it."))


def _times(content: Content, now: dt.datetime, *, drill: bool) -> Iterator[Fault]:
    if content.facts_at is None and not drill:
        yield Fault("facts_at", "no-facts-time", _("The time of the facts is missing."))
    elif content.facts_at is not None and content.facts_at > now + dt.timedelta(minutes=5):
        yield Fault("facts_at", "facts-later", _("The time of the facts lies in the future."))
    if content.expires is None and not content.valid_for:
        yield Fault("expires", "no-expires", _("Until when it holds is missing."))
    elif content.valid_for is not None and not 0 < content.valid_for <= 60 * 24 * 60:
        yield Fault("expires", "duration", _("It can hold for one minute to 60 days."))
    elif content.expires is not None and content.expires <= now:
        yield Fault("expires", "expired", _("The end lies in the past. Say until when the warning holds."))
    if drill and content.valid_for is None:
        yield Fault("expires", "drill-duration", _("An exercise kept ready for a drill needs a duration, not a time."))
    if content.next_by is not None and content.next_by <= now:
        yield Fault("next_by", "next-past", _("The next message is promised for a time that has passed."))
    if content.next_by is not None and content.expires is not None and content.next_by > content.expires:
        yield Fault(
            "next_by", "next-late", _("The next message is promised for after the end of this one."), hard=False
        )
    for field in ("effective", "onset"):
        begins = getattr(content, field)
        if begins and content.expires and begins >= content.expires:
            yield Fault(field, "order", _("It ends before it begins."))


def subject(draft: Draft) -> str:
    """How the record names a draft."""
    return f"draft {draft.pk} of alert {draft.alert_id}"


def label(draft: Draft) -> str:
    return str(DraftState(draft.state).label)


def _writer(by: User) -> None:
    if not may(by, "alerts.write_draft"):
        raise NotAllowed(_("Your role does not allow writing alerts."))


def _wrote(draft: Draft, by: User) -> None:
    Part.objects.get_or_create(draft=draft, officer=by, defaults={"part": PartKind.WROTE})
