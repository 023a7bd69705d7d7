"""Templates: every change a version, nothing overwritten unread, nothing kept that no draft could use."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from alerts import drafting, guards, templating
from alerts.content import Circle, Content, District, Text, to_json
from alerts.models import AuditEntry, Draft, Template, TemplateVersion
from alerts.people import NotAllowed, Refused
from alerts.templating import Wording
from alerts.terms import Kind, Status
from tests import city

pytestmark = pytest.mark.django_db

TEXTS = {
    "de": Text("Feuer", "Feuer {place}: Fenster zu", "Seit {time} Uhr.", "Schließen Sie Fenster."),
    "en": Text("Fire", "Fire at {place}: shut windows", "Since {time}.", "Shut windows."),
}
FIRE = Wording(
    Kind.WARNING,
    {"de": "Feuer", "en": "Fire"},
    Content(category=("Fire",), severity="Severe", texts=TEXTS, valid_for=240, next_in=60),
)


@pytest.fixture
def keeper() -> User:
    return city.officer("keeper", "change_template")


@pytest.fixture
def fire(keeper: User) -> Template:
    return templating.make(keeper, "feuer", FIRE, "Our own words")


def saying(headline: str, said: Wording = FIRE) -> Wording:
    texts = {**said.content.texts, "de": replace(said.content.texts["de"], headline=headline)}
    return replace(said, content=replace(said.content, texts=texts))


def german(template: Template) -> str:
    said = templating.wording(Template.objects.get(pk=template.pk))
    assert said is not None
    return said.content.texts["de"].headline


def test_a_new_template_is_its_first_version(fire: Template, keeper: User) -> None:
    version = fire.versions.get()
    assert (version.number, version.by, version.note) == (1, keeper, "Our own words")
    assert templating.wording(fire) == templating.wording(version) == FIRE
    line = AuditEntry.objects.get(action="template-changed")
    assert (line.subject, line.data) == ("template feuer", {"what": "made", "version": 1})


def test_a_change_is_a_new_version_and_the_old_one_stays(fire: Template, keeper: User) -> None:
    templating.change(keeper, "feuer", 1, saying("Feuer: Türen zu"), "Doors matter more")
    assert german(fire) == "Feuer: Türen zu"
    assert [version.number for version in fire.versions.all()] == [2, 1]
    assert templating.wording(fire.versions.get(number=1)) == FIRE


def test_a_version_cannot_be_changed_or_deleted_even_in_the_database(fire: Template) -> None:
    guards.install(connection, [TemplateVersion])  # the tests' own set-up drops those against deleting
    for statement in ("UPDATE alerts_templateversion SET note = 'x'", "DELETE FROM alerts_templateversion"):
        with pytest.raises(DatabaseError, match="rows never change"), transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(statement)


def test_what_stood_there_before_versions_were_kept_becomes_the_first(keeper: User) -> None:
    old = Template.objects.create(key="alt", names={"de": "Alt"}, content_json=to_json(FIRE.content))
    assert templating.number(old) == 0
    templating.change(keeper, "alt", 0, saying("Neu"), "Newer")
    assert [version.number for version in old.versions.all()] == [2, 1]
    first = templating.wording(old.versions.get(number=1))
    assert first is not None
    assert first.content.texts == FIRE.content.texts
    assert old.versions.get(number=1).by is None


def test_nobody_overwrites_a_version_he_has_not_read(fire: Template, keeper: User) -> None:
    other = city.officer("other", "change_template")
    templating.change(other, "feuer", 1, saying("Seins"), "His")
    with pytest.raises(templating.ChangedMeanwhile) as told:
        templating.change(keeper, "feuer", 1, saying("Meins"), "Mine")
    assert german(told.value.template) == "Seins"
    with pytest.raises(templating.ChangedMeanwhile):
        templating.restore(keeper, "feuer", 1, 1)
    assert fire.versions.count() == 2


def test_restoring_is_a_new_version(fire: Template, keeper: User) -> None:
    templating.change(keeper, "feuer", 1, saying("Schlechter"), "Worse")
    assert templating.restore(keeper, "feuer", 2, 1).number == 3
    assert templating.wording(Template.objects.get(pk=fire.pk)) == FIRE


@pytest.mark.parametrize("old", [0, 2, 999])
def test_only_a_version_of_this_template_can_be_restored(fire: Template, keeper: User, old: int) -> None:
    other = templating.make(keeper, "sturm", saying("Sturm"), "")
    templating.change(keeper, "sturm", 1, saying("Orkan"), "Stronger")
    assert other.versions.filter(number=2).exists()
    with pytest.raises(Refused):
        templating.restore(keeper, "feuer", 1, old)
    assert german(fire) == TEXTS["de"].headline


def test_nothing_new_is_no_version(fire: Template, keeper: User) -> None:
    for again in (
        lambda: templating.change(keeper, "feuer", 1, FIRE, "why"),
        lambda: templating.restore(keeper, "feuer", 1, 1),
    ):
        with pytest.raises(Refused):
            again()
    assert fire.versions.count() == 1


def test_a_change_says_why(fire: Template, keeper: User) -> None:
    with pytest.raises(Refused):
        templating.change(keeper, "feuer", 1, saying("Neu"), "  ")


def test_out_of_use_and_back_keeps_everything(fire: Template, keeper: User) -> None:
    assert not templating.put(keeper, "feuer", active=False).active
    assert not templating.put(keeper, "feuer", active=False).active
    assert templating.put(keeper, "feuer", active=True).active
    whats = AuditEntry.objects.filter(action="template-changed").order_by("number")
    assert [line.data["what"] for line in whats] == ["made", "out-of-use", "in-use"]
    assert fire.versions.count() == 1


@pytest.mark.parametrize("permission", ["write_draft", "approve_draft", "break_glass"])
def test_only_administrators_keep_templates(fire: Template, permission: str) -> None:
    officer = city.officer("officer", permission)
    for attempt in (
        lambda: templating.make(officer, "neu", FIRE, ""),
        lambda: templating.change(officer, "feuer", 1, saying("x"), "x"),
        lambda: templating.restore(officer, "feuer", 1, 1),
        lambda: templating.put(officer, "feuer", active=False),
    ):
        with pytest.raises(NotAllowed):
            attempt()
    assert (TemplateVersion.objects.count(), Template.objects.get().active) == (1, True)


@pytest.mark.parametrize("key", ["", "new", "Feuer", "a b", "a/b", "-a", "ä", "a" * 61, "a--b", "a\n"])
def test_a_key_is_an_address(keeper: User, key: str) -> None:
    with pytest.raises(Refused):
        templating.make(keeper, key, FIRE, "")
    assert not Template.objects.exists()


def test_a_key_is_taken_once(fire: Template, keeper: User) -> None:
    with pytest.raises(Refused):
        templating.make(keeper, "feuer", saying("Anderes"), "")
    assert german(fire) == TEXTS["de"].headline


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (replace(FIRE, kind="nonsense"), "kind"),
        (replace(FIRE, names={"de": " "}), "no-name"),
        (replace(FIRE, names={"de": "x" * 81}), "too-long"),
        (replace(FIRE, names={"de": "rechts\u202enach links"}), "hidden"),
        (replace(FIRE, content=replace(FIRE.content, texts={})), "empty"),
        (replace(FIRE, content=replace(FIRE.content, texts={"xx": TEXTS["de"]})), "language"),
        (replace(FIRE, content=replace(FIRE.content, severity="Terrible")), "unknown-word"),
        (replace(FIRE, content=replace(FIRE.content, response=("AllClear",))), "all-clear"),
        (replace(FIRE, kind=Kind.ALL_CLEAR), "no-all-clear"),
        (replace(FIRE, content=replace(FIRE.content, valid_for=0)), "duration"),
        (replace(FIRE, content=replace(FIRE.content, next_in=10**6)), "duration"),
        (saying("x" * 161), "too-long"),
        (saying("Feuer {place: Fenster zu"), "brace"),
        (saying("Feuer {}: Fenster zu"), "brace"),
        (saying("https://evil.example/"), "link"),
        (saying("Glocke\x07"), "control"),
    ],
)
def test_what_no_draft_could_use_is_refused_in_words(fire: Template, keeper: User, said: Wording, code: str) -> None:
    with pytest.raises(templating.Unfit) as told:
        templating.change(keeper, "feuer", 1, said, "try")
    assert code in {fault.code for fault in told.value.faults}
    assert all(fault.words for fault in told.value.faults)
    assert fire.versions.count() == 1


def test_an_unfinished_template_is_kept(keeper: User) -> None:
    only = Wording(Kind.WARNING, {"de": "Entwurf"}, Content(texts={"de": Text(headline="Feuer {place}")}, valid_for=60))
    assert templating.make(keeper, "entwurf", only, "").active


def test_a_template_belongs_to_no_event(keeper: User) -> None:
    now = timezone.now()
    content = replace(FIRE.content, status=Status.EXERCISE, place="Markt", facts_at=now, expires=now, onset=now)
    templating.make(keeper, "sturm", replace(FIRE, content=content), "")
    assert templating.wording(Template.objects.get()) == FIRE


@pytest.mark.usefixtures("districts", "quiet")
class TestFromAMessage:
    def test_what_was_said_is_kept_with_a_gap_for_the_place(self, author: User, approver: User, keeper: User) -> None:
        texts = {
            "de": Text("Brand", "Brand Ring: Fenster zu", "Am Ring, nicht in Ringelheim.", "Meiden Sie den Ring."),
            "en": Text("Fire", "Fire at Ring: shut windows", "", "Keep away."),
        }
        message = city.released(author, approver, texts=texts, place="Ring", status=Status.EXERCISE)
        template = templating.keep(keeper, message)
        said = templating.wording(template)
        assert said is not None
        german = said.content.texts["de"]
        assert (german.headline, german.description) == (
            "Brand {place}: Fenster zu",
            "Am {place}, nicht in Ringelheim.",
        )
        assert (said.content.valid_for, said.content.next_in, said.content.status) == (240, 60, Status.ACTUAL)
        assert not said.content.has_area
        assert (template.key, template.active, dict(said.names)) == ("brand", False, {"de": "Brand", "en": "Fire"})
        assert templating.keep(keeper, message).key == "brand-2"

    def test_any_content_stays_readable(self) -> None:
        start = timezone.now()
        content = Content(
            place="(", texts={"de": Text(headline="( x")}, expires=start, districts=(District("a", "A"),),
            circles=(Circle(1, 1, 1),), next_by=start + dt.timedelta(minutes=90),
        )  # fmt: skip
        found = templating.reusable(content, start)
        assert (found.valid_for, found.next_in, found.has_area) == (1, 90, False)
        assert found.texts["de"].headline == "{place} x"


def test_the_record_says_which_version_a_draft_began_from(fire: Template, keeper: User, author: User) -> None:
    templating.change(keeper, "feuer", 1, saying("Feuer: neu"), "Newer")
    drafting.new(author, template=Template.objects.get())
    drafting.new(author)
    lines = AuditEntry.objects.filter(action="draft-new").order_by("number")
    assert [(line.data.get("template"), line.data.get("version")) for line in lines] == [("feuer", 2), (None, None)]
    assert Draft.objects.count() == 2
