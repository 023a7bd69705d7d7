"""One HTTP client for all channels; what goes wrong becomes Temporary, Permanent or Uncertain."""

from __future__ import annotations

import ssl
import time
from functools import cache
from typing import Any

import httpx
from django.utils.translation import gettext as _

from .base import Permanent, Temporary, Uncertain

LIMIT = 2_000_000
"""Bytes of an answer that are read; more is cut off with Permanent."""


class Http:
    """httpx with time-outs, no redirects and a bounded body.

    ``seconds`` bounds connecting and each read, and twice as many the whole answer.
    """

    def __init__(self, *, seconds: float = 10.0, transport: httpx.BaseTransport | None = None) -> None:
        self.seconds = seconds
        self.client = httpx.Client(
            timeout=seconds,
            follow_redirects=False,
            transport=transport,
            headers={"User-Agent": "Belfry"},
            trust_env=False,
            verify=_authorities(),
        )

    def request(self, what: str, method: str, url: str, *, idempotent: bool = False, **options: Any) -> httpx.Response:
        """The answer with its body read. ``what`` names the other side in errors; the URL is never in them.

        Raises Temporary before anything could have gone out (or where ``idempotent``), Uncertain where
        it may have, and by ``check`` on a refusing status.
        """
        answer = self.ask(what, method, url, idempotent=idempotent, **options)
        check(what, answer, idempotent=idempotent)
        return answer

    def ask(self, what: str, method: str, url: str, *, idempotent: bool = False, **options: Any) -> httpx.Response:
        """As ``request``, whatever status comes: for platforms that say in the body what is wrong."""
        unclear = Temporary if idempotent else Uncertain
        until = time.monotonic() + 2 * self.seconds
        try:
            with self.client.stream(method, url, **options) as response:
                body = bytearray()
                for part in response.iter_bytes():
                    body += part
                    if len(body) > LIMIT:
                        raise (Permanent if idempotent else Uncertain)(_("{what}: answer too long").format(what=what))
                    if time.monotonic() > until:
                        raise unclear(_("{what}: no answer in time").format(what=what))
                answer = httpx.Response(
                    response.status_code,
                    headers=_plain(response.headers),
                    content=bytes(body),
                    request=response.request,
                )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Temporary(_("{what}: no connection").format(what=what)) from error
        except httpx.TimeoutException as error:
            raise unclear(_("{what}: no answer in time").format(what=what)) from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise unclear(_("{what}: connection broken off").format(what=what)) from error
        return answer

    def get(self, what: str, url: str, **options: Any) -> httpx.Response:
        return self.request(what, "GET", url, idempotent=True, **options)


@cache
def _authorities() -> ssl.SSLContext:
    """Read once for the process: it takes 50 ms."""
    return httpx.create_ssl_context(trust_env=False)


def _plain(headers: httpx.Headers) -> httpx.Headers:
    """Headers without the encodings that reading has already undone."""
    kept = httpx.Headers(headers)
    for name in ("content-encoding", "transfer-encoding", "content-length"):
        kept.pop(name, None)
    return kept


def check(what: str, response: httpx.Response, *, idempotent: bool = True) -> None:
    """Raise what a refusing status asks for: 408, 425, 429 and 5xx are Temporary, other 3xx/4xx Permanent.

    Where trying again could put out twice (not ``idempotent``), 408 and 5xx but 503 are Uncertain.
    """
    status = response.status_code
    if status < 300 or status == 304:
        return
    words = _("{what} answered {status}").format(what=what, status=status)
    if not idempotent and (status == 408 or (status >= 500 and status != 503)):
        raise Uncertain(words)
    if status in {408, 425, 429} or status >= 500:
        raise Temporary(words, after=retry_after(response))
    raise Permanent(words)


def retry_after(response: httpx.Response) -> float | None:
    """Seconds of a Retry-After header (RFC 9110 §10.2.3), at most a day; None where there is none."""
    value = response.headers.get("retry-after", "")
    return min(float(value), 86_400.0) if value.isdigit() else None
