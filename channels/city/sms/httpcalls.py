"""How a provider's own calls prove themselves and what they say: receipts and residents' answers."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.utils.translation import gettext as _

from channels.base import Inbound, Receipt, Reply


class Calls:
    """Calls of the gateway ``name``, proven by ``secret``: in the header ``header``, either itself or, with
    ``hmac``, as HMAC-SHA256 of the body in hexadecimal.

    ``id`` and ``state`` name where (in form, JSON or query) a receipt's id and state stand, ``delivered``,
    ``failed`` and ``gone`` what states mean; others say nothing. ``sender`` and ``text``: a resident's answer.
    """

    def __init__(
        self,
        name: str,
        *,
        secret: str,
        header: str,
        hmac: bool = True,
        id: str = "id",  # noqa: A002 (the option's name)
        state: str = "status",
        delivered: Sequence[object] = ("delivered",),
        failed: Sequence[object] = ("failed",),
        gone: Sequence[object] = (),
        sender: str = "from",
        text: str = "text",
    ) -> None:
        if len(secret) < 16:
            raise ValueError(_("{name}: the secret of its calls has at least 16 characters").format(name=name))
        self.name = name
        self._secret = secret.encode()
        self._header = header.lower()
        self._hmac = hmac
        self._receipt, self._answer = (id, state), (sender, text)
        self._states = {
            **{str(value): ("delivered", False) for value in delivered},
            **{str(value): ("failed", False) for value in failed},
            **{str(value): ("failed", True) for value in gone},
        }

    def read(self, inbound: Inbound) -> list[Receipt | Reply] | None:
        """What it says; None where it is not proven. Raises ValueError where it can't be read."""
        if not self._proven(inbound):
            return None
        said = self._said(inbound)
        remote_id, state = (at(said, path) for path in self._receipt)
        if remote_id and state:
            if state not in self._states:
                return []
            became, gone = self._states[state]
            words = "" if became == "delivered" else _("{name} could not deliver it.").format(name=self.name)
            return [Receipt(became, f"{self.name}:{remote_id}", words=words, gone=gone)]
        sender, text = (at(said, path) for path in self._answer)
        return [Reply(_number(sender), text)] if sender else []

    def _proven(self, inbound: Inbound) -> bool:
        given = next((value for name, value in inbound.headers.items() if name.lower() == self._header), "")
        wanted = hmac.digest(self._secret, inbound.body, hashlib.sha256).hex() if self._hmac else self._secret.decode()
        # compared as bytes: a header may hold anything
        return hmac.compare_digest(given.removeprefix("sha256=").encode(), wanted.encode())

    def _said(self, inbound: Inbound) -> Any:
        if inbound.form:
            return dict(inbound.form)
        if inbound.body.strip():
            return json.loads(inbound.body)
        # a signature of the body proves nothing of the address
        return {} if self._hmac else dict(parse_qsl(urlsplit(inbound.url).query))


def at(data: Any, path: str) -> str:
    """The value at a path of names and numbers ("messages.0.id") as text; empty where there is none."""
    for step in path.split("."):
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, list) and step.isdecimal() and int(step) < len(data):
            data = data[int(step)]
        else:
            return ""
    return str(data) if isinstance(data, str | int | float) and not isinstance(data, bool) else ""


def _number(sender: str) -> str:
    """A number in E.164, which providers write with a plus, with 00 or without either."""
    digits = sender.strip().replace(" ", "")
    return digits if digits.startswith("+") else f"+{digits.removeprefix('00')}"
