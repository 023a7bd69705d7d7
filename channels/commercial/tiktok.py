"""TikTok: the tall card as a photo post of the city's account, where TikTok has audited the city's app.

Source: developers.tiktok.com/doc/content-posting-api-reference-photo-post. TikTok fetches the card from the
city's page, whose domain must be verified with it. Without an audit posts are seen by nobody: then
``assisted``. It needs video.publish; user.info.stats to count followers.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from django.utils.translation import gettext as _

from alerts.notice import Notice, Rendering
from channels.base import ChannelError, Hop, Permanent, Post, Publisher, Temporary, Uncertain
from channels.http import Http, check, retry_after
from channels.teasers import teaser

from ._tiktoktoken import Token
from ._title import title, units

WHAT = "TikTok"
TITLE, TEXT = 90, 4000
"""UTF-16 code units of a photo post's title and description."""
PUBLIC = "PUBLIC_TO_EVERYONE"
DONE, FAILED = "PUBLISH_COMPLETE", "FAILED"
HOUR = 3600.0
FULL = frozenset({"spam_risk_too_many_posts", "spam_risk_too_many_pending_share", "reached_active_user_cap"})
"""Limits of a day; nothing went out."""
AGAIN = frozenset({"internal", "photo_pull_failed"})
"""Failures after which TikTok itself advises another try."""


class TikTok(Publisher):
    """Posts photos directly. ``refresh_token`` is what authorising the app once gave; ``keys_dir`` keeps its
    successors. ``patience``: seconds that TikTok may take for a post; ``pace``: between two looks at it.
    """

    seconds = 55.0
    hops = (Hop("TikTok", "abroad"),)
    pictures = ("tall",)

    def __init__(
        self,
        name: str,
        *,
        http: Http,
        keys_dir: str,
        client_key: str,
        client_secret: str,
        refresh_token: str,
        languages: Sequence[str] = (),
        server: str = "https://open.tiktokapis.com",
        patience: float = 16.0,
        pace: float = 2.0,
    ) -> None:
        super().__init__(name)
        self.http, self.languages = http, tuple(languages)
        self.patience, self.pace = patience, pace
        self._server = server.rstrip("/")
        self._token = Token(
            http,
            name=name,
            server=self._server,
            folder=keys_dir,
            client_key=client_key,
            client_secret=client_secret,
            refresh=refresh_token,
        )

    def compose(self, notice: Notice) -> Rendering:
        fields: dict[str, Any] = {"title": title(notice, TITLE, units), "text": teaser(notice, TEXT, units)}
        if picture := notice.picture("tall"):
            fields["picture"] = picture
        return Rendering(self.name, notice.language, fields)

    def measure(self, rendering: Rendering) -> tuple[int, int] | None:
        return units(str(rendering.fields["text"])), TEXT

    def begin(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Mapping[str, Any]:
        """Whose account it is and what it may do, as TikTok wants to be asked before every post."""
        if not rendering.fields.get("picture"):
            raise Permanent(_("TikTok takes no post without a picture, and none was drawn."))
        return self._creator()

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        begun = {key: value for key, value in rendering.begun.items() if key != "publish_id"}
        sent = {
            "media_type": "PHOTO",
            "post_mode": "DIRECT_POST",
            "post_info": {
                "title": rendering.fields["title"],
                "description": rendering.fields["text"],
                "privacy_level": PUBLIC,
                "disable_comment": bool(begun.get("comments_off")),
                "auto_add_music": False,
            },
            "source_info": {
                "source": "PULL_FROM_URL",
                "photo_images": [rendering.fields["picture"]["url"]],
                "photo_cover_index": 0,
            },
        }
        until = time.monotonic() + self.patience
        publish_id = self._call("post/publish/content/init/", sent, puts_out=True).get("publish_id")
        if not isinstance(publish_id, str) or not publish_id:
            raise Uncertain(_unreadable())
        begun["publish_id"] = publish_id
        while True:
            try:
                state = self._state(publish_id)
            except ChannelError:  # it is taken, whatever can't be asked now
                state = {}
            if state.get("status") == DONE:
                return _post(state, begun)
            if state.get("status") == FAILED:
                raise _failure(str(state.get("fail_reason", "")))
            if time.monotonic() + self.pace > until:
                raise Uncertain(_working(), begun=begun)
            time.sleep(self.pace)

    def look_up(
        self, rendering: Rendering, *, key: str, since: dt.datetime, reply_to: Post | None = None
    ) -> Post | None:
        """By the number under which TikTok took it. Where its answer was lost, nobody knows that number."""
        publish_id = rendering.begun.get("publish_id")
        if not isinstance(publish_id, str):
            raise Uncertain(_("Whether it went out is not known: look at the account on TikTok yourself."))
        try:
            state = self._state(publish_id)
        except Permanent as error:
            raise Uncertain(str(error)) from error
        if state.get("status") == DONE:
            return _post(state, rendering.begun)
        if state.get("status") == FAILED:
            return None
        raise Temporary(_working(), after=30)

    def probe(self) -> str:
        return _("Posts as @{name}, publicly.").format(name=self._creator()["name"] or "?")

    def valid_until(self) -> dt.datetime | None:
        return self._token.until()

    def audience(self) -> int | None:
        user = self._call("user/info/", puts_out=False, params={"fields": "follower_count"}).get("user")
        count = user.get("follower_count") if isinstance(user, dict) else None
        return count if isinstance(count, int) else None

    def _creator(self) -> dict[str, Any]:
        """Raises Permanent where what is posted would be seen by nobody."""
        found = self._call("post/publish/creator_info/query/", {}, puts_out=False)
        options = found.get("privacy_level_options")
        if not isinstance(options, list):
            raise Temporary(_unreadable())
        if PUBLIC not in options:
            raise Permanent(_not_public())
        return {"name": str(found.get("creator_username", "")), "comments_off": bool(found.get("comment_disabled"))}

    def _state(self, publish_id: str) -> Mapping[str, Any]:
        return self._call("post/publish/status/fetch/", {"publish_id": publish_id}, puts_out=False)

    def _call(
        self, path: str, sent: Mapping[str, Any] | None = None, *, puts_out: bool, **options: Any
    ) -> Mapping[str, Any]:
        """The ``data`` of an answer. Raises Temporary, Permanent; Uncertain where the call ``puts_out``."""
        headers = {"Authorization": f"Bearer {self._token.current()}"}
        if sent is not None:
            headers["Content-Type"] = "application/json; charset=UTF-8"
            options["content"] = json.dumps(sent).encode()
        verb = "GET" if sent is None else "POST"
        try:
            answer = self.http.ask(
                WHAT, verb, f"{self._server}/v2/{path}", idempotent=not puts_out, headers=headers, **options
            )
        except Permanent as error:  # an endless answer; it says nothing about what was asked
            raise Temporary(str(error)) from error
        try:
            body = json.loads(answer.content)
        except ValueError:
            body = None
        told = body.get("error") if isinstance(body, dict) else None
        code = str(told.get("code", "")) if isinstance(told, dict) else ""
        if code != "ok":
            _refuse(answer, code, puts_out=puts_out)
        check(WHAT, answer, idempotent=not puts_out)
        data = body.get("data") if isinstance(body, dict) else None
        if code != "ok" or not isinstance(data, dict):
            raise (Uncertain if puts_out else Temporary)(_unreadable())
        return data


def _post(state: Mapping[str, Any], begun: Mapping[str, Any]) -> Post:
    """Its number is told only once it was moderated; until then it is known by that of the order."""
    numbers = state.get("publicaly_available_post_id")  # TikTok's spelling
    number = str(numbers[0]) if isinstance(numbers, list) and numbers else ""
    name = begun.get("name")
    url = f"https://www.tiktok.com/@{name}" + (f"/photo/{number}" if number else "") if name else ""
    return Post(number or str(begun["publish_id"]), url, {"publish_id": begun["publish_id"]})


def _failure(reason: str) -> ChannelError:
    """What a post that TikTok did not put out in the end asks for."""
    if reason in AGAIN:
        return Temporary(_("TikTok could not fetch or make the post; it is tried again."))
    if reason in FULL:
        return Temporary(_full(), after=HOUR)
    if reason == "auth_removed":
        return Permanent(_sign_in())
    if reason.startswith("spam_risk"):
        return Permanent(_spam())
    return Permanent(_("TikTok refused the picture or the post ({reason}).").format(reason=_plain(reason)))


def _refuse(answer: httpx.Response, code: str, *, puts_out: bool) -> None:
    """Raise what TikTok's error code asks for; its own words are never repeated."""
    if code in {"access_token_invalid", "scope_not_authorized", "scope_permission_missed"} or answer.status_code == 401:
        raise Permanent(_sign_in())
    if code in {"unaudited_client_can_only_post_to_private_accounts", "privacy_level_option_mismatch"}:
        raise Permanent(_not_public())
    if code == "url_ownership_unverified":
        raise Permanent(_("TikTok does not know that the page is the city's: verify its domain with TikTok."))
    if code == "rate_limit_exceeded" or answer.status_code == 429:
        raise Temporary(_("TikTok wants us to wait."), after=retry_after(answer) or 60)
    if code in FULL:
        raise Temporary(_full(), after=HOUR)
    if code.startswith("spam_risk"):
        raise Permanent(_spam())
    # A code that nobody knows, under a good status, may come with anything
    check(WHAT, answer, idempotent=not puts_out)


def _plain(code: str) -> str:
    """A code of TikTok's as far as it surely is one."""
    return code if code.replace("_", "").isascii() and code.replace("_", "").isalnum() and len(code) < 60 else "?"


def _working() -> str:
    return _("TikTok has taken the post and is still working on it.")


def _unreadable() -> str:
    return _("{what}: the answer can't be read.").format(what=WHAT)


def _not_public() -> str:
    return _("On TikTok the post would be seen by nobody: the account must be public, and the app audited by TikTok.")


def _sign_in() -> str:
    return _("TikTok no longer accepts the city's sign-in: authorise the app anew and enter its new token.")


def _full() -> str:
    return _("TikTok takes no more posts today.")


def _spam() -> str:
    return _("TikTok takes the post or the account for spam: look at the account there.")
