"""The city's own pages: composes their words, writes them as files, fetches them back at the public address."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from alerts import public
from alerts.content import Content
from alerts.notice import Notice, Rendering, area_text, level_word, moment
from alerts.terms import Status, ui_language
from channels.base import Permanent, Post, Publisher, Temporary
from channels.http import Http
from channels.publicfiles import PublicFolder, Staged

from . import app, subscribing
from .app import Look
from .feed_places import prefix
from .pages import PER_PAGE, Pages

MANY = 6
"""From here on, a band names the number of districts instead of each."""
STALE = dt.timedelta(minutes=10)
"""The index is made anew when it is older, so that the time on it tells whether the city still speaks."""
AREAS_SECONDS = 5.0
KEEP = dt.timedelta(days=1)
"""Pages in caches may still ask for assets of the version before."""
SHELL = ("about/index.html", "subscribe/index.html", "offline/index.html", "404.html")
"""Pages of each language that no message changes."""
HEAD = 4096
"""Bytes of a page within which the mark stands that tells what it was made of."""
LIVE = ".live"
"""What the pages show as live, and until when: so that ``refresh`` needs no database while nothing ends."""


class Website(Publisher):
    """Pre-rendered pages in ``folder``, served at ``address``; ``languages`` in order, the first without a prefix.

    ``ways`` are those by which residents can subscribe (push, sms, email), ``vapid_key`` the public key
    of the city's pushes (base64url, uncompressed point): without it, push is not offered.
    """

    city: ClassVar[bool] = True
    site: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True

    def __init__(
        self,
        name: str,
        *,
        folder: str = "",
        address: str = "",
        languages: Sequence[str] = ("de",),
        http: Http | None = None,
        keys_dir: str = "",
        imprint_url: str = "",
        privacy_url: str = "",
        accessibility_url: str = "",
        ways: Sequence[str] = (),
        vapid_key: str = "",
    ) -> None:
        super().__init__(name)
        self.folder = PublicFolder(folder)
        self.address = address
        self.languages = list(languages)
        self.http = http or Http()
        self.keys_dir = keys_dir
        self.ways = list(ways)
        self.vapid_key = vapid_key
        self._read_areas: tuple[float, Sequence[public.PublicArea], str] | None = None
        self.legal = {"imprint": imprint_url, "privacy": privacy_url, "accessibility": accessibility_url}

    # what a page will say

    def compose(self, notice: Notice) -> Rendering:
        """All words of this message on its page, with its times as words and as ISO 8601."""
        with override(ui_language(notice.language)):
            return Rendering(self.name, notice.language, _fields(notice))

    # how it gets there

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        """Write the pages of this message in one language and fetch them at the public address."""
        slug, identifier = rendering.slots["slug"], rendering.slots["identifier"]
        with self.folder.swap() as staged:
            alert = public.alert(slug)
            if alert is None:
                raise Permanent(_("The alert {slug} is not in the database.").format(slug=slug))
            pages = self._pages(rendering.language)
            self._shell(staged, pages)
            self._alert(staged, pages, alert)
            if alert.status == Status.ACTUAL:
                self._lists(staged, pages, [alert.slug])
            self._note_live(staged, [alert])
        url = self.address + pages.path_of(slug)
        self._look(url, f'data-identifier="{escape(identifier)}"')
        self._look_at_card(rendering.fields.get("card"))
        if alert.status == Status.ACTUAL:
            self._look(self.address + pages.home, 'name="generator" content="Belfry"')
        return Post(remote_id=identifier, url=url)

    def retract(self, post: Post) -> None:
        """A page is never taken back."""
        raise Permanent(_("What the page said stays in its history. Send a correction or a false alarm."))

    def probe(self) -> str:
        """Fetch the index at the public address."""
        self._look(self.address + "/", 'name="generator" content="Belfry"')
        return _("The page answers at {address}.").format(address=self.address)

    def _look(self, url: str, mark: str) -> None:
        """Fetch a page as residents do. Not yet there is always worth another try: the files are."""
        try:
            answer = self.http.get(_("public page"), url)
        except Permanent as error:
            raise Temporary(str(error), after=2) from error
        if mark not in answer.text:
            words = _("The new page was not found at the public address. Does the web server show this folder?")
            raise Temporary(words, after=2)

    def _look_at_card(self, card: Mapping[str, Any] | None) -> None:
        """Fetch the image card as platforms do: they are given its address as soon as the gate is open."""
        if not card:
            return
        try:
            answer = self.http.get(_("image card"), str(card["url"]))
        except Permanent as error:
            raise Temporary(str(error), after=2) from error
        if hashlib.sha256(answer.content).hexdigest() != card["sha256"]:
            raise Temporary(_("The image card was not found at the public address."), after=2)

    # what time alone changes

    def refresh(self) -> None:
        """Give what has expired its other face, and the index a new date; next to nothing when nothing has."""
        now = timezone.now()
        shown = self._shown_live()
        if shown is None:
            self._first(now)
            return
        ended = [slug for slug, expires in shown.items() if dt.datetime.fromisoformat(expires) <= now]
        index = self.folder.root / "index.html"
        if ended or not index.exists() or now - _made(index) >= STALE:
            self._renew(ended)

    def _renew(self, slugs: Sequence[str]) -> None:
        """These alerts' pages and all that lists them, one language at a time."""
        for language in self.languages:
            with self.folder.swap() as staged:
                pages = self._pages(language)
                self._shell(staged, pages)
                alerts = [alert for alert in map(public.alert, slugs) if alert]
                for alert in alerts:
                    self._alert(staged, pages, alert)
                self._lists(staged, pages, [alert.slug for alert in alerts if alert.status == Status.ACTUAL])
                if language == self.languages[-1]:
                    self._note_live(staged, alerts)

    def _first(self, now: dt.datetime) -> None:
        """A folder that holds no pages yet, or whose list of live alerts is lost."""
        live = [alert for status in Status.values for alert in public.live(status, now)]
        with self.folder.swap() as staged:
            self._note_live(staged, live, anew=True)
        self._renew([alert.slug for alert in live])

    def rebuild(self, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Make all pages anew in place; ``progress(done, total)`` after each alert. May be broken off and run again.

        The lock is taken anew for each alert: an urgent one never waits longer than for one.
        """
        slugs = public.slugs()
        total = len(slugs) + len(self.languages)
        for done, slug in enumerate(slugs):
            progress(done, total)
            with self.folder.swap() as staged:
                alert = public.alert(slug)
                if alert is not None:
                    for language in self.languages:
                        self._alert(staged, self._pages(language), alert)
                    self._note_live(staged, [alert])
        for number, language in enumerate(self.languages):
            progress(len(slugs) + number, total)
            self._rebuild_lists(language)
        self._clear_away()
        progress(total, total)

    def _rebuild_lists(self, language: str) -> None:
        for page in range(1, public.archive_pages(PER_PAGE) + 1):
            with self.folder.swap() as staged:
                self._write(
                    staged, f"{prefix(language, self.languages)}archive/{page}/", self._pages(language).archive(page)
                )
        with self.folder.swap() as staged:
            pages = self._pages(language)
            self._shell(staged, pages, anew=True)
            self._lists(staged, pages, [])

    def _clear_away(self) -> None:
        """Remove pages of ours that nothing stands behind any more, and assets that no page asks for."""
        root = self.folder.root
        now = timezone.now()
        with self.folder.swap() as staged:
            assets = set(Look.now().files)
            for file in (root / "assets").glob("*"):
                plain = f"assets/{file.name.removesuffix('.gz')}"
                if plain not in assets and now - _made(file) > KEEP:
                    staged.remove(plain)
            known = self._known()
            for file in root.rglob("*.html"):
                path = file.relative_to(root).as_posix()
                if path not in known and b'content="Belfry"' in file.read_bytes():
                    staged.remove(path)
        for folder in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
            if not folder.name.startswith(".") and not any(folder.iterdir()):
                folder.rmdir()

    def _known(self) -> set[str]:
        slugs, archive = public.slugs(), public.archive_pages(PER_PAGE)
        return {
            prefix(language, self.languages) + path
            for language in self.languages
            for path in (
                *("index.html", "archive/index.html", *SHELL),
                *(f"archive/{number}/index.html" for number in range(1, archive + 1)),
                *(f"alerts/{slug}/index.html" for slug in slugs),
            )
        }

    # for pages of the application

    def frame(self, language: str, path: str | None = "subscribe/") -> dict[str, Any]:
        """The context of ``public/base.html`` for a dynamic page; ``path`` is where the other languages lead."""
        return self._pages(language, areas=()).frame(path)

    def choices(self, language: str, ticks: subscribing.Ticks) -> dict[str, Any]:
        """The context of ``public/wishes.html``: the fields of the subscribe page, ticked as ``ticks`` says."""
        return self._pages(language).choices(ticks)

    # the parts of all that

    def _pages(self, language: str, areas: Sequence[public.PublicArea] | None = None) -> Pages:
        """How pages in this language are made, as of now."""
        return Pages(
            channel=self.name,
            language=language,
            languages=self.languages,
            city=public.city(),
            look=Look.now(),
            compose=self.compose,
            legal=self.legal,
            keys_dir=self.keys_dir,
            now=timezone.now(),
            areas=self._areas()[0] if areas is None else areas,
            ways=self.ways,
            vapid_key=self.vapid_key,
        )

    def _areas(self) -> tuple[Sequence[public.PublicArea], str]:
        """The districts and their digest, read anew after a few seconds: the languages of one message share them."""
        read = self._read_areas
        if read is None or time.monotonic() - read[0] > AREAS_SECONDS:
            areas = public.areas()
            # comparing costs a tenth of writing all outlines out
            digest = read[2] if read and read[1] == areas else _digest(list(map(_values, areas)))
            self._read_areas = read = (time.monotonic(), areas, digest)
        return read[1:]

    def _write(self, staged: Staged, folder: str, body: str) -> None:
        staged.write(f"{folder}index.html", body.encode())

    def _alert(self, staged: Staged, pages: Pages, alert: public.PublicAlert) -> None:
        for path in public.pictures(alert.slug):
            if not (self.folder.root / path).exists():
                staged.write(path, public.picture(path))  # before the gate: platforms fetch it from here
        self._write(staged, pages.path_of(alert.slug)[1:], pages.alert(alert))

    def _lists(self, staged: Staged, pages: Pages, slugs: Iterable[str]) -> None:
        """The index, the newest archive pages, and those that list these alerts."""
        start = prefix(pages.language, self.languages)
        self._write(staged, start, pages.index())
        newest = public.archive_pages(PER_PAGE)
        numbers = {public.archive_page_of(slug, PER_PAGE) for slug in slugs}
        if newest > 1 and not (self.folder.root / f"{start}archive/{newest}/index.html").exists():
            numbers.add(newest - 1)  # the page before now has one that is newer than it
        for number in numbers:
            self._write(staged, f"{start}archive/{number}/", pages.archive(number))
        self._write(staged, f"{start}archive/", pages.archive_overview())

    def _shell(self, staged: Staged, pages: Pages, *, anew: bool = False) -> None:
        """Assets, manifest, service worker and the pages that no message changes, where they are not as they should be.

        Each of those pages holds a mark of what it was made of, so that a publish makes none without need.
        """
        for path, body in pages.look.files.items():
            if not (self.folder.root / path).exists():
                staged.write(path, body)
        city, languages, start = pages.city, self.languages, prefix(pages.language, self.languages)
        manifest = app.manifest(pages.look, city=city, language=pages.language, languages=languages)
        staged.write(f"{start}manifest.webmanifest", manifest)
        staged.write("sw.js", app.worker(pages.look, city=city, languages=languages, vapid_key=self.vapid_key))
        mark = _digest([pages.look.version, self._areas()[1], pages.offered, self.vapid_key, languages, self.legal])
        for path, make in zip(SHELL, (pages.about, pages.subscribe, pages.offline, pages.not_found), strict=True):
            if anew or not _has(self.folder.root / start / path, mark):
                staged.write(start + path, make(mark).encode())

    def _shown_live(self) -> dict[str, str] | None:
        try:
            found: dict[str, str] = json.loads((self.folder.root / LIVE).read_text())
        except (FileNotFoundError, ValueError):
            return None
        return found

    def _note_live(self, staged: Staged, alerts: Iterable[public.PublicAlert], *, anew: bool = False) -> None:
        before = {} if anew else self._shown_live() or {}
        after = dict(before)
        for alert in alerts:
            after.pop(alert.slug, None)
            if alert.live and alert.latest.content.expires:
                after[alert.slug] = alert.latest.content.expires.isoformat()
        if after != before or anew:
            staged.write(LIVE, json.dumps(after).encode())


def _has(file: Path, mark: str) -> bool:
    try:
        with file.open("rb") as page:
            return mark.encode() in page.read(HEAD)
    except FileNotFoundError:
        return False


def _digest(values: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]


def _values(area: public.PublicArea) -> list[Any]:
    return [area.code, area.name, area.parent, area.outline]


def _made(file: Path) -> dt.datetime:
    return dt.datetime.fromtimestamp(file.stat().st_mtime, dt.UTC)


def _fields(notice: Notice) -> dict[str, Any]:
    """The words of one message as JSON values, in the active language where they are the interface's."""
    content = Content(
        status=notice.status,
        severity=notice.severity,
        response=notice.response,
        place=notice.place,
        circles=notice.circles,
        polygons=notice.polygons,
        touched=notice.districts,
    )
    test = notice.status == Status.TEST
    real = notice.status == Status.ACTUAL
    return {
        "kind": str(notice.kind),
        "status": notice.status,
        "url": notice.url,
        "words_language": notice.words_language,
        "level": notice.level if not test else "exercise",
        "level_word": _("Test, no danger") if test else level_word(content, notice.kind),
        "event": notice.event,
        "headline": notice.headline,
        "short": notice.short,
        "description": [line for line in notice.description.splitlines() if line.strip()],
        "steps": list(notice.steps),
        "place": notice.place,
        "area": area_text(content),
        "area_short": _area_short(content),
        "districts": [district.name for district in notice.districts],
        "hit": [district.code for district in notice.districts],
        "circles": [[circle.lat, circle.lon, circle.km] for circle in notice.circles],
        "polygons": [[list(point) for point in polygon.points] for polygon in notice.polygons],
        "onset": _time(notice.onset or notice.effective),
        "expires": _time(notice.expires),
        "facts_at": _time(notice.facts_at),
        "next_by": _time(notice.next_by),
        # in an exercise nobody is to be called, and nothing else read that was written for the real thing
        "contact": notice.contact if real else "",
        "web": notice.web if real else "",
        "card": notice.picture("wide") or notice.picture("square"),
    }


def _area_short(content: Content) -> str:
    """The area for the band: with many districts, their number."""
    if len(content.touched) < MANY:
        return area_text(content)
    count = len(content.touched)
    districts = ngettext("%(count)d district", "%(count)d districts", count) % {"count": count}
    around = area_text(Content(place=content.place, circles=content.circles, polygons=content.polygons))
    return f"{around} ({districts})" if around else districts


def _time(value: dt.datetime | None) -> dict[str, str] | None:
    """A time as residents read it and as machines do."""
    if value is None:
        return None
    return {"words": moment(value), "iso": timezone.localtime(value).isoformat(timespec="seconds")}
