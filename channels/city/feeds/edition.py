"""One writing of feeds, data files and CAP documents: reads the rows once, and stages what it makes of them."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from django.utils.translation import gettext as _
from django.utils.translation import override

from alerts import areas, public
from alerts.cap.schema import NotCap, parse
from alerts.notice import City
from alerts.public import PublicMessage
from alerts.signature import SigningFailed
from alerts.terms import Status, ui_language
from channels.base import Permanent, Temporary
from channels.publicfiles import Staged

from .. import documents
from ..feed_places import ALERTS, EXERCISES, Listing, of_areas, of_regions, prefix
from . import data, entries, nina, words
from .entries import Entry, Frame
from .shapes import Ring

log = logging.getLogger(__name__)

KEPT = dt.timedelta(days=14)
"""So long a message stays listed after it was sent and after it expired."""
MOST = 50
"""Messages in one feed: with texts of a usual length, as many as its bytes allow."""
EVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def cap_path(identifier: str) -> str:
    """Where a message's signed document lies in the public folder, for ever."""
    return f"cap/{identifier}.xml"


class Edition:
    """What is written within one ``swap`` of the public folder.

    A message is listed once its signed document stands: an entry never links to nothing.
    """

    def __init__(
        self,
        staged: Staged,
        *,
        channel: str,
        languages: Sequence[str],
        city: City,
        address: str,
        keys_dir: str,
        now: dt.datetime,
        hub: str = "",
        ars: str = "",
    ) -> None:
        self.staged = staged
        self.channel = channel
        self.languages = languages
        self.city = city
        self.address = address
        self.keys_dir = keys_dir
        self.now = now
        self.hub = hub
        self.ars = ars
        self._recent: dict[Status, list[PublicMessage]] = {}
        self._listed: dict[str, list[PublicMessage]] = {}
        self._bodies: dict[str, bytes | None] = {}
        self._entries: dict[tuple[str, str, bool], Entry] = {}

    # CAP documents

    def document(self, message: PublicMessage) -> bytes:
        """The message's signed document: the one that stands, else a new one.

        Raises Temporary where it can't be signed, Permanent where it can't be written.
        """
        try:
            return self._document(message)
        except SigningFailed as error:
            raise Temporary(str(error), after=5) from error
        except ValueError as error:
            raise Permanent(str(error)) from error

    def _document(self, message: PublicMessage) -> bytes:
        known = self._bodies.get(message.identifier)
        if known is not None:
            return known
        path = cap_path(message.identifier)
        body = self._standing(path)
        if body is None:
            body = self._signed(message)
            self.staged.write(path, body)
        self._bodies[message.identifier] = body
        return body

    def _standing(self, path: str) -> bytes | None:
        """A document that stands. One that a failing disk has broken doesn't: it must not silence the others."""
        try:
            body = (self.staged.root / path).read_bytes()
            parse(body)
        except FileNotFoundError:
            return None
        except NotCap as error:
            log.error("%s is broken and made anew: %s", path, error)
            return None
        return body

    def _signed(self, message: PublicMessage) -> bytes:
        """The document of all languages that were approved."""
        languages = spoken(message, self.channel, self.languages)
        return documents.signed(documents.composed(message, languages), self.keys_dir)

    def _body(self, message: PublicMessage) -> bytes | None:
        """The document of another message that is listed; None, with a line in the log, where it can't be made."""
        if message.identifier not in self._bodies:
            try:
                return self._document(message)
            except (SigningFailed, ValueError) as error:
                log.error("%s is not listed, its CAP document can't be made: %s", message.identifier, error)
                self._bodies[message.identifier] = None
        return self._bodies[message.identifier]

    def _cap_url(self, message: PublicMessage) -> str:
        return f"{self.address}/{quote(cap_path(message.identifier))}"

    # Words

    def words(self, message: PublicMessage, language: str) -> Mapping[str, Any]:
        """The approved words; for a message from before this channel had its name, the same from its notice."""
        return message.words(self.channel, language) or words.words(message.notice(language))

    # Feeds

    def listed(self, listing: Listing) -> list[PublicMessage]:
        """What a feed may list, newest first.

        A district's feed goes on with an alert that once touched it: who read the warning there must
        also read that it is over.
        """
        if listing.path not in self._listed:
            self._listed[listing.path] = self._found(listing)
        return self._listed[listing.path]

    def _found(self, listing: Listing) -> list[PublicMessage]:
        everything = self._newest(listing.statuses)
        if listing.codes is None:
            return everything
        touching = [message for message in everything if message.areas & listing.codes]
        if len(everything) >= MOST:
            touching = public.recent(Status.ACTUAL, self.now - KEPT, MOST, listing.codes)
        slugs = {message.slug for message in touching}
        followed = {message.id: message for message in (*touching, *everything) if message.slug in slugs}
        return sorted(followed.values(), key=_age)[:MOST]

    def _newest(self, statuses: Sequence[Status]) -> list[PublicMessage]:
        found: list[PublicMessage] = []
        for status in statuses:
            if status not in self._recent:
                self._recent[status] = public.recent(status, self.now - KEPT, MOST)
            found += self._recent[status]
        return sorted(found, key=_age)[:MOST]

    def write(self, listing: Listing, language: str) -> list[str]:
        """Stage a feed in one language, in each of its formats; returns the identifiers that it lists."""
        made, followed = [], set()
        for message in self.listed(listing):
            newest = message.slug not in followed
            followed.add(message.slug)
            expires = message.content.expires
            entry = self._entry(message, language, warns=newest and expires is not None and expires > self.now)
            if entry is not None:
                made.append(entry)
        fitting = entries.fitting(made)
        updated = fitting[0].sent if fitting else self._last(listing)
        for path in listing.files(prefix(language, self.languages)):
            write = entries.atom if path.endswith(".atom") else entries.rss
            self._stage(path, write(self._frame(listing, language, path, updated), fitting))
        return [entry.identifier for entry in fitting]

    def _entry(self, message: PublicMessage, language: str, *, warns: bool) -> Entry | None:
        """The message in this language, or where it was not written in it, in the first that it has."""
        known = spoken(message, self.channel, self.languages)
        language = language if language in known else known[0]
        key = message.identifier, language, warns
        if key not in self._entries:
            body = self._body(message)
            if body is None:
                return None
            said = self.words(message, language)
            self._entries[key] = Entry(said, language, body, self._cap_url(message), warns=warns)
        return self._entries[key]

    def _last(self, listing: Listing) -> dt.datetime:
        """When an empty feed last changed: its newest message ever, so that the same state gives the same bytes."""
        found = [
            message.sent for status in listing.statuses for message in public.recent(status, EVER, 1, listing.codes)
        ]
        return max(found, default=EVER)

    def _frame(self, listing: Listing, language: str, path: str, updated: dt.datetime) -> Frame:
        city = self.city
        with override(ui_language(language)):
            if listing is EXERCISES:
                title = _("Exercises, no danger: {city}").format(city=city.name)
                subtitle = _("Exercises and tests alone. Nothing here is meant in earnest.")
            else:
                where = f"{city.name}, {listing.area}" if listing.area else city.name
                title = _("Warnings: {where}").format(where=where)
                subtitle = _("Warnings, updates and all-clears of the city, the newest first.")
        return Frame(
            title=title,
            subtitle=subtitle,
            author=f"{city.name}, {city.publisher}",
            language=language,
            url=f"{self.address}/{path}",
            home=f"{self.address}/{prefix(language, self.languages)}",
            updated=updated,
            hub=self.hub,
        )

    # Data

    def data(self) -> None:
        """Stage alerts.json, alerts.geojson and what NINA's clients read: what is in force now."""
        live = []
        for alert in public.live(now=self.now):
            message = alert.latest
            if self._body(message) is None:
                continue
            live.append(data.Live(alert, self._said(message), self._cap_url(message), self._rings(message)))
        self._stage("alerts.json", data.alerts_json(self.city.name, live))
        self._stage("alerts.geojson", data.alerts_geojson(self.city.name, live))
        self._nina([nina.Said(item.alert.latest, item.words, item.rings) for item in live])

    def _said(self, message: PublicMessage) -> Mapping[str, Mapping[str, Any]]:
        return {language: self.words(message, language) for language in spoken(message, self.channel, self.languages)}

    def _rings(self, message: PublicMessage) -> Sequence[Ring]:
        codes = [district.code for district in message.content.districts]
        return areas.union_rings(codes) if codes else ()

    # For NINA's clients

    def warning(self, message: PublicMessage) -> None:
        """Stage what NINA's clients are told of one message: it stays readable when it no longer holds."""
        if self.ars and message.status == Status.ACTUAL:
            self._warning(nina.Said(message, self._said(message), self._rings(message)))

    def _warning(self, said: nina.Said) -> str:
        """Stage it; returns its SHA-256."""
        body = nina.warning(said, self.city, self.ars)
        self._stage(nina.warning_path(said.message.identifier), body)
        self._stage(nina.shape_path(said.message.identifier), nina.shape(said))
        return hashlib.sha256(body).hexdigest()

    def _nina(self, live: Sequence[nina.Said]) -> None:
        """The dashboards and the map; those without a city or a district any more go, since nobody would mend them."""
        regions: dict[str, frozenset[str] | None] = {}
        if self.ars:
            regions = {**of_regions(public.areas()), self.ars: None}
        told = [(said, self._warning(said)) for said in live] if self.ars else []
        for ars, codes in regions.items():
            here = [pair for pair in told if codes is None or pair[0].message.areas & codes]
            self._stage(nina.dashboard_path(ars), nina.dashboard(here))
        wanted = {nina.dashboard_path(ars) for ars in regions}
        if self.ars:
            self._stage(nina.MAP_PATH, nina.map_data(live))
            wanted.add(nina.MAP_PATH)
        folder = self.staged.root / nina.FOLDER
        for file in (folder / "mapData.json", *(folder / "dashboard").glob("*.json")):
            path = file.relative_to(self.staged.root).as_posix()
            if path not in wanted:
                self.staged.remove(path)

    def _stage(self, path: str, body: bytes) -> None:
        """Stage a file that has changed: Last-Modified stays true for readers who ask by it."""
        file = self.staged.root / path
        try:
            same = file.read_bytes() == body and file.with_name(file.name + ".gz").exists()
        except FileNotFoundError:
            same = False
        if not same:
            self.staged.write(path, body)


def spoken(message: PublicMessage, channel: str, languages: Sequence[str]) -> list[str]:
    """The languages that a message was approved in, in the city's order; never empty."""
    approved = [language for language in languages if message.words(channel, language)]
    return approved or [language for language in languages if language in message.content.texts] or [languages[0]]


def concerned(message: PublicMessage) -> list[Listing]:
    """The feeds that this message changes."""
    if message.status != Status.ACTUAL:
        return [EXERCISES]
    alert = public.alert(message.slug)
    touched = {code for said in (alert.messages if alert else (message,)) for code in said.areas}
    return [ALERTS, *(listing for listing in of_areas(public.areas()) if listing.codes and listing.codes & touched)]


def _age(message: PublicMessage) -> tuple[float, int]:
    return -message.sent.timestamp(), -message.id
