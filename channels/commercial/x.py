"""X: one short post over the city's account, its picture, replies for what follows.

A post with a link, as every one of ours, costs about $0.20 (February 2026); each language is one of its own.
"""

from __future__ import annotations

import base64
import datetime as dt
import html
import json
import logging
import re
import ssl
import time
import unicodedata
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from alerts.notice import Notice, Rendering
from channels.base import Hop, Permanent, Post, Publisher, Temporary, Uncertain
from channels.http import LIMIT
from channels.teasers import JOINER, teaser

from ._tweetcount import CHARACTERS, twitter_text, weight

if TYPE_CHECKING:
    import requests
    import tweepy

log = logging.getLogger(__name__)

WHAT = "X"
ALT = 1000
"""Characters of a picture's description."""
PAGES = 3
"""Of 100 posts each, that a look-up reads back."""
HOST = "https://api.twitter.com"
"""Where tweepy always asks; what it asks goes to ``server`` instead."""
DAY = 86_400.0
INVALID = dict.fromkeys((0xFFFE, 0xFEFF, 0xFFFF))
"""Characters that X refuses in a post."""


class _Duplicate(Permanent):
    """X says that this text already stands there."""


class _NoParent(Permanent):
    """The post to reply to is gone."""


class _NotThere(Permanent):
    """X knows no such post."""


class X(Publisher):
    """Posts by X's API v2 with the account's own four keys (OAuth 1.0a).

    ``server`` is another address of the API, for tests; ``patience`` the seconds to wait for an answer.
    """

    seconds = 45.0
    hops = (Hop("X Corp.", "abroad"),)
    pictures = ("wide",)

    def __init__(
        self,
        name: str,
        *,
        consumer_key: str,
        consumer_secret: str,
        access_token: str,
        access_token_secret: str,
        languages: Sequence[str] = (),
        server: str = "https://api.x.com",
        patience: float = 10.0,
    ) -> None:
        super().__init__(name)
        self._keys = (consumer_key, consumer_secret, access_token, access_token_secret)
        self.languages = tuple(languages)
        self.server = server.rstrip("/")
        self.patience = patience

    def compose(self, notice: Notice) -> Rendering:
        text = teaser(notice, CHARACTERS, weight, most=500).translate(INVALID)
        picture = notice.picture("wide")
        return Rendering(self.name, notice.language, {"text": text} | ({"picture": picture} if picture else {}))

    def measure(self, rendering: Rendering) -> tuple[int, int] | None:
        return weight(str(rendering.fields["text"])), CHARACTERS

    def begin(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Mapping[str, Any]:
        """Upload the card with its description. One that X refuses is left out: the words go without it."""
        card = rendering.fields.get("picture")
        body = rendering.pictures.get(card["sha256"]) if card else None
        if not card or body is None:
            return {}
        if rendering.begun.get("media") and rendering.begun.get("until", 0) > time.time() + 60:
            return rendering.begun
        client = self._client()
        packed = base64.b64encode(body).decode()
        sent = {"media": packed, "media_category": "tweet_image", "media_type": card["mime"]}
        try:
            made = _data(client.request("POST", "/2/media/upload", json=sent, user_auth=True), harmless=True)
            alt = {"id": _number(made, harmless=True), "metadata": {"alt_text": {"text": card["alt"][:ALT]}}}
            client.request("POST", "/2/media/metadata", json=alt, user_auth=True)
        except Permanent as refusal:
            log.warning("%s: the picture is left out: %s", self.name, refusal)
            return {"media": "", "refused": str(refusal)}
        lasts = made.get("expires_after_secs")
        return {"media": alt["id"], "until": round(time.time() + (lasts if isinstance(lasts, int) else DAY))}

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        try:
            try:
                return self._create(rendering, reply_to)
            except _NoParent:
                return self._create(rendering, None)  # better on its own than not at all
        except _Duplicate as refusal:
            return self._standing(rendering, refusal)

    def look_up(
        self, rendering: Rendering, *, key: str, since: dt.datetime, reply_to: Post | None = None
    ) -> Post | None:
        """Search the account's own posts. A post that they do not show yet is not put out twice: X refuses the same
        text again, and ``publish`` then comes back here."""
        client, after = self._client(), None
        me = _number(_data(client.get_me(), harmless=True), harmless=True)
        for _page in range(PAGES):
            answer = client.get_users_tweets(
                me,
                start_time=since - dt.timedelta(minutes=1),
                max_results=100,
                pagination_token=after,
                tweet_fields=["entities"],
                user_auth=True,
            )
            body = _body(answer, harmless=True)
            for one in body.get("data") or []:
                if isinstance(one, dict) and _same(one, rendering.fields["text"]):
                    return _post(_number(one, harmless=True))
            after = _object(body.get("meta")).get("next_token")
            if not after:
                return None
        raise Uncertain(_("X shows too many posts to find this one: look at the account yourself."))

    def retract(self, post: Post) -> None:
        try:
            done = _data(self._client().delete_tweet(post.remote_id), harmless=True)
        except _NotThere:
            return
        if done.get("deleted") is not True:
            raise Permanent(_("X did not delete the post: delete it in the account yourself."))

    def probe(self) -> str:
        me = self._me()
        if me.get("protected"):
            raise Permanent(_("The account's posts on X are protected: nobody would see them. Switch that off there."))
        return _("Signed in as @{name}.").format(name=me.get("username", "?"))

    def audience(self) -> int | None:
        count = _object(self._me().get("public_metrics")).get("followers_count")
        return count if isinstance(count, int) else None

    def _me(self) -> Mapping[str, Any]:
        return _data(self._client().get_me(user_fields=["public_metrics", "protected"]), harmless=True)

    def _create(self, rendering: Rendering, reply_to: Post | None) -> Post:
        media = rendering.begun.get("media")
        answer = self._client().create_tweet(
            text=rendering.fields["text"],
            media_ids=[media] if media else None,
            in_reply_to_tweet_id=reply_to.remote_id if reply_to else None,
        )
        return _post(_number(_data(answer)))

    def _standing(self, rendering: Rendering, refusal: _Duplicate) -> Post:
        """The post that an earlier try with this text put out. Raises Uncertain where it is not to be found."""
        try:
            since = dt.datetime.fromisoformat(rendering.slots["sent"])
            found = self.look_up(rendering, key="", since=since)
        except (Temporary, Permanent) as error:
            raise Uncertain(str(refusal)) from error
        if found is None:
            raise Uncertain(str(refusal))
        return found

    def _client(self) -> tweepy.Client:
        """tweepy's client on a session of ours; it answers with the response as it came."""
        import requests  # noqa: PLC0415
        import tweepy  # noqa: PLC0415

        key, secret, token, token_secret = self._keys
        client = tweepy.Client(
            consumer_key=key,
            consumer_secret=secret,
            access_token=token,
            access_token_secret=token_secret,
            return_type=requests.Response,
        )
        client.user_agent = "Belfry"
        client.session = _session(self.server, self.patience)
        return client


def _same(tweet: Mapping[str, Any], text: str) -> bool:
    """Whether a post of the account is this text. X shortens every link in it: those are compared by their targets."""
    link = text.rpartition("\n")[2]
    theirs = html.unescape(str(tweet.get("text", "")))
    targets = {link} if link in theirs else set()
    theirs = theirs.replace(link, " ")
    for one in map(_object, _object(tweet.get("entities")).get("urls") or []):
        targets |= {str(one.get("expanded_url", "")), str(one.get("unwound_url", ""))}
        theirs = theirs.replace(str(one.get("url", "")) or " ", " ")
    ours = text.replace(link, " ")
    for one in sorted(twitter_text().extract_urls(ours), key=len, reverse=True):
        ours = ours.replace(one, " ")
    return link.rstrip("/") in {target.rstrip("/") for target in targets} and _bare(ours) == _bare(theirs)


def _bare(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text.replace(JOINER, "")).split())


def _post(number: str) -> Post:
    return Post(number, f"https://x.com/i/web/status/{number}")


def _body(answer: requests.Response, *, harmless: bool = False) -> Mapping[str, Any]:
    """The JSON object of a good answer. Raises Temporary where the call was ``harmless``, else Uncertain."""
    try:
        found = json.loads(answer.content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise (Temporary if harmless else Uncertain)(_("{what}: the answer can't be read.").format(what=WHAT))
    return found


def _data(answer: requests.Response, *, harmless: bool = False) -> Mapping[str, Any]:
    return _object(_body(answer, harmless=harmless).get("data"))


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(data: Mapping[str, Any], *, harmless: bool = False) -> str:
    """The id that X gave: digits."""
    number = data.get("id")
    if not isinstance(number, str) or not re.fullmatch(r"[0-9]{1,30}", number):
        raise (Temporary if harmless else Uncertain)(_("{what}: the answer can't be read.").format(what=WHAT))
    return number


def _session(server: str, seconds: float) -> requests.Session:
    """What tweepy sends by: to ``server``, with a time-out, no redirects, no proxies of the environment, a bounded
    body, and our errors. tweepy itself has none of it, and breaks on a refusal of an odd shape."""
    import requests  # noqa: PLC0415
    import urllib3.exceptions  # noqa: PLC0415

    class Bounded(requests.Session):
        def request(self, method: str, url: str, **options: Any) -> requests.Response:  # type: ignore[override]
            path = url.removeprefix(HOST)
            harmless = method != "POST" or path.startswith("/2/media/")
            options |= {"timeout": seconds, "allow_redirects": False, "stream": True}
            try:
                with super().request(method, server + path, **options) as answer:
                    whole = _whole(answer, 1.5 * seconds, harmless)
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                if _never_sent(error):
                    raise Temporary(_("{what}: no connection").format(what=WHAT)) from error
                late = isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError))
                words = _("{what}: no answer in time") if late else _("{what}: connection broken off")
                raise (Temporary if harmless else Uncertain)(words.format(what=WHAT)) from error
            finally:
                self.close()  # a connection kept for hours is cut by the other side just when it is used
            _check(whole, harmless)
            return whole

    session = Bounded()
    session.trust_env = False
    return session


def _whole(answer: requests.Response, seconds: float, harmless: bool) -> requests.Response:
    """The same answer with its body read, within ``seconds`` and LIMIT."""
    unclear, until, body = (Temporary if harmless else Uncertain), time.monotonic() + seconds, bytearray()
    while part := answer.raw.read1(65_536, decode_content=True):  # iter_content waits until as much is there
        body += part
        if len(body) > LIMIT:
            raise unclear(_("{what}: answer too long").format(what=WHAT))
        if time.monotonic() > until:
            raise unclear(_("{what}: no answer in time").format(what=WHAT))
    whole = type(answer)()
    whole.status_code, whole.headers, whole.url, whole.reason = (
        answer.status_code,
        answer.headers,
        answer.url,
        answer.reason,
    )
    whole.raw = BytesIO(bytes(body))
    return whole


def _never_sent(error: Exception) -> bool:
    """Whether the request surely did not leave: nobody there, or a certificate that is not X's."""
    import requests  # noqa: PLC0415
    from urllib3.exceptions import NewConnectionError  # noqa: PLC0415

    reason = getattr(error.args[0], "reason", None) if error.args else None
    inner = reason.args[0] if isinstance(reason, Exception) and reason.args else None
    return (
        isinstance(error, requests.ConnectTimeout)
        or isinstance(reason, NewConnectionError)
        or isinstance(inner, ssl.SSLCertVerificationError)
    )


def _check(answer: requests.Response, harmless: bool) -> None:
    """Raise what a refusal asks for. X says why in ``title``, ``detail``, ``type`` or older ``errors``."""
    status = answer.status_code
    if status < 300:
        return
    said = answer.content.decode(errors="replace").casefold()
    words = _("{what} answered {status}").format(what=WHAT, status=status)
    if status == 402 or (status in {403, 429} and any(word in said for word in ("credit", "usage-capped", "usagecap"))):
        raise Permanent(_("The city's credits at X are used up: top them up at developer.x.com, then try again."))
    if status == 403 and ("duplicate content" in said or "status is a duplicate" in said):
        raise _Duplicate(_("X says that this text stands there already: look at the account yourself."))
    if status in {400, 403} and "reply to a tweet that is deleted" in said:
        raise _NoParent(words)
    if status == 401:
        raise Permanent(_("X refuses the account's keys: make new ones at developer.x.com and enter them."))
    if status == 403:
        raise Permanent(_("X refuses this account: look there whether it is locked and the app may read and write."))
    if status == 404:
        raise _NotThere(words)
    if not harmless and (status == 408 or (status >= 500 and status != 503)):
        raise Uncertain(words)
    if status in {408, 425, 429} or status >= 500:
        raise Temporary(words, after=_after(answer.headers))
    raise Permanent(words)


def _after(headers: Mapping[str, str]) -> float | None:
    """Seconds until X takes more: Retry-After, else the last reset of those limits that are used up; at most a day."""
    wait = headers.get("retry-after", "")
    if wait.isdecimal():
        return min(float(wait), DAY)
    resets = [
        float(headers.get(f"x-{limit}-reset", ""))
        for limit in ("rate-limit", "user-limit-24hour", "app-limit-24hour")
        if headers.get(f"x-{limit}-reset", "").isdecimal() and headers.get(f"x-{limit}-remaining", "0") == "0"
    ]
    return min(max(max(resets) - time.time(), 1.0), DAY) if resets else None
