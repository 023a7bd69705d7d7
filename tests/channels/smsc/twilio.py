"""Twilio at the wire: takes, refuses and lists messages as its documentation says, and plays a script by number."""

from __future__ import annotations

import datetime as dt
import email.utils
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from channels.city.sms import Sms

from .wire import PATIENT, Answer, Asked, Wire, listening

ACCOUNT = "AC" + "0" * 32
KEY = "SK" + "1" * 32
SECRET = "geheim-4711-token"
TOKEN = "auth-token-0815-geheim"
SERVICE = "MG" + "2" * 32
HOOK = "https://warnung.leipzig.example/s/hooks/sms/"


def taken(sid: str, asked: Asked | None = None, **fields: Any) -> dict[str, Any]:
    """A message as Twilio describes it."""
    form = asked.form if asked else {}
    now = email.utils.format_datetime(dt.datetime.now(dt.UTC))
    known = {"to": form.get("To"), "body": form.get("Body"), "date_created": now, "date_sent": None}
    return {"sid": sid, "status": "queued", "direction": "outbound-api", "error_code": None, **known, **fields}


def refusal(code: int, status: int = 400, words: str = "refused", **headers: str) -> Answer:
    """Twilio's error body, in its older form."""
    said = {"code": code, "message": words, "status": status, "more_info": f"https://www.twilio.com/docs/errors/{code}"}
    return Answer(status, said, {name.replace("_", "-"): value for name, value in headers.items()})


class TwilioAtTheWire:
    """``script``: number -> what its next requests meet; then it is taken. ``kept``: what listing finds."""

    def __init__(self, script: Mapping[str, Sequence[Answer]] | None = None, usual: Answer | None = None) -> None:
        self.script = {number: list(answers) for number, answers in (script or {}).items()}
        self.usual = usual or Answer()
        self.kept: list[dict[str, Any]] = []
        self.listing: Answer | None = None
        self.account: Answer | None = None
        self.wire: Wire | None = None

    def __call__(self, asked: Asked) -> Answer:
        if asked.path.endswith("/Messages.json"):
            return self._send(asked) if asked.method == "POST" else self._list(asked)
        return self.account or Answer(200, {"sid": ACCOUNT, "status": "active"})

    def _send(self, asked: Asked) -> Answer:
        script = self.script.get(asked.form["To"])
        if script:
            return script.pop(0)
        message = taken(f"SM{len(self.kept):032d}", asked)
        self.kept.append(message)
        return Answer(201, message, delay=self.usual.delay)

    def _list(self, asked: Asked) -> Answer:
        if self.listing is not None:
            return self.listing
        found = [one for one in reversed(self.kept) if one["to"] == asked.query["To"]]
        return Answer(200, {"messages": found, "page": 0, "page_size": 50, "uri": "", "next_page_uri": None})

    @property
    def sent(self) -> list[Asked]:
        assert self.wire is not None
        return [asked for asked in self.wire.asked if asked.method == "POST"]

    @property
    def texts(self) -> dict[str, str]:
        """What was taken, by number."""
        return {one["to"]: one["body"] for one in self.kept}


def entry(url: str, **options: Any) -> dict[str, Any]:
    """A gateway of ``channels.toml`` that leads to the server at ``url``."""
    usual = {"kind": "twilio", "account_sid": ACCOUNT, "key_sid": KEY, "key_secret": SECRET, "auth_token": TOKEN}
    return {**usual, "messaging_service_sid": SERVICE, "base_url": url, "timeout": PATIENT, **options}


@contextmanager
def over_twilio(
    script: Mapping[str, Sequence[Answer]] | None = None, *, usual: Answer | None = None, **options: Any
) -> Iterator[tuple[Sms, TwilioAtTheWire]]:
    """The channel, its only gateway Twilio, and what stands at the other end."""
    twilio = TwilioAtTheWire(script, usual)
    gateway = options.pop("gateway", {})
    with listening(twilio) as wire:
        twilio.wire = wire
        channel = Sms(
            "sms", address="https://warnung.leipzig.example", gateways=[entry(wire.url, **gateway)], **options
        )
        try:
            yield channel, twilio
        finally:
            channel.close()
