"""Meta's Graph API, as Facebook Pages, Instagram and Threads share it: one call, and what its errors ask for.

Source: developers.facebook.com/docs/graph-api/guides/error-handling and
developers.facebook.com/documentation/instagram-platform/instagram-graph-api/reference/error-codes.
Meta's own error texts are never repeated: some hold the token.
"""

from __future__ import annotations

import datetime as dt
import json
import unicodedata
from collections.abc import Mapping
from typing import Any, NoReturn

import httpx
from django.utils.translation import gettext as _

from channels.base import Hop, Permanent, Temporary, Uncertain
from channels.http import Http, check, retry_after
from channels.teasers import JOINER

HOPS = (Hop("Meta", "abroad"),)
PAGE = 50
"""Posts that one look at an account reads."""
SLACK = dt.timedelta(minutes=2)
"""By so much Meta's clock may run behind ours."""

RATES = frozenset({4, 17, 32, 341, 613})
FAULTS = frozenset({-2, -1, 1, 2})
TOKENS = frozenset({102, 190})
RIGHTS = frozenset({3, 10, *range(200, 300)})
DUPLICATE, INVALID, TOO_MANY_POSTS, BLOCKED = 506, 100, 9, 368
UNPREPARED = frozenset({24, 9007})
"""A container that is not there, or not yet. Threads answers 24 for seconds after it made one."""
RESTRICTED = frozenset({2207050, 2207051, 4279013})
"""Subcodes: the account is restricted, or suspected of spam."""
UNFETCHED = frozenset({2207003, 2207052})
"""Subcodes: Meta could not fetch a picture from the address that it was given."""


class Refused(Permanent):
    """An error that trying again does not mend; ``code`` is Meta's."""

    def __init__(self, words: str, code: int) -> None:
        super().__init__(words)
        self.code = code


class Duplicate(Refused):
    """A post with these very words stands there already."""


class Unprepared(Temporary):
    """The container to publish is not there, or not yet."""


class Unfetched(Temporary):
    """Meta could not fetch the picture from the city's page."""


class Graph:
    """Calls for one account. ``what`` is the platform as officers know it, ``name`` the channel's.

    The token goes in a header, never in an address.
    """

    def __init__(self, http: Http, *, what: str, name: str, server: str, version: str, token: str) -> None:
        self.http, self.what, self.name = http, what, name
        self.base = f"{server.rstrip('/')}/{version}"
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}

    def get(self, path: str, **fields: str) -> Mapping[str, Any]:
        """Raises Temporary, Permanent."""
        return self._call("GET", path, puts_out=False, params=fields)

    def post(
        self, path: str, fields: Mapping[str, str], *, puts_out: bool, source: tuple[str, bytes, str] | None = None
    ) -> Mapping[str, Any]:
        """``source``: name, bytes and type of a file. Raises Uncertain only where the call ``puts_out``."""
        files = {"source": source} if source else None
        return self._call("POST", path, puts_out=puts_out, data=fields, files=files)

    def remove(self, remote_id: str) -> None:
        """Delete a post; harmless twice. Raises Temporary, Permanent."""
        reason = ""
        try:
            if self._call("DELETE", remote_id, puts_out=False).get("success", True) is True:
                return
        except Permanent as error:
            reason = str(error)
        words = _("{what} did not take the post back. Look there, and delete it by hand if it still stands.")
        raise Permanent(f"{words.format(what=self.what)} {reason}".strip())

    def rows(self, path: str, **fields: str) -> list[Mapping[str, Any]]:
        """The ``data`` of a listing. Raises Temporary, Permanent."""
        found = self.get(path, **fields).get("data")
        if not isinstance(found, list):
            raise Temporary(self._unreadable())
        return [row for row in found if isinstance(row, dict)]

    def id_of(self, answer: Mapping[str, Any], *keys: str, puts_out: bool) -> str:
        """The first id that stands under one of these keys."""
        for key in keys:
            if isinstance(value := answer.get(key), str | int) and str(value):
                return str(value)
        raise (Uncertain if puts_out else Temporary)(self._unreadable())

    def _call(self, method: str, path: str, *, puts_out: bool, **options: Any) -> Mapping[str, Any]:
        try:
            answer = self.http.ask(
                self.what,
                method,
                f"{self.base}/{path}",
                idempotent=not puts_out,
                headers=self._headers,
                **options,
            )
        except Permanent as error:  # an endless answer; it says nothing about what was asked
            raise Temporary(str(error)) from error
        body = _object(answer)
        if isinstance(fault := body.get("error"), dict):
            self._fail(answer, fault, Uncertain if puts_out else Temporary)
        check(self.what, answer, idempotent=not puts_out)
        if not body:
            raise (Uncertain if puts_out else Temporary)(self._unreadable())
        return body

    def _unreadable(self) -> str:
        return _("{what}: its answer can't be read").format(what=self.what)

    def _fail(
        self, answer: httpx.Response, error: Mapping[str, Any], unclear: type[Uncertain] | type[Temporary]
    ) -> NoReturn:
        """Raise what Meta's error asks for; ``unclear`` where the call may have done its work all the same."""
        code, subcode = _number(error.get("code")), _number(error.get("error_subcode"))
        named = {"what": self.what, "name": self.name, "code": f"{code}/{subcode}" if subcode else code}
        if subcode in RESTRICTED or code == BLOCKED:
            words = _("{what} has restricted the account (error {code}). Sign in there and do what it asks for.")
            raise Refused(words.format(**named), code)
        if code in RATES or answer.status_code == 429:
            raise Temporary(
                _("{what} takes no more calls for now (error {code}).").format(**named), after=_wait(answer)
            )
        if answer.status_code == 503:
            words = _("{what} reports a fault of its own (error {code}).").format(**named)
            raise Temporary(words, after=retry_after(answer))
        if subcode in UNFETCHED:
            words = _("{what} could not fetch the picture from the city's page: its servers must be let in there.")
            raise Unfetched(words.format(**named), after=30)
        if code in UNPREPARED:
            raise Unprepared(_("{what} is still preparing the post (error {code}).").format(**named), after=10)
        if (
            code in FAULTS
            or answer.status_code >= 500
            or answer.status_code == 408
            or error.get("is_transient") is True
        ):
            raise unclear(_("{what} reports a fault of its own (error {code}).").format(**named))
        if code == TOO_MANY_POSTS:
            raise Temporary(_("{what} takes no more posts today (error {code}).").format(**named), after=1800)
        self._refuse(code, named)

    def _refuse(self, code: int, named: Mapping[str, object]) -> NoReturn:
        if code in TOKENS:
            words = _(
                "{what} takes the token no longer (error {code}): it has expired or was withdrawn. "
                "Make a new one and put it into the setting that “token” of [{name}] in channels.toml names."
            )
        elif code in RIGHTS:
            words = _(
                "{what} does not allow this to the token of [{name}] (error {code}). "
                "Give the app the missing permission, check the account's role, and make a new token."
            )
        elif code == DUPLICATE:
            words = _("{what} has a post with exactly these words already (error {code}): look there.")
            raise Duplicate(words.format(**named), code)
        elif code == INVALID:
            words = _(
                "{what} does not know what it was asked for, or can't use it (error {code}). "
                "Check the account number of [{name}] in channels.toml and the token's permissions."
            )
        else:
            words = _("{what} refused this (error {code}).")
        raise Refused(words.format(**named), code)


def text_of(row: Mapping[str, Any], key: str) -> str:
    """A text of an answer; empty where it is none."""
    value = row.get(key)
    return value if isinstance(value, str) else ""


def count_of(row: Mapping[str, Any], key: str) -> int | None:
    """A whole number of an answer."""
    value = row.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def match(
    rows: list[Mapping[str, Any]], text: str, since: dt.datetime, *, said: str, at: str, loose: bool = False
) -> Mapping[str, Any] | None:
    """The row that says ``text``, made after ``since``; ``said`` and ``at`` name its text and its time.

    ``loose``: where none does, the first one that ends in the same link, since platforms change texts.
    """
    recent = [row for row in rows if _time(text_of(row, at), since) > since - SLACK]
    wanted = _bare(text)
    found = next((row for row in recent if _bare(text_of(row, said)) == wanted), None)
    if found is None and loose:
        link = _bare(text.rsplit("\n", 1)[-1])
        found = next((row for row in recent if _bare(text_of(row, said)).endswith(link)), None)
    return found


def token_end(value: str) -> dt.datetime | None:
    """When a token ends: the beginning of a day ("2027-01-31") in UTC. Raises ValueError."""
    if not value:
        return None
    try:
        return dt.datetime.combine(dt.date.fromisoformat(value), dt.time(), dt.UTC)
    except ValueError as error:
        raise ValueError(_("token_until is a day such as 2027-01-31")) from error


def _bare(text: str) -> str:
    """What is compared: platforms change white space, and Instagram leaves out every @."""
    left_out = {JOINER, "@"}
    return "".join(c for c in unicodedata.normalize("NFC", text) if not c.isspace() and c not in left_out)


def _time(value: str, otherwise: dt.datetime) -> dt.datetime:
    try:
        found = dt.datetime.fromisoformat(value)
    except ValueError:
        return otherwise
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _object(answer: httpx.Response) -> Mapping[str, Any]:
    """The answer's JSON object; empty where it is none."""
    try:
        body = json.loads(answer.content)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _wait(answer: httpx.Response) -> float | None:
    """Seconds until Meta takes calls again, where it says so; at most a day.

    developers.facebook.com/docs/graph-api/overview/rate-limiting: X-Business-Use-Case-Usage, in minutes.
    """
    if (seconds := retry_after(answer)) is not None:
        return seconds
    try:
        used = json.loads(answer.headers.get("x-business-use-case-usage", "{}"))
        minutes = [row["estimated_time_to_regain_access"] for rows in used.values() for row in rows]
        return min(60.0 * max(minutes), 86_400.0) or None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
