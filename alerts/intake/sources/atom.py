"""Atom and RSS: the entries of a feed, each with its CAP document or a link to it; pure, nothing is fetched."""

from __future__ import annotations

from itertools import islice
from typing import Any
from urllib.parse import urljoin

from django.utils.translation import gettext as _
from lxml import etree

from alerts.cap.schema import NAMESPACE

from .found import MOST, Entry, Listing, Unreadable

ATOM = "{http://www.w3.org/2005/Atom}"
CAP = "application/cap+xml"
MAYBE = {"", "application/xml", "text/xml", "application/atom+xml"}
"""Types of a link that may be CAP all the same; what it leads to decides."""


def listing(body: bytes, url: str) -> Listing:
    """The entries of the feed that lies at ``url``; raises Unreadable."""
    root = _root(body)
    if root.tag == f"{ATOM}feed":
        found = list(islice(root.iterchildren(f"{ATOM}entry"), MOST + 1))
        entries = [_atom(entry, url) for entry in found[:MOST]]
    elif root.tag == "rss":
        found = list(islice(root.iter("item"), MOST + 1))
        entries = [_rss(item, url) for item in found[:MOST]]
    else:
        raise Unreadable(_("This is neither Atom nor RSS."))
    return Listing(tuple(entry for entry in entries if entry.link or entry.document), whole=len(found) <= MOST)


def _root(body: bytes) -> etree._Element:
    """The root element, with no entity resolved, nothing loaded; raises Unreadable."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise Unreadable(_("The feed has a document type (DOCTYPE), which may pull in foreign files."))
    try:
        root = _parsed(body)
    except (etree.XMLSyntaxError, ValueError):
        try:
            # one wrong byte in one title must not silence all others
            root = _parsed(body.decode("utf-8", "replace").encode())
        except (etree.XMLSyntaxError, ValueError) as error:
            raise Unreadable(_("The feed is no well-formed XML.")) from error
    # in UTF-16 the look at its bytes has missed it
    info: Any = root.getroottree().docinfo
    if info.doctype or info.internalDTD is not None:
        raise Unreadable(_("The feed has a document type (DOCTYPE), which may pull in foreign files."))
    return root


def _parsed(body: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, remove_comments=False
    )
    return etree.fromstring(body, parser)


def _atom(entry: etree._Element, url: str) -> Entry:
    links = [(link.get("type", "").lower(), link.get("rel", "alternate"), link) for link in entry.iter(f"{ATOM}link")]
    cap = [link for kind, _rel, link in links if kind == CAP]
    other = [link for kind, rel, link in links if kind in MAYBE and rel == "alternate"]
    link = _absolute(url, next((link.get("href", "") for link in (*cap, *other)), ""))
    stamp = _text(entry, f"{ATOM}updated")
    return Entry(_text(entry, f"{ATOM}id") or link, stamp, link, _embedded(entry, f"{ATOM}content"))


def _rss(item: etree._Element, url: str) -> Entry:
    cap = [one.get("url", "") for one in item.iter("enclosure") if one.get("type", "").lower() == CAP]
    link = _absolute(url, cap[0] if cap else _text(item, "link"))
    return Entry(_text(item, "guid") or link, _text(item, "pubDate"), link, _embedded(item, "description"))


def _embedded(entry: etree._Element, name: str) -> bytes:
    """The CAP document within an entry: as elements, or as text with its brackets escaped."""
    alert = next(entry.iter(f"{{{NAMESPACE}}}alert"), None)
    if alert is not None:
        return etree.tostring(alert, with_tail=False)
    text = _text(entry, name)
    return text.encode() if text.startswith(("<?xml", "<alert", "<cap:alert")) else b""


def _absolute(url: str, link: str) -> str:
    try:
        return urljoin(url, link) if link else ""
    except ValueError:
        return ""


def _text(parent: etree._Element, name: str) -> str:
    child = parent.find(name)
    return (child.text or "").strip() if child is not None else ""
