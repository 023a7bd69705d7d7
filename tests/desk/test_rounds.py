"""Whoever returned a draft sees what has changed since, when it comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.test import Client

from alerts import approval, drafting
from alerts.content import Text
from alerts.desk import rounds
from alerts.models import Draft
from tests import city

pytestmark = pytest.mark.django_db


@pytest.fixture
def returned(anna: User, bert: User) -> Draft:
    draft = city.submitted(anna)
    approval.send_back(draft.pk, bert, "Der Ort fehlt.")
    return Draft.objects.get(pk=draft.pk)


def submit(draft: Draft, anna: User, headline: str = "") -> Draft:
    content = draft.content
    if headline:
        german = replace(content.texts["de"], headline=headline)
        content = replace(content, texts={**content.texts, "de": german})
    saved = drafting.save(draft.pk, draft.version, content, anna)
    return approval.submit(saved.pk, saved.version, anna)


def test_a_first_submission_has_nothing_to_compare(anna: User) -> None:
    assert rounds.since_last(city.submitted(anna)) == []


def test_only_the_language_that_changed_says_what_changed(returned: Draft, anna: User) -> None:
    found = {
        change.language: change for change in rounds.since_last(submit(returned, anna, "Bombenfund am Ring: Gehen Sie"))
    }
    assert found["en"].same
    added = "".join(piece.text for piece in found["de"].pieces if piece.how == "added")
    assert "am Ring" in added


def test_the_approver_reads_it_on_his_page(
    returned: Draft, anna: User, bert: User, page_of: Callable[[User], Client]
) -> None:
    draft = submit(returned, anna, "Bombenfund am Ring: Gehen Sie")
    body = page_of(bert).get(f"/desk/drafts/{draft.pk}/").content.decode()
    assert "seit der Entwurf zuletzt eingereicht war" in body
    assert "Die öffentliche Seite sagt dieselben Worte." in body


def test_a_language_that_came_is_all_new(returned: Draft, anna: User) -> None:
    content = replace(
        returned.content, texts={**returned.content.texts, "de-simple": Text("Bombe", "Bombe", "", "Weg.")}
    )
    saved = drafting.save(returned.pk, returned.version, content, anna)
    draft = approval.submit(saved.pk, saved.version, anna)
    simple = {change.language: change for change in rounds.since_last(draft)}["de-simple"]
    assert {piece.how for piece in simple.pieces} == {"added"}
