"""The city's own feeds: Atom, RSS, signed CAP documents, alerts.json, alerts.geojson and NINA's shape, as files."""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from django.utils import timezone
from django.utils.translation import gettext as _

from alerts import cap, public
from alerts.cap import rules
from alerts.notice import Notice, Rendering
from alerts.signature import Signer, SigningFailed
from alerts.terms import MsgType, Status
from channels.base import ChannelError, Permanent, Post, Publisher, Temporary
from channels.http import Http
from channels.publicfiles import PublicFolder

from ..feed_places import ALERTS, EXERCISES, Listing, of_areas, prefix
from . import edition, nina, words
from .edition import KEPT, Edition, cap_path

log = logging.getLogger(__name__)

HUB_SECONDS = 3.0
"""What a WebSub hub may cost a delivery, whatever it does."""
TRIAL = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EXPIRES = re.compile(rb"<cap:expires>([^<]+)</cap:expires>")


class Feeds(Publisher):
    """Feeds in ``folder``, served at ``address``; ``languages`` in order, the first without a prefix."""

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
        websub_hub: str = "",
        ars: str = "",
    ) -> None:
        super().__init__(name)
        self.folder = PublicFolder(folder)
        self.address = address
        self.languages = list(languages)
        self.http = http or Http()
        self.keys_dir = keys_dir
        self.hub = websub_hub
        self.ars = ars

    # What an entry will say

    def compose(self, notice: Notice) -> Rendering:
        """All words of this message's entry. Raises ValueError where its CAP document could not be written."""
        fields = words.words(notice)
        if found := words.unfit(fields):
            text = _("The text holds the character {code}, which feeds and CAP can't carry. Remove it.")
            raise ValueError(text.format(code=found))
        _try_document(notice)
        return Rendering(self.name, notice.language, fields)

    # How it gets there

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        """Write what this message changes, and fetch it in this language at the public address.

        Its first language writes the files of all: the CAP document, alerts.json and alerts.geojson, and
        in every language the feeds. The others write only what is missing then.
        """
        identifier, language = rendering.slots["identifier"], rendering.language
        message = public.message(identifier)
        if message is None:
            raise Permanent(_("The message {identifier} is not in the database.").format(identifier=identifier))
        spoken = edition.spoken(message, self.name, self.languages)
        listing = EXERCISES if message.status != Status.ACTUAL else ALERTS
        files = listing.files(prefix(language, self.languages))
        listed = language != spoken[0] and all(self._says(path, identifier) for path in files)
        if not listed:
            listed = self._write(message, listing, language)
        self._look(cap_path(identifier), identifier)
        for path in files if listed else ():
            self._look(path, identifier)
        if language == spoken[-1] and self.hub:
            self._tell_hub(edition.concerned(message))
        return Post(remote_id=identifier, url=f"{self.address}/{files[0]}")

    def _write(self, message: public.PublicMessage, listing: Listing, language: str) -> bool:
        """Write all files that a message changes; whether its feed in this language lists it, or has no room."""
        with self._edition() as new:
            # First of all: nothing is listed whose document can't be made
            new.document(message)
            new.warning(message)
            found = []
            for concerned in edition.concerned(message):
                for each in self.languages:
                    identifiers = new.write(concerned, each)
                    if (concerned, each) == (listing, language):
                        found = identifiers
            self._drop_old(new)
            if message.status == Status.ACTUAL:
                new.data()
        return message.identifier in found

    def _says(self, path: str, identifier: str) -> bool:
        try:
            return f">{identifier}<".encode() in (self.folder.root / path).read_bytes()
        except FileNotFoundError:
            return False

    def retract(self, post: Post) -> None:
        """What a feed said is never taken back."""
        raise Permanent(_("What the feeds said stays in them. Send a correction or a false alarm."))

    def probe(self) -> str:
        """Load the signing key and fetch the feed at the public address."""
        try:
            signer = Signer.load(Path(self.keys_dir))
        except SigningFailed as error:
            raise Permanent(str(error)) from error
        address = f"{self.address}/{ALERTS.files('')[0]}"
        self.http.get(_("public feed"), address)
        return _("The feed answers at {address}; documents are signed with {fingerprint}.").format(
            address=address, fingerprint=signer.fingerprint
        )

    def _look(self, path: str, identifier: str) -> None:
        """Fetch a file as readers do and find the message in it. Not yet there is worth another try: the file is."""
        try:
            # no-cache: a cache in front must not answer with the version before
            url = f"{self.address}/{quote(path)}"
            answer = self.http.get(_("public feed"), url, headers={"Cache-Control": "no-cache"})
        except Permanent as error:
            raise Temporary(str(error), after=2) from error
        if f">{identifier}<" not in answer.text:
            text = _("The message was not found at the public address ({path}). Does the web server show this folder?")
            raise Temporary(text.format(path=path), after=2)

    def _tell_hub(self, listings: Iterable[Listing]) -> None:
        """Tell the WebSub hub that feeds have changed. It can't fail the delivery, nor hold it up for long."""
        urls = [f"{self.address}/{path}" for listing in listings for path in self._files(listing)]
        # A thread, since a hub that drips its answer would outlast any time-out of one read
        call = threading.Thread(target=self._call_hub, args=(urls,), daemon=True)
        call.start()
        call.join(HUB_SECONDS)
        if call.is_alive():
            log.warning("the WebSub hub did not answer within %s seconds", HUB_SECONDS)

    def _call_hub(self, urls: list[str]) -> None:
        form = {"hub.mode": "publish", "hub.url": urls}
        try:
            self.http.request("WebSub hub", "POST", self.hub, data=form, timeout=HUB_SECONDS)
        except ChannelError as error:
            log.warning("the WebSub hub was not told: %s", error)

    # What time alone changes

    def refresh(self) -> None:
        """Drop what has become too old, and from the data what has expired; reads no database while nothing has."""
        now = timezone.now()
        if not (self.folder.root / ALERTS.files("")[0]).exists():
            self._write_everything()
        elif self._old_files(now) or self._data_old(now):
            with self._edition() as new:
                self._drop_old(new)
                new.data()

    def rebuild(self, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Make all feeds and data anew, and the CAP documents that are missing; one that stands is never touched.

        ``progress(done, total)`` after each alert and each feed. May be broken off and run again. Raises
        Temporary where documents can't be signed.
        """
        slugs = public.slugs()
        total = len(slugs) + len(_listings()) + 1
        counted = iter(range(1, total + 1))
        progress(0, total)
        for slug in slugs:
            alert = public.alert(slug)
            missing = [message for message in alert.messages if not self._stands(message)] if alert else []
            if missing:
                with self._edition() as new:
                    for message in missing:
                        new.document(message)
                        new.warning(message)
            progress(next(counted), total)
        self._write_everything(lambda: progress(next(counted, total), total))

    def _stands(self, message: public.PublicMessage) -> bool:
        wanted = [cap_path(message.identifier)]
        if self.ars and message.status == Status.ACTUAL:
            wanted.append(nina.warning_path(message.identifier))
        return all((self.folder.root / path).exists() for path in wanted)

    def _write_everything(self, done: Callable[[], None] = lambda: None) -> None:
        """All feeds and data. The lock is taken anew for each feed: an urgent message never waits for all of them."""
        listings = _listings()
        for listing in listings:
            with self._edition() as new:
                for language in self.languages:
                    new.write(listing, language)
            done()
        known = {path for listing in listings for path in self._files(listing)}
        with self._edition() as new:
            new.data()
            for path in self._feed_files():
                if path not in known:
                    new.staged.remove(path)  # of a district or a language that is no longer the city's
        done()

    def _files(self, listing: Listing) -> list[str]:
        return [path for language in self.languages for path in listing.files(prefix(language, self.languages))]

    def _drop_old(self, new: Edition) -> None:
        """Write those feeds anew that still list something that has gone: each file says itself what it lists."""
        old = self._old_files(new.now)
        for listing in _listings() if old else ():
            for language in self.languages:
                files = set(listing.files(prefix(language, self.languages)))
                if old & files:
                    new.write(listing, language)
                    old -= files
        for path in old:  # of a district or a language that is no longer the city's
            new.staged.remove(path)

    def _old_files(self, now: dt.datetime) -> set[str]:
        return {
            path
            for path in self._feed_files(".atom")
            if any(
                dt.datetime.fromisoformat(expires.decode()) <= now - KEPT
                for expires in _EXPIRES.findall((self.folder.root / path).read_bytes())
            )
        }

    def _feed_files(self, *suffixes: str) -> list[str]:
        root = self.folder.root
        return [
            file.relative_to(root).as_posix()
            for folder in (root / "feeds", *root.glob("*/feeds"))
            for file in folder.rglob("*")
            if file.suffix in (suffixes or (".atom", ".rss"))
        ]

    def _data_old(self, now: dt.datetime) -> bool:
        if self.ars and not (self.folder.root / nina.dashboard_path(self.ars)).exists():
            return True
        try:
            alerts = json.loads((self.folder.root / "alerts.json").read_bytes())["alerts"]
            return any(dt.datetime.fromisoformat(alert["expires"]) <= now for alert in alerts)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return True

    @contextmanager
    def _edition(self) -> Iterator[Edition]:
        with self.folder.swap() as staged:
            yield Edition(
                staged,
                channel=self.name,
                languages=self.languages,
                city=public.city(),
                address=self.address,
                keys_dir=self.keys_dir,
                now=timezone.now(),
                hub=self.hub,
                ars=self.ars,
            )


def _listings() -> list[Listing]:
    """Every feed of the city, as its districts are now."""
    return [ALERTS, EXERCISES, *of_areas(public.areas())]


def _try_document(notice: Notice) -> None:
    """Write the CAP document with names that stand for the later ones; ValueError says what is wrong with it."""
    references = [] if notice.msg_type == MsgType.ALERT else [("belfry", "before", cap.cap_time(TRIAL))]
    made = cap.compose([notice], identifier="trial", sender="belfry", sent=TRIAL, references=references)
    for fault in rules.faults(cap.write(made)).errors:
        raise ValueError(fault.text)
