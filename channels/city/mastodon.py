"""Mastodon: posts on the city's own instance, its picture described, replies for what follows."""

from __future__ import annotations

import datetime as dt
import html
import json
import logging
import re
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import httpx
from django.utils.translation import gettext as _

from alerts.notice import Notice, Rendering, fit
from alerts.terms import ui_language
from channels.base import ChannelError, Hop, Permanent, Post, Publisher, Temporary, Uncertain
from channels.http import Http, check, retry_after
from channels.teasers import seen, teaser

if TYPE_CHECKING:
    import mastodon
    import requests

log = logging.getLogger(__name__)

WHAT = "Mastodon"
ALT = 1500
"""Characters of a picture's description that every version takes."""
HELD = 20 * 3600.0
"""Seconds an uploaded picture is used: an instance throws away after a day what no post shows."""
POLLS = 4
"""Looks whether an instance is done with a picture; most are at once."""
PAGE, PAGES = 40, 3
"""Posts of one page, and pages, that a look-up reads back."""
SLACK = dt.timedelta(minutes=5)
"""What the instance's clock may differ by."""
DAY = 86_400.0
ADDRESS = re.compile(r"https?://\S+")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class _NotThere(Permanent):
    """The instance knows no such thing."""


class Mastodon(Publisher):
    """Posts over one account of an instance; several accounts are several entries.

    ``instance`` is its address, ``token`` one with the rights read, write:statuses and write:media.
    ``max_characters`` and ``characters_reserved_per_url`` are the instance's own, which ``probe`` compares;
    ``own`` says that the instance is the city's, else ``where`` says whose law holds there (``eu``,
    ``abroad``). ``timeout`` is the seconds for connecting and for each read.
    """

    city = True
    idempotent = False  # the instance forgets a key after an hour; until then and later, look_up tells
    seconds = 45.0
    pictures = ("square-png",)
    pause = 1.0
    """Seconds before each look whether a picture is ready."""

    def __init__(
        self,
        name: str,
        *,
        instance: str,
        token: str,
        languages: Sequence[str] = (),
        max_characters: int = 500,
        characters_reserved_per_url: int = 23,
        visibility: str = "public",
        own: bool = True,
        where: str = "eu",
        timeout: float = 8.0,
    ) -> None:
        super().__init__(name)
        parts = urlsplit(instance)
        self.host = parts.hostname or ""
        if not (self.host and (parts.scheme == "https" or (parts.scheme == "http" and self.host in LOOPBACK))):
            raise ValueError(_("instance begins with https://"))
        if visibility not in {"public", "unlisted"}:
            raise ValueError(_("visibility is public or unlisted: others would not see a warning"))
        if where not in {"eu", "abroad"}:
            raise ValueError(_("where is eu or abroad"))
        if max_characters < 2 * characters_reserved_per_url or characters_reserved_per_url < 1:
            raise ValueError(_("max_characters is at least twice characters_reserved_per_url"))
        self.instance, self._token, self.languages = instance.rstrip("/"), token, tuple(languages)
        self.max_characters, self.reserved, self.visibility = max_characters, characters_reserved_per_url, visibility
        self.hops = (Hop(self.host, "city" if own else where),)
        self.timeout = timeout
        self._kept: mastodon.Mastodon | None = None

    def compose(self, notice: Notice) -> Rendering:
        text = teaser(notice, self.max_characters, self.length, most=4 * self.max_characters)
        picture = notice.picture("square-png")
        return Rendering(self.name, notice.language, {"text": text} | ({"picture": picture} if picture else {}))

    def measure(self, rendering: Rendering) -> tuple[int, int] | None:
        return self.length(str(rendering.fields["text"])), self.max_characters

    def length(self, text: str) -> int:
        """Characters as an instance counts them: those that people see, and the link in the last line as ``reserved``.

        Other addresses count as long as they are, or as ``reserved`` where that is more: an instance sees fewer of
        them than this does. Of a text that is surely too long, no more than that it is.
        """
        words, line, link = text.rpartition("\n")
        if not ADDRESS.fullmatch(link):
            words, line, link = text, "", ""
        counted = ADDRESS.sub(lambda found: found[0].ljust(self.reserved, "x"), words) + line
        return seen(counted, self.max_characters) + (self.reserved if link else 0)

    def begin(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Mapping[str, Any]:
        """Upload the card with its description. One that the instance refuses is left out: the words go without it."""
        card = rendering.fields.get("picture")
        body = rendering.pictures.get(card["sha256"]) if card else None
        if not card or body is None:
            return {}
        if rendering.begun.get("media") and rendering.begun.get("until", 0) > time.time():
            return rendering.begun
        try:
            with _asking():
                client = self._client()
                made = client.media_post(
                    body, card["mime"], description=fit(card["alt"], "", ALT), file_name="card.png"
                )
                number = _number(made, Temporary)
                until, looks = time.monotonic() + 2 * self.timeout, 0
                while not made.get("url"):
                    if looks == POLLS or time.monotonic() > until:
                        raise Temporary(_("Mastodon is still at work on the picture."))
                    looks += 1
                    time.sleep(self.pause)
                    made = _object(client.media(number))
        except Permanent as refusal:
            log.warning("%s: the picture is left out: %s", self.name, refusal)
            return {"media": "", "refused": str(refusal)}
        return {"media": number, "until": round(time.time() + HELD)}

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        try:
            return self._create(rendering, key, reply_to)
        except _NotThere:
            if reply_to is None:
                raise
            return self._create(rendering, key, None)  # better on its own than not at all

    def _create(self, rendering: Rendering, key: str, reply_to: Post | None) -> Post:
        media = rendering.begun.get("media")
        with _asking(Uncertain):
            made = self._client().status_post(
                rendering.fields["text"],
                in_reply_to_id=reply_to.remote_id if reply_to else None,
                media_ids=[media] if media else None,
                visibility=self.visibility,
                language=ui_language(rendering.language),
                idempotency_key=key,
            )
        return _post(made, Uncertain)

    def look_up(
        self, rendering: Rendering, *, key: str, since: dt.datetime, reply_to: Post | None = None
    ) -> Post | None:
        """Read back the account's own posts, to the time when the message was sent."""
        language, text, before = ui_language(rendering.language), _bare(rendering.fields["text"]), None
        with _asking():
            client = self._client()
            me = _number(client.account_verify_credentials(), Temporary)
            for _page in range(PAGES):
                found = client.account_statuses(me, exclude_reblogs=True, limit=PAGE, max_id=before)
                for one in found:
                    if one.get("language") in {language, None} and _bare(_seen(str(one.get("content")))) == text:
                        return _post(one, Temporary)
                times = [one.get("created_at") for one in found]
                if len(found) < PAGE or any(isinstance(at, dt.datetime) and at < since - SLACK for at in times):
                    return None
                before = _number(found[-1], Temporary)
        raise Uncertain(_("Mastodon shows too many posts to find this one: look at the account yourself."))

    def retract(self, post: Post) -> None:
        try:
            with _asking():
                self._client().status_delete(post.remote_id)
        except _NotThere:
            return

    def probe(self) -> str:
        with _asking():
            me = _object(self._client().account_verify_credentials())
        if me.get("suspended") or me.get("limited"):
            raise Permanent(_("The instance has restricted the account: ask its administrator to lift that."))
        words = _("Signed in as @{name}.").format(name=f"{me.get('username', '?')}@{self.host}")
        ours = {"max_characters": self.max_characters, "characters_reserved_per_url": self.reserved}
        limits = self._limits()
        told = _("The instance has {name} = {theirs}, channels.toml {ours}: enter {theirs} there.")
        for name, mine in ours.items():
            theirs = limits.get(name)
            if isinstance(theirs, int) and theirs != mine:
                differs = told.format(name=name, theirs=theirs, ours=mine)
                if (theirs < mine) == (name == "max_characters"):
                    raise Permanent(f"{words} {differs} {_('Until then it may refuse long posts.')}")
                words = f"{words} {differs}"
        return words

    def _limits(self) -> Mapping[str, Any]:
        """What the instance says of its posts; empty where it is no Mastodon 4, which alone tells."""
        try:
            with _asking():
                return _object(_object(_object(self._client().instance_v2()).get("configuration")).get("statuses"))
        except Permanent:
            return {}

    def audience(self) -> int | None:
        with _asking():
            count = _object(self._client().account_verify_credentials()).get("followers_count")
        return count if isinstance(count, int) else None

    def _client(self) -> mastodon.Mastodon:
        if self._kept is None:
            from mastodon import Mastodon as Client  # noqa: PLC0415

            client = Client(
                access_token=self._token,
                api_base_url=self.instance,
                session=cast("requests.Session", _Wire(Http(seconds=self.timeout))),
                user_agent="Belfry",
                ratelimit_method="throw",
                # Or an upload asks for it, and again if that fails, without an end
                mastodon_version="4.0.0",
                version_check_mode="none",
            )
            client.mastodon_major = 4  # which "none" leaves unset; of the uploads it takes today's one
            self._kept = client
        return self._kept


class _Wire:
    """What Mastodon.py sends by in place of a requests.Session: ``channels.http`` with its bounds and our errors.

    Headers stop here: Mastodon.py fails on an odd rate limit even where the post went out.
    """

    def __init__(self, http: Http) -> None:
        self.http = http

    def request(self, method: str, url: str, *, headers: Mapping[str, str], **options: Any) -> requests.Response:
        """Mastodon.py's own ``timeout`` and ``auth`` are none of ours: ``http`` has its own, and no .netrc."""
        import requests  # noqa: PLC0415

        harmless = method != "POST" or url.endswith("/media")
        sent = {name: options[name] for name in ("params", "json", "files") if options.get(name)}
        if fields := options.get("data"):
            sent["data"] = {name: value for name, value in fields.items() if value is not None}
        answer = self.http.ask(WHAT, method, url, idempotent=harmless, headers=dict(headers), **sent)
        _check(answer, harmless)
        try:
            found = json.loads(answer.content)
        except ValueError as error:
            raise (Temporary if harmless else Uncertain)(_unreadable()) from error
        # Mastodon.py makes an empty or odd list of any other answer: then nothing would be found where a post stands
        if method == "GET" and url.endswith("/statuses") and not _is_list(found):
            raise Temporary(_unreadable())
        response = requests.Response()
        response.status_code, response.encoding = answer.status_code, "utf-8"
        response._content = answer.content
        return response


@contextmanager
def _asking(unclear: type[ChannelError] = Temporary) -> Iterator[None]:
    """Our error out of Mastodon.py's, which holds it as its context; ``unclear`` for what only it stumbles over."""
    from mastodon.errors import MastodonError  # noqa: PLC0415

    try:
        yield
    except MastodonError as error:
        if isinstance(error.__context__, ChannelError):
            raise error.__context__ from None
        raise unclear(_unreadable()) from error


def _check(answer: httpx.Response, harmless: bool) -> None:
    """Raise what a refusal asks for; its words are in the instance's language, and not read."""
    status = answer.status_code
    if status == 401:
        raise Permanent(_("Mastodon refuses the account's token: make a new one on the instance and enter it."))
    if status == 403:
        raise Permanent(_("Mastodon refuses this account: look there whether it is locked and the token may write."))
    if status == 404:
        raise _NotThere(_("{what} answered {status}").format(what=WHAT, status=status))
    if status == 422:
        raise Permanent(_("Mastodon does not take this: is max_characters in channels.toml the instance's own?"))
    if status == 429:
        raise Temporary(_("{what} answered {status}").format(what=WHAT, status=status), after=_after(answer))
    check(WHAT, answer, idempotent=harmless)


def _after(answer: httpx.Response) -> float | None:
    """Seconds until the instance takes more: Retry-After, else X-RateLimit-Reset by its own clock; at most a day."""
    if (wait := retry_after(answer)) is not None:
        return wait
    try:
        reset = dt.datetime.fromisoformat(answer.headers["x-ratelimit-reset"])
        now = parsedate_to_datetime(answer.headers["date"]) if "date" in answer.headers else dt.datetime.now(dt.UTC)
        return min(max((reset - now).total_seconds(), 1.0), DAY)
    except (KeyError, ValueError, TypeError):
        return None


def _unreadable() -> str:
    return _("{what}: the answer can't be read.").format(what=WHAT)


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_list(found: object) -> bool:
    return isinstance(found, list) and all(isinstance(one, dict) and "id" in one for one in found)


def _number(made: object, unclear: type[ChannelError]) -> str:
    """The id that the instance gave: letters and digits, other software than Mastodon's included."""
    number = _object(made).get("id")
    if not isinstance(number, int | str) or not re.fullmatch(r"[0-9A-Za-z_-]{1,64}", str(number)):
        raise unclear(_unreadable())
    return str(number)


def _post(made: object, unclear: type[ChannelError]) -> Post:
    url = str(_object(made).get("url") or "")
    return Post(_number(made, unclear), url if url.startswith(("https://", "http://")) else "")


def _seen(content: str) -> str:
    """A post's HTML as its text. Of long addresses it hides parts, but holds them."""
    return html.unescape(re.sub(r"<[^>]*>", "", content))


def _bare(text: str) -> str:
    """What of a text no software changes: its letters and digits."""
    return "".join(one for one in unicodedata.normalize("NFKC", text) if one.isalnum())
