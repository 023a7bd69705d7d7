"""Partners: entered, bounded, given tokens and relieved of them, at the desk and on the command line."""

from __future__ import annotations

import io
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from alerts.intake import openapi, partners
from alerts.intake.partners import Scope
from alerts.models import AuditEntry, Intake, Partner, PartnerToken
from alerts.people import NotAllowed, Refused
from tests.desk.conftest import make_roles, with_roles

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _office(districts: None, quiet: None, settings: Any) -> None:
    settings.SECOND_FACTOR = False
    settings.AXES_ENABLED = False
    make_roles()


@pytest.fixture
def carla() -> User:
    """An administrator."""
    return with_roles("carla", "administrator")


@pytest.fixture
def partner() -> Partner:
    return partners.enter("Leitstelle", Scope(), None)


def browser(user: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_a_token_is_known_by_its_check_sum_alone(partner: Partner) -> None:
    token = partners.give_token(partner, None)
    row = PartnerToken.objects.get()
    assert re.fullmatch(r"belfry_[\w-]{43}", token)
    assert row.digest == partners.digest(token)
    assert token.removeprefix("belfry_").startswith(row.head)
    assert partners.of_token(token) == partner


@pytest.mark.parametrize("change", [str.upper, str.strip, lambda token: token + " ", lambda token: token[:-1]])
def test_a_token_changed_in_any_way_is_none(partner: Partner, change: Any) -> None:
    token = partners.give_token(partner, None)
    changed = change(token)
    assert (partners.of_token(changed) == partner) is (changed == token)


def test_two_tokens_hold_while_a_partner_changes_over_and_no_third(partner: Partner) -> None:
    old, new = partners.give_token(partner, None), partners.give_token(partner, None)
    assert partners.of_token(old) == partners.of_token(new) == partner
    with pytest.raises(Refused):
        partners.give_token(partner, None)
    assert partners.end_token(PartnerToken.objects.get(digest=partners.digest(old)), None)
    assert partners.of_token(old) is None
    assert partners.of_token(new) == partner
    assert not partners.end_token(PartnerToken.objects.get(digest=partners.digest(old)), None)


def test_each_step_stands_in_the_record_without_the_token(partner: Partner, carla: User) -> None:
    token = partners.give_token(partner, carla)
    partners.end_token(PartnerToken.objects.get(), carla)
    lines = AuditEntry.objects.filter(subject=partners.subject(partner)).order_by("number")
    assert [line.action for line in lines] == ["partner-changed", "partner-token", "partner-token-ended"]
    assert [line.actor for line in lines] == ["belfry", "carla", "carla"]
    assert not [line for line in lines if token.removeprefix("belfry_") in str(line.data)]


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("", Scope()),
        ("x" * 81, Scope()),
        ("Leitstelle", Scope()),
        ("A\u202eB", Scope()),
        ("Neu", Scope([])),
        ("Neu", Scope(["System"])),
        ("Neu", Scope(areas=["nirgends"])),
        ("Neu", Scope(categories=["Fun"])),
    ],
)
def test_a_partner_without_sense_is_refused(partner: Partner, name: str, scope: Scope) -> None:
    with pytest.raises(Refused):
        partners.enter(name, scope, None)
    assert Partner.objects.count() == 1


@pytest.mark.parametrize("role", ["author", "approver", "observer"])
def test_only_administrators_look_after_partners(partner: Partner, role: str) -> None:
    officer = with_roles("otto", role)
    for act in (
        lambda: partners.enter("Neu", Scope(), officer),
        lambda: partners.give_token(partner, officer),
        lambda: partners.change(partner, "Neu", Scope(), officer, active=True),
    ):
        with pytest.raises(NotAllowed):
            act()
    client = browser(officer)
    for address in ("", "new/", f"{partner.pk}/"):
        assert client.get(f"/desk/partners/{address}").status_code == 403
    assert client.post(f"/desk/partners/{partner.pk}/token/").status_code == 403
    assert not PartnerToken.objects.exists()


# At the desk


def test_an_administrator_enters_a_partner_and_sees_the_token_once(carla: User) -> None:
    client = browser(carla)
    made = client.post(
        "/desk/partners/new/",
        {"name": "Leitstelle", "statuses": ["Actual", "Test"], "areas": ["mitte"], "categories": ["Fire"]},
    )
    partner = Partner.objects.get()
    assert made["Location"] == f"/desk/partners/{partner.pk}/"
    assert (partner.statuses, partner.areas, partner.categories) == (["Actual", "Test"], ["mitte"], ["Fire"])
    given = client.post(f"/desk/partners/{partner.pk}/token/")
    found = re.search(r"belfry_[\w-]{43}", text(given))
    assert found is not None
    assert partners.of_token(found[0]) == partner
    assert "no-store" in given["Cache-Control"]
    for address in ("/desk/partners/", f"/desk/partners/{partner.pk}/", "/desk/record/"):
        assert found[0] not in text(client.get(address))


def test_asking_for_a_token_by_get_gives_none(partner: Partner, carla: User) -> None:
    browser(carla).get(f"/desk/partners/{partner.pk}/token/")
    assert not PartnerToken.objects.exists()


def test_a_token_is_given_only_to_who_proved_himself_just_now(partner: Partner, carla: User, settings: Any) -> None:
    client = browser(carla)
    settings.SECOND_FACTOR = True
    client.post(f"/desk/partners/{partner.pk}/token/")
    assert not PartnerToken.objects.exists()


def test_an_administrator_ends_a_token_and_puts_a_partner_out_of_use(partner: Partner, carla: User) -> None:
    token = partners.give_token(partner, None)
    row = PartnerToken.objects.get()
    client = browser(carla)
    client.post(f"/desk/partners/{partner.pk}/token/{row.pk}/end/")
    assert partners.of_token(token) is None
    client.post(f"/desk/partners/{partner.pk}/", {"name": "Neuer Name", "statuses": ["Test"]})
    partner.refresh_from_db()
    assert (partner.name, partner.active, partner.statuses) == ("Neuer Name", False, ["Test"])


def test_a_token_of_another_partner_is_not_ended(partner: Partner, carla: User) -> None:
    other = partners.enter("Andere", Scope(), None)
    token = partners.give_token(other, None)
    answer = browser(carla).post(f"/desk/partners/{partner.pk}/token/{PartnerToken.objects.get().pk}/end/")
    assert answer.status_code == 404
    assert partners.of_token(token) == other


def test_a_name_that_is_taken_is_said_in_the_form(partner: Partner, carla: User) -> None:
    answer = browser(carla).post("/desk/partners/new/", {"name": "Leitstelle", "statuses": ["Actual"]})
    assert answer.status_code == 422
    assert "There is a partner of this name." in text(answer)


def test_the_last_documents_stand_on_the_partners_page_with_their_faults(partner: Partner, carla: User) -> None:
    token = partners.give_token(partner, None)
    headers = {"authorization": f"Bearer {token}", "accept-language": "en"}
    body = b"<x>&lt;script&gt;</x>"
    assert Client().post("/intake/cap", body, content_type="text/xml", headers=headers).status_code == 422
    page = text(browser(carla).get(f"/desk/partners/{partner.pk}/"))
    assert "this is no CAP message" in page
    assert "<script>" not in page
    assert Intake.objects.count() == 1


def test_the_draft_says_where_it_comes_from(partner: Partner) -> None:
    token = partners.give_token(partner, None)
    answer = Client().post(
        "/intake/cap",
        openapi.EXAMPLE.encode(),
        content_type="application/cap+xml",
        headers={"authorization": f"Bearer {token}"},
    )
    anna = browser(with_roles("anna", "author"))
    page = text(anna.get(urlsplit(answer["Location"]).path))
    assert "control-room.example" in page
    assert "Leitstelle" in page
    first = anna.get("/desk/")
    assert [draft.pk for draft in first.context["waiting"].mine] == [answer.json()["draft"]]


# On the command line


def command(*args: str) -> str:
    out = io.StringIO()
    call_command("partner", *args, stdout=out)
    return out.getvalue()


def test_the_command_enters_gives_lists_and_ends() -> None:
    shown = command("add", "Leitstelle", "--status", "Test", "--area", "mitte", "--category", "Fire")
    token = shown.split()[-1]
    partner = partners.of_token(token)
    assert partner is not None
    assert (partner.statuses, partner.areas, partner.categories) == (["Test"], ["mitte"], ["Fire"])
    second = command("token", "Leitstelle").split()[-1]
    assert token not in command("list")
    assert token[:15] in command("list")
    command("end", token[:15])
    assert partners.of_token(token) is None
    assert partners.of_token(second) == partner


@pytest.mark.parametrize("args", [("token", "Niemand"), ("end", "12345678"), ("add", "X", "--area", "nirgends")])
def test_the_command_says_what_it_can_not_do(args: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        command(*args)
