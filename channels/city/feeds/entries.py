"""Atom and RSS of released messages, by feedgen, with CAP and GeoRSS in every entry; pure."""

from __future__ import annotations

import copy
import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from html import escape
from typing import Any
from urllib.parse import quote

from feedgen.entry import FeedEntry
from feedgen.feed import FeedGenerator
from lxml import etree

from alerts.cap.schema import NAMESPACE, parse, tag

from .shapes import circle_ring

GEORSS = "http://www.georss.org/georss"
DC = "http://purl.org/dc/elements/1.1/"
ATOM = "http://www.w3.org/2005/Atom"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
PREFIXES: Any = {"cap": NAMESPACE, "georss": GEORSS, "dc": DC}  # lxml-stubs want optional prefixes
CAP_TYPE = "application/cap+xml"

MOST_BYTES = 100_000
"""A feed stays below this. What still warns is listed even so, but without its long text."""
HEAD_BYTES = 2_500
MOST_SHAPE = 8_000
"""Characters of outlines in one entry; the CAP document and alerts.geojson have what is longer."""

# What of a CAP document is repeated in its entry, letter by letter
_OF_ALERT = ("identifier", "sender", "sent", "status", "msgType", "note", "references")
_OF_INFO = (
    *("language", "category", "event", "responseType", "urgency", "severity", "certainty"),
    *("effective", "onset", "expires"),
)
_SHAPES = ("polygon", "circle")


@dataclass(frozen=True, slots=True)
class Frame:
    """What a feed says about itself. ``url`` is its own address, ``home`` the page it belongs to."""

    title: str
    subtitle: str
    author: str
    language: str
    url: str
    home: str
    updated: dt.datetime
    hub: str = ""


class Entry:
    """One message in one language: its approved words, and its published CAP document, whose values it repeats.

    ``language`` is the one the words are in. ``warns``: it still holds and nothing has followed it.
    ``brief`` leaves out the long text and the outlines. Generated once, copied into every feed that lists it.
    """

    def __init__(
        self, words: Mapping[str, Any], language: str, body: bytes, cap_url: str, *, warns: bool, brief: bool = False
    ) -> None:
        self.words = words
        self.language = language
        self.body = body
        self.cap_url = cap_url
        self.warns = warns
        self.brief = brief

    def shortened(self) -> Entry:
        return Entry(self.words, self.language, self.body, self.cap_url, warns=self.warns, brief=True)

    @cached_property
    def document(self) -> etree._Element:
        return parse(self.body)

    @cached_property
    def info(self) -> etree._Element:
        """The document's block in this language."""
        blocks = self.document.findall(tag("info"))
        return next((block for block in blocks if block.findtext(tag("language")) == self.language), blocks[0])

    def says(self, name: str) -> str:
        """A value of the document's head."""
        return self.document.findtext(tag(name)) or ""

    @property
    def identifier(self) -> str:
        return self.says("identifier")

    @property
    def sent(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.says("sent"))

    @property
    def uri(self) -> str:
        """The entry's id for Atom, which wants a full URI: a tag URI (RFC 4151) around the CAP identifier.

        It names the message, who gave it its name and when; nobody takes it for a place to fetch, and it
        stays when the city's address changes, as an https address would not. ``urn:`` needs a registered name.
        """
        sender = quote(self.says("sender"), safe=".-@")
        return f"tag:{sender},{self.sent:%Y-%m-%d}:{quote(self.identifier, safe='.-:')}"

    def html(self) -> str:
        """The whole text as HTML, what to do first; every word is escaped, since readers make it part of a page."""
        words = self.words
        parts = (
            ["<ol>" + "".join(f"<li>{escape(step)}</li>" for step in words["steps"]) + "</ol>"]
            if words["steps"]
            else []
        )
        parts += [f"<p>{escape(line)}</p>" for line in words["description"]]
        parts += [f"<p><b>{escape(name)}:</b> {escape(value)}</p>" for name, value in words["facts"]]
        parts.append(f'<p><a href="{escape(words["link"])}">{escape(words["link_words"])}</a></p>')
        return "".join(parts)

    def elements(self) -> Iterator[tuple[str, str]]:
        """CAP, GeoRSS and Dublin Core for both formats: names in lxml's writing, and texts."""
        area = self.info.find(tag("area"))
        shapes = _SHAPES if self._shapes_fit() else ()
        for parent, names in ((self.document, _OF_ALERT), (self.info, _OF_INFO), (area, ("areaDesc", *shapes))):
            if parent is not None:
                for name in names:
                    yield from ((tag(name), child.text or "") for child in parent.findall(tag(name)))
        if shapes:
            for name, text in self._georss():
                yield f"{{{GEORSS}}}{name}", text

    def _shapes_fit(self) -> bool:
        return not self.brief and sum(len(text) for name in _SHAPES for text in self._texts(name)) <= MOST_SHAPE

    def _texts(self, name: str) -> list[str]:
        return [element.text or "" for element in self.info.iter(tag(name))]

    def _georss(self) -> Iterator[tuple[str, str]]:
        """The area in GeoRSS Simple, ``lat lon`` in degrees: one circle is a point with a radius in metres."""
        circles, polygons = self._texts("circle"), self._texts("polygon")
        if len(circles) == 1 and not polygons:
            centre, radius = circles[0].split()
            yield "point", centre.replace(",", " ")
            yield "radius", f"{float(radius) * 1000:.0f}"
            return
        for circle in circles:
            lat, lon, km = (float(number) for number in re.split(r"[ ,]", circle))
            yield "polygon", " ".join(f"{north} {east}" for north, east in circle_ring(lat, lon, km))
        for polygon in polygons:
            yield "polygon", polygon.replace(",", " ")

    @cached_property
    def _atom(self) -> etree._Element:
        made = FeedEntry()
        made.register_extension("belfry", partial(_Extension, self))
        made.id(self.uri)
        made.title(self.words["title"])
        made.updated(self.sent)
        made.published(self.sent)
        made.author({"name": self.words["author"]})
        made.link(href=self.words["link"], rel="alternate")
        made.summary(self.words["summary"])
        if not self.brief:
            made.content(self.html(), type="html")
        made.category([_category(term, label) for term, label in self.words["categories"]])
        return _shelved(made.atom_entry())

    @cached_property
    def _rss(self) -> etree._Element:
        made = FeedEntry()
        made.register_extension("belfry", partial(_Extension, self))
        made.guid(self.identifier, permalink=False)
        made.title(_for_html(self.words["title"]))
        made.link(href=self.words["link"], rel="alternate")
        made.description(f"<p>{escape(self.words['summary'])}</p>" if self.brief else self.html())
        made.enclosure(self.cap_url, str(len(self.body)), CAP_TYPE)
        made.pubDate(self.sent)
        made.category([_category(term, label) for term, label in self.words["categories"]])
        return _shelved(made.rss_entry())

    @cached_property
    def size(self) -> int:
        """Bytes that it takes in a feed, in whichever format it takes more, and some 200 for the prefixes."""
        return max(len(etree.tostring(made, encoding="UTF-8")) for made in (self._atom, self._rss))

    # What feedgen asks of an entry

    def atom_entry(self) -> etree._Element:
        return copy.deepcopy(self._atom)

    def rss_entry(self) -> etree._Element:
        return copy.deepcopy(self._rss)

    def register_extension(self, *_arguments: Any) -> None:
        """feedgen hands each feed's extensions on to its entries; ours have them already."""


class _Extension:
    """What feedgen can't say itself, put into an entry of either format."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry

    def extend_atom(self, made: etree._Element) -> etree._Element:
        # feedgen drops rel, type and hreflang of an entry's links. Its elements have no namespace until written.
        for bare in made.findall("link"):
            made.remove(bare)
        language = self.entry.language
        page = {"rel": "alternate", "type": "text/html", "hreflang": language, "href": self.entry.words["link"]}
        document = {"rel": "related", "type": CAP_TYPE, "href": self.entry.cap_url}
        for link in (page, document):
            etree.SubElement(made, "link", link)
        made.set(LANG, language)
        return self._extend(made)

    def extend_rss(self, made: etree._Element) -> etree._Element:
        # RSS's own author wants a mail address
        etree.SubElement(made, f"{{{DC}}}creator", nsmap=PREFIXES).text = self.entry.words["author"]
        etree.SubElement(made, f"{{{DC}}}language", nsmap=PREFIXES).text = self.entry.language
        return self._extend(made)

    def _extend(self, made: etree._Element) -> etree._Element:
        for name, text in self.entry.elements():
            etree.SubElement(made, name, nsmap=PREFIXES).text = text
        return made


class _Feed:
    """The namespaces of a feed, and in RSS its WebSub hub, which feedgen writes for Atom alone."""

    def __init__(self, hub: str) -> None:
        self.hub = hub

    def extend_ns(self) -> dict[str, str]:
        return dict(PREFIXES)

    def extend_atom(self, made: etree._Element) -> etree._Element:
        return made

    def extend_rss(self, made: etree._Element) -> etree._Element:
        if self.hub:
            etree.SubElement(made[0], f"{{{ATOM}}}link", {"rel": "hub", "href": self.hub})
        return made


def atom(frame: Frame, entries: Sequence[Entry]) -> bytes:
    """An Atom feed (RFC 4287); the same values give the same bytes."""
    feed = _framed(frame, "application/atom+xml")
    feed.id(frame.url)
    feed.author({"name": frame.author})
    if frame.hub:
        feed.link(href=frame.hub, rel="hub")
    return _with(feed, entries).atom_str()  # type: ignore[no-any-return]


def rss(frame: Frame, entries: Sequence[Entry]) -> bytes:
    """An RSS 2.0 feed; the same values give the same bytes."""
    feed = _framed(frame, "application/rss+xml")
    feed.docs("https://www.rssboard.org/rss-specification")
    feed.ttl(1)
    return _with(feed, entries).rss_str()  # type: ignore[no-any-return]


def _framed(frame: Frame, media_type: str) -> Any:
    feed = FeedGenerator()
    feed.register_extension("belfry", partial(_Feed, frame.hub))
    feed.generator("Belfry")
    feed.title(frame.title)
    feed.subtitle(frame.subtitle)
    feed.description(frame.subtitle)
    feed.language(frame.language)
    feed.updated(frame.updated)
    feed.link(href=frame.url, rel="self", type=media_type)
    # The last one: RSS takes the last link added for its own
    feed.link(href=frame.home, rel="alternate", type="text/html", hreflang=frame.language)
    return feed


def _with(feed: Any, entries: Iterable[Entry]) -> Any:
    for entry in entries:
        feed.add_entry(entry, order="append")
    return feed


def fitting(entries: Sequence[Entry], most: int = MOST_BYTES) -> list[Entry]:
    """Those that stay below ``most`` bytes, newest first as given, without a gap between them.

    What still warns is listed in any case, and first has its room; where there is none, in brief.
    """
    room = most - HEAD_BYTES
    chosen: dict[int, Entry] = {}
    for number, entry in enumerate(entries):
        if entry.warns:
            listed = entry if entry.size <= room else entry.shortened()
            room -= listed.size
            chosen[number] = listed
    for number, entry in enumerate(entries):
        if not entry.warns:
            if entry.size > room:
                break
            room -= entry.size
            chosen[number] = entry
    return [chosen[number] for number in sorted(chosen)]


def _shelved(made: etree._Element) -> etree._Element:
    """The element below a root with the prefixes, as in a feed: else each child would declare its own."""
    etree.Element("shelf", nsmap=PREFIXES).append(made)
    return made


def _category(term: str, label: str) -> dict[str, str]:
    return {"term": term, "label": label, "scheme": NAMESPACE}


def _for_html(text: str) -> str:
    """A title that is the same for readers that take it for plain text and for those that take it for HTML.

    RSS doesn't say which it is. Only what HTML would read as a tag or a character reference is escaped.
    """
    return re.sub(r"&(?=#|\w+;)", "&amp;", text).replace("<", "&lt;")
