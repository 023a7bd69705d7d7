"""Orders and codes: what a mail asks for, and what never counts as one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.intake.mail import Mail, read
from alerts.intake.orders import Order, Verb, order
from tests.alerts.intake.mails import mail, sample

BACKUP = "abcd-efgh-jk23"


def asked(text: str, subject: str = "", **changes: object) -> Order:
    values: dict[str, object] = {
        "message_id": "", "sender": "", "subject": subject, "date": None, "in_reply_to": (), "text": text,
        "quoted": "", "attachments": (), "automatic": "",
    }  # fmt: skip
    return order(Mail(**(values | changes)))  # type: ignore[arg-type]


APPROVED = Order(Verb.APPROVE, 17, "9f3a61c0", "482915", "")


@pytest.mark.parametrize(
    "text",
    [
        "FREIGABE 17-9F3A61C0 482915",
        "Freigabe 17-9f3a61c0 482915",
        "freigabe: 17 - 9F3A61C0, 482 915.",
        "Freigabe 17–9F3A61C0 482915",
        "APPROVE 17-9F3A61C0 482915",
        "Approved Nr. 17-9F3A61C0\nCode: 482915",
        "*FREIGABE 17-9F3A61C0*\n482915",
        "Guten Tag,\n\nFreigabe Entwurf 17-9F3A61C0 (482915)",
        "FREIGABE 17-9F3A61C0 Code 482915",
        "FREIGABE 17-9F3A61C0 Code: 482 915",
    ],
)
def test_an_approval_is_understood_however_a_phone_writes_it(text: str) -> None:
    assert asked(text) == APPROVED


@pytest.mark.parametrize("subject", ["FREIGABE 17-9F3A61C0 482915", "Re: AW: FREIGABE 17-9F3A61C0 482915"])
def test_an_order_stands_in_the_subject_too(subject: str) -> None:
    assert asked("", subject) == APPROVED
    assert asked("Danke", subject).verb is Verb.APPROVE


def test_the_first_line_goes_before_the_subject() -> None:
    assert asked("STATUS 18 482915", "Re: FREIGABE 17-9F3A61C0 111111") == Order(Verb.STATUS, 18, "", "482915", "")


@pytest.mark.parametrize(
    ("text", "verb", "number", "words"),
    [
        ("ZURÜCK 17-9F3A61C0 482915\nDie Straße ist falsch.", Verb.RETURN, 17, "Die Straße ist falsch."),
        ("Zurueck 17 482915 Straße falsch", Verb.RETURN, 17, "482915 Straße falsch"),
        ("ZURUCK 17 Straße falsch\nCode: 482915", Verb.RETURN, 17, "Straße falsch"),
        ("RETURN 17 wrong street 482915", Verb.RETURN, 17, "wrong street"),
        ("ENTWARNUNG 17 482915", Verb.ALL_CLEAR, 17, ""),
        ("All clear 17 482915", Verb.ALL_CLEAR, 17, ""),
        ("ALL-CLEAR 17 482915", Verb.ALL_CLEAR, 17, ""),
        ("Entwarnung\n482915", Verb.ALL_CLEAR, None, ""),
        ("AKTUALISIERUNG 17 482915\nText: Es brennt noch.", Verb.UPDATE, 17, "Text: Es brennt noch."),
        ("Update 17\nCode: 482915\nEN: Still burning.", Verb.UPDATE, 17, "EN: Still burning."),
        ("STATUS 482915", Verb.STATUS, None, ""),
        ("STATUS 17 482915", Verb.STATUS, 17, ""),
        ("Entwurf 17\nGebiet: Mitte\nCode: 482915", Verb.DRAFT, 17, "Gebiet: Mitte"),
    ],
)
def test_each_order_has_its_words(text: str, verb: Verb, number: int | None, words: str) -> None:
    found = asked(text)
    assert (found.verb, found.draft, found.words) == (verb, number, words)
    assert found.code == ("482915" if "Zurueck" not in text else "")


@pytest.mark.parametrize(
    "text",
    [
        "Freigabe der Brücke am Hafen",
        "Zurück in die Häuser",
        "Status der Lage unklar",
        "Return to your homes",
        "Der Status 17 ist gut",
        "Ereignis: Brand\nFREIGABE 17-9F3A61C0",
        "Freigabewort 17-9F3A61C0",
    ],
)
def test_a_sentence_is_no_order(text: str) -> None:
    found = asked(text)
    assert (found.verb, found.words) == (Verb.DRAFT, text)


def test_a_number_without_a_head_approves_nothing_in_particular() -> None:
    assert asked("FREIGABE 17 482915") == Order(Verb.APPROVE, 17, "", "482915", "")
    assert asked("FREIGABE 17-9F3A 482915").head == ""


def test_a_quoted_order_is_none() -> None:
    found = order(read(mail("Danke!\n\nAm 12.03.26 um 14:06 schrieb Belfry:\n> FREIGABE 17-9F3A61C0 482915")))
    assert (found.verb, found.draft, found.code) == (Verb.DRAFT, None, "")


@pytest.mark.parametrize("name", ["forward-gmail-de", "forward-outlook-de", "forward-attached"])
def test_a_forwarded_order_and_code_are_none_and_its_words_are_a_draft(name: str) -> None:
    found = order(read(sample(name)))
    assert (found.verb, found.code) == (Verb.DRAFT, "482915")
    assert "Ereignis: Großbrand" in found.words
    assert "111111" not in found.words


def test_a_reply_about_a_draft_names_it_by_its_subject() -> None:
    assert order(read(sample("thunderbird-reply-de"))).draft == 17
    assert asked("Gebiet: Mitte", "Zu Entwurf 17").draft is None


def test_a_form_in_reply_to_an_order_is_a_form() -> None:
    assert asked("Gebiet: Mitte\nStufe: extrem", "Re: STATUS 17").verb is Verb.DRAFT


# Codes


@pytest.mark.parametrize(
    "line",
    [
        "Code: 482915", "code 482915", "CODE:482915", "Code: 482 915", "Code = 482-915", "• Code: 482915.",
        "Einmalcode: 482915", "TOTP: 482915", "Code:\u00a0482915", "**Code:** 482915",
    ],
)  # fmt: skip
def test_a_code_is_found_and_cut_out(line: str) -> None:
    found = asked(f"Brand in der Halle\n{line}\nEs brennt.")
    assert (found.code, found.words) == ("482915", "Brand in der Halle\nEs brennt.")


@pytest.mark.parametrize("typed", [BACKUP, BACKUP.upper(), "Abcd–efgh–jk23", "abcd efgh jk23"])
def test_a_backup_code_is_found_and_cut_out(typed: str) -> None:
    assert asked(f"Brand\nCode: {typed}").code == BACKUP
    assert asked("Brand\nCode: 1a2b-3c4d") == Order(Verb.DRAFT, None, "", "1a2b-3c4d", "Brand")
    assert asked(f"FREIGABE 17-9F3A61C0 {BACKUP}") == Order(Verb.APPROVE, 17, "9f3a61c0", BACKUP, "")


def test_a_code_inside_of_a_line_leaves_the_line() -> None:
    assert asked("Brand in der Halle, Code: 482915 bitte schnell").words == "Brand in der Halle,  bitte schnell"


def test_a_code_stands_in_the_subject() -> None:
    assert asked("Es brennt.", "Brand 482915").code == "482915"
    assert asked("Es brennt.", "482915 Brand").code == "482915"
    assert asked("", "Brand in der Halle 482915") == Order(Verb.DRAFT, None, "", "482915", "Brand in der Halle")
    assert asked("Code: 111111", "Brand 482915").code == "111111"


def test_a_code_is_a_line_of_its_own() -> None:
    assert asked("Ereignis: Brand\n\n482915") == Order(Verb.DRAFT, None, "", "482915", "Ereignis: Brand")
    assert asked("482 915\nEreignis: Brand").code == "482915"


@pytest.mark.parametrize(
    "text",
    [
        "Brand in 04103 Leipzig",
        "Gebiet: 04103",
        "Postcode: 041031",
        "Zip code: 041031",
        "Um 18:30:15 Uhr",
        "Telefon 123456",
        "Telefon: 0341 123456",
        "51.334800, 12.372700 600m",
        "Rund 120000 Menschen sind betroffen.",
        "Der Code der Tür ist 12345",
        "Code: 1234567",
        "Code: 12345",
        "Code Rot gilt hier",
        "IBAN DE02 1203 0000 0000 2020 51",
        "Nord-West-Ring",
    ],
)
def test_other_numbers_are_no_code_and_stay(text: str) -> None:
    found = asked(text)
    assert (found.code, found.words) == ("", text)


@pytest.mark.parametrize("subject", ["Lage 12.03.2026", "0341/123456 anrufen", "17-9F3A61C0", "A 123456-7", "20260312"])
def test_numbers_in_a_subject_are_no_code(subject: str) -> None:
    assert asked("Es brennt.", subject).code == ""


@given(
    st.from_regex(r"[0-9]{6}", fullmatch=True), st.integers(1, 99_999), st.from_regex(r"[0-9A-F]{8}", fullmatch=True)
)
def test_every_approval_is_read_as_it_is_printed(code: str, number: int, head: str) -> None:
    found = asked(f"FREIGABE {number}-{head} {code}")
    assert found == Order(Verb.APPROVE, number, head.lower(), code, "")
