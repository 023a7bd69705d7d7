"""Reading mails: what each client's new words are, and what a hostile one can't do."""

from __future__ import annotations

import base64
import codecs
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.utils.translation import override
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.intake import letters, markup, quoting
from alerts.intake.form import parse
from alerts.intake.mail import Unreadable, read
from alerts.intake.orders import order
from tests.alerts.intake.mails import NAMES, mail, sample

MEGABYTE = 1_000_000


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with override("en"):
        yield


FIRST_LINES = {
    "iphone-de": "Hallo,",
    "android-k9-de": "Großbrand in der Halle",
    "gmail-reply-de": "FREIGABE 17-9F3A61C0 482915",
    "gmail-reply-en": "Approve 17-9f3a61c0",
    "outlook-reply-de": "ZURÜCK 17-9F3A61C0 482915",
    "outlook-reply-en-html": "RETURN 17-9F3A61C0 482915",
    "outlook-app-de": "Freigabe 17–9f3a61c0 482915",
    "thunderbird-reply-de": "Gebiet: Mitte",
    "apple-reply-en": "STATUS 17 482915",
    "gmx-reply-de": "ENTWARNUNG 17 482915",
    "smime-signed-de": "FREIGABE 17-9F3A61C0 482915",
    "pgp-inline-en": "UPDATE 17 482915",
    "forward-gmail-de": "Code: 482915",
    "forward-outlook-de": "Stufe: Groß",
    "forward-attached": "Code: 482915",
}


@pytest.mark.parametrize(("name", "line"), FIRST_LINES.items())
def test_each_clients_new_words_come_first_and_alone(name: str, line: str) -> None:
    found = read(sample(name))
    assert found.text.split("\n")[0] == line
    assert "11111111" not in found.text
    assert "000000" not in found.text
    assert found.sender in {"erika@city.example", "anna@city.example"}
    assert not found.automatic


@pytest.mark.parametrize("name", [name for name in FIRST_LINES if "reply" in name or name in {"outlook-app-de"}])
def test_what_a_reply_quotes_is_kept_apart(name: str) -> None:
    quoted = read(sample(name)).quoted
    assert "11111111" in quoted or "000000" in quoted


def test_a_signature_is_no_part_of_the_words() -> None:
    assert "iPhone" not in read(sample("iphone-de")).text
    assert "K-9" not in read(sample("android-k9-de")).text
    assert "Brandschutz" not in read(sample("outlook-reply-de")).text
    assert "341" not in read(sample("thunderbird-reply-de")).text


def test_a_code_below_the_signature_is_kept() -> None:
    assert read(mail("Ereignis: Brand\n\nViele Grüße\nErika\nCode: 482915")).text.endswith("Code: 482915")


def test_lines_broken_for_sending_are_joined_again() -> None:
    assert "die heute noch entschärft wird." in read(sample("thunderbird-reply-de")).text
    hard = (
        "In der Dimitroffstraße liegt eine Bombe aus dem Zweiten Weltkrieg. Der\nBereich ist gesperrt.\nGehen Sie weg."
    )
    assert read(mail(hard)).text == hard.replace("Der\n", "Der ")


def test_answers_between_quoted_lines_are_all_new() -> None:
    found = read(mail("> Gebiet?\nGebiet: Mitte\n> Stufe?\nStufe: extrem\n"))
    assert found.text == "Gebiet: Mitte\nStufe: extrem"
    assert found.quoted == "> Gebiet?\n> Stufe?"


@pytest.mark.parametrize(
    "line",
    [
        "Am Montag schrieb die Polizei uns folgendes:",
        "Von der Brücke bis zum Markt:",
        "Warning: the bridge is closed.",
        "Hinweis: Bitte keine E-Mail schicken.",
    ],
)
def test_a_sentence_is_not_taken_for_the_head_of_a_quotation(line: str) -> None:
    text = f"Lage am Hafen\n{line}\nBleiben Sie zu Hause."
    assert read(mail(text)).text == text


def test_the_library_knows_the_heads_of_other_languages() -> None:
    text = (
        "STATUS 17\n\nOp do 12 mrt 2026 om 14:06 schreef Belfry <alarm@belfry.example>:\n\nAPPROVE 17-11111111 000000"
    )
    found = read(mail(text))
    assert found.text == "STATUS 17"
    assert "APPROVE" in found.quoted


def test_a_library_that_stumbles_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumbles(**_options: object) -> object:
        raise IndexError

    monkeypatch.setattr(quoting, "EmailMessage", stumbles)
    assert read(mail("Ereignis: Brand\nGebiet: Mitte")).text == "Ereignis: Brand\nGebiet: Mitte"


# Forwarded, signed, sealed


@pytest.mark.parametrize("name", ["forward-gmail-de", "forward-outlook-de", "forward-attached"])
def test_forwarded_words_stand_by_themselves_without_their_headers(name: str) -> None:
    found = read(sample(name))
    assert "Ereignis: Großbrand" in found.forwarded
    assert "Ereignis" not in found.text
    assert "leitstelle@partner.example" not in found.forwarded
    assert "Grüßen" not in found.forwarded


def test_an_encrypted_mail_is_told_as_such() -> None:
    with pytest.raises(Unreadable, match="encrypted"):
        read(sample("encrypted"))


@pytest.mark.parametrize("raw", [b"", b" \r\n\t"])
def test_nothing_is_no_mail(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        read(raw)


# HTML


def test_hidden_html_becomes_no_words() -> None:
    text = read(sample("hidden-html")).text
    assert "0000" not in text
    assert "FREIGABE" not in text
    assert text.split("\n")[0] == "Ereignis: Brand"
    assert "Gebiet: Mitte" in text
    assert "Stufe: Extrem\nOrt: Hafenstraße" in text


@pytest.mark.parametrize(
    "style",
    [
        "display : NONE",
        "color:#fff;background:#ffffff",
        "color: rgb(250, 250, 250)",
        "font-size:0.0px",
        "font-size: 1px",
        "opacity:0",
        "visibility:hidden",
        "mso-hide:all",
        "height:0;overflow:hidden",
        "position:absolute;left:-9999px",
    ],
)
def test_no_way_of_hiding_is_read(style: str) -> None:
    assert markup.text(f'<p>Lage</p><p style="{style}"><b>Code: 000000</b></p><p>Ende</p>').split() == ["Lage", "Ende"]


@pytest.mark.parametrize("style", ["color:#222", "font-size:10px", "opacity:0.9", "height:20px", "margin-left:-5px"])
def test_what_is_seen_is_read(style: str) -> None:
    assert markup.text(f'<p style="{style}">Lage</p>').strip() == "Lage"


def test_white_on_a_dark_ground_is_read() -> None:
    assert markup.text('<div style="background-color:#123"><p style="color:white">Lage</p></div>').strip() == "Lage"


def test_the_plain_alternative_goes_before_html_unless_it_is_empty() -> None:
    both = "--b\r\nContent-Type: text/plain\r\n\r\n{}\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>HTML</p>\r\n--b--"
    kind = "multipart/alternative; boundary=b"
    assert read(mail(both.format("Plain"), content_type=kind)).text == "Plain"
    assert read(mail(both.format("  "), content_type=kind)).text == "HTML"


def test_a_wide_cell_in_a_long_table_fills_no_memory() -> None:
    rows = "<tr><td>x</td></tr>" * 5000
    assert len(markup.text(f"<table><tr><td>{'w' * 50_000}</td></tr>{rows}</table>")) < 100_000


# Letters


@pytest.mark.parametrize(
    "charset",
    ["utf-8", "iso-8859-1", "iso-8859-15", "windows-1252", "cp850", "mac-roman", "utf-16", "utf-16-le", "utf-32"],
)
def test_charsets_with_umlauts_are_read(charset: str) -> None:
    body = "Überschrift: Straße gesperrt".encode(charset)
    raw = mail(
        base64.encodebytes(body), content_type=f"text/plain; charset={charset}", content_transfer_encoding="base64"
    )
    assert read(raw).text == "Überschrift: Straße gesperrt"


@pytest.mark.parametrize(
    ("charset", "words"),
    [
        ("koi8-r", "Пожар"), ("windows-1251", "Пожар"), ("iso-8859-5", "Пожар"), ("iso-8859-2", "Požár"),
        ("iso-8859-7", "Πυρκαγιά"), ("iso-8859-9", "Yangın"), ("windows-1256", "حريق"), ("iso-8859-8", "שריפה"),
        ("shift_jis", "火災です"), ("euc-jp", "火災です"), ("iso-2022-jp", "火災です"), ("gb2312", "火灾"),
        ("gb18030", "火灾"),
        ("big5", "火災"), ("euc-kr", "화재"), ("iso-2022-kr", "화재"), ("hz", "火灾"),
    ],
)  # fmt: skip
def test_the_worlds_charsets_are_read(charset: str, words: str) -> None:
    raw = words.encode(charset)
    encoded = mail(
        base64.encodebytes(raw), content_type=f"text/plain; charset={charset}", content_transfer_encoding="base64"
    )
    assert read(encoded).text == words


@pytest.mark.parametrize("declared", ["us-ascii", "utf-8", "nonsense", "iso-8859-1", "idna", "", 'a"b', "x" * 500])
def test_a_wrong_charset_is_recovered(declared: str) -> None:
    kind = f"text/plain; charset={declared}"
    assert read(mail("Straße".encode(), content_type=kind)).text == "Straße"
    assert read(mail("Straße".encode("cp1252"), content_type=kind)).text == "Straße"


def test_utf7_and_codecs_that_are_no_charsets_are_refused() -> None:
    assert letters.decode(b"+AEYAUgBF-", "utf-7") == "+AEYAUgBF-"
    for name in ("unicode_escape", "raw_unicode_escape", "punycode", "idna", "zlib", "rot13", "undefined"):
        codecs.lookup(name)
        assert letters.decode(b"\\u0041", name) == "\\u0041"


def test_broken_encodings_lose_their_end_and_nothing_else() -> None:
    words = base64.b64encode(b"Ereignis: Brand in der Halle")
    for broken in (words + b"A", words.rstrip(b"="), b"!!" + words + b"\xff", words[:20] + b"\r\n \r\n" + words[20:]):
        assert read(mail(broken, content_transfer_encoding="base64")).text.startswith("Ereignis: Brand in der Hall")
    assert read(mail("Stra=C3=9Fe =ZZ =", content_transfer_encoding="quoted-printable")).text.startswith("Straße")


def test_what_hides_or_reorders_text_is_taken_out() -> None:
    found = read(mail("Er\u200beig\u00adnis: \u202eBrand\u202c\x00\x07 in\u2028der Halle\ufeff"))
    assert found.text == "Ereignis: Brand in\nder Halle"
    assert read(mail("U\u0308berschrift")).text == "Überschrift"


def test_headers_can_carry_no_line_of_their_own() -> None:
    found = read(mail("x", subject="=?utf-8?q?Lage=0D=0ABcc:_all@city.example=00?="))
    assert found.subject == "Lage Bcc: all@city.example"
    assert read(mail("x", subject="Lage\r\n weiter")).subject == "Lage weiter"


# Headers


@pytest.mark.parametrize(
    "value",
    [
        "",
        "erika@city.example, anna@city.example",
        "City: erika@city.example, anna@city.example;",
        "erika@city.example <mallory@evil.example",
        "<erika@city.example> <mallory@evil.example>",
        "erika@city.example(mallory@evil.example",
        "erika@city.example <mallory@evil.example>",
        "erika@[127.0.0.1]",
        "undisclosed-recipients:;",
        "erika",
        "<<erika@city.example>>",
        '"erika@city.example',
        "(" * 990 + "erika@city.example",
        "," * 990,
    ],
)
def test_a_doubtful_sender_is_never_the_officer(value: str) -> None:
    assert read(mail("x", **{"from": value})).sender in {"", "mallory@evil.example"}


def test_a_second_from_leaves_no_sender() -> None:
    raw = b"From: erika@city.example\r\nFrom: mallory@evil.example\r\n\r\nx"
    assert read(raw).sender == ""
    assert read(mail("x", **{"from": '"erika@city.example" <Mallory@Evil.Example>'})).sender == "mallory@evil.example"


def test_identifiers_date_and_threads() -> None:
    found = read(sample("gmail-reply-de"))
    assert found.message_id == "<CAK0003@mail.city.example>"
    assert found.in_reply_to == ("<belfry-17@belfry.example>",)
    assert found.date == datetime(2026, 3, 12, 13, 12, 40, tzinfo=UTC)
    assert read(mail("x", date="nonsense", message_id="")).date is None


def test_attachments_have_plain_names() -> None:
    found = read(sample("attachments")).attachments
    assert [(one.name, one.mime) for one in found] == [
        ("Warnung Grünau.xml", "application/cap+xml"),
        ("Bündel.zip", "application/zip"),
        ("plan.png", "image/png"),
    ]
    assert found[0].body.startswith(b"<alert ")


@pytest.mark.parametrize(
    ("why", "headers"),
    [
        ("auto-reply", {"auto_submitted": "auto-replied"}),
        ("auto-reply", {"subject": "Automatische Antwort: Entwurf 17"}),
        ("auto-reply", {"subject": "Abwesenheitsnotiz"}),
        ("auto-reply", {"subject": "Automatic reply: Draft 17"}),
        ("auto-reply", {"x_autoreply": "yes"}),
        ("auto-reply", {"content_type": "multipart/report; report-type=disposition-notification; boundary=b"}),
        ("list", {"list_id": "<all.city.example>"}),
        ("list", {"precedence": "bulk"}),
        ("bounce", {"content_type": "multipart/report; report-type=delivery-status; boundary=b"}),
        ("bounce", {"from": "MAILER-DAEMON@mx.example", "subject": "Undelivered Mail Returned to Sender"}),
        ("bounce", {"x_failed_recipients": "a@b.example"}),
        ("bounce", {"return_path": "<>"}),
        ("loop", {"x_loop": "alarm@belfry.example"}),
        ("", {"auto_submitted": "no"}),
        ("", {"precedence": "normal"}),
    ],
)
def test_what_nobody_typed_is_told_apart(why: str, headers: dict[str, str]) -> None:
    assert read(mail("x", **headers)).automatic == why


def test_a_mail_of_too_many_hops_is_a_loop() -> None:
    hops = b"Received: from a by b; Thu, 12 Mar 2026 14:12:40 +0100\r\n" * 60
    assert read(hops + mail("x")).automatic == "loop"


# Bounds


def test_parts_inside_of_parts_end_somewhere() -> None:
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(10_000))
    with pytest.raises(Unreadable, match="parts"):
        read(b"From: a@b.example\n" + nested)
    with pytest.raises(Unreadable, match="parts"):
        read(b"Content-Type: message/rfc822\n\n" * 10_000)
    with pytest.raises(Unreadable, match="parts"):
        read(b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 10_000)
    with pytest.raises(Unreadable, match="lines"):
        read(mail(b"\n" * 300_000))


def test_five_thousand_headers_are_passed_over() -> None:
    many = b"".join(b"X-Number-%d: y\r\n" % n for n in range(5000))
    assert read(many + mail("Lage")).text == "Lage"


HOSTILE = {
    "on-wrote": b"On On wrote ",
    "schrieb": "Am 1 schrieb é: \n".encode(),
    "from": b"From:\n",
    "von": b"Von: x\n",
    "spaces": b"   * ",
    "quotes": b"> > On ",
    "rules": b"____",
    "signature": b"-- - ",
    "codes": b"code: 12345 ",
    "marks": "a\u0301\u0316".encode(),
    "pgp": b"-----BEGIN PGP SIGNED MESSAGE-----\n\n",
    "fields": b"Gebiet: x\n",
    "coordinates": b"Gebiet: 51.33,12.37 ",
    "names": b"Ereigniz: x\n",
}
MARKUP = {
    "tags": b"<b>",
    "cells": b"<table><tr><td>x",
    "lists": b"<ul><li>x",
    "quotes": b"<blockquote type=cite>x",
    "hidden": b'<p style="display:none">x',
    "sheet": b"<style>@a{b{",
    "entities": b"&amp;",
}
HEADERS = {
    "parameters": b"Content-Type: text/plain" + b";" * MEGABYTE,
    "quoted": b'Content-Type: text/plain; a="' + b'\\"' * (MEGABYTE // 2),
    "subject": b"Subject: " + b"=?utf-8?q?a?= " * (MEGABYTE // 14),
    "references": b"References: " + b"<a@b>\n " * (MEGABYTE // 7),
    "from": b"From: " + b"(" * 990,
    "idna": b"Content-Type: text/plain; charset=idna",
}


def _spent(raw: bytes) -> float:
    """Seconds of this process's own work on one mail, which other work on the machine doesn't lengthen."""
    begun = time.process_time()
    try:
        found = read(raw)
    except Unreadable:
        pass
    else:
        parse(order(found).words)
        parse(found.text)
    return time.process_time() - begun


@pytest.mark.parametrize(
    "raw",
    [
        *(pytest.param(mail(piece * (MEGABYTE // len(piece))), id=name) for name, piece in HOSTILE.items()),
        *(
            pytest.param(
                mail(piece * (MEGABYTE // len(piece)), content_type="text/html; charset=utf-8"), id=f"html-{name}"
            )
            for name, piece in MARKUP.items()
        ),
        *(
            pytest.param(line + b"\n\n" + "ä".encode() * (MEGABYTE // 2), id=f"head-{name}")
            for name, line in HEADERS.items()
        ),
    ],
)
def test_a_hostile_megabyte_is_soon_read(raw: bytes) -> None:
    # 0.4 at most on an idle machine; unbounded, each would take minutes to years
    assert _spent(raw) < 5


# Whatever comes


def _survives(raw: bytes) -> None:
    try:
        found = read(raw)
    except Unreadable:
        return
    assert "\0" not in found.text
    assert "\r" not in found.text
    assert "\n" not in found.subject
    asked = order(found)
    parse(asked.words)


@given(st.binary(max_size=2000))
@settings(max_examples=150, deadline=None)
def test_no_bytes_break_it(raw: bytes) -> None:
    _survives(raw)
    _survives(b"Content-Type: text/html\r\n\r\n" + raw)


@given(st.sampled_from(NAMES), st.lists(st.tuples(st.integers(0, 3000), st.binary(max_size=12)), max_size=8))
@settings(max_examples=80, deadline=None)
def test_no_damage_to_a_mail_breaks_it(name: str, changes: list[tuple[int, bytes]]) -> None:
    raw = bytearray(sample(name))
    for at, piece in changes:
        raw[at : at + len(piece)] = piece
    _survives(bytes(raw))


PIECES = st.sampled_from(
    [
        "Content-Type: ", "multipart/mixed; boundary=b", "text/html", "message/rfc822", "; charset=", "utf-7",
        "--b\r\n",
        "--b--", "\r\n", "\r\n\r\n", "From: ", "a@b.example", "Subject: ", "=?utf-8?b?", "?=", "Code: 123456", "> ",
        "FREIGABE 17-9F3A61C0", "Gebiet: ", "51.33,12.37 ", "600m", "EN:", "Am 1.1.26 schrieb x:", "-- ", "<p>", "</p>",
        "\0", "\u202e", "\ud800", "filename*0*=", "name*99999999999=", "Content-Transfer-Encoding: base64", "=", ";",
        "Was tun:", "Gültig: bis 18 Uhr", "(", '"', "\\", "x" * 90, "<", ">", ",", ":", "multipart/alternative",
    ]
)  # fmt: skip


def test_a_bounded_fuzz_run_finds_nothing() -> None:
    """Mails put together at random, for BELFRY_FUZZ_SECONDS (1 unless set)."""
    until = time.monotonic() + float(os.environ.get("BELFRY_FUZZ_SECONDS", "1"))

    @given(st.lists(PIECES, max_size=40))
    @settings(max_examples=100, deadline=None, database=None)
    def run(pieces: list[str]) -> None:
        _survives("".join(pieces).encode("utf-8", "surrogatepass"))

    run()
    while time.monotonic() < until:
        run()
