"""Keep the ready-made texts: every change is a new version, an old one comes back as a new one, nothing is deleted."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace

from cattrs import ClassValidationError
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from . import audit
from .content import Content, Text, from_json, to_json
from .faults import GAP, LIMITS, Fault, of_codes, of_text, of_words
from .models import Message, Template, TemplateVersion
from .people import NotAllowed, Refused, may
from .terms import Kind, Status, language_name, ui_language

NAME = 80
NOTE = 200
LONGEST = 60 * 24 * 60
"""Minutes that a message can hold; as for a draft."""
TAKEN = {"new"}
"""Keys that are addresses of the desk's own."""
UNFINISHED = {"no-language", "no-event", "no-headline", "no-instruction", "gap", "no-category"}
"""What a draft lacks before it is submitted, but a template may leave to it."""


class Unfit(Refused):
    """No draft could go out from this as it stands; ``faults`` say why, by field."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(" ".join(fault.words for fault in faults))
        self.faults = faults


class ChangedMeanwhile(Refused):
    """Somebody else has changed this template; ``current`` is what it says now."""

    def __init__(self, template: Template) -> None:
        super().__init__(_("Somebody else has changed this template meanwhile. Nothing is lost: compare both."))
        self.template = template


@dataclass(frozen=True, slots=True)
class Wording:
    """What a template says: all that a version keeps. ``names`` by interface language."""

    kind: str
    names: Mapping[str, str]
    content: Content


def number(template: Template) -> int:
    """The version in use; 0 where none was kept yet."""
    return template.versions.aggregate(last=Max("number"))["last"] or 0


def wording(row: Template | TemplateVersion) -> Wording | None:
    """What a template or an old version of it says; None where that is no content (any more)."""
    try:
        return Wording(row.kind, row.names, from_json(row.content_json))
    except (ClassValidationError, TypeError, AttributeError):
        return None


def make(by: User, key: str, said: Wording, note: str, *, active: bool = True) -> Template:
    """A new template, its first version. Raises Unfit, or Refused where the key is taken."""
    _keeper(by)
    said = _fit(said)
    if key in TAKEN or not re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", key) or len(key) > 60:
        raise Refused(_("The key has small letters, digits and hyphens alone, like “sturm-warnung”."))
    last = Template.objects.aggregate(last=Max("order"))["last"]
    try:
        with transaction.atomic():
            template = Template.objects.create(key=key, order=(last or 0) + 1, active=active, **_columns(said))
            _version(template, 1, said, by, note)
            _record(by, template, "made", 1)
    except IntegrityError as error:
        raise Refused(_("There is a template with this key already. Choose another key.")) from error
    return template


def change(by: User, key: str, seen: int, said: Wording, note: str) -> TemplateVersion:
    """What the template says from now on, in place of version ``seen``; a note says what changed and why.

    Raises ChangedMeanwhile where another version stands there, Unfit where no draft could go out from it.
    """
    _keeper(by)
    said = _fit(said)
    if not note.strip():
        raise Refused(_("Say in a few words what changed and why. Others will read it."))
    with transaction.atomic():
        template = _locked(key, seen)
        if wording(template) == said:
            raise Refused(_("Nothing was changed, so there is no new version."))
        return _next(template, said, by, note.strip(), "changed")


def restore(by: User, key: str, seen: int, old: int) -> TemplateVersion:
    """What version ``old`` said, as a new version. Refused where it could no longer become a draft."""
    _keeper(by)
    with transaction.atomic():
        template = _locked(key, seen)
        version = template.versions.filter(number=old).first()
        if version is None:
            raise Refused(_("This template has no version {number}.").format(number=old))
        old_words = wording(version)
        if old_words is None:
            raise Refused(_("Version {number} can't be read any more.").format(number=old))
        said = _fit(old_words)
        if wording(template) == said:
            raise Refused(_("This is what the template says already."))
        return _next(template, said, by, _("Version {number} restored").format(number=old), "restored")


def put(by: User, key: str, *, active: bool) -> Template:
    """Into use or out of use; what was begun from it stays as it is."""
    _keeper(by)
    with transaction.atomic():
        template = Template.objects.select_for_update().get(key=key)
        if template.active is not active:
            template.active = active
            template.save(update_fields=["active"])
            _record(by, template, "in-use" if active else "out-of-use", number(template))
    return template


def keep(by: User, message: Message) -> Template:
    """A template from what was said once: the place becomes a gap, times become durations, the area is left out.

    It isn't in use until an administrator has looked at it.
    """
    _keeper(by)
    content = reusable(message.content, message.sent)
    said = Wording(message.kind, _names(content), content)
    start = slugify(next(iter(said.names.values())))[:40].strip("-") or "vorlage"
    taken = set(Template.objects.filter(key__startswith=start).values_list("key", flat=True)) | TAKEN
    key = next(key for key in (start, *(f"{start}-{n}" for n in range(2, len(taken) + 3))) if key not in taken)
    return make(by, key, said, _("From message {identifier}").format(identifier=message.identifier), active=False)


def reusable(content: Content, sent: dt.datetime) -> Content:
    """What another event can use of a content; pure."""

    place = re.compile(rf"(?<!\w){re.escape(content.place.strip() or '{place}')}(?!\w)")

    def gapped(text: str) -> str:
        return place.sub("{place}", text)

    texts = {
        language: Text(**{field.name: gapped(getattr(text, field.name)) for field in fields(Text)})
        for language, text in content.texts.items()
    }
    return _timeless(
        replace(
            content,
            texts=texts,
            valid_for=content.valid_for or _minutes(content.expires, sent),
            next_in=content.next_in or _minutes(content.next_by, sent),
            districts=(),
            circles=(),
            polygons=(),
            web="",
        )
    )


def faults(said: Wording) -> Iterator[Fault]:
    """Why no draft could go out from this, however it is filled in."""
    content = said.content
    if said.kind not in Kind.values:
        yield Fault("kind", "kind", _("Choose what the template is for."))
        return
    if not any(name.strip() for name in said.names.values()):
        yield Fault("name", "no-name", _("The template has no name."))
    for language, name in said.names.items():
        yield from of_text(f"name-{language}", _("Name"), name, NAME)
    if not any(text.headline.strip() for text in content.texts.values()):
        first = next(iter(content.texts), "")
        yield Fault(f"text-{first}-headline" if first else "text", "empty", _("No language has a headline yet."))
    yield from (fault for fault in (*of_words(content), *of_codes(content, said.kind)) if fault.code not in UNFINISHED)
    for language, text in content.texts.items():
        for field in LIMITS:
            if set("{}") & set(GAP.sub("", getattr(text, field))):
                words = _("{language}: a brace stands alone. A gap is a name between two of them, like {{place}}.")
                yield Fault(f"text-{language}-{field}", "brace", words.format(language=language_name(language)))
    for minutes, where in ((content.valid_for, "valid_for"), (content.next_in, "next_in")):
        if minutes is not None and not 0 < minutes <= LONGEST:
            yield Fault(where, "duration", _("It can hold for one minute to 60 days."))


def _fit(said: Wording) -> Wording:
    found = list(faults(said))
    if found:
        raise Unfit(found)
    names = {language: name.strip() for language, name in said.names.items() if name.strip()}
    return replace(said, names=names, content=_timeless(said.content))


def _timeless(content: Content) -> Content:
    """A template belongs to no event: no place, no moment; real or exercise is the draft's own."""
    return replace(
        content,
        status=Status.ACTUAL,
        place="",
        touched=(),
        effective=None,
        onset=None,
        expires=None,
        facts_at=None,
        next_by=None,
    )


def _minutes(end: dt.datetime | None, start: dt.datetime) -> int | None:
    return max(1, round((end - start).total_seconds() / 60)) if end else None


def _names(content: Content) -> dict[str, str]:
    """Each interface language's word for the event."""
    names: dict[str, str] = {}
    for language, text in content.texts.items():
        if text.event.strip():
            names.setdefault(ui_language(language), text.event.strip()[:NAME])
    return names or {"de": _("Template")}


def _locked(key: str, seen: int) -> Template:
    template = Template.objects.select_for_update().get(key=key)
    if number(template) != seen:
        raise ChangedMeanwhile(template)
    return template


def _next(template: Template, said: Wording, by: User, note: str, what: str) -> TemplateVersion:
    last = number(template)
    if not last:
        # made before versions were kept: what stood there must not be lost
        TemplateVersion.objects.create(
            template=template,
            number=1,
            kind=template.kind,
            names=template.names,
            content_json=template.content_json,
            at=timezone.now(),
            note=_("As it stood before versions were kept"),
        )
        last = 1
    version = _version(template, last + 1, said, by, note)
    for column, value in _columns(said).items():
        setattr(template, column, value)
    template.save()
    _record(by, template, what, version.number)
    return version


def _version(template: Template, count: int, said: Wording, by: User | None, note: str) -> TemplateVersion:
    return TemplateVersion.objects.create(
        template=template, number=count, by=by, at=timezone.now(), note=note[:NOTE], **_columns(said)
    )


def _columns(said: Wording) -> dict[str, object]:
    return {"kind": said.kind, "names": dict(said.names), "content_json": to_json(said.content)}


def _record(by: User, template: Template, what: str, version: int) -> None:
    audit.record(by, "template-changed", f"template {template.key}", what=what, version=version)


def _keeper(by: User) -> None:
    if not may(by, "alerts.change_template"):
        raise NotAllowed(_("Your role does not allow changing templates."))
