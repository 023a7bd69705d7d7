"""A foreign CAP 1.2 document as a Content that a draft can begin with: bytes in, values out, nothing fetched; pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from lxml import etree
from signxml.exceptions import InvalidCertificate, InvalidSignature

from alerts import cap
from alerts.cap.rules import faults
from alerts.cap.schema import NotCap, parse, shown, tag
from alerts.content import Content, Text
from alerts.signature import SignatureInvalid, verify
from alerts.terms import SEVERITY_RANK, MsgType, Severity, Status, language_name

from . import capshapes

# The largest real document has 0.4 MB, 8 blocks, 1,352 areas and 3,200 points.
MAX_BYTES = 1_000_000
MAX_POINTS = 10_000
MAX_INFOS = 50
MAX_AREAS = 5_000
MAX_DEPTH = 40
ENCODINGS = {"utf-8", "utf8", "utf-16", "utf-16le", "utf-16be", "iso-8859-1", "latin1", "us-ascii", "ascii"}
HARMLESS = {"xml-stylesheet"}
"""Processing instructions that real authorities send, for browsers; they are not followed."""
LONGEST = {"event": 200, "headline": 400, "description": 12_000, "instruction": 8_000, "contact": 400, "web": 500}
"""Where a text is cut. Above what a draft may hold, so that an officer shortens it, not the machine."""

_SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
_CERTIFICATE = "{http://www.w3.org/2000/09/xmldsig#}X509Certificate"
_SIMPLE = {"de-ls", "de-simple", "de-x-simple", "de-x-ls", "de-leicht"}


class BadCap(Exception):
    """This document can't be taken; ``faults`` say why, in plain words of the active language."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(" ".join(faults))
        self.faults = list(faults)


@dataclass(frozen=True, slots=True)
class Document:
    """What a CAP document says.

    ``references`` are (sender, identifier, sent). ``content.districts`` holds the document's geocodes as they
    stand: ``geocodes.settled`` makes districts of them. ``signature`` is "" (none), "good" (by a certificate
    that we trust), "unknown" (by one that we don't know or can't check) or "bad" (it does not fit the text).
    ``left_out`` names, in plain words, what a Content can't carry.
    """

    identifier: str
    sender: str
    sent: dt.datetime
    status: str
    msg_type: str
    scope: str
    references: tuple[tuple[str, str, dt.datetime], ...]
    content: Content
    headline: str
    area: str
    signature: str
    left_out: tuple[str, ...] = ()


def read(xml: bytes, *, languages: Sequence[str], trusted: Sequence[bytes] = ()) -> Document:
    """The document's values; texts in ``languages`` alone. ``trusted`` are certificates in PEM. Raises BadCap."""
    root = _harmless(xml)
    report = faults(xml)
    if report.errors:
        raise BadCap([_located(fault.text, fault.line) for fault in report.errors])
    try:
        alert = cap.read(xml)
        references = tuple(
            (one.sender, one.identifier, dt.datetime.fromisoformat(one.sent)) for one in alert.references
        )
    except NotCap as error:
        raise BadCap([_located(str(error), error.fault.line)]) from error
    except (ValueError, ArithmeticError) as error:
        raise BadCap([_("A value of the document can't be read.")]) from error
    _sayable(alert)
    left_out: list[str] = []
    try:
        content = _content(alert, languages, left_out)
    except capshapes.Entangled as error:
        raise BadCap([str(error)]) from error
    first = alert.info[0] if alert.info else None
    return Document(
        identifier=alert.identifier,
        sender=alert.sender,
        sent=alert.sent,
        status=alert.status,
        msg_type=alert.msg_type,
        scope=alert.scope,
        references=references,
        content=content,
        headline=_line(first.headline or first.event)[:300] if first else "",
        area=content.place,
        signature=_signature(root, xml, trusted),
        left_out=tuple(left_out),
    )


# Nothing hostile


def _harmless(xml: bytes) -> etree._Element:
    """The root with comments and instructions, once the document is small, plain and CAP. Raises BadCap."""
    if len(xml) > MAX_BYTES:
        raise BadCap([_("The document is larger than {count} bytes.").format(count=MAX_BYTES)])
    if not xml.strip():
        raise BadCap([_("The document is empty.")])
    try:
        root = parse(xml, whole=True)
    except NotCap as error:
        raise BadCap([_located(str(error), error.fault.line)]) from error
    except (ValueError, LookupError) as error:
        raise BadCap([_("The document can't be read as XML.")]) from error
    encoding = (root.getroottree().docinfo.encoding or "utf-8").lower()
    if encoding not in ENCODINGS:
        words = _("The document is written in {encoding}. Write it in UTF-8, UTF-16 or ISO-8859-1.")
        raise BadCap([words.format(encoding=shown(encoding, 20))])
    for found in (*root.itersiblings(preceding=True), *root.itersiblings(), *root.iter()):
        if isinstance(found, etree._ProcessingInstruction) and str(found.target) not in HARMLESS:
            words = _("The document holds a processing instruction (<?{name} …?>). Remove it.")
            raise BadCap([words.format(name=shown(str(found.target), 30))])
    _bounded(root)
    return root


def _bounded(root: etree._Element) -> None:
    if len(list(root.iterchildren(tag("info")))) > MAX_INFOS:
        raise BadCap([_("The document has more than {count} info blocks.").format(count=MAX_INFOS)])
    if sum(1 for _area in root.iter(tag("area"))) > MAX_AREAS:
        raise BadCap([_("The document has more than {count} areas.").format(count=MAX_AREAS)])
    points = sum((shape.text or "").count(",") for shape in root.iter(tag("polygon"), tag("circle")))
    if points > MAX_POINTS:
        raise BadCap([_("The areas have more than {count} points. Draw them more simply.").format(count=MAX_POINTS)])
    depth = 0
    for event, _element in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            raise BadCap([_("The elements of the document are nested too deeply.")])


def _located(text: str, line: int) -> str:
    return _("Line {line}: {text}").format(line=line, text=text) if line else text


def _sayable(alert: cap.CapAlert) -> None:
    """Only what people can be told: acknowledgements and system messages are no warnings."""
    wrong = []
    if alert.status not in Status.values:
        wrong.append(_("A document of status “{status}” is no warning for people.").format(status=alert.status))
    if alert.msg_type not in MsgType.values:
        wrong.append(_("A document of type “{kind}” is no warning for people.").format(kind=alert.msg_type))
    if wrong:
        raise BadCap(wrong)


# What it says


def _content(alert: cap.CapAlert, languages: Sequence[str], left_out: list[str]) -> Content:
    if not alert.info:
        return Content(status=alert.status, facts_at=alert.sent)
    spoken = _spoken(alert, languages, left_out)
    first = next((spoken[language] for language in languages if language in spoken), alert.info[0])
    used = [first, *(info for info in spoken.values() if info is not first)]
    place, districts, circles, polygons = capshapes.area_of(used, left_out)
    texts = {
        language: Text(
            event=_cut("event", _line(spoken[language].event), left_out),
            headline=_cut("headline", _line(spoken[language].headline), left_out),
            description=_cut("description", _lines(spoken[language].description), left_out),
            instruction=_cut("instruction", _steps(spoken[language].instruction), left_out),
        )
        for language in languages
        if language in spoken
    }
    for name, has in _uncarried(used):
        if has:
            left_out.append(_("“{element}” is left out.").format(element=name))
    return Content(
        status=alert.status,
        category=tuple(dict.fromkeys(category for info in used for category in info.category)),
        urgency=first.urgency,
        severity=max((info.severity for info in used), key=lambda word: SEVERITY_RANK[Severity(word)]),
        certainty=first.certainty,
        response=tuple(dict.fromkeys(first.response_type)),
        texts=texts,
        place=place,
        districts=districts,
        circles=circles,
        polygons=polygons,
        effective=first.effective,
        onset=first.onset,
        expires=max((info.expires for info in used if info.expires), default=None),
        facts_at=alert.sent,
        contact=_cut("contact", _line(first.contact), left_out),
        web=_web(first.web, left_out),
        note=_line(alert.note)[:200],
    )


def _spoken(alert: cap.CapAlert, languages: Sequence[str], left_out: list[str]) -> dict[str, cap.CapInfo]:
    """The block of each of our languages; of several in one language the most dangerous counts."""
    found: dict[str, cap.CapInfo] = {}
    for info in sorted(alert.info, key=lambda info: -SEVERITY_RANK[Severity(info.severity)]):
        # CAP: without a language it is US English
        language = language_of(info.language or "en-US", languages)
        headline = shown(info.headline or info.event, 80)
        if not language:
            words = _("The block in “{language}” is left out: it is none of the city's languages.")
            left_out.append(words.format(language=shown(info.language or "en-US", 20)))
        elif language in found:
            words = _("A second block in {language} is left out, with its area: “{headline}”.")
            left_out.append(words.format(language=language_name(language), headline=headline))
        else:
            found[language] = info
            if not info.language:
                left_out.append(_("“{headline}” names no language: it counts as English.").format(headline=headline))
    return found


def language_of(tag_: str, languages: Sequence[str]) -> str:
    """Which of ``languages`` a language tag means; "" for none."""
    asked = tag_.strip().replace("_", "-").casefold()
    if asked in _SIMPLE:
        return "de-simple" if "de-simple" in languages else ""
    while asked:
        found = next((language for language in languages if language.casefold() == asked), "")
        if found:
            return found
        asked = asked.rpartition("-")[0]
    return ""


def _uncarried(used: Sequence[cap.CapInfo]) -> Iterator[tuple[str, bool]]:
    yield "resource", any(info.resource for info in used)
    yield "audience", any(info.audience for info in used)
    yield "altitude", any(area.altitude is not None or area.ceiling is not None for info in used for area in info.area)


def _line(text: str) -> str:
    return " ".join(text.split())


def _lines(text: str) -> str:
    """Paragraphs as they stand, without indents and with one empty line at most between two."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(" ".join(line.split()) for line in text.splitlines())).strip()


def _steps(text: str) -> str:
    return "\n".join(line for line in _lines(text).splitlines() if line)


def _cut(name: str, text: str, left_out: list[str]) -> str:
    longest = LONGEST[name]
    if len(text) <= longest:
        return text
    left_out.append(_("“{element}” is cut at {count} characters.").format(element=name, count=longest))
    return text[: longest - 1] + "…"


def _web(address: str, left_out: list[str]) -> str:
    """A link whole or not at all: half of one leads elsewhere."""
    if len(address) <= LONGEST["web"] and (not address or address.lower().startswith(("https://", "http://"))):
        return address
    left_out.append(_("“{element}” is left out.").format(element="web"))
    return ""


# Its signature


def _signature(root: etree._Element, xml: bytes, trusted: Sequence[bytes]) -> str:
    found = list(root.iter(_SIGNATURE))
    if not found:
        return ""
    for certificate in trusted:
        try:
            verify(xml, certificate)
        except SignatureInvalid:
            continue
        return "good"
    # some authorities sign one after the other: no such signature covers the whole
    if len(found) > 1 or next(root.iter(_CERTIFICATE), None) is None:
        return "unknown"
    try:
        verify(xml)
    except SignatureInvalid as error:
        cause = error.__cause__
        doubtful = isinstance(cause, InvalidSignature) and not isinstance(cause, InvalidCertificate)
        return "bad" if cause is None or doubtful else "unknown"
    return "unknown"
