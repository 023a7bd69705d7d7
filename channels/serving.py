"""Serves the public folder before Django is asked: no database, no Redis, no settings needed.

Not WhiteNoise: its ETag is whole seconds and a size, so that an update of the same length within
one second would stay hidden behind a 304, and its compressed and plain answers share one ETag.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".ico": "image/vnd.microsoft.icon",
    ".woff2": "font/woff2",
    ".pdf": "application/pdf",
    ".xml": "application/xml; charset=utf-8",
    ".atom": "application/atom+xml; charset=utf-8",
    ".rss": "application/rss+xml; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".geojson": "application/geo+json; charset=utf-8",
    ".webmanifest": "application/manifest+json; charset=utf-8",
    ".pem": "application/x-pem-file",
}
CAP = "application/cap+xml; charset=utf-8"
FEEDS = {".atom", ".rss"}
OPEN_DATA = {".atom", ".rss", ".json", ".geojson", ".xml"}
"""What other sites' scripts may read (CORS)."""

# 20 s: an update is seen within a minute even behind a cache that adds as much again;
# stale-if-error: a cache in front goes on warning when this server is gone
FRESH = "public, max-age=20, stale-if-error=86400"
FOREVER = "public, max-age=31536000, immutable"
SHORT = "public, max-age=5"
ASK_FIRST = "no-cache"
WORKER = "/sw.js"
"""The service worker: an old one in a cache would keep old words on residents' devices."""
SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
LARGEST = 262_144
"""Bytes of a file that is kept in memory, 256 of them at most; a larger one is read at each request."""
LAST_RESORT = """<!doctype html>
<html lang="de"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Nicht gefunden</title></head><body>
<h1>Diese Seite gibt es nicht</h1><p><a href="/">Zu den Warnungen</a></p>
<p>Bei Gefahr für Leib und Leben: <a href="tel:112">112</a></p>
<h1 lang="en">This page does not exist</h1><p lang="en"><a href="/">To the warnings</a></p>
</body></html>
"""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a file: never changed in place, only replaced, so that its bytes may be kept."""

    body: bytes
    etag: str
    modified: float


class Folder:
    """One folder of files to serve below ``prefix`` (``/static/``; ``/`` for the public folder)."""

    def __init__(self, root: Path | str, prefix: str = "/") -> None:
        self.root = Path(root)
        self.prefix = prefix
        # 256 versions: the live pages, feeds and assets; a walk through the archive just pushes through
        self.version = lru_cache(maxsize=256)(self._read)

    def find(self, path: str) -> Path | None:
        """Where ``path`` (decoded, beginning with a slash) may lie; None where it must not be looked for."""
        # 1,000: no address of ours is as long, and the operating system refuses names beyond its limits
        if not path.startswith(self.prefix) or "\\" in path or "\0" in path or len(path) > 1000:
            return None
        parts = path[len(self.prefix) :].split("/")
        if any(part.startswith(".") or len(part.encode()) > 200 for part in parts) or "" in parts[:-1]:
            return None
        return self.root.joinpath(*parts)

    def load(self, file: Path) -> Version | None:
        """The file as it is now; None where there is none or it lies outside (a symbolic link)."""
        try:
            stat = file.stat()
            read = self.version if stat.st_size <= LARGEST else self._read
            return read(file, stat.st_ino, stat.st_mtime_ns, stat.st_size)
        except (OSError, ValueError):
            return None

    def twin(self, file: Path, plain: Version) -> Version | None:
        """Its compressed twin. One older than its page is left from a swap broken off and isn't used."""
        found = self.load(file.with_name(file.name + ".gz"))
        return found if found and found.modified >= plain.modified else None

    def _read(self, file: Path, _inode: int, modified: int, _size: int) -> Version:
        real = file.resolve(strict=True)
        if not real.is_relative_to(self.root.resolve()) or not real.is_file():
            raise FileNotFoundError(file)
        body = real.read_bytes()
        return Version(body, hashlib.sha256(body).hexdigest()[:32], modified / 1e9)


class Serve:
    """WSGI: the paths of ``application_prefixes`` go to Django, everything else is a file or not there."""

    def __init__(
        self,
        application: WSGIApplication,
        *,
        public: Path | str,
        static: Path | str,
        static_prefix: str = "/static/",
        application_prefixes: Sequence[str] = (),
        hsts_seconds: int = 0,
        address: str = "",
        hub: str = "",
    ) -> None:
        self.application = application
        self.public = Folder(public)
        self.static = Folder(static, static_prefix)
        self.prefixes = tuple(application_prefixes)
        self.address, self.hub = address, hub
        self.always = dict(SECURITY)
        if hsts_seconds:
            self.always["Strict-Transport-Security"] = f"max-age={hsts_seconds}"

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            path = environ.get("PATH_INFO", "").encode("latin-1").decode()
        except UnicodeError:
            return self._missing("/", environ, start_response)
        if self._for_application(path):
            return self.application(environ, start_response)
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            headers = {"Allow": "GET, HEAD", "Cache-Control": "no-store"}
            return self._answer(environ, start_response, HTTPStatus.METHOD_NOT_ALLOWED, headers)
        folder = self.static if path.startswith(self.static.prefix) else self.public
        return self._file(folder, path, environ, start_response)

    def _for_application(self, path: str) -> bool:
        return any(
            path == prefix.rstrip("/") or (prefix.endswith("/") and path.startswith(prefix)) for prefix in self.prefixes
        )

    def _file(
        self, folder: Folder, path: str, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        file = folder.find(path)
        if file is None:
            return self._missing(path, environ, start_response)
        if path.endswith("/"):
            file /= "index.html"
        elif (file / "index.html").is_file():
            return self._moved(path + "/", environ, start_response)
        plain = folder.load(file)
        if plain is None:
            return self._missing(path, environ, start_response)
        if path.endswith("/index.html"):
            return self._moved(path.removesuffix("index.html"), environ, start_response)
        twin = folder.twin(file, plain)
        headers = {**_headers(path, file.suffix), "Last-Modified": formatdate(plain.modified, usegmt=True)}
        if self.hub and file.suffix in FEEDS:
            # WebSub §4: a hub told of in the feed alone is not found by all (RSS has no place for it)
            headers["Link"] = f'<{self.hub}>; rel="hub", <{self.address}{quote(path)}>; rel="self"'
        chosen, etag = plain, f'"{plain.etag}"'
        if twin:
            headers["Vary"] = "Accept-Encoding"
            if _accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
                # Another representation: a strong ETag must differ (RFC 9110 §8.8.3.3)
                chosen, etag = twin, f'"{plain.etag}-gz"'
        headers["ETag"] = etag
        if _unchanged(environ, {f'"{plain.etag}"', f'"{plain.etag}-gz"'}, plain.modified):
            return self._answer(environ, start_response, HTTPStatus.NOT_MODIFIED, headers)
        if chosen is twin:
            headers["Content-Encoding"] = "gzip"
        return self._answer(environ, start_response, HTTPStatus.OK, headers, chosen.body)

    def _moved(self, path: str, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        query = f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else ""
        headers = {"Location": quote(path) + query, "Cache-Control": FRESH}
        return self._answer(environ, start_response, HTTPStatus.MOVED_PERMANENTLY, headers)

    def _missing(self, path: str, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The 404 page in the language of the path: ``/en/…`` has its own."""
        headers = {"Content-Type": TYPES[".html"], "Cache-Control": SHORT}
        body = LAST_RESORT.encode()
        for name in self._not_found_pages(path):
            version = self.public.load(name)
            if version:
                body = version.body
                break
        return self._answer(environ, start_response, HTTPStatus.NOT_FOUND, headers, body)

    def _not_found_pages(self, path: str) -> Iterator[Path]:
        first = path.split("/")[1] if path.startswith("/") else ""
        own = self.public.find(f"/{first}/404.html") if first else None
        if own:
            yield own
        yield self.public.root / "404.html"

    def _answer(
        self,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        status: HTTPStatus,
        headers: Mapping[str, str],
        body: bytes = b"",
    ) -> Iterable[bytes]:
        sent = {**headers, **self.always}
        if status != HTTPStatus.NOT_MODIFIED:
            sent["Content-Length"] = str(len(body))
        start_response(f"{status.value} {status.phrase}", list(sent.items()))
        return [] if environ["REQUEST_METHOD"] == "HEAD" or not body else [body]


def _headers(path: str, suffix: str) -> dict[str, str]:
    """Media type, how long it may be kept, and who may read it."""
    suffix = suffix.lower()
    cap = path.startswith("/cap/") and suffix == ".xml"
    kept = FOREVER if cap or path.startswith(("/assets/", "/cards/")) else FRESH
    headers = {
        "Content-Type": CAP if cap else TYPES.get(suffix, "application/octet-stream"),
        "Cache-Control": ASK_FIRST if path == WORKER else kept,
    }
    if suffix in OPEN_DATA:
        headers["Access-Control-Allow-Origin"] = "*"
        headers["Access-Control-Expose-Headers"] = "ETag, Last-Modified"
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if path.startswith("/cards/"):
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"  # where a link is shared, its picture is shown
    return headers


def _accepts_gzip(header: str) -> bool:
    """Whether Accept-Encoding names gzip (or anything) with a weight above 0."""
    for offer in header.lower().split(","):
        coding, _semicolon, weight = offer.replace(" ", "").partition(";q=")
        if coding in {"gzip", "*"}:
            return not weight or weight.strip("0.") != ""
    return False


def _unchanged(environ: WSGIEnvironment, etags: set[str], modified: float) -> bool:
    """RFC 9110 §13.2.2: If-None-Match decides where it is given, else If-Modified-Since."""
    given = environ.get("HTTP_IF_NONE_MATCH")
    if given is not None:
        return given.strip() == "*" or any(tag.strip().removeprefix("W/") in etags for tag in given.split(","))
    since = environ.get("HTTP_IF_MODIFIED_SINCE")
    if not since:
        return False
    try:
        return int(modified) <= parsedate_to_datetime(since).timestamp()
    except (ValueError, TypeError, OverflowError):
        return False
