"""A provider's plain HTTP interface, told by options instead of code: what to send, and how to read what comes back."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from django.utils.translation import gettext as _

from channels.base import ChannelError, Inbound, Permanent, Receipt, Recipient, Reply, Temporary, Uncertain

from .gateways import PUT_ASIDE, Gateway, Refused, Text
from .httpcalls import Calls, at
from .wire import Answer, Wire, busy

LONGEST = 172_800
MEANINGS = ("refused", "gone", "later", "busy", "misset")
"""What a provider's code can mean: this number not, never again, not now; too much at once, wrongly set up."""
_BLANK = re.compile(r"\{(to|digits|text|id|callback|seconds)\}")
_CODE = re.compile(r"[A-Za-z_.-]*\d{0,6}[A-Za-z_.-]*")


class HttpGateway(Gateway):
    """Sends ``method`` to ``url`` with one of ``form``, ``json`` or ``body`` (and ``content_type``), and ``query``.

    In them and in ``url``, {to} stands for the number (+49…), {digits} for it without the plus, {text},
    {id} for a number that names the text, {callback} for the city's address for receipts, {seconds} for
    how long the text holds. ``user`` and ``password``, or ``headers``, say who calls.

    ``ok``: HTTP statuses that take it. ``id``: where in a JSON answer its id stands ("messages.0.id"), or
    ``id_pattern``. ``code`` or ``code_pattern``: where the answer says how it went, ``accepted`` which
    values are good. ``meanings`` and ``statuses``: what other codes, and HTTP statuses, mean (``MEANINGS``).
    ``callbacks``: how receipts come (``httpcalls.Calls``).
    """

    kind = "http"

    def __init__(
        self,
        name: str,
        *,
        url: str,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        user: str = "",
        password: str = "",
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: Any = None,
        body: str = "",
        content_type: str = "text/plain; charset=utf-8",
        ok: Sequence[int] = (200, 201, 202),
        id: str = "",  # noqa: A002 (the option's name)
        id_pattern: str = "",
        code: str = "",
        code_pattern: str = "",
        accepted: Sequence[object] = (),
        meanings: Mapping[str, str] | None = None,
        statuses: Mapping[str, str] | None = None,
        callbacks: Mapping[str, Any] | None = None,
        callback: str = "",
        **common: Any,
    ) -> None:
        super().__init__(name, **common)
        if urlsplit(url).scheme not in {"http", "https"}:
            raise ValueError(_("{name}: url begins with https://").format(name=name))
        if sum(map(bool, (form, json, body))) > 1:
            raise ValueError(_("{name}: set one of form, json and body").format(name=name))
        self.meanings = dict(meanings or {})
        self.statuses = {"400": "refused", "422": "refused", **(statuses or {})}
        if unknown := sorted({*self.meanings.values(), *self.statuses.values()} - set(MEANINGS)):
            text = _("{name}: meanings are {known}, not {unknown}")
            raise ValueError(text.format(name=name, known=", ".join(MEANINGS), unknown=", ".join(unknown)))
        self.url, self.method = url, method
        self.callback = callback
        self._headers = {"User-Agent": "Belfry", **(headers or {})}
        if user:
            self._headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._query, self._form, self._json = dict(query or {}), form, json
        self._body, self._content_type = body, content_type
        self._ok, self._accepted = set(ok), {str(value) for value in accepted}
        self._id, self._code = (id, _pattern(name, id_pattern)), (code, _pattern(name, code_pattern))
        self._calls = Calls(name, **callbacks) if callbacks else None
        self._wire: Wire | None = None

    async def close(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()

    def forget(self) -> None:
        PUT_ASIDE.append(self._wire)
        self._wire = None

    async def submit(self, sms: Text, to: Recipient) -> str:
        if self._wire is None:
            self._wire = Wire(self.name, seconds=self.timeout, at_once=self.in_flight)
        answer = await self._wire.ask(self.method, *self._request(sms, to))
        status = str(answer.status)
        if status in self.statuses:
            raise self._meaning(self.statuses[status], status)
        if answer.status not in self._ok:
            busy(self.name, answer)
            words = _("{name} answered {status}").format(name=self.name, status=status)
            raise Permanent(words) if answer.status >= 300 else Uncertain(words)
        if any(self._code):
            code = _read(answer, *self._code)
            if not code:
                raise Uncertain(_("{name}: the answer can't be read").format(name=self.name))
            if code not in self._accepted:
                raise self._meaning(self.meanings.get(code, "refused"), code)
        remote_id = _read(answer, *self._id)
        return f"{self.name}:{remote_id}" if remote_id else ""

    def _request(self, sms: Text, to: Recipient) -> tuple[str, list[str], bytes]:
        """Address, headers and body."""
        values = {
            "to": to.address,
            "digits": to.address.lstrip("+"),
            "text": sms.text,
            "id": str(to.id),
            "callback": self.callback,
            "seconds": str(sms.seconds_left(LONGEST) or LONGEST),
        }
        url = _fill(self.url, {name: quote(value, safe="") for name, value in values.items()})
        if self._query:
            url += ("&" if "?" in url else "?") + urlencode(_fill(self._query, values))
        kind, body = "", ""
        if self._form:
            kind, body = "application/x-www-form-urlencoded", urlencode(_fill(self._form, values))
        elif self._json:
            kind, body = "application/json", json.dumps(_fill(self._json, values))
        elif self._body:
            safe = {name: _escaped(value, self._content_type) for name, value in values.items()}
            kind, body = self._content_type, _fill(self._body, safe)
        lines = [f"{name}: {value}" for name, value in self._headers.items()]
        return url, [*lines, f"Content-Type: {kind}"] if kind else lines, body.encode()

    def _meaning(self, meaning: str, code: str) -> Refused | ChannelError:
        # a provider's words may hold the number: only what looks like a code is shown
        shown = code if _CODE.fullmatch(code) and len(code) <= 20 else "?"
        words = _("{name} did not take it (code {code}).").format(name=self.name, code=shown or "?")
        if meaning in {"busy", "misset"}:
            return Temporary(words) if meaning == "busy" else Permanent(words)
        state = "temporary" if meaning == "later" else "permanent"
        return Refused(words, state=state, gone=meaning == "gone", elsewhere=meaning == "refused")

    def receive(self, inbound: Inbound) -> Iterable[Receipt | Reply] | None:
        return self._calls.read(inbound) if self._calls else None


def _pattern(name: str, pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern) if pattern else None
    except re.error as error:
        raise ValueError(_("{name}: {pattern} is no pattern").format(name=name, pattern=pattern)) from error


def _fill(template: Any, values: Mapping[str, str]) -> Any:
    """A template with its blanks filled in one go: what a text says is never a blank."""
    if isinstance(template, str):
        return _BLANK.sub(lambda blank: values[blank[1]], template)
    if isinstance(template, Mapping):
        return {key: _fill(value, values) for key, value in template.items()}
    return [_fill(value, values) for value in template] if isinstance(template, list) else template


def _escaped(value: str, content_type: str) -> str:
    if "xml" in content_type:
        return html.escape(value)
    return json.dumps(value)[1:-1] if "json" in content_type else value


def _read(answer: Answer, path: str, pattern: re.Pattern[str] | None) -> str:
    """What stands in an answer at a path or by a pattern; empty where nothing does."""
    if pattern is not None:
        found = pattern.search(answer.text)
        return (found[1] if found.re.groups else found[0]) if found else ""
    try:
        return at(json.loads(answer.body), path) if path else ""
    except ValueError:
        return ""
