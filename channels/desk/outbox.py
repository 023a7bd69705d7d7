"""What the embedded set-up wrote into files instead of sending it: mails and SMS, newest first, to be read."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.functional import lazy
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from alerts.desk.people import officer
from alerts.desk.site import page, refused
from alerts.models import Alert
from alerts.terms import Status

PER_PAGE = 50
LONGEST = 1_000_000
"""Bytes of a file that are read."""
KINDS = {"mail": (".eml", ".log"), "sms": (".txt",)}
"""Folder below the data folder -> the files that lie there: the channel's, and those of Django's file backend."""
BETWEEN = b"\n" + b"-" * 79 + b"\n"
"""What Django's file backend writes between two mails."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
INVITATION = re.compile(r"(/desk/invitation/)[A-Za-z0-9/_-]+")
"""A new officer's own link: whoever else reads it could be that officer."""
ADDRESS = re.compile(r"([^\s<>@,;\"]+)@([^\s<>@,;\"]+)")


@dataclass(frozen=True, slots=True)
class Written:
    """One file: ``at`` when it was written."""

    kind: str
    name: str
    at: dt.datetime

    @property
    def path(self) -> Path:
        return Path(settings.DATA) / self.kind / self.name


@dataclass(frozen=True, slots=True)
class Said:
    """One mail or SMS as officers read it; ``to`` shows no whole address, ``html`` is source to be read as text.

    ``slug`` is the alert that it links to, if any.
    """

    to: str
    subject: str
    text: SafeString
    html: str = ""
    slug: str = ""


def there() -> bool:
    """Whether anything is written into files here."""
    return any((Path(settings.DATA) / kind).is_dir() for kind in KINDS)


def _name() -> str:
    return _("Outbox") if there() else ""


in_the_bar: Callable[[], str] = lazy(_name, str)
"""The page's name in the desk's bar; empty, and so not there, where mails and SMS are really sent."""


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    """All files, newest first."""
    if not _has_a_role(request):
        return _not_allowed(request)
    if not there():
        raise Http404
    numbered = Paginator(sorted(_files(), key=lambda one: (one.at, one.name), reverse=True), PER_PAGE).get_page(
        request.GET.get("page")
    )
    rows = [(one, said[0]) for one in numbered if (said := _said(one))]
    exercises = _exercises(said for _one, said in rows)
    return page(request, "desk/outbox.html", numbered=numbered, rows=rows, exercises=exercises)


@require_safe
def reading(request: HttpRequest, kind: str, name: str) -> HttpResponse:
    """One file: the text of what it holds. Nothing of it is loaded, run or shown as a page."""
    if not _has_a_role(request):
        return _not_allowed(request)
    found = _file(kind, name)
    if found is None:
        raise Http404
    said = _said(found)
    return page(request, "desk/outbox-reading.html", written=found, said=said, exercise=bool(_exercises(said)))


def _exercises(said: Iterable[Said]) -> set[str]:
    """Which of the alerts that these link to are exercises."""
    slugs = {one.slug for one in said if one.slug}
    return set(Alert.objects.filter(slug__in=slugs, status=Status.EXERCISE).values_list("slug", flat=True))


def _has_a_role(request: HttpRequest) -> bool:
    """What residents are sent holds their own links: an account without any role does not see it."""
    me = officer(request)
    return not me.is_superuser and bool(me.get_all_permissions())


def _not_allowed(request: HttpRequest) -> HttpResponse:
    return refused(request, _("Your role does not allow this page."))


def _files() -> Iterator[Written]:
    for kind, suffixes in KINDS.items():
        try:
            entries = os.scandir(Path(settings.DATA) / kind)
        except (FileNotFoundError, NotADirectoryError):
            continue
        with entries:
            for entry in entries:
                if _fits(entry.name, suffixes) and entry.is_file(follow_symlinks=False):
                    yield Written(kind, entry.name, _time(entry.stat(follow_symlinks=False)))


def _file(kind: str, name: str) -> Written | None:
    """The file of that name in that folder itself; no link, no other folder, no other kind of name."""
    if kind not in KINDS or not _fits(name, KINDS[kind]):
        return None
    path = Path(settings.DATA) / kind / name
    if path.is_symlink() or not path.is_file():
        return None
    return Written(kind, name, _time(path.stat()))


def _fits(name: str, suffixes: tuple[str, ...]) -> bool:
    return bool(NAME.fullmatch(name)) and name.endswith(suffixes)


def _time(stat: os.stat_result) -> dt.datetime:
    return dt.datetime.fromtimestamp(stat.st_mtime, dt.UTC)


def _said(written: Written) -> list[Said]:
    """What the file holds; empty where it went between two looks."""
    try:
        with written.path.open("rb") as file:
            raw = file.read(LONGEST)
    except FileNotFoundError:
        return []
    if written.kind == "sms":
        head, _blank, text = raw.decode("utf-8", "replace").partition("\n\n")
        to = next((line[3:].strip() for line in head.splitlines() if line.startswith("To:")), "")
        return [Said(to if to.startswith("…") else f"…{to[-3:]}", text.strip()[:80], _text(text), slug=_slug(text))]
    pieces = raw.split(BETWEEN) if written.name.endswith(".log") else [raw]
    return [_mail(piece) for piece in pieces if piece.strip()]


def _mail(raw: bytes) -> Said:
    # read by the old policy: the newer one can fail on headers that no standard allows
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    texts = {"text/plain": "", "text/html": ""}
    for part in message.walk():
        kind = part.get_content_type()
        if not texts.get(kind, " ") and part.get_filename() is None:
            payload = part.get_payload(decode=True)
            texts[kind] = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
    to = ADDRESS.sub(lambda found: f"{found[1][0]}…@{found[2]}", _decoded(str(message.get("To", ""))))
    text, html = texts["text/plain"], texts["text/html"]
    return Said(to, _decoded(str(message.get("Subject", ""))), _text(text), html, _slug(text or html))


def _slug(text: str) -> str:
    """The alert whose page a text links to; empty where it links to none."""
    found = re.search(re.escape(settings.ADDRESS) + r"/(?:[a-z-]+/)?alerts/([0-9a-z]{4,24})/", text)
    return found[1] if found else ""


def _decoded(value: str) -> str:
    """A header's words; what can't be decoded stays as it is."""
    holder = EmailMessage(policy=email.policy.default)
    try:
        holder["Subject"] = " ".join(value.split())
    except (ValueError, LookupError, IndexError):
        return value
    return str(holder["Subject"])


def _text(text: str) -> SafeString:
    """Text whose links to this very Belfry can be followed, as a resident would; all others are words."""
    text = INVITATION.sub(r"\1…", text)
    own = re.compile(re.escape(settings.ADDRESS) + r"/[A-Za-z0-9/_.~%?&=-]*")
    pieces = []
    end = 0
    for found in own.finditer(text):
        pieces += [(text[end : found.start()],), (format_html('<a href="{0}">{0}</a>', found[0]),)]
        end = found.end()
    return format_html_join("", "{}", [*pieces, (text[end:],)])
