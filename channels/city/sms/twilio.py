"""Twilio by its own library: what its codes mean, its receipts and its list of what it took."""

from __future__ import annotations

import base64
import datetime as dt
import logging
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.request_validator import SIGNATURE_HEADER, RequestValidator
from twilio.rest import Client as Library

from channels.base import Inbound, Outcome, Permanent, Receipt, Recipient, Reply, Temporary, Uncertain

from .gateways import PUT_ASIDE, Gateway, Refused, Text
from .wire import Wire, busy

LONGEST = 36_000
"""Seconds that Twilio may keep a text waiting (https://www.twilio.com/docs/api/errors/90007)."""
SKEW = dt.timedelta(minutes=2)
"""By so much Twilio's clock may be behind ours."""

# https://www.twilio.com/docs/api/errors, grouped by what follows from them
GONE = {
    21211: gettext_lazy("This is no valid number."),
    21610: gettext_lazy("The resident has ended these texts by answering STOP."),
    21614: gettext_lazy("This is no mobile number."),
    21635: gettext_lazy("This is a landline."),
    30005: gettext_lazy("This number does not exist any more."),
}
REFUSED = {
    21612: gettext_lazy("This number can't be reached from the city's sender."),
    30004: gettext_lazy("This text was blocked."),
    30006: gettext_lazy("This is a landline, or its network can't be reached."),
    30007: gettext_lazy("The network took this text for spam."),
}
SENDER = {
    21606: gettext_lazy("The city's sender may not write to this number."),
    21657: gettext_lazy("The city's sender is not registered in this country."),
}
MISSET = {
    20003: gettext_lazy("Twilio does not accept the city's key."),
    20404: gettext_lazy("Twilio does not know the city's account."),
    21408: gettext_lazy("Twilio may not send to this country: the account's permissions don't allow it."),
    30002: gettext_lazy("Twilio has suspended the city's account."),
}
BUSY = {
    20429: gettext_lazy("Twilio gets too many requests."),
    21611: gettext_lazy("Too many texts of the city wait at Twilio."),
    30001: gettext_lazy("Too many texts of the city wait at Twilio."),
}
LATER = {
    30003: gettext_lazy("The phone is off or has no network."),
    30008: gettext_lazy("The network did not take this text, without saying why."),
}
UNREADABLE = (AttributeError, LookupError, TypeError, ValueError)
"""What the library raises over an answer that is not Twilio's."""
STATES = {
    **dict.fromkeys(("accepted", "scheduled", "queued", "sending", "sent"), "accepted"),
    **dict.fromkeys(("delivered", "read"), "delivered"),
    **dict.fromkeys(("undelivered", "failed", "canceled"), "failed"),
}
"""MessageStatus -> what it is for us; anything else says nothing."""


class Client(AsyncHttpClient):  # type: ignore[misc]  # has no types
    """What Twilio's library speaks through; it asks nothing of a client but this. Logs nothing."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(logging.getLogger(__name__), is_async=True)
        self.wire = wire

    async def request(
        self,
        method: str,
        uri: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """The library's interface. Raises as ``Wire.ask``, and Temporary for 429 and 5xx."""
        lines = [f"{name}: {value}" for name, value in (headers or {}).items()]
        if auth is not None:
            lines.append("Authorization: Basic " + base64.b64encode(":".join(auth).encode()).decode())
        url = f"{uri}?{urlencode(params)}" if params else uri
        body = urlencode(data).encode() if data else b""
        answer = await self.wire.ask(method, url, lines, body, harmless=method == "GET")
        busy("Twilio", answer)
        return Response(answer.status, answer.text, answer.headers)


class Twilio(Gateway):
    """Needs ``account_sid``, a key (``key_sid``, ``key_secret``) and ``messaging_service_sid`` or ``sender``.

    ``auth_token`` proves that receipts and replies are Twilio's; without it none are taken. ``region``
    and ``edge`` as Twilio names them (ie1, dublin). ``callback`` is the city's own address for them.
    """

    kind = "twilio"
    finds = True

    def __init__(
        self,
        name: str,
        *,
        account_sid: str,
        key_sid: str,
        key_secret: str,
        auth_token: str = "",
        messaging_service_sid: str = "",
        sender: str = "",
        region: str | None = None,
        edge: str | None = None,
        base_url: str = "",
        callback: str = "",
        **common: Any,
    ) -> None:
        super().__init__(name, **common)
        if bool(messaging_service_sid) == bool(sender):
            raise ValueError(_("{name}: set either messaging_service_sid or sender").format(name=name))
        self.account_sid = account_sid
        self.callback = callback
        self._key = (key_sid, key_secret)
        self._from = {"messaging_service_sid": messaging_service_sid} if messaging_service_sid else {"from_": sender}
        self._where = {"region": region, "edge": edge}
        self._base_url = base_url
        self._validator = RequestValidator(auth_token) if auth_token else None
        self._wire: Wire | None = None
        self._library: Library | None = None
        self._well = False

    def _open(self) -> Library:
        if self._library is None:
            self._wire = Wire("Twilio", seconds=self.timeout, at_once=self.in_flight)
            # a mapping that is not empty, or the library reads the environment
            nothing = {"TWILIO_ACCOUNT_SID": ""}
            self._library = Library(
                *self._key, self.account_sid, http_client=Client(self._wire), environment=nothing, **self._where
            )
            if self._base_url:
                self._library.api.base_url = self._base_url
        return self._library

    async def close(self) -> None:
        wire, self._wire, self._library = self._wire, None, None
        if wire is not None:
            await wire.close()

    def forget(self) -> None:
        PUT_ASIDE.append(self._wire)
        self._wire = self._library = None

    async def submit(self, sms: Text, to: Recipient) -> str:
        options: dict[str, Any] = dict(self._from)
        if sms.tracked and self._validator is not None:
            # the row stands in the address that Twilio signs: a receipt finds it even where our answer was lost
            options["status_callback"] = f"{self.callback}?recipient={to.id}"
        if (seconds := sms.seconds_left(LONGEST)) is not None:
            options["validity_period"] = seconds
        try:
            message = await self._open().messages.create_async(to=to.address, body=sms.text, **options)
        except (TwilioRestException, TwilioServiceException) as error:
            raise self._meaning(error) from None  # its words hold the number
        except (TwilioException, *UNREADABLE):
            raise Uncertain(_("Twilio: the answer can't be read")) from None
        if not message.sid:
            raise Uncertain(_("Twilio: the answer can't be read"))
        self._well = True
        return str(message.sid)

    def _meaning(self, error: TwilioRestException | TwilioServiceException) -> Exception:
        """What an answer asks for."""
        code = int(error.code or 0)
        if code in GONE:
            return Refused(str(GONE[code]), gone=True)
        if code in REFUSED:
            return Refused(str(REFUSED[code]))
        if code in SENDER:
            return Refused(str(SENDER[code]), elsewhere=True)
        if code == 21408 and self._well:
            # others are taken: then it is this country alone
            return Refused(str(MISSET[code]), elsewhere=True)
        if code in MISSET:
            return Permanent(str(MISSET[code]))
        if code in BUSY:
            return Temporary(str(BUSY[code]))
        if code in LATER:
            return Refused(str(LATER[code]), state="temporary")
        words = _("Twilio answered {status} (code {code})").format(status=error.status, code=code)
        return Refused(words, elsewhere=True) if error.status == 400 else Permanent(words)

    async def find(self, sms: Text, to: Recipient, since: dt.datetime) -> Outcome | None:
        try:
            # not by Twilio's own filter on the date: what still waits there has none
            found = await self._open().messages.list_async(to=to.address, limit=50, page_size=50)
        except (TwilioException, *UNREADABLE):
            raise Temporary(_("Twilio does not tell what it took.")) from None  # its words hold numbers and texts
        for message in found:
            if not str(message.direction).startswith("outbound") or message.body != sms.text:
                continue
            if message.date_created is not None and message.date_created < since - SKEW:
                continue
            if STATES.get(message.status) == "failed":
                words, gone = _failed(message.error_code)
                return Outcome(to.id, "permanent", words, remote_id=message.sid, gone=gone)
            return Outcome(to.id, "accepted", remote_id=message.sid)
        return None

    async def probe(self) -> str:
        """Ask for the account itself."""
        try:
            account = await self._open().api.v2010.accounts(self.account_sid).fetch_async()
        except (TwilioRestException, TwilioServiceException) as error:
            meaning = self._meaning(error)
            raise Permanent(str(meaning)) from None
        except (TwilioException, *UNREADABLE):
            raise Temporary(_("Twilio: the answer can't be read")) from None
        if account.status != "active":
            raise Permanent(str(MISSET[30002]))
        return _("Twilio answers, the account is active.")

    def receive(self, inbound: Inbound) -> Iterable[Receipt | Reply] | None:
        headers = {name.lower(): value for name, value in inbound.headers.items()}
        signature = headers.get(SIGNATURE_HEADER.lower(), "")
        if self._validator is None or not self._validator.validate(inbound.url, dict(inbound.form), signature):
            return None
        form = inbound.form
        if form.get("AccountSid") != self.account_sid:
            return None
        if "MessageStatus" not in form:
            return [Reply(form["From"], form.get("Body", ""))] if form.get("From") else []
        state = STATES.get(form["MessageStatus"])
        if state is None:
            return []
        row = parse_qs(urlsplit(inbound.url).query).get("recipient", ["0"])[0]
        words, gone = _failed(form.get("ErrorCode")) if state == "failed" else ("", False)
        return [Receipt(state, form.get("MessageSid", ""), int(row) if row.isdecimal() else 0, words, gone)]


def _failed(code: object) -> tuple[str, bool]:
    """Why a text did not arrive, and whether its number is none any more."""
    number = int(str(code)) if str(code).isdecimal() else 0
    if number in GONE:
        return str(GONE[number]), True
    known = {**REFUSED, **SENDER, **MISSET, **BUSY, **LATER}
    if number in known:
        return str(known[number]), False
    return _("Twilio could not deliver it (code {code}).").format(code=number or "?"), False
