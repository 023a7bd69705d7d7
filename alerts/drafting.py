"""Write a draft; derive an update, a correction, a false alarm, an all-clear from the latest message."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from . import areas, audit, pictures, ports, public, templating, wording
from .content import Content, Text, from_json, to_json
from .faults import LIMITS as LIMITS  # noqa: PLC0414  (others name it by this room)
from .faults import Fault as Fault  # noqa: PLC0414
from .faults import of_codes, of_times, of_words, written
from .models import OPEN, Alert, AuditEntry, Draft, DraftState, Message, Part, PartKind, ReleasePlan, Template, new_slug
from .notice import Notice, Rendering, notice
from .people import NotAllowed, Refused, may
from .terms import (
    MSG_TYPE,
    Certainty,
    Kind,
    MsgType,
    ResponseType,
    Severity,
    Status,
    Urgency,
    ui_language,
)

OUTSIDE = "draft-from-outside"
"""What the record calls a draft that no officer began."""


class Overwritten(Refused):
    """Somebody saved this draft in between; ``current`` is what stands there now."""

    def __init__(self, current: Draft) -> None:
        super().__init__(_("Somebody else has saved this draft meanwhile. Your text is not lost: compare both."))
        self.current = current


class NotEditable(Refused):
    """The draft is past editing."""


def new(by: User, *, status: str = Status.ACTUAL, template: Template | None = None) -> Draft:
    """The first draft of a new alert, from a template or blank, with the usual times filled in."""
    _writer(by)
    content = from_json(template.content_json) if template else Content(valid_for=240, next_in=60)
    if content.exercise and status == Status.ACTUAL:
        raise Refused(_("This template is written for exercises. Begin an exercise with it."))
    content = replace(content, status=status, facts_at=timezone.now().replace(second=0, microsecond=0))
    begun = {"template": template.key, "version": templating.number(template)} if template else {}
    with transaction.atomic():
        alert = Alert.objects.create(status=status, slug=new_slug(5 if status == Status.ACTUAL else 20))
        draft = Draft.objects.create(alert=alert, kind=Kind.WARNING, content_json=to_json(content))
        _wrote(draft, by)
        audit.record(by, "draft-new", subject(draft), kind=draft.kind, status=status, **begun)
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


def from_outside(
    content: Content, origin: str, base: Message | None = None, *, kind: str = "", alert: Alert | None = None
) -> Draft:
    """A draft that somebody else's words begin, without a part of any officer: any author may submit it.

    ``origin`` tells officers in one line where the words come from. With ``base`` it is the next message of that
    alert (an update unless ``kind`` says otherwise); ``alert`` is one whose first warning is still being written.
    Raises Refused where ``base`` is no longer the latest message.
    """
    kind = kind or (Kind.UPDATE if base else Kind.WARNING)
    with transaction.atomic():
        if base is not None:
            alert = Alert.objects.select_related("latest").get(pk=base.alert_id)
            if alert.latest is None or alert.latest.pk != base.pk:
                raise Refused(_("There is a newer message of this alert. Go on from that one."))
        elif alert is None:
            slug = new_slug(5 if content.status == Status.ACTUAL else 20)
            alert = Alert.objects.create(status=content.status, slug=slug)
        content = replace(content, status=alert.status, touched=areas.touched(content))
        draft = Draft.objects.create(alert=alert, kind=kind, base=base, content_json=to_json(content))
        data = {"base": base.identifier} if base else {}
        audit.record(None, OUTSIDE, subject(draft), kind=kind, status=alert.status, source=origin, **data)
    return draft


def origin(draft: Draft) -> str:
    """Where the words of a draft come from, in one line; "" for one that an officer began."""
    lines = AuditEntry.objects.filter(subject=subject(draft), action=OUTSIDE)
    return next((str(line.data.get("source", "")) for line in lines), "")


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


def faults(
    content: Content, *, kind: str, now: dt.datetime, drill: bool = False, before: Content | None = None
) -> list[Fault]:
    """All that keeps this content from being submitted (hard) or deserves a second look, in plain words.

    ``before`` is what the base message said, to notice a language that was left behind.
    """
    found = [*of_words(content), *of_codes(content, kind), *of_times(content, now, drill=drill)]
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
    return [*found, *wording.hints(content, kind, now=now, before=before)]


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
