"""Take one CAP document of a partner: keep it raw, read it, file it as a draft. Nothing is released here."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from dataclasses import dataclass, field, replace

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from .. import alarms, areas, drafting
from ..content import Content
from ..models import Alert, Draft, Intake, IntakeState, IntakeWay, Message, Partner
from ..people import Refused
from ..terms import MSG_TYPE, SEVERITY_RANK, Kind, MsgType, Severity, Status, ui_language
from . import capreading, geocodes, partners

LONGEST_KEY = 255
DAY = dt.timedelta(days=1)
MOST_BYTES_A_DAY = 200_000_000
"""What is kept of one partner in 24 hours; a warning has some 10 kB."""
FALSE_ALARM = re.compile(r"fehl-?alarm|falsch-?alarm|false alarm|fehlauslös|irrtümlich|\bin error\b|by mistake", re.I)
CORRECTION = re.compile(r"richtigstellung|berichtigung|korrektur|\bcorrect(ion|ed)\b", re.I)


@dataclass
class Refusal(Exception):
    """A document that was not taken: HTTP's ``status``, a ``code`` for programs, ``faults`` in plain words.

    Worth another try in ``after`` seconds, where that is not 0.
    """

    status: int
    code: str
    faults: list[str] = field(default_factory=list)
    after: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """The draft that a document became. ``new`` is False for one that was taken before."""

    draft: Draft
    sender: str
    identifier: str
    new: bool = True
    left_out: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """Where officers find it."""
        return f"{settings.ADDRESS}{reverse('admin:draft', args=[self.draft.pk])}"


def take(body: bytes, partner: Partner) -> Taken:
    """The draft that this document becomes, or became when it came before. Raises Refusal, in the active language."""
    sha256 = hashlib.sha256(body).hexdigest()
    now = timezone.now()
    lately = Intake.objects.filter(way=IntakeWay.CAP, sender=partner.name, arrived_at__gt=now - DAY)
    before = lately.filter(partner=partner, sha256=sha256, state=IntakeState.TAKEN).first()
    if before is not None:
        return _again(before)
    if lately.filter(arrived_at__gt=now - dt.timedelta(minutes=1)).count() >= settings.CAP_PER_MINUTE:
        words = _("More than {count} documents within a minute. Wait a little.")
        raise Refusal(429, "too-many", [words.format(count=settings.CAP_PER_MINUTE)], after=60)
    if (lately.aggregate(all=Sum("size"))["all"] or 0) + len(body) > MOST_BYTES_A_DAY:
        raise Refusal(429, "too-much", [_("More than is kept of one partner within a day.")], after=3600)
    row = Intake.objects.create(
        way=IntakeWay.CAP,
        received_at=now,
        sender=partner.name,
        sha256=sha256,
        size=len(body),
        raw=body,
        partner=partner,
    )
    try:
        return _filed(row, body, partner)
    except Refusal as refusal:
        Intake.objects.filter(pk=row.pk).update(
            state=IntakeState.REFUSED, words="\n".join(refusal.faults)[:10_000], done_at=timezone.now()
        )
        raise


def _filed(row: Intake, body: bytes, partner: Partner) -> Taken:
    document = _read(body)
    key = f"{document.sender},{document.identifier}"
    if len(key) > LONGEST_KEY:
        raise Refusal(422, "too-long", [_("Sender and identifier together are longer than 254 characters.")])
    if (taken := _taken(key)) is not None:
        return _same(row, taken, partner)
    if Message.objects.filter(sender=document.sender, identifier=document.identifier).exists():
        raise Refusal(409, "own", [_("This is a message of the city itself.")])
    content, strange = geocodes.settled(document.content)
    for fault in areas.faults_of_area(content):
        if fault.code == "swapped":
            raise Refusal(422, "swapped", [fault.words])
    alert = _alert(document, partner)
    base = alert.latest if alert else None
    kind = kind_of(document, following=base is not None)
    content = content_of(content, kind, base)
    content = replace(content, touched=areas.touched(content))
    if beyond := partners.breaks(partner, content):
        raise Refusal(403, "scope", beyond)
    if alert is not None and alert.status != content.status:
        raise Refusal(422, "status", [_("A document of another status than the alert that it refers to.")])
    try:
        with transaction.atomic():
            # the key first: of two at once, the database lets one have it, and the other waits here for that one
            Intake.objects.filter(pk=row.pk).update(key=key, state=IntakeState.TAKEN, done_at=timezone.now())
            draft = _draft(document, partner, content, kind, alert, base)
            Intake.objects.filter(pk=row.pk).update(draft=draft)
    except IntegrityError:
        taken = _taken(key)
        if taken is None:
            raise
        return _same(row, taken, partner)
    except Refused as error:
        raise Refusal(409, "overtaken", [str(error)], after=1) from error
    faults = drafting.faults(draft.content, kind=draft.kind, now=timezone.now())
    return Taken(
        draft,
        document.sender,
        document.identifier,
        left_out=(*document.left_out, *strange),
        missing=tuple(fault.words for fault in faults if fault.hard),
    )


def _read(body: bytes) -> capreading.Document:
    try:
        document = capreading.read(body, languages=settings.CONTENT_LANGUAGES, trusted=trusted())
    except capreading.BadCap as error:
        raise Refusal(422, "cap", error.faults) from error
    if document.signature == "bad":
        raise Refusal(
            422, "signature", [_("The signature does not fit: the document was changed after it was signed.")]
        )
    if document.scope != "Public":
        words = _("A document of scope “{scope}” is not meant for the public.")
        raise Refusal(422, "not-public", [words.format(scope=document.scope)])
    return document


def trusted() -> list[bytes]:
    """The certificates whose signatures are good, in PEM."""
    return [path.read_bytes() for path in sorted(settings.CAP_TRUSTED_DIR.glob("*.pem"))]


# The same once more


def _taken(key: str) -> Intake | None:
    rows = Intake.objects.filter(way=IntakeWay.CAP, key=key, state=IntakeState.TAKEN)
    return rows.select_related("draft__alert").first()


def _same(row: Intake, taken: Intake, partner: Partner) -> Taken:
    """What came again under a name that is taken: nothing happens, and another text is refused."""
    if taken.partner_id != partner.pk:
        words = _("Somebody else has handed in a document of this sender and identifier.")
        raise Refusal(409, "identifier", [words])
    if taken.sha256 != row.sha256:
        words = _("You have handed in another text under this identifier. Give the new one an identifier of its own.")
        raise Refusal(409, "identifier", [words])
    Intake.objects.filter(pk=row.pk).update(
        state=IntakeState.IGNORED, raw=None, draft=taken.draft, done_at=timezone.now()
    )
    return _again(taken)


def _again(taken: Intake) -> Taken:
    if taken.draft is None:
        raise ValueError(f"intake {taken.pk} is taken without a draft")
    # neither holds a comma, by the rules of CAP
    sender, _comma, identifier = taken.key.partition(",")
    return Taken(taken.draft, sender, identifier, new=False)


# What it becomes


def _alert(document: capreading.Document, partner: Partner) -> Alert | None:
    """The alert that the document goes on with; None for a new one. Raises Refusal."""
    if document.msg_type == MsgType.ALERT:
        return None
    for sender, identifier, _sent in sorted(document.references, key=lambda one: one[2], reverse=True):
        message = Message.objects.select_related("alert__latest").filter(sender=sender, identifier=identifier).first()
        if message is not None:
            return message.alert
        rows = Intake.objects.filter(way=IntakeWay.CAP, key=f"{sender},{identifier}", state=IntakeState.TAKEN)
        earlier = rows.filter(partner=partner).select_related("draft__alert__latest").first()
        if earlier is not None and earlier.draft is not None:
            return earlier.draft.alert
    words = _("“references” names no message of the city and no document of yours that was taken.")
    raise Refusal(422, "references", [words])


def kind_of(document: capreading.Document, *, following: bool) -> Kind:
    """What the next message would be for its readers, by the document's type and words."""
    texts = document.content.texts.values()
    said = " ".join([document.headline, document.content.note, *(text.headline for text in texts)])
    if document.msg_type == MsgType.CANCEL:
        whole = " ".join([said, *(text.description for text in texts)])
        return Kind.FALSE_ALARM if FALSE_ALARM.search(whole) else Kind.ALL_CLEAR
    if not following:
        return Kind.WARNING
    if document.content.all_clear:
        return Kind.ALL_CLEAR
    return Kind.CORRECTION if CORRECTION.search(said) else Kind.UPDATE


def content_of(content: Content, kind: str, base: Message | None) -> Content:
    """The document's content as a draft starts with it; what an all-clear leaves unsaid comes from its base."""
    if content.expires is None:
        content = replace(content, valid_for=240)
    if base is None:
        return content if MSG_TYPE[Kind(kind)] == MsgType.CANCEL else replace(content, next_in=60)
    start = drafting.follow_up(base.content, kind)
    area = content if content.has_area else start
    merged = replace(
        content,
        category=content.category or start.category,
        place=content.place or start.place,
        districts=area.districts,
        circles=area.circles,
        polygons=area.polygons,
        contact=content.contact or start.contact,
        next_in=start.next_in,
    )
    if MSG_TYPE[Kind(kind)] != MsgType.CANCEL:
        # no text of the base: in a language that the document leaves out it would say what no longer holds
        return merged if content.texts else replace(merged, texts=start.texts)
    spoken = {language: text for language, text in content.texts.items() if text.headline or text.description}
    return replace(
        merged,
        texts={**start.texts, **spoken},
        response=start.response,
        urgency=start.urgency,
        severity=start.severity,
        certainty=start.certainty,
    )


def _draft(
    document: capreading.Document,
    partner: Partner,
    content: Content,
    kind: Kind,
    alert: Alert | None,
    base: Message | None,
) -> Draft:
    with override(ui_language(settings.CONTENT_LANGUAGES[0])):
        if alert is not None and base is None and kind in {Kind.ALL_CLEAR, Kind.FALSE_ALARM}:
            return _taken_back(alert, partner, document)
        draft = drafting.from_outside(content, _origin(document, partner), base, kind=kind, alert=alert)
        if content.status == Status.ACTUAL and SEVERITY_RANK[Severity(content.severity)] >= 2:
            words = _("{partner} has handed in a warning. It waits as a draft: {headline}")
            _tell(partner, words.format(partner=partner.name, headline=document.headline), draft)
    return draft


def _taken_back(alert: Alert, partner: Partner, document: capreading.Document) -> Draft:
    """A warning is cancelled that was never released: there is nothing to write, but the desk must know."""
    draft = Draft.objects.filter(alert=alert).order_by("-pk")[:1].get()
    words = _("{partner} takes back a warning that waits as a draft. Look before anybody releases it.")
    alarms.sound(f"intake-back {draft.pk}", words.format(partner=partner.name), _link(draft))
    return draft


def _origin(document: capreading.Document, partner: Partner) -> str:
    signed = {
        "": _("not signed"),
        "good": _("signature good"),
        "unknown": _("signature by somebody we don't know"),
    }[document.signature]
    words = _("CAP document {identifier} of {sender}, handed in by {partner}, {signed}")
    return words.format(identifier=document.identifier, sender=document.sender, partner=partner.name, signed=signed)


def _tell(partner: Partner, words: str, draft: Draft) -> None:
    """One open alarm for each partner: a flood of documents must not become a flood of texts to officers."""
    alarms.sound(f"intake-partner {partner.pk}", words, _link(draft))


def _link(draft: Draft) -> str:
    return f"{settings.ADDRESS}{reverse('admin:draft', args=[draft.pk])}"
