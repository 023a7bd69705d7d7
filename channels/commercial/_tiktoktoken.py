"""TikTok's access token, which lives a day, and the refresh token that makes the next one and may change with it.

Source: developers.tiktok.com/doc/oauth-user-access-token-management. What TikTok gives anew is kept in a file of
the keys folder, since a used refresh token may be worth nothing any more.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from channels.base import Permanent, Temporary
from channels.http import Http, check

SPARE = 600
"""Seconds that a token must still be good for."""
MODE = 0o600


class Token:
    """The token of one account. ``refresh`` is the refresh token that the settings hold: a new one there goes
    before what the file ``tiktok-<name>.json`` holds. Workers on several hosts must share ``folder``."""

    def __init__(
        self, http: Http, *, name: str, server: str, folder: str, client_key: str, client_secret: str, refresh: str
    ) -> None:
        self.http = http
        self.path = Path(folder) / f"tiktok-{name}.json"
        self._url = f"{server}/v2/oauth/token/"
        self._client = {"client_key": client_key.strip(), "client_secret": client_secret.strip()}
        self._given = refresh.strip()
        self._mark = hashlib.sha256(self._given.encode()).hexdigest()

    def current(self) -> str:
        """A token that is good for some minutes, renewed where need be. Raises Temporary, Permanent."""
        kept = self._kept()
        if _good(kept):
            return str(kept["access"])
        with self._alone():
            kept = self._kept()  # another worker may have been here
            return str(kept["access"]) if _good(kept) else self._renewed(str(kept.get("refresh") or self._given))

    def until(self) -> dt.datetime | None:
        """When the refresh token ends; None before its first use."""
        end = self._kept().get("refresh_until")
        return dt.datetime.fromtimestamp(end, dt.UTC) if isinstance(end, int) else None

    def _kept(self) -> Mapping[str, Any]:
        try:
            found = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) and found.get("of") == self._mark else {}

    def _renewed(self, refresh: str) -> str:
        form = self._client | {"grant_type": "refresh_token", "refresh_token": refresh}
        try:
            answer = self.http.ask("TikTok", "POST", self._url, idempotent=True, data=form)
        except Permanent as error:  # an endless answer; it says nothing about what was asked
            raise Temporary(str(error)) from error
        try:
            body = json.loads(answer.content)
        except ValueError:
            body = None
        if isinstance(body, dict) and body.get("error") in {"invalid_grant", "invalid_client", "invalid_request"}:
            words = _("TikTok no longer accepts the city's sign-in: authorise the app anew and enter its new token.")
            raise Permanent(words)
        check("TikTok", answer)
        access = body.get("access_token") if isinstance(body, dict) else None
        if not isinstance(body, dict) or not isinstance(access, str) or not access:
            raise Temporary(_("{what}: the answer can't be read.").format(what="TikTok"))
        now = int(time.time())
        anew = body.get("refresh_token")
        self._keep(
            {
                "of": self._mark,
                "access": access,
                "until": now + _seconds(body.get("expires_in"), 3600),
                "refresh": anew if isinstance(anew, str) and anew else refresh,
                "refresh_until": now + _seconds(body.get("refresh_expires_in"), 365 * 86_400),
            }
        )
        return access

    def _keep(self, kept: Mapping[str, object]) -> None:
        """Written whole, readable by nobody else."""
        beside = self.path.with_suffix(f".{os.getpid()}.new")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE)
        with os.fdopen(handle, "w") as file:
            json.dump(kept, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One worker at a time: two that renew at once would spend each other's token."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, MODE)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _good(kept: Mapping[str, Any]) -> bool:
    until = kept.get("until")
    return isinstance(until, int) and until > time.time() + SPARE and bool(kept.get("access"))


def _seconds(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and 0 < value < 10**9 else otherwise
