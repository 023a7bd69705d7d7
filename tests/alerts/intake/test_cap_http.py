"""CAP documents over HTTP: who may hand in what, what becomes of it, and that nothing goes out by itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from django.utils.translation import gettext, override
from openapi_spec_validator import validate

from alerts import approval, audit, cap, drafting
from alerts.intake import cap as taking
from alerts.intake import door, openapi, partners
from alerts.intake.partners import Scope
from alerts.models import Alarm, Alert, Draft, DraftState, Intake, IntakeState, Message, Part, Partner, PartnerToken
from alerts.signature import make_certificate, make_key, sign
from alerts.terms import Kind, Status
from tests import city
from tests.alerts.capcases import minimal

pytestmark = pytest.mark.django_db

NEVER = "belfry_" + "x" * 43


@pytest.fixture(autouse=True)
def _fresh(districts: None, quiet: None, settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.CAP_TRUSTED_DIR = tmp_path
    door._addresses.storage.reset()
    yield
    door._addresses.storage.reset()


@pytest.fixture
def partner() -> Partner:
    return partners.enter("Leitstelle", Scope(Status.values), None)


@pytest.fixture
def token(partner: Partner) -> str:
    return partners.give_token(partner, None)


def document(**changes: Any) -> bytes:
    """A warning for the centre, now; ``changes`` as ``minimal`` takes them."""
    now = timezone.now().replace(microsecond=0)
    given = {"sent": now, "expires": now + timedelta(hours=4), "headline": "Bombenfund", "sender": "leitstelle.example"}
    return cap.write(minimal(**given | changes))


def post(token: str, body: bytes, *, language: str = "de", kind: str = "application/cap+xml", **headers: str) -> Any:
    client = Client(enforce_csrf_checks=True)
    held = {"authorization": f"Bearer {token}", "accept-language": language, **headers}
    return client.post("/intake/cap", body, content_type=kind, headers=held)


def faults(answer: HttpResponse, status: int) -> str:
    """What a refusal says, once it is the one expected and is problem details."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    told = json.loads(answer.content)
    assert told["status"] == status
    assert told["faults"]
    assert set(told) == {"type", "title", "status", "detail", "faults"}
    return " ".join(told["faults"])


def test_a_document_becomes_a_draft_that_waits(token: str, partner: Partner) -> None:
    body = document()
    answer = post(token, body)
    assert answer.status_code == 201, answer.content
    told = answer.json()
    draft = Draft.objects.get()
    assert told["draft"] == draft.pk
    assert answer["Location"] == told["address"]
    assert told["address"].endswith(f"/desk/drafts/{draft.pk}/")
    assert (told["sender"], told["identifier"]) == ("leitstelle.example", "test.1")
    assert (draft.state, draft.kind, draft.base) == (DraftState.DRAFT, Kind.WARNING, None)
    assert draft.content.texts["de"].headline == "Bombenfund"
    assert {district.code for district in draft.content.touched} == {"nw", "no", "sw", "so"}
    assert not Message.objects.exists()
    row = Intake.objects.get()
    assert (bytes(row.raw or b""), row.state, row.draft, row.partner) == (body, IntakeState.TAKEN, draft, partner)
    assert "test.1" in drafting.origin(draft)
    assert not list(audit.faults())


def test_what_an_officer_must_still_add_is_told(token: str) -> None:
    missing = " ".join(post(token, document(), language="en").json()["missing"])
    assert "English is missing" in missing


def test_any_author_submits_it_and_any_approver_approves(token: str, author: User, approver: User) -> None:
    post(token, document())
    draft = Draft.objects.get()
    assert not Part.objects.exists()
    whole = replace(draft.content, texts=city.content().texts)
    draft = drafting.save(draft.pk, draft.version, whole, author)
    draft = approval.submit(draft.pk, draft.version, author)
    message = approval.approve(draft.pk, draft.digest, approver)
    assert message is not None
    assert {part.officer for part in Part.objects.all()} == {author, approver}


def test_the_desk_is_alarmed_once_for_a_partner_whose_warnings_wait(token: str) -> None:
    for number in range(3):
        assert post(token, document(identifier=f"n.{number}")).status_code == 201
    assert Alarm.objects.filter(ended_at=None).count() == 1
    assert "Leitstelle" in Alarm.objects.get().text


def test_an_exercise_stays_one_and_alarms_nobody(token: str) -> None:
    assert post(token, document(status="Exercise", note="Übung")).status_code == 201
    assert Alert.objects.get().status == Status.EXERCISE
    assert len(Alert.objects.get().slug) == 20
    assert not Alarm.objects.exists()


# The same once more


def test_the_same_document_again_changes_nothing(token: str) -> None:
    body = document()
    first, second = post(token, body), post(token, body)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["draft"] == second.json()["draft"]
    assert first["Location"] == second["Location"]
    assert Draft.objects.count() == 1


def test_another_text_under_the_same_identifier_is_refused(token: str) -> None:
    post(token, document())
    assert "identifier" in faults(post(token, document(headline="Anders"), language="en"), 409)
    assert Draft.objects.count() == 1


def test_an_identifier_that_another_partner_has_used_is_refused_without_a_word_of_his_draft(token: str) -> None:
    body = document()
    address = post(token, body).json()["address"]
    other = partners.give_token(partners.enter("Andere", Scope(), None), None)
    answer = post(other, body)
    faults(answer, 409)
    assert address not in answer.content.decode()


def test_the_citys_own_message_is_refused(token: str, author: User, approver: User) -> None:
    message = city.released(author, approver)
    faults(post(token, document(identifier=message.identifier, sender=message.sender)), 409)


@pytest.mark.django_db(transaction=True)
def test_of_eight_at_once_one_becomes_the_draft(token: str) -> None:
    body = document()
    answers: list[Any] = []
    start = threading.Barrier(8)

    def hand_in() -> None:
        start.wait()
        try:
            answers.append(post(token, body))
        finally:
            connection.close()

    threads = [threading.Thread(target=hand_in) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["draft"] for answer in answers}) == 1
    assert Draft.objects.count() == Alert.objects.count() == 1
    assert Intake.objects.filter(state=IntakeState.TAKEN).count() == 1
    assert not Intake.objects.filter(state=IntakeState.WAITING).exists()


# What goes on


def follow(first: bytes, **changes: Any) -> bytes:
    said = cap.read(first)
    reference = cap.Reference(said.sender, said.identifier, cap.cap_time(said.sent))
    return document(references=(reference,), sent=said.sent + timedelta(seconds=1), **changes)


def released_from(draft: Draft, author: User, approver: User) -> Message:
    whole = replace(draft.content, texts=city.content().texts)
    draft = drafting.save(draft.pk, draft.version, whole, author)
    draft = approval.submit(draft.pk, draft.version, author)
    message = approval.approve(draft.pk, draft.digest, approver)
    assert message is not None
    return message


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"msg_type": "Update", "headline": "Gebiet größer"}, Kind.UPDATE),
        ({"msg_type": "Update", "headline": "Richtigstellung: andere Straße"}, Kind.CORRECTION),
        ({"msg_type": "Update", "headline": "Ende", "response_type": ("AllClear",)}, Kind.ALL_CLEAR),
        ({"msg_type": "Cancel", "headline": "Entwarnung"}, Kind.ALL_CLEAR),
        ({"msg_type": "Cancel", "headline": "Fehlalarm"}, Kind.FALSE_ALARM),
        ({"msg_type": "Cancel", "info": ()}, Kind.ALL_CLEAR),
    ],
)
def test_the_next_document_becomes_the_next_draft_of_its_alert(
    token: str, author: User, approver: User, changes: dict[str, Any], kind: str
) -> None:
    first = document()
    post(token, first)
    message = released_from(Draft.objects.get(), author, approver)
    answer = post(token, follow(first, identifier="test.2", **changes))
    assert answer.status_code == 201, answer.content
    draft = Draft.objects.get(pk=answer.json()["draft"])
    assert (draft.kind, draft.base, draft.alert) == (kind, message, message.alert)
    assert draft.content.all_clear is (kind in {Kind.ALL_CLEAR, Kind.FALSE_ALARM})
    assert draft.content.has_area
    assert Message.objects.count() == 1


def test_an_update_keeps_no_text_of_a_language_that_it_leaves_out(token: str, author: User, approver: User) -> None:
    first = document()
    post(token, first)
    released_from(Draft.objects.get(), author, approver)
    draft = Draft.objects.get(pk=post(token, follow(first, identifier="2", msg_type="Update")).json()["draft"])
    assert list(draft.content.texts) == ["de"]


def test_an_all_clear_without_words_has_those_of_the_city(token: str, author: User, approver: User) -> None:
    first = document()
    post(token, first)
    message = released_from(Draft.objects.get(), author, approver)
    after = follow(first, identifier="2", msg_type="Cancel", info=())
    draft = Draft.objects.get(pk=post(token, after).json()["draft"])
    assert draft.content.texts == drafting.follow_up(message.content, Kind.ALL_CLEAR).texts
    hard = drafting.faults(draft.content, kind=draft.kind, now=timezone.now())
    assert not [fault for fault in hard if fault.hard]


def test_an_update_of_a_message_of_the_city_goes_on_with_its_alert(token: str, author: User, approver: User) -> None:
    message = city.released(author, approver)
    reference = cap.Reference(message.sender, message.identifier, cap.cap_time(message.sent))
    body = document(references=(reference,), msg_type="Update", sent=message.sent + timedelta(seconds=1))
    assert post(token, body).status_code == 201
    assert Draft.objects.get(base=message).alert == message.alert


def test_an_update_of_a_draft_that_waits_becomes_one_beside_it(token: str) -> None:
    first = document()
    one = post(token, first).json()["draft"]
    two = post(token, follow(first, identifier="2", msg_type="Update")).json()["draft"]
    assert one != two
    assert Alert.objects.count() == 1
    assert {draft.kind for draft in Draft.objects.all()} == {Kind.WARNING}


def test_a_cancel_of_a_draft_that_waits_alarms_the_desk_and_writes_nothing(token: str) -> None:
    first = document()
    one = post(token, first).json()["draft"]
    answer = post(token, follow(first, identifier="2", msg_type="Cancel"))
    assert answer.status_code == 201
    assert answer.json()["draft"] == one
    assert Draft.objects.count() == 1
    assert Alarm.objects.filter(key=f"intake-back {one}").exists()


@pytest.mark.parametrize("msg_type", ["Update", "Cancel"])
def test_what_refers_to_nothing_known_is_refused(token: str, msg_type: str) -> None:
    reference = cap.Reference("who", "knows", cap.cap_time(timezone.now() - timedelta(hours=1)))
    assert "references" in faults(post(token, document(msg_type=msg_type, references=(reference,))), 422)
    assert not Draft.objects.exists()


def test_another_partners_document_is_not_gone_on_with(token: str) -> None:
    first = document()
    post(token, first)
    other = partners.give_token(partners.enter("Andere", Scope(), None), None)
    faults(post(other, follow(first, identifier="2", msg_type="Update")), 422)


def test_an_exercise_never_goes_on_with_the_real_thing(token: str) -> None:
    first = document()
    post(token, first)
    body = follow(first, identifier="2", msg_type="Update", status="Exercise", note="Übung")
    faults(post(token, body), 422)


# Who may


@pytest.mark.parametrize("header", ["", "Bearer", f"Bearer {NEVER}", "Basic YTpi", "Bearer é", f"Token {NEVER}"])
def test_without_a_token_that_holds_nothing_is_read(header: str) -> None:
    client = Client(headers={"authorization": header} if header else {})
    answer = client.post("/intake/cap", document(), content_type="application/cap+xml")
    faults(answer, 401)
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert not Intake.objects.exists()


def test_a_token_holds_until_it_is_ended(token: str, partner: Partner) -> None:
    second = partners.give_token(partner, None)
    assert post(token, document(identifier="1")).status_code == 201
    assert post(second, document(identifier="2")).status_code == 201
    partners.end_token(PartnerToken.objects.get(digest=partners.digest(token)), None)
    faults(post(token, document(identifier="3")), 401)
    assert post(second, document(identifier="4")).status_code == 201


def test_a_partner_out_of_use_is_refused_like_a_stranger(token: str, partner: Partner) -> None:
    partners.change(partner, partner.name, Scope(Status.values), None, active=False)
    stranger, known = post(NEVER, document()), post(token, document())
    assert stranger.status_code == known.status_code == 401
    assert stranger.content == known.content


@pytest.mark.parametrize(
    ("scope", "changes"),
    [
        (Scope(["Exercise"]), {}),
        (Scope(["Actual"]), {"status": "Exercise", "note": "Übung"}),
        (Scope(["Actual"], categories=["Fire"]), {}),
        (Scope(["Actual"], categories=["Safety"]), {"category": ("Safety", "Fire")}),
        (Scope(["Actual"], areas=["rand"]), {}),
        (Scope(["Actual"], areas=["nw", "no"]), {}),
    ],
)
def test_beyond_his_bounds_nothing_is_taken_of_a_partner(scope: Scope, changes: dict[str, Any]) -> None:
    token = partners.give_token(partners.enter("Enge", scope, None), None)
    faults(post(token, document(**changes)), 403)
    assert not Draft.objects.exists()
    assert Intake.objects.get().state == IntakeState.REFUSED


def test_within_his_bounds_it_is_taken() -> None:
    scope = Scope(["Actual"], areas=["mitte"], categories=["Safety"])
    token = partners.give_token(partners.enter("Enge", scope, None), None)
    assert post(token, document()).status_code == 201


def test_a_bounded_partner_can_not_end_an_alert_beyond_his_bounds(author: User, approver: User) -> None:
    message = city.released(author, approver)
    token = partners.give_token(partners.enter("Enge", Scope(["Actual"], areas=["fern"]), None), None)
    reference = cap.Reference(message.sender, message.identifier, cap.cap_time(message.sent))
    body = document(references=(reference,), msg_type="Cancel", sent=message.sent + timedelta(seconds=1), info=())
    faults(post(token, body), 403)


# How


def test_only_post_is_answered(token: str) -> None:
    answer = Client().get("/intake/cap")
    faults(answer, 405)
    assert answer["Allow"] == "POST"


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
def test_another_type_is_refused(token: str, kind: str) -> None:
    faults(post(token, document(), kind=kind), 415)


def test_a_compressed_body_is_refused(token: str) -> None:
    faults(post(token, document(), **{"content-encoding": "gzip"}), 415)


@pytest.mark.parametrize("kind", ["application/xml", "text/xml; charset=utf-8", "application/cap+xml"])
def test_the_types_of_cap_are_taken(token: str, kind: str) -> None:
    assert post(token, document(), kind=kind).status_code == 201


def test_a_body_too_large_is_refused_and_none_is_asked_for(token: str) -> None:
    faults(post(token, b"x" * 1_000_001), 413)
    nothing = Client().generic(
        "POST", "/intake/cap", headers={"authorization": f"Bearer {token}", "content-type": "application/xml"}
    )
    faults(nothing, 400)
    assert not Intake.objects.exists()


def test_faults_are_told_in_the_language_asked_for(token: str) -> None:
    body = document().replace(b"<scope>Public</scope>", b"")
    german, english = post(token, body, language="de-AT,de;q=0.9"), post(token, body, language="en-GB")
    assert (german["Content-Language"], english["Content-Language"]) == ("de", "en")
    assert "scope" in faults(german, 422)
    assert "is missing" in faults(english, 422)


def test_a_bad_document_is_kept_as_it_came_with_its_faults(token: str) -> None:
    body = b"<alert>\x00</alert>"
    faults(post(token, body), 422)
    row = Intake.objects.get()
    assert bytes(row.raw or b"") == body
    assert row.state == IntakeState.REFUSED
    assert row.words


def test_a_document_not_for_the_public_is_refused(token: str) -> None:
    faults(post(token, document(scope="Private", addresses="a")), 422)


def test_swapped_coordinates_are_found(token: str) -> None:
    area = cap.CapArea(
        area_desc="Zentrum", circle=(replace(minimal().info[0].area[0].circle[0], lat=12.3727, lon=51.3348),)
    )
    faults(post(token, document(area=(area,))), 422)


def test_a_document_changed_after_signing_is_refused_and_a_trusted_one_is_called_good(
    token: str, settings: Any
) -> None:
    key = make_key()
    certificate = make_certificate(key, "Leitstelle", timezone.now())
    (settings.CAP_TRUSTED_DIR / "leitstelle.pem").write_bytes(certificate)
    signed = sign(document(), key, certificate)
    faults(post(token, signed.replace(b"Bombenfund", b"Bombenwurf")), 422)
    assert post(token, signed).status_code == 201
    with override("de"):
        assert gettext("signature good") in drafting.origin(Draft.objects.get())


def test_a_partner_who_sends_without_end_is_slowed_down(token: str, settings: Any) -> None:
    settings.CAP_PER_MINUTE = 3
    for number in range(3):
        post(token, document(identifier=f"n.{number}"))
    answer = post(token, document(identifier="n.4"))
    faults(answer, 429)
    assert int(answer["Retry-After"]) > 0
    assert Intake.objects.count() == 3


def test_what_is_kept_of_one_partner_has_a_bound(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "MOST_BYTES_A_DAY", 3000)
    answers = [post(token, document(identifier=f"n.{number}")).status_code for number in range(5)]
    assert answers[0] == 201
    assert answers[-1] == 429


def test_an_address_that_guesses_is_slowed_down() -> None:
    answers = [post(NEVER, b"x").status_code for _number in range(241)]
    assert answers[:240] == [401] * 240
    assert answers[240] == 429


def test_a_database_that_is_away_is_told_and_worth_another_try(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: object) -> None:
        raise OperationalError("no")

    monkeypatch.setattr(taking, "take", away)
    answer = post(token, document())
    faults(answer, 503)
    assert int(answer["Retry-After"]) > 0


def test_no_token_stands_in_database_or_record(token: str) -> None:
    post(token, document())
    secret = token.removeprefix("belfry_")
    rows = [*PartnerToken.objects.values_list("digest", "head"), *Intake.objects.values_list("words", "reply")]
    said = [json.dumps(line.data) for line in audit.AuditEntry.objects.all()]
    assert not [row for row in [*map(str, rows), *said] if secret in row]


# Real documents


def test_every_real_document_becomes_a_draft_when_what_it_refers_to_is_known(token: str, real_data: Path) -> None:
    bodies = [file.read_bytes() for file in (real_data / "cap" / "samples").glob("*.xml")]
    for body in sorted(bodies, key=lambda body: cap.read(body).sent):
        said = cap.read(body)
        before = [one for one in said.references if one.identifier != said.identifier]
        if said.msg_type != "Alert" and not before:
            continue  # it refers to itself alone
        if said.msg_type != "Alert" and not Intake.objects.filter(key=f"{before[0].sender},{before[0].identifier}"):
            earlier = {"identifier": before[0].identifier, "sender": before[0].sender}
            assert post(token, document(**earlier)).status_code == 201
        answer = post(token, body)
        assert answer.status_code == 201, f"{said.identifier}: {answer.content!r}"
    assert not Message.objects.exists()


def test_every_bad_real_document_is_refused(token: str, real_data: Path) -> None:
    for file in sorted((real_data / "cap" / "invalid").iterdir()):
        faults(post(token, file.read_bytes()), 422)
    assert not Draft.objects.exists()


# Its description


def test_the_description_is_openapi(client: Client) -> None:
    validate(client.get("/intake/openapi.json").json())


def test_the_examples_of_the_description_are_answered_as_it_says(token: str, client: Client) -> None:
    described = client.get("/intake/openapi.json").json()["paths"]["/intake/cap"]["post"]
    for number, (kind, body) in enumerate(described["requestBody"]["content"].items()):
        example = body["example"].replace("example.1", f"example.{number}")
        answer = post(token, example.encode(), kind=kind)
        assert answer.status_code == 201
        assert set(answer.json()) == set(openapi.described()["components"]["schemas"]["Taken"]["required"])
    refused = post(token, openapi.WITHOUT_SCOPE.encode())
    assert str(refused.status_code) in described["responses"]
    assert set(refused.json()) == set(openapi.described()["components"]["schemas"]["Problem"]["required"])
