"""A draft keeps itself while it is written: nothing is lost, nothing is overwritten, nobody is surprised."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from alerts import approval, drafting, readers
from alerts.content import Content, Text
from alerts.models import AuditEntry, Draft, Reader
from tests import city
from tests.desk.conftest import with_roles
from tests.desk.posting import posted

pytestmark = pytest.mark.django_db

Browser = Callable[[User], Client]


@pytest.fixture
def otto(desk: None) -> User:
    return with_roles("otto", "author")


@pytest.fixture
def client(page_of: Browser, anna: User) -> Client:
    return page_of(anna)


@pytest.fixture
def draft(anna: User) -> Draft:
    return city.drafted(anna)


def keep(client: Client, draft: Draft, data: dict[str, Any] | None = None, **changes: Any) -> Any:
    form = (data or posted(client, draft)) | {name.replace("__", "-"): value for name, value in changes.items()}
    return client.post(f"/desk/drafts/{draft.pk}/keep/", form, headers={"hx-request": "true"})


def fresh(draft: Draft) -> Draft:
    return Draft.objects.get(pk=draft.pk)


def kept_lines(draft: Draft) -> list[str]:
    rows = AuditEntry.objects.filter(subject=drafting.subject(draft), action="draft-kept").order_by("number")
    return [row.actor for row in rows]


def test_what_is_typed_is_saved_and_the_page_gets_its_new_version(client: Client, draft: Draft) -> None:
    answer = keep(client, draft, place="Augustusplatz")
    after = fresh(draft)
    assert after.content.place == "Augustusplatz"
    assert f'value="{after.version}" id="id_version"' in answer.content.decode()


def test_the_answer_shows_what_every_channel_would_say_now(client: Client, draft: Draft) -> None:
    body = keep(client, draft, text__de__headline="Rauch über dem Ring: Schließen Sie die Fenster").content.decode()
    spoken = body[body.index('id="spoken"') :]
    assert "Rauch über dem Ring: Schließen Sie die Fenster" in spoken


def test_nothing_changed_is_no_new_version(client: Client, draft: Draft) -> None:
    keep(client, draft, place="Markt")
    before = fresh(draft).version
    assert keep(client, draft).status_code == 204
    assert fresh(draft).version == before


def test_many_savings_in_a_row_leave_one_line_in_the_record(
    client: Client, draft: Draft, page_of: Browser, otto: User
) -> None:
    for place in ("A", "Au", "Aug"):
        keep(client, draft, place=place)
    keep(page_of(otto), draft, place="Ring")
    keep(client, draft, place="Ringstraße")
    assert kept_lines(draft) == ["anna", "otto", "anna"]


def test_a_field_that_cannot_be_read_keeps_its_saved_value_and_is_named(client: Client, draft: Draft) -> None:
    body = keep(client, draft, place="Markt", **{"circle-0-centre": "51."}).content.decode()
    after = fresh(draft)
    assert (after.content.place, after.content.circles) == ("Markt", draft.content.circles)
    assert "id_circle-0-centre" in body
    assert "Noch nicht gespeichert" in body


def test_what_is_too_long_is_named_and_the_rest_is_kept(client: Client, draft: Draft) -> None:
    body = keep(client, draft, place="Markt", text__de__description="x" * 100_000).content.decode()
    assert fresh(draft).content.place == "Markt"
    assert "id_text-de-description" in body
    assert fresh(draft).content.texts["de"].description == draft.content.texts["de"].description


def test_whoever_was_overtaken_overwrites_nothing_and_is_told(
    client: Client, draft: Draft, page_of: Browser, otto: User
) -> None:
    old = posted(client, draft)
    keep(page_of(otto), draft, place="Ring")
    body = keep(client, draft, old, place="Markt").content.decode()
    assert fresh(draft).content.place == "Ring"
    assert "otto hat diesen Entwurf inzwischen gespeichert" in body
    assert "data-stop" in body


def test_an_old_page_that_changed_nothing_hears_of_the_other_too(
    client: Client, draft: Draft, page_of: Browser, otto: User
) -> None:
    keep(page_of(otto), draft, place="Ring")
    now = posted(client, draft) | {"version": draft.version}
    assert "otto" in keep(client, draft, now).content.decode()


def test_a_submission_is_never_voided_by_a_page_that_saves_late(client: Client, anna: User) -> None:
    draft = city.drafted(anna)
    late = posted(client, draft)
    submitted = approval.submit(draft.pk, draft.version, anna)
    body = keep(client, draft, late, place="Markt").content.decode()
    assert fresh(draft).state == "submitted"
    assert fresh(draft).digest == submitted.digest
    assert "data-stop" in body


def test_the_domain_refuses_it_too(anna: User) -> None:
    draft = city.submitted(anna)
    with pytest.raises(drafting.NotEditable):
        drafting.save(draft.pk, draft.version, draft.content, anna, by_itself=True)


def test_a_gap_is_filled_in_all_languages_as_often_as_its_field_changes(client: Client, anna: User) -> None:
    draft = drafting.new(anna)
    texts = {"de": Text(headline="Bombe, {weight} kg"), "en": Text(headline="Bomb, {weight} kg")}
    draft = drafting.save(draft.pk, draft.version, replace(Content(valid_for=60), texts=texts), anna)
    page = posted(client, draft)
    for weight in ("1", "10", "100"):
        keep(client, draft, page | {"version": fresh(draft).version}, **{"gap-weight": weight})
    assert {text.headline for text in fresh(draft).content.texts.values()} == {"Bombe, 100 kg", "Bomb, 100 kg"}


def test_gap_names_that_are_none_are_not_read(client: Client, draft: Draft) -> None:
    forged = {"gap-}{": "x", f"gap-{'a' * 50}": "x", "gap-a\nb": "x", **{f"gap-n{number}": "x" for number in range(99)}}
    assert keep(client, draft, posted(client, draft) | forged, place="Markt").status_code == 200


@pytest.mark.parametrize("role", ["approver", "administrator", "observer", "drill leader"])
def test_only_authors_write(page_of: Browser, anna: User, draft: Draft, role: str) -> None:
    form = posted(page_of(anna), draft) | {"place": "Markt"}
    keep(page_of(with_roles("eve", role)), draft, form)
    assert fresh(draft).content.place == draft.content.place


def test_a_session_that_is_over_does_not_load_the_page_anew(client: Client, draft: Draft) -> None:
    form = posted(client, draft)
    client.logout()
    answer = keep(client, draft, form)
    assert answer.status_code == 401
    assert "HX-Refresh" not in answer.headers


def test_it_takes_a_post_with_its_token(client: Client, draft: Draft, anna: User) -> None:
    assert client.get(f"/desk/drafts/{draft.pk}/keep/").status_code == 302
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(anna)
    assert keep(strict, draft, posted(client, draft) | {"place": "Markt"}).status_code == 403
    assert fresh(draft).content.place == draft.content.place


def test_nothing_that_is_typed_is_markup(client: Client, draft: Draft) -> None:
    bad = "<script>alert(1)</script>"
    fields = [name for name in posted(client, draft) if name.startswith("text-")] + ["place", "contact", "note", "web"]
    body = keep(client, draft, **dict.fromkeys(fields, bad)).content.decode()
    assert "<script" not in body
    assert "&lt;script&gt;" in body


class TestReaders:
    def read(self, client: Client, draft: Draft, query: str = "") -> str:
        return str(client.get(f"/desk/drafts/{draft.pk}/readers/{query}").content.decode())

    def test_two_officers_on_one_draft_see_each_other(
        self, client: Client, draft: Draft, page_of: Browser, otto: User
    ) -> None:
        client.get(f"/desk/drafts/{draft.pk}/")
        other = page_of(otto).get(f"/desk/drafts/{draft.pk}/").content.decode()
        assert "anna hat diesen Entwurf auch offen" in other
        assert "otto hat diesen Entwurf auch offen" in self.read(client, draft)

    def test_who_writes_is_told_apart_from_who_looks(
        self, client: Client, draft: Draft, page_of: Browser, otto: User
    ) -> None:
        keep(page_of(otto), draft, place="Ring")
        assert "otto schreibt auch an diesem Entwurf" in self.read(client, draft)

    def test_nobody_sees_himself_and_who_has_left_is_gone(
        self, client: Client, draft: Draft, anna: User, otto: User
    ) -> None:
        readers.seen(draft, anna)
        readers.seen(draft, otto)
        Reader.objects.filter(officer=otto).update(seen_at=timezone.now() - readers.PRESENT - dt.timedelta(seconds=1))
        body = self.read(client, draft)
        assert "otto" not in body
        assert "anna" not in body

    def test_an_approver_hears_that_the_draft_has_changed_under_his_eyes(
        self, page_of: Browser, anna: User, bert: User
    ) -> None:
        draft = city.submitted(anna)
        client = page_of(bert)
        shown = client.get(f"/desk/drafts/{draft.pk}/").content.decode()
        assert f"?version={draft.version}&amp;state=submitted" in shown
        approval.pull_back(draft.pk, anna)
        body = self.read(client, draft, f"?version={draft.version}&state=submitted")
        assert "Zurückgegeben" in body
        assert "Neu laden" in body

    def test_rubbish_in_the_question_is_no_error(self, client: Client, draft: Draft) -> None:
        assert "Neu laden" not in self.read(client, draft, "?version=x%00&version=99999999999999999999a")
