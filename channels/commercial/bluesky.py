"""Bluesky: a post whose key and time are fixed by the message, so that trying again can't post twice."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import httpx
from django.utils.translation import gettext as _

from alerts.notice import Notice, Rendering, fit
from alerts.terms import ui_language
from channels.base import Hop, Permanent, Post, Publisher, Temporary, Uncertain
from channels.http import Http, check, retry_after
from channels.teasers import seen, teaser

if TYPE_CHECKING:
    import atproto

log = logging.getLogger(__name__)

T = TypeVar("T")
WHAT = "Bluesky"
GRAPHEMES, BYTES = 300, 3000
"""What a post's text may have of both (lexicon app.bsky.feed.post)."""
THUMB = 1_000_000
"""Bytes that a card's picture may have (lexicon app.bsky.embed.external)."""
HELD = 600.0
"""Seconds an uploaded picture is used: a server may drop what no post shows after some minutes."""
DAY = 86_400.0
COLLECTION = "app.bsky.feed.post"
DIGITS = "234567abcdefghijklmnopqrstuvwxyz"
URI = re.compile(r"at://(did:[a-z]+:[A-Za-z0-9._:%-]+)/app\.bsky\.feed\.post/([A-Za-z0-9._~:-]{1,512})")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class _SessionOver(Permanent):
    """The server knows this session no more, or never let it in."""


class _NotServed(Permanent):
    """The server has no such method."""


class _NoBlob(Permanent):
    """The picture is there no more, or not as it was uploaded."""


class Bluesky(Publisher):
    """Posts by the AT Protocol with an app password, its link as a card.

    The card's picture can have no description there: all that it shows stands in the card's words and in the
    text. ``service`` is the base URL of the account's server (PDS). One session is kept for the process:
    Bluesky allows about a hundred sign-ins a day.
    """

    idempotent = True
    seconds = 45.0
    hops = (Hop("Bluesky Social", "abroad"),)
    pictures = ("wide",)

    def __init__(
        self,
        name: str,
        *,
        http: Http,
        handle: str,
        app_password: str,
        service: str = "https://bsky.social",
        languages: Sequence[str] = (),
    ) -> None:
        super().__init__(name)
        if not _safe(service, service):
            raise ValueError(_("service begins with https://"))
        self.http, self.handle, self._password = http, handle.removeprefix("@"), app_password
        self.service, self.languages = service.rstrip("/"), tuple(languages)
        self._client: atproto.Client | None = None
        self._did = ""

    def compose(self, notice: Notice) -> Rendering:
        fields: dict[str, Any] = {
            "text": teaser(notice, GRAPHEMES, length),
            "link": notice.url,
            "title": fit(notice.headline or notice.event, "", GRAPHEMES),
            "description": fit(notice.description or notice.city.name, "", GRAPHEMES),
        }
        if picture := notice.picture("wide"):
            fields["picture"] = picture
        return Rendering(self.name, notice.language, fields)

    def measure(self, rendering: Rendering) -> tuple[int, int] | None:
        return length(str(rendering.fields["text"])), GRAPHEMES

    def begin(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Mapping[str, Any]:
        """Upload the card's picture. One that Bluesky refuses is left out: the card goes without it."""
        card = rendering.fields.get("picture")
        body = rendering.pictures.get(card["sha256"]) if card else None
        if not card or body is None or len(body) > THUMB:
            return {}
        if rendering.begun.get("thumb") and rendering.begun.get("until", 0) > time.time():
            return rendering.begun
        typed = {"Content-Type": card["mime"]}
        try:
            made = self._signed_in(lambda client: client.com.atproto.repo.upload_blob(body, headers=typed))
        except Permanent as refusal:
            log.warning("%s: the picture is left out: %s", self.name, refusal)
            return {"thumb": None, "refused": str(refusal)}
        return {"thumb": made.blob.model_dump(mode="json", by_alias=True), "until": round(time.time() + HELD)}

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        sent = dt.datetime.fromisoformat(rendering.slots["sent"])
        record, rkey = _record(rendering, sent, reply_to), record_key(sent, key)
        try:
            return self._put(record, rkey)
        except _NoBlob:
            record["embed"]["external"].pop("thumb", None)
            return self._put(record, rkey)

    def _put(self, record: Mapping[str, Any], rkey: str) -> Post:
        def put(client: atproto.Client) -> Any:
            where = {"repo": self._did, "collection": COLLECTION, "rkey": rkey}
            return client.com.atproto.repo.put_record({**where, "record": record})

        made = self._signed_in(put)
        found = URI.fullmatch(str(made.uri))
        if found is None or found[2] != rkey:
            raise Temporary(_unreadable())
        own = {"uri": str(made.uri), "cid": str(made.cid)}
        root = record["reply"]["root"] if "reply" in record else own
        return Post(own["uri"], f"https://bsky.app/profile/{found[1]}/post/{rkey}", {**own, "root": root})

    def retract(self, post: Post) -> None:
        """Delete the record; one that is gone is none to the server either."""
        found = URI.fullmatch(post.remote_id)
        if found is None:
            raise Permanent(_("This is no post of Bluesky's: delete it in the account yourself."))
        data = {"repo": found[1], "collection": COLLECTION, "rkey": found[2]}
        self._signed_in(lambda client: client.com.atproto.repo.delete_record(data))

    def probe(self) -> str:
        session = self._signed_in(lambda client: client.com.atproto.server.get_session())
        if session.active is False:
            raise Permanent(_("Bluesky has closed the account to posts: look there what it asks for."))
        return _("Signed in as @{name}.").format(name=session.handle)

    def audience(self) -> int | None:
        """Followers; None where the account's server answers for posts alone."""
        try:
            profile = self._signed_in(lambda client: client.app.bsky.actor.get_profile({"actor": self._did}))
        except _NotServed:
            return None
        count = profile.followers_count
        return count if isinstance(count, int) else None

    def _signed_in(self, ask: Callable[[atproto.Client], T]) -> T:
        """What ``ask`` came to, signed in; where the session is over, once more in a new one."""
        from atproto.exceptions import AtProtocolError  # noqa: PLC0415

        fresh = self._client is None
        try:
            client = self._client or self._sign_in()
            try:
                return ask(client)
            except _SessionOver:
                self._client = None
                if fresh:
                    raise
                return ask(self._sign_in())
        except (AtProtocolError, ValueError, OverflowError) as error:  # it meets a shape that is not the protocol's
            raise Temporary(_unreadable()) from error

    def _sign_in(self) -> atproto.Client:
        from atproto import Client  # noqa: PLC0415

        client = Client(self.service, request=_bounded(self.http, self.service))
        client.on_session_change(lambda _event, session: setattr(self, "_did", session.did))
        client.login(self.handle, self._password, fetch_bsky_profile=False)
        self._client = client
        return client


def length(text: str) -> int:
    """The length of a post in graphemes; with many bytes to each of them, as if ten bytes were one."""
    bytes_too = -(-len(text.encode()) * GRAPHEMES // BYTES)
    return bytes_too if bytes_too > GRAPHEMES else max(seen(text, GRAPHEMES), bytes_too)


def record_key(sent: dt.datetime, key: str) -> str:
    """A TID (atproto.com/specs/tid): the second when the message was sent, the rest out of ``key``.

    Languages of one message share that second: microsecond and clock id together tell them apart.
    """
    mixed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])
    microseconds = int(sent.timestamp()) * 1_000_000 + (mixed >> 10) % 1_000_000
    number = microseconds << 10 | mixed & 1023
    return "".join(DIGITS[number >> shift & 31] for shift in range(60, -1, -5))


def _record(rendering: Rendering, sent: dt.datetime, reply_to: Post | None) -> dict[str, Any]:
    """The post itself: the same at every try."""
    text, link = rendering.fields["text"], rendering.fields["link"]
    external = {"uri": link, "title": rendering.fields["title"], "description": rendering.fields["description"]}
    if rendering.begun.get("thumb"):
        external["thumb"] = rendering.begun["thumb"]
    end = len(text.encode())
    record = {
        "$type": COLLECTION,
        "text": text,
        "createdAt": sent.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "langs": [ui_language(rendering.language)],
        "facets": [
            {
                "index": {"byteStart": end - len(link.encode()), "byteEnd": end},
                "features": [{"$type": "app.bsky.richtext.facet#link", "uri": link}],
            }
        ],
        "embed": {"$type": "app.bsky.embed.external", "external": external},
    }
    if reply_to and reply_to.data.get("cid"):  # else it stands where an officer posted by hand
        parent = {"uri": reply_to.data["uri"], "cid": reply_to.data["cid"]}
        record["reply"] = {"root": reply_to.data.get("root", parent), "parent": parent}
    return record


def _bounded(http: Http, service: str) -> atproto.Request:
    """What the client sends by: ``channels.http`` with its bounds and our errors."""
    from atproto import Request  # noqa: PLC0415

    def refuse(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"{request.method} round the bounds")

    class Bounded(Request):  # type: ignore[misc]
        def _send_request(self, method: str, url: str, **options: Any) -> httpx.Response:
            if not _safe(url, service):  # after signing in, the server itself names where to go on
                raise Permanent(_("Bluesky names a server without encryption: nothing was sent there."))
            headers = {**self.get_headers(options.pop("headers", None)), "User-Agent": "Belfry"}
            if isinstance(options.get("data"), bytes):
                options["content"] = options.pop("data")
            try:
                answer = http.ask(WHAT, method, url, headers=headers, **options)
            except Uncertain as unclear:
                raise Temporary(str(unclear)) from unclear  # the same again changes nothing
            _check(answer)
            return answer

        def clone(self) -> Bounded:
            return self

    return Bounded(transport=httpx.MockTransport(refuse), trust_env=False)


def _safe(url: str, service: str) -> bool:
    """Whether passwords may go there: by https, or where the service is on this machine, to this machine."""
    there, own = urlsplit(url), urlsplit(service)
    local = there.hostname in LOOPBACK and own.hostname in LOOPBACK
    return bool(there.hostname) and (there.scheme == "https" or (there.scheme == "http" and local))


def _check(answer: httpx.Response) -> None:
    """Raise what a refusal asks for. A 500 may mean that the post stands: it is put there again, the same."""
    status = answer.status_code
    if status < 300:
        return
    words = _("{what} answered {status}").format(what=WHAT, status=status)
    error = _error(answer)
    if error == "AuthFactorTokenRequired":
        raise Permanent(_("Bluesky asks for a second factor: enter an app password, not the account's own."))
    if status == 401 or (status == 400 and error in {"ExpiredToken", "InvalidToken"}):
        raise _SessionOver(_("Bluesky refuses the app password: make a new one in the account and enter it."))
    if status == 403 or error in {"AccountTakedown", "AccountDeactivated", "RepoTakendown", "RepoDeactivated"}:
        raise Permanent(_("Bluesky refuses this account: look there whether it is locked."))
    if status == 400 and error in {"BlobNotFound", "InvalidMimeType", "InvalidSize"}:
        raise _NoBlob(words)
    if status in {404, 501}:
        raise _NotServed(words)
    if status == 429:
        raise Temporary(words, after=_after(answer))
    check(WHAT, answer)


def _error(answer: httpx.Response) -> str:
    """The name that a refusal has."""
    try:
        found = json.loads(answer.content)
    except ValueError:
        return ""
    name = found.get("error") if isinstance(found, dict) else None
    return name if isinstance(name, str) else ""


def _after(answer: httpx.Response) -> float | None:
    """Seconds until the server takes more: Retry-After, else ratelimit-reset by its own clock; at most a day."""
    if (wait := retry_after(answer)) is not None:
        return wait
    reset = answer.headers.get("ratelimit-reset", "")
    if not re.fullmatch(r"[0-9]{1,12}", reset):
        return None
    try:
        now = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        now = time.time()
    return min(max(float(reset) - now, 1.0), DAY)


def _unreadable() -> str:
    return _("{what}: the answer can't be read.").format(what=WHAT)
