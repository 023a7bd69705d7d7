"""The pages of the after-action report: to read, to print, to take along."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_safe

from alerts import audit, extracts
from alerts.content import Content, Text
from alerts.desk.differences import Change, compare
from alerts.desk.people import name, officer
from alerts.desk.site import page, refused
from alerts.desk.summary import event_of, first_text, title
from alerts.models import Alert, AuditEntry
from alerts.notice import exercise_text
from alerts.terms import Status, language_name, ui_language

from ...timeline import Said, Story, put_together
from . import csvfile
from .rows import load


@dataclass(frozen=True, slots=True)
class Chapter:
    """One message as the report tells it: what it changed, its words in each language."""

    said: Said
    title: str
    changes: list[Change]
    texts: list[tuple[str, str, Text]]


@dataclass(frozen=True, slots=True)
class Proof:
    """The lines of the record that the report rests on; ``wrong`` those whose hash no longer fits."""

    lines: list[AuditEntry]
    wrong: list[int]
    checked: AuditEntry | None
    number: int
    hash: str


def has_a_role(me: User) -> bool:
    """An account without any role does not read who did what: every officer has one, if only the observer's."""
    return not me.is_superuser and (me.groups.exists() or bool(me.get_all_permissions()))


@require_safe
def report(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The report to be read."""
    return _shown(request, slug, "desk/report.html")


@require_safe
def on_paper(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The same, unfolded, for a printer or a PDF file."""
    return _shown(request, slug, "desk/report-print.html", paper=True)


@require_safe
def as_csv(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The same as a file, with the record's own lines, for ``verify_audit --report``."""
    if not has_a_role(officer(request)):
        return refused(request, _("Your role does not allow this page."))
    found = _alert(slug)
    body = csvfile.written(put_together(load(found), timezone.now()))
    name_of_file = f"{found.slug}-{timezone.localdate():%Y-%m-%d}.csv"
    headers = {
        "Content-Disposition": f'attachment; filename="{name_of_file}"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return HttpResponse(body.encode(), content_type="text/csv; charset=utf-8", headers=headers)


def _alert(slug: str) -> Alert:
    return get_object_or_404(Alert.objects.select_related("latest"), slug=slug)


def _shown(request: HttpRequest, slug: str, template: str, *, paper: bool = False) -> HttpResponseBase:
    me = officer(request)
    if not has_a_role(me):
        return refused(request, _("Your role does not allow this page."))
    found, now = _alert(slug), timezone.now()
    rows = load(found)
    story = put_together(rows, now)
    heading = event_of(rows.drafts[0]) if rows.drafts else found.slug
    return page(
        request,
        template,
        paper=paper,
        found=found,
        exercise=found.status == Status.EXERCISE,
        heading=heading,
        now=now,
        printed_by=name(me),
        story=story,
        chapters=[_chapter(said, paper=paper) for said in story.said],
        proof=_proof(story),
    )


def _chapter(said: Said, *, paper: bool) -> Chapter:
    content = said.content
    # an exercise's own words could be obeyed, on a sheet of paper above all: it says the fixed text (DESIGN, rule 7)
    hidden = content.exercise and paper
    compared = compare(said.before, content) if said.before and not hidden else []
    changes = [change for change in compared if not change.same]
    texts = [(language, language_name(language), _words(content, language)) for language in content.texts]
    return Chapter(said, headline(content), changes, texts)


def _words(content: Content, language: str) -> Text:
    text = content.texts[language]
    if not content.exercise:
        return text
    with override(ui_language(language)):
        return exercise_text(text.event, content.place)


def headline(content: Content) -> str:
    """What pages about a message call it: of an exercise, never the order itself."""
    return exercise_text(first_text(content).event, content.place).headline if content.exercise else title(content)


def _proof(story: Story) -> Proof:
    lines = sorted((line for event in story.events for line in event.lines), key=lambda line: line.number)
    wrong = [line.number for line in lines if audit.line_hash(line) != line.hash]
    checked = AuditEntry.objects.filter(subject=extracts.RECORD, action=extracts.VERIFIED).order_by("-number").first()
    return Proof(lines, wrong, checked, *audit.head())
