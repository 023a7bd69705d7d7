"""Telegram: one message in the city's channel or group by a bot, later ones as replies to the first."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx
from django.utils.translation import gettext as _

from alerts.notice import Notice, Rendering
from channels.base import Hop, Permanent, Post, Publisher, Temporary, Uncertain
from channels.http import Http, check, retry_after
from channels.teasers import teaser

log = logging.getLogger(__name__)

TEXT, CAPTION = 4096, 1024
"""Characters of a message, and of a picture's caption (core.telegram.org/bots/api)."""
DAY = 86_400.0
WHAT = "Telegram"
WRITERS = {"creator", "administrator", "member"}


class Telegram(Publisher):
    """Posts as a bot by the Bot API, in ``chat``: ``@name`` or a number.

    A short text comes as the caption of its card, a longer one with a preview of the page. Bots can't
    read what stands there, so an uncertain one stays so. ``server`` is another Bot API server.
    """

    hops = (Hop("Telegram", "abroad"),)
    pictures = ("wide",)

    def __init__(
        self,
        name: str,
        *,
        http: Http,
        token: str,
        chat: str | int,
        languages: Sequence[str] = (),
        server: str = "https://api.telegram.org",
    ) -> None:
        super().__init__(name)
        self.http = http
        self.chat = chat
        self.languages = tuple(languages)
        # The token is part of every address: no error and no log may hold one
        self._base = f"{server.rstrip('/')}/bot{quote(token.strip(), safe=':')}"

    def compose(self, notice: Notice) -> Rendering:
        text = teaser(notice, TEXT, units)
        fields: dict[str, Any] = {"text": text, "preview": notice.url}
        picture = notice.picture("wide")
        if picture and units(text) <= CAPTION:
            fields["picture"] = picture
        return Rendering(self.name, notice.language, fields)

    def measure(self, rendering: Rendering) -> tuple[int, int] | None:
        return units(str(rendering.fields["text"])), CAPTION if rendering.fields.get("picture") else TEXT

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        where: dict[str, Any] = {"chat_id": self.chat}
        if reply_to and reply_to.remote_id.isdecimal():
            where["reply_parameters"] = {
                "message_id": int(reply_to.remote_id),
                "allow_sending_without_reply": True,
            }
        card = rendering.fields.get("picture")
        body = rendering.pictures.get(card["sha256"]) if card else None
        if card and body is not None:
            try:
                return self._photo(rendering, where, card["mime"], body)
            except _BadPicture as refusal:  # nothing went out: the words go without it
                log.warning("%s: the picture is left out: %s", self.name, refusal)
        preview = {"url": rendering.fields["preview"], "prefer_large_media": True}
        sent = where | {"text": rendering.fields["text"], "link_preview_options": preview}
        return self._post(self._call("sendMessage", json=sent))

    def retract(self, post: Post) -> None:
        where = {"chat_id": post.data.get("chat", self.chat), "message_id": int(post.remote_id)}
        try:
            self._call("deleteMessage", harmless=True, json=where)
        except _NotThere:
            return

    def probe(self) -> str:
        me = _object(self._ask("getMe"))
        chat = _object(self._ask("getChat"))
        member = _object(self._ask("getChatMember", user_id=me.get("id")))
        refused = member.get("can_post_messages" if chat.get("type") == "channel" else "can_send_messages") is False
        if member.get("status") not in WRITERS or refused:
            raise Permanent(_may_not_write())
        return _("Signed in as @{name}, writing in “{chat}”.").format(
            name=me.get("username", "?"), chat=chat.get("title", "?")
        )

    def audience(self) -> int | None:
        count = self._ask("getChatMemberCount")
        return count if isinstance(count, int) else None

    def _photo(self, rendering: Rendering, where: Mapping[str, Any], mime: str, body: bytes) -> Post:
        form = {name: json.dumps(value) if isinstance(value, dict) else str(value) for name, value in where.items()}
        form["caption"] = rendering.fields["text"]
        name = "card.png" if mime == "image/png" else "card.jpg"
        return self._post(self._call("sendPhoto", data=form, files={"photo": (name, body, mime)}))

    def _ask(self, method: str, **parameters: object) -> object:
        chat = {} if method == "getMe" else {"chat_id": self.chat}
        return self._call(method, harmless=True, json=chat | parameters)

    def _call(self, method: str, *, harmless: bool = False, **options: Any) -> object:
        """The ``result`` of a method. Telegram says ``ok: false`` under any status, 200 among them."""
        answer = self.http.ask(WHAT, "POST", f"{self._base}/{method}", idempotent=harmless, **options)
        try:
            body = json.loads(answer.content)
        except ValueError:
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("ok"), bool):
            check(WHAT, answer, idempotent=harmless)
            raise (Temporary if harmless else Uncertain)(_("{what}: the answer can't be read.").format(what=WHAT))
        if body["ok"] and answer.status_code < 300:
            return body.get("result")
        _refuse(answer, body, harmless)
        raise Uncertain(_("{what}: the answer can't be read.").format(what=WHAT))

    def _post(self, result: object) -> Post:
        message = _object(result)
        number = message.get("message_id")
        if not isinstance(number, int) or isinstance(number, bool):
            raise Uncertain(_("{what}: the answer can't be read.").format(what=WHAT))
        chat = _object(message.get("chat"))
        where = chat.get("id", self.chat)
        return Post(str(number), _address(chat, number), {"chat": where})


class _BadPicture(Permanent):
    """Telegram won't have this picture."""


class _NotThere(Permanent):
    """The message to delete is gone."""


def units(text: str) -> int:
    """The length as Telegram's apps count it: UTF-16 code units, never fewer than characters."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _address(chat: Mapping[str, Any], number: int) -> str:
    """Where people see a message: by the chat's name, or for its members only."""
    if chat.get("username"):
        return f"https://t.me/{chat['username']}/{number}"
    inner = str(chat.get("id", ""))
    return f"https://t.me/c/{inner.removeprefix('-100')}/{number}" if inner.startswith("-100") else ""


def _may_not_write() -> str:
    return _("Telegram does not let the bot write there: make it an administrator that may post messages.")


def _refuse(answer: httpx.Response, body: Mapping[str, Any], harmless: bool) -> None:
    """Raise what ``ok: false`` asks for; ``error_code`` goes before the status that came with it."""
    code = body.get("error_code")
    status = code if isinstance(code, int) and code >= 300 else answer.status_code
    said = str(body.get("description", "")).casefold()
    extra = _object(body.get("parameters"))
    if status == 429:
        wait = extra.get("retry_after")
        after = float(wait) if isinstance(wait, int) and wait >= 0 else retry_after(answer)
        raise Temporary(_("Telegram wants us to wait."), after=None if after is None else min(after, DAY))
    if status in {401, 404}:
        raise Permanent(_("Telegram does not know the bot's token: get a new one from @BotFather and enter it."))
    if status == 403:
        raise Permanent(_may_not_write())
    if status == 413 or "photo_" in said or "image_process" in said or "wrong file" in said:
        raise _BadPicture(_("Telegram refuses the picture."))
    if isinstance(moved := extra.get("migrate_to_chat_id"), int):
        raise Permanent(_("The group on Telegram has a new number: enter {chat} as its chat.").format(chat=moved))
    if "chat not found" in said:
        raise Permanent(_("Telegram does not find the chat: check its name, and that the bot is a member."))
    if "rights" in said:
        raise Permanent(_may_not_write())
    if "message to delete not found" in said:
        raise _NotThere(_("The message is gone already."))
    if "can't be deleted" in said:
        raise Permanent(_("Telegram no longer lets the bot delete this message: delete it there yourself."))
    # An ok:false without a code says no; it put out nothing
    check(WHAT, httpx.Response(status if status >= 300 else 400, headers=answer.headers), idempotent=harmless)
