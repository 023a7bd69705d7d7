"""What officers do with an incoming warning: acknowledge it, begin a draft with it; and the keeping of sources."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts import alarms, audit, drafting, faults
from alerts.content import Content, from_json
from alerts.models import OPEN, Draft, Incoming, ItemState, Source
from alerts.people import NotAllowed, Refused, may
from alerts.terms import Kind, MsgType

from . import escalating, items

KEEPS = "auth.change_user"
"""What an administrator may; sources have no permission of their own yet."""


def acknowledge(item_id: int, by: User) -> int:
    """This officer has read it, with all that was told of the same event so far; how many warnings that were."""
    if not (may(by, "alerts.write_draft") or may(by, "alerts.approve_draft")):
        raise NotAllowed(_("Your role does not allow acknowledging warnings."))
    with transaction.atomic():
        item = Incoming.objects.get(pk=item_id)
        # what came after the officer's page was made is not acknowledged by it: it is newer than the item
        mine = Incoming.objects.filter(event=item.event, state=ItemState.NEW, pk__lte=item.pk)
        identifiers = list(mine.values_list("identifier", flat=True))
        count = mine.update(state=ItemState.SEEN, seen_by=by, seen_at=timezone.now())
        if count:
            audit.record(by, "incoming-seen", _subject(item), identifiers=identifiers)
    if not items.owed().filter(event=item.event).exists():
        alarms.end(escalating.key(item.event))
    return count


def draft(item_id: int, by: User) -> Draft:
    """A draft that begins with what the item says; of an event that we have warned of, the next message of that alert.

    Whoever asks for it has written it: another officer approves. Acknowledges the item as well.
    """
    if not may(by, "alerts.write_draft"):
        raise NotAllowed(_("Your role does not allow writing alerts."))
    with transaction.atomic():
        item = Incoming.objects.select_for_update(of=("self",)).select_related("source", "draft__alert").get(pk=item_id)
        if item.draft is not None and (item.draft.state in OPEN or item.draft.alert.latest_id is not None):
            raise Refused(_("This warning has become draft {number} already.").format(number=item.draft_id))
        begun = _begun(item)
        content = _content(item)
        if begun is not None and begun.state in OPEN:
            text = _("Draft {number} about the same event is open. Write on there, or put it away first.")
            raise Refused(text.format(number=begun.pk))
        latest = begun.alert.latest if begun is not None else None
        if latest is not None and latest.msg_type != MsgType.CANCEL:
            kind = Kind.ALL_CLEAR if item.msg_type == MsgType.CANCEL else Kind.UPDATE
            made = drafting.derive(latest, kind, by)
            if kind == Kind.UPDATE:
                made = drafting.save(made.pk, made.version, content, by)
        elif item.msg_type == MsgType.CANCEL:
            raise Refused(_("This is an all-clear, and the city has not warned of the event. There is nothing to end."))
        else:
            made = drafting.new(by, status=item.status)
            made = drafting.save(made.pk, made.version, content, by)
        Incoming.objects.filter(pk=item.pk).update(state=ItemState.DRAFTED, draft=made)
        _seen_too(item, by)
        audit.record(by, "incoming-drafted", _subject(item), draft=made.pk, source=item.source.name)
    acknowledge(item_id, by)
    return made


def missing_languages(made: Draft) -> list[str]:
    """The required languages that the draft has no words in."""
    return [language for language in settings.REQUIRED_LANGUAGES if not faults.written(made.content, language)]


def attribution(item: Incoming) -> str:
    """Where it comes from, in one line."""
    sent = timezone.localtime(item.sent)
    words = _("After {source}: {sender}, {identifier}, {time}")
    sender = item.sender or item.source.name
    return words.format(
        source=item.source.name, sender=sender, identifier=item.identifier, time=f"{sent:%d.%m.%Y %H:%M}"
    )


def told(item: Incoming) -> Content:
    return from_json(item.content_json)


def _begun(item: Incoming) -> Draft | None:
    """The newest draft that began with a warning of the same event and was not dropped."""
    rows = Draft.objects.filter(incoming__event=item.event).select_related("alert__latest").order_by("-pk")
    return next((row for row in rows if row.state in OPEN or row.alert.latest_id is not None), None)


def _content(item: Incoming) -> Content:
    """What a draft begins with: the source's words and area, our own times, the source named."""
    content = told(item)
    ends = content.expires if content.expires and content.expires > timezone.now() + dt.timedelta(minutes=5) else None
    texts = {language: text for language, text in content.texts.items() if language in settings.CONTENT_LANGUAGES}
    return replace(
        content,
        texts=texts,
        effective=None,
        onset=content.onset if content.onset and content.onset > timezone.now() else None,
        expires=ends,
        valid_for=None if ends else 240,
        facts_at=item.sent.replace(second=0, microsecond=0),
        next_by=None,
        next_in=60,
        note=attribution(item)[:200],
    )


def _seen_too(item: Incoming, by: User) -> None:
    if item.seen_at is None:
        Incoming.objects.filter(pk=item.pk).update(seen_by=by, seen_at=timezone.now())


def _subject(item: Incoming) -> str:
    return f"incoming {item.pk}"


# Sources


def keep(source: Source, by: User) -> Source:
    """Write down a source that was made or changed; it is asked at once."""
    if not may(by, KEEPS):
        raise NotAllowed(_("Your role does not allow changing sources."))
    with transaction.atomic():
        made = source.pk is None
        source.etag = source.modified = source.words = ""
        source.failures = 0
        source.due_at = timezone.now()
        source.save()
        action = "source-made" if made else "source-changed"
        audit.record(by, action, f"source {source.pk}", name=source.name, kind=source.kind, active=source.active)
    alarms.end(f"source {source.pk}")
    return source
