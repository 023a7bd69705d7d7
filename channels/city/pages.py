"""How the public pages of one language are made out of released messages; adds fixed interface words alone."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, override
from django.utils.translation import gettext_lazy as _

from alerts import maps, public
from alerts.content import Circle, Polygon
from alerts.notice import City, Notice, Rendering, moment, page_path
from alerts.signature import CERTIFICATE_FILE
from alerts.terms import Kind, Severity, Status, direction, language_name, ui_language

from . import subscribing
from .app import Look
from .feed_places import ALERTS, EXERCISES, Listing, of_areas, prefix

PER_PAGE = 12
"""Alerts on one page of the archive: few, since two of them are made with every message."""
RECENT = 3
"""Ended alerts that the index names."""

MEANING = {
    Severity.EXTREME: _("Lives are in danger. Do at once what the warning says."),
    Severity.SEVERE: _("Health and property are in great danger. Do what the warning says."),
    Severity.MODERATE: _("It can become dangerous. Get ready and stay away."),
    Severity.MINOR: _("Hardly any danger. It is good that you know."),
}

SHORT_NUMBER = r"\b11\d\b|\b116 ?\d{3}\b"
NUMBER = re.compile(rf"{SHORT_NUMBER}|(?<!\w)(?:\+|0)\d[\d /-]{{3,}}\d\b")
CALLS = re.compile(r"ruf|telefon|\bcall|\bphone|\bdial", re.IGNORECASE)
"""A step that tells people to call: in others, 112 may be the number of a house."""
FIRST_SENTENCE = re.compile(r"^(.{1,120}?[.!?:])\s+(?=\S)(.+)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of one language as of ``now``. ``languages`` in order, the first one without a prefix.

    ``compose`` says what a message has no approved rendering for: one that is older than its channel.
    ``ways`` (of push, sms and email) are offered; ``vapid_key`` is what browsers ask for to be pushed to.
    """

    channel: str
    language: str
    languages: Sequence[str]
    city: City
    look: Look
    compose: Callable[[Notice], Rendering]
    legal: Mapping[str, str]
    keys_dir: str
    now: dt.datetime
    areas: Sequence[public.PublicArea]
    ways: Sequence[str] = ()
    vapid_key: str = ""
    read: dict[int, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def home(self) -> str:
        return "/" + prefix(self.language, self.languages)

    @property
    def offered(self) -> list[str]:
        """The ways to subscribe; no push where browsers could not be told whose it is."""
        return [way for way in self.ways if way != "push" or self.vapid_key]

    def path_of(self, slug: str) -> str:
        return page_path(slug, self.language, self.languages[0])

    @property
    def leaves(self) -> list[public.PublicArea]:
        """The smallest districts: those that messages touch and maps show."""
        parents = {area.parent for area in self.areas}
        return [area for area in self.areas if area.code not in parents]

    # the pages

    def alert(self, alert: public.PublicAlert) -> str:
        """The page of one alert, its latest message first, whatever has become of it."""
        with override(ui_language(self.language)):
            said = [self.said(message, alert) for message in alert.messages]
            face = _face(alert, said[0])
            words = said[0]["words"]
            exercise = alert.status != Status.ACTUAL
            return self._page(
                "alert",
                f"alerts/{alert.slug}/",
                face=face,
                state=alert.state,
                said=said[0],
                words=words,
                history=said,
                begun=self.time(words.get("onset")) if _later(words.get("onset"), alert.latest.sent) else None,
                since=_stamp(alert.messages[-1].sent, year=alert.state != "live"),
                expires=self.time(words.get("expires"), alert.latest.content.expires),
                next_by=self.time(words.get("next_by"), alert.latest.content.next_by),
                facts_at=self.time(words.get("facts_at"), alert.latest.content.facts_at),
                exercise=exercise,
                test=alert.status == Status.TEST,
                map=self._alert_map(alert, words, face),
                title=words.get("headline", ""),
                summary=f"{words.get('level_word', '')}. {words.get('area_short', '')}",
                unlisted=exercise,
            )

    def index(self) -> str:
        """What holds now; where nothing does, that it is so, and as of when."""
        with override(ui_language(self.language)):
            live = [self._listed(alert) for alert in public.live(now=self.now)]
            hit: dict[str, str] = {}
            for entry in reversed(live):  # the most dangerous comes first and wins
                hit |= dict.fromkeys(entry["words"].get("hit", []), entry["face"])
            return self._page(
                "index",
                "",
                live=live,
                ended=[self._listed(alert) for alert in public.ended(RECENT, now=self.now)],
                everywhere=bool(self.leaves) and all(area.code in hit for area in self.leaves),
                map=maps.city_map(self.areas, hit, prefix="c", marks=_marks(live)),
                level=live[0]["face"] if live else "",
                districts=len(self.leaves),
            )

    def archive(self, number: int) -> str:
        """One page of the archive; its alerts stay the same for ever once it is full."""
        newest = public.archive_pages(PER_PAGE)
        with override(ui_language(self.language)):
            return self._page(
                "archive",
                f"archive/{number}/",
                alerts=self._archived(number),
                number=number,
                newer=number + 1 if number < newest else None,
                older=number - 1 if number > 1 else None,
            )

    def archive_overview(self) -> str:
        """The newest alerts: as many as one or two pages hold."""
        newest = public.archive_pages(PER_PAGE)
        with override(ui_language(self.language)):
            return self._page(
                "archive",
                "archive/",
                alerts=self._archived(newest) + (self._archived(newest - 1) if newest > 1 else []),
                number=None,
                newer=None,
                older=newest - 2 if newest > 2 else None,
                oldest=1 if newest > 3 else None,
            )

    def about(self, mark: str = "") -> str:
        """How warnings reach people: what there is to follow, and how to check that it is real."""
        with override(ui_language(self.language)):
            return self._page(
                "about",
                "about/",
                mark=mark,
                boroughs=[{"name": found.area, "feeds": self._feeds(found)} for found in of_areas(self.areas)],
                exercises=self._feeds(EXERCISES),
                levels=[
                    (severity.lower(), severity.label, MEANING[severity])
                    for severity in (Severity.EXTREME, Severity.SEVERE, Severity.MODERATE, Severity.MINOR)
                ],
                fingerprint=self._fingerprint(),
            )

    def subscribe(self, mark: str = "") -> str:
        """Ways, districts, level, topics and language to choose; the form goes to the application."""
        with override(ui_language(self.language)):
            return self._page(
                "subscribe",
                "subscribe/",
                mark=mark,
                vapid_key=self.vapid_key,
                forms=self.offered if self.areas else [],
                **self.choices(subscribing.Ticks(language=self.language)),
            )

    def choices(self, ticks: subscribing.Ticks) -> dict[str, Any]:
        """The context of ``public/wishes.html``: also for a form that shows what somebody has chosen."""
        with override(ui_language(self.language)):
            return subscribing.choices(self.areas, self.languages, ticks)

    def offline(self, mark: str = "") -> str:
        """What the service worker shows where neither network nor a stored copy is there."""
        with override(ui_language(self.language)):
            return self._page("offline", "offline/", mark=mark, unlisted=True)

    def not_found(self, mark: str = "") -> str:
        """Says where to look instead, in this language and in every other that the city writes."""
        own = ui_language(self.language)
        others = {ui_language(tag): tag for tag in reversed(self.languages) if ui_language(tag) != own}
        with override(own):
            return self._page(
                "404",
                None,
                mark=mark,
                others=[
                    {"tag": tag, "ui": ui, "dir": direction(tag), "home": "/" + prefix(tag, self.languages)}
                    for ui, tag in others.items()
                ],
                unlisted=True,
            )

    # what they are made of

    def said(self, message: public.PublicMessage, alert: public.PublicAlert) -> dict[str, Any]:
        """One message for the templates: its approved words, and when it was said."""
        words = self.words(message)
        return {
            "words": words,
            "identifier": message.identifier,
            "number": message.number,
            "kind": str(Kind(message.kind).label),
            "correction": message.kind == Kind.CORRECTION,
            "sent": _stamp(message.sent, year=alert.state != "live"),
            "since": _stamp(message.sent),
            "lang": words["words_language"] if words.get("words_language", self.language) != self.language else "",
            "lang_name": language_name(str(words.get("words_language", ""))),
            "dir": direction(str(words.get("words_language", self.language))),
            "lead": (words.get("description") or [""])[0],
            "paragraphs": [linked(line) for line in words.get("description", [])],
            "steps": [_step(line) for line in words.get("steps", [])],
            "contact": linked(str(words.get("contact", "")), always=True),
            "web": words["web"] if urlsplit(words.get("web", "")).scheme in {"http", "https"} else "",
            "cap": f"/cap/{quote(message.identifier, safe='')}.xml",
            "level": "false" if message.kind == Kind.FALSE_ALARM else words.get("level", "severe"),
        }

    def words(self, message: public.PublicMessage) -> Mapping[str, Any]:
        """What was approved for this page; where it lacks this language, what was for the first."""
        first = self.languages[0]
        return (
            message.words(self.channel, self.language)
            or message.words(self.channel, first)
            or self.compose(message.notice(self.language)).fields
        )

    def time(self, approved: Mapping[str, str] | None, value: dt.datetime | None = None) -> Mapping[str, str] | None:
        """The approved words of a time; of one that release has set, its own."""
        return approved or (_stamp(value) if value else None)

    def _listed(self, alert: public.PublicAlert) -> dict[str, Any]:
        """One alert in a list."""
        said = self.said(alert.latest, alert)
        words = said["words"]
        event, place = words.get("event", ""), words.get("place", "")
        name = f"{event}, {place}" if event and place and place not in event else event or words.get("headline", "")
        return {
            **said,
            "slug": alert.slug,
            "path": self.path_of(alert.slug),
            "state": alert.state,
            "face": _face(alert, said),
            "name": name,
            "begun": _stamp(alert.messages[-1].sent, year=True),
            "last": _stamp(alert.latest.sent, year=True),
            "expires": self.time(words.get("expires"), alert.latest.content.expires),
        }

    def _archived(self, number: int) -> list[dict[str, Any]]:
        """A page of the archive as entries, read once."""
        if number not in self.read:
            found = public.archive(number, PER_PAGE, self.now)
            self.read[number] = [self._listed(alert) for alert in found]
        return self.read[number]

    def _alert_map(self, alert: public.PublicAlert, words: Mapping[str, Any], face: str) -> SafeString:
        exercise = alert.status != Status.ACTUAL
        return maps.alert_map(
            self.areas,
            _circles(words),
            [Polygon(tuple((lat, lon) for lat, lon in points)) for points in words.get("polygons", [])],
            frozenset(words.get("hit", [])),
            place=str(words.get("place", "")),
            level=face,
            prefix="m",
            exercise=exercise,
            # what has expired or was a false alarm is not said to be free again
            ended=alert.state == "all-clear" or (exercise and alert.state != "live"),
            chosen=frozenset(district.code for district in alert.latest.content.districts),
        )

    def _feeds(self, listing: Listing = ALERTS) -> dict[str, str]:
        """The addresses of a feed in this language, by kind."""
        files = listing.files(prefix(self.language, self.languages))
        return {file.rpartition(".")[2]: f"/{quote(file)}" for file in files}

    def _fingerprint(self) -> str:
        """SHA-256 of the certificate that signs the CAP documents; empty where there is none yet."""
        try:
            certificate = x509.load_pem_x509_certificate((Path(self.keys_dir) / CERTIFICATE_FILE).read_bytes())
        except (OSError, ValueError):
            return ""
        return certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    def frame(self, path: str | None = "subscribe/") -> dict[str, Any]:
        """What ``public/base.html`` needs, in this language: for a page of the application too.

        ``path`` is where the switch of languages leads, below each language; None for the 404. Add
        ``unlisted`` for a page that no search engine is to keep. What stands in the frame is rendered
        in the active language.
        """
        return {
            "city": self.city,
            "language": self.language,
            "dir": direction(self.language),
            "home": self.home,
            "path": f"{self.home}{path or ''}",
            "links": [
                {
                    "tag": language,
                    "name": language_name(language),
                    "path": f"/{prefix(language, self.languages)}{path or ''}",
                    "current": language == self.language,
                }
                for language in self.languages
            ],
            "alternates": [],
            "look": self.look,
            "made": _stamp(self.now),
            "legal": self.legal,
            "feeds": self._feeds(),
            "ways": self.offered,
            "locale": get_language(),
            "hotline": linked(self.city.hotline, always=True),
        }

    def _page(self, template: str, path: str | None, **context: Any) -> str:
        """The template with what every page has. ``path`` is the page's below its language; None for the 404."""
        base = self.frame(path)
        if path is not None:
            base["alternates"] = base["links"]
        return render_to_string(f"public/{template}.html", base | {"page": template} | context)


def _face(alert: public.PublicAlert, said: Mapping[str, Any]) -> str:
    """The class that colours an alert as it stands: a level while it is live, else how it ended."""
    if alert.status != Status.ACTUAL:
        return "exercise"
    return {"all-clear": "clear", "false-alarm": "false", "expired": "ended"}.get(alert.state, str(said["level"]))


def _circles(words: Mapping[str, Any]) -> list[Circle]:
    return [Circle(*circle) for circle in words.get("circles", [])]


def _marks(live: Sequence[Mapping[str, Any]]) -> list[maps.Mark]:
    """The circles of the live alerts, pointed out on the map of the city."""
    return [
        maps.Mark(circle, str(entry["words"].get("place", "")), entry["face"])
        for entry in live
        for circle in _circles(entry["words"])
    ]


def _later(approved: Mapping[str, str] | None, sent: dt.datetime) -> bool:
    """Whether a beginning lies ahead of the message that tells of it."""
    return bool(approved) and dt.datetime.fromisoformat(approved["iso"]) > sent + dt.timedelta(minutes=1)  # type: ignore[index]


def _stamp(value: dt.datetime, *, year: bool = False) -> dict[str, str]:
    """A time in words and as ISO 8601; ``year`` for pages that are read long after."""
    return {"words": moment(value, year=year), "iso": timezone.localtime(value).isoformat(timespec="seconds")}


def _step(line: str) -> dict[str, SafeString]:
    """One step: its first sentence stands out, the rest explains."""
    lead, more = found.groups() if (found := FIRST_SENTENCE.match(line)) else (line, "")
    calls = bool(CALLS.search(line))
    return {"lead": linked(lead, always=calls), "more": linked(more, always=calls)}


def linked(text: str, *, always: bool = False) -> SafeString:
    """The text, escaped, with telephone numbers to touch where it speaks of calling."""
    safe = escape(text)
    if not (always or CALLS.search(text)):
        return safe
    return mark_safe(NUMBER.sub(_call, safe))  # noqa: S308 (escaped, and a number holds digits alone)


def _call(found: re.Match[str]) -> str:
    return f'<a href="tel:{re.sub(r"[^0-9+]", "", found[0])}">{found[0]}</a>'
