"""The byte template: what it sends is the mail that Python's own classes would have built, for each resident anew."""

from __future__ import annotations

import base64
import datetime as dt
import html.parser
import re
from dataclasses import replace
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from django.utils.html import escape
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alerts.content import Content, Text
from alerts.models import Draft
from alerts.notice import Notice, Rendering
from alerts.terms import Kind, MsgType, Severity
from channels.city.email import Email
from channels.city.email.quoted import PLACE, quoted
from channels.templatetags import previews
from tests.channels.broadcasting import SLOTS
from tests.channels.contract import CITY, CONTENT, HOSTILE, notices
from tests.channels.mailservers import parsed, scripted
from tests.channels.test_email import TOKEN, email, residents

BREAKS = (
    "\r\nBcc: alle@example.org", "\nBcc: alle@example.org", "\rBcc: alle@example.org", "\u2028Bcc: x", "\x85Bcc: x",
    "\x0bBcc: x", "%0d%0aBcc: x", "=?utf-8?q?=0D=0ABcc:_x?=", "\r\n\r\n<html>",
    "\r\n.\r\nMAIL FROM:<x@example.org>\r\n",
    "\n.\nQUIT\n", "\x00\x07\x1b[31m", "\u202egnp.exe", ".", "..", ".\n.\n..x", "=2E", "=0D=0A.=0D=0A",
)  # fmt: skip
"""Attempts to leave the place that a text has in a mail."""
ERIKA = "erika@example.org"
TEXTS = [*HOSTILE, *BREAKS]


def said(text: str, *, language: str = "de") -> Notice:
    """A notice that has this text wherever officers write."""
    words = Text("Ereignis", text, text, text, text)
    content = replace(CONTENT, texts={language: words}, place=text[:60], contact=text, web="")
    return notices(content)[0]


def mail_of(
    channel: Email, notice: Notice, number: int = 7, address: str = "erika@example.org"
) -> tuple[Rendering, bytes]:
    rendering = replace(channel.compose(notice), slots=SLOTS)
    return rendering, channel._template(rendering).mail(number, address, TOKEN, wire=False)


def contents(mail: EmailMessage) -> tuple[str, str]:
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    return plain.get_content().replace("\r\n", "\n"), html.get_content().replace("\r\n", "\n")


@pytest.mark.parametrize("notice", notices(), ids=lambda notice: notice.language)
def test_it_is_the_mail_that_python_would_have_built(notice: Notice) -> None:
    channel = email()
    rendering, raw = mail_of(channel, notice)
    fields = rendering.fields
    built = EmailMessage()
    built["To"] = ERIKA
    built["Message-ID"] = channel._template(rendering).message_id(7)
    built["List-Unsubscribe"] = f"<{CITY.address}/s/leave/{TOKEN}/>"
    built["From"] = Address("Stadt Leipzig", addr_spec="warnung@leipzig.example")
    built["Subject"] = fields["subject"]
    built["Date"] = format_datetime(dt.datetime.fromisoformat(SLOTS["sent"]))
    built["References"] = f"<{notice.slug}@leipzig.example>"
    built["List-Id"] = "<alerts.leipzig.example>"
    built["Importance"] = "high"
    built["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    built["Auto-Submitted"] = "auto-generated"
    built["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    built.set_content(fields["text"].replace(PLACE, TOKEN))
    built.add_alternative(fields["html"].replace(PLACE, TOKEN), subtype="html")
    built["Content-Language"] = notice.language
    ours = parsed(raw)
    assert not ours.defects
    for name in dict.fromkeys([*built, *ours]):
        if name != "Content-Type":
            assert ours.get_all(name) == built.get_all(name), name
    assert ours.get_content_type() == built.get_content_type() == "multipart/alternative"
    assert contents(ours) == contents(built)
    assert [part.get_content_charset() for part in ours.iter_parts()] == ["utf-8", "utf-8"]  # type: ignore[union-attr]


def test_two_residents_mails_differ_in_nothing_but_what_is_theirs() -> None:
    channel = email()
    rendering, one = mail_of(channel, notices()[0])
    _rendering, other = mail_of(channel, notices()[0], 12345, "a.very.long.address.indeed@subdomain.of.example.org")
    changed = [(a, b) for a, b in zip(one.split(b"\r\n"), other.split(b"\r\n"), strict=True) if a != b]
    assert [a.partition(b":")[0] for a, _b in changed] == [b"To", b"Message-ID"]
    third = channel._template(rendering).mail(7, ERIKA, "Z" * 36, wire=False)
    changed = [(a, b) for a, b in zip(one.split(b"\r\n"), third.split(b"\r\n"), strict=True) if a != b]
    assert [b for _a, b in changed if b != b"Z" * 36 + b"="] == [
        f"List-Unsubscribe: <{CITY.address}/s/leave/{'Z' * 36}/>".encode()
    ]
    assert len(changed) == 5


def test_a_second_try_is_the_same_to_the_byte() -> None:
    assert mail_of(email(), notices()[0])[1] == mail_of(email(), notices()[0])[1]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_no_text_leaves_its_place(text: str) -> None:
    channel = email()
    usual = {name.lower() for name in parsed(mail_of(channel, notices()[0])[1])}
    rendering, raw = mail_of(channel, said(text))
    ours = parsed(raw)
    assert not ours.defects
    assert sorted(name.lower() for name in ours) == sorted(usual)
    assert ours["To"] == ERIKA
    assert len(ours["Subject"]) <= 150
    assert ours["Subject"] == rendering.fields["subject"]
    assert ours["Subject"].isprintable()
    assert contents(ours) == tuple(rendering.fields[kind].replace(PLACE, TOKEN) for kind in ("text", "html"))
    assert [part.get_content_type() for part in ours.walk()] == ["multipart/alternative", "text/plain", "text/html"]


def test_no_text_leaves_its_mail_on_the_wire() -> None:
    """Dots, empty lines and commands in a text are text to the server."""
    with scripted() as server:
        channel = email(server.port, connections=1)
        for text in TEXTS:
            rendering = replace(channel.compose(said(text)), slots=SLOTS)
            assert [one.state for one in channel.send(rendering, residents(1), key="k")] == ["accepted"]
            assert contents(parsed(server.taken[-1].raw)) == tuple(
                rendering.fields[kind].replace(PLACE, residents(1)[0].token) for kind in ("text", "html")
            )
        channel.close()
    assert len(server.taken) == len(TEXTS)
    assert server.steps.count("mail") == len(TEXTS)


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=400))
@example("x" * 75)
@example("x" * 76)
@example("ä" * 40)
@example("\n" * 5 + ".")
@example("شارع ۱۲\n‎🧨👩‍🚒 \t\n \n")
def test_any_text_comes_back_as_it_was_approved(text: str) -> None:
    channel = email()
    rendering, raw = mail_of(channel, said(text))
    assert raw.isascii()
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    head, _blank, body = raw.partition(b"\r\n\r\n")
    assert max(map(len, head.split(b"\r\n"))) <= 998
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert contents(parsed(raw)) == tuple(rendering.fields[kind].replace(PLACE, TOKEN) for kind in ("text", "html"))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), max_size=90), max_size=4))
@example(["x" * 74, "", "y"])
@example(["x" * 75, "y"])
@example(["x" * 76, "\n"])
@example(["", ""])
def test_the_place_of_a_word_always_stands_alone_on_its_line(pieces: list[str]) -> None:
    text = PLACE.join(pieces) + "\n"
    encoded = quoted(text)
    lines = encoded.split(b"\r\n")
    assert sum(line == PLACE.encode() + b"=" for line in lines) == max(len(pieces) - 1, 0)
    assert max(map(len, lines)) <= 76
    message = parsed(
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + encoded
    )
    assert bytes(message.get_payload(decode=True)).decode() == text.replace("\n", "\r\n")


def test_a_bare_carriage_return_is_no_text() -> None:
    with pytest.raises(ValueError, match="CR"):
        quoted("a\rb")


def test_who_writes_the_place_of_the_word_into_a_text_is_refused() -> None:
    with pytest.raises(ValueError):
        email().compose(said(f"Klicken Sie: https://x.example/{PLACE}"))


@pytest.mark.parametrize("address", ["https://warnung.leipzig.example", "http://127.0.0.1:8000"])
def test_one_click_leaving_is_offered_over_https_alone(address: str) -> None:
    """RFC 8058 §3.1."""
    mail = parsed(mail_of(email(address=address), notices()[0])[1])
    assert mail["List-Unsubscribe"] == f"<{address}/s/leave/{TOKEN}/>"
    assert mail["List-Unsubscribe-Post"] == ("List-Unsubscribe=One-Click" if address.startswith("https") else None)


# what it says


class Reader(html.parser.HTMLParser):
    """The words of a page, and all that a mail program might fetch for it."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = dict(attrs)
        if tag == "a":
            self.links.append(given.get("href") or "")
        self.fetched += [
            str(given[name]) for name in ("src", "srcset", "background", "poster", "data") if name in given
        ]
        self.fetched += re.findall(r"url\([^)]*\)|@import", given.get("style") or "")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(html_text: str) -> Reader:
    reader = Reader()
    reader.feed(html_text)
    return reader


@pytest.mark.parametrize("notice", notices(), ids=lambda notice: notice.language)
def test_the_page_fetches_nothing_and_says_the_same_as_the_text(notice: Notice) -> None:
    fields = email().compose(notice).fields
    reader = read(fields["html"])
    assert reader.fetched == []
    assert not reader.tags & {"img", "script", "link", "iframe", "object", "form", "base", "style", "video", "svg"}
    assert set(reader.links) == {
        notice.url, *(f"{CITY.address}/s/{what}/{PLACE}/" for what in ("manage", "leave"))
    }  # fmt: skip
    seen = " ".join(" ".join(reader.words).split())
    for line in fields["text"].splitlines():
        words = re.sub(r"^\d+\. |:$", "", line).strip()
        if words and PLACE not in words:
            assert words in seen, line


def test_what_matters_most_comes_first() -> None:
    text = email().compose(notices()[0]).fields["text"]
    order = [
        "⬣ Extreme Gefahr", "Bombenfund: Verlassen", "Dimitroffstraße", "1. Verlassen", "2. Helfen", "Eine Bombe",
        "14. September 2030, 06:00", "13. September 2030, 21:00", "Bürgertelefon 115", "/alerts/k7f3x/",
        "/s/manage/", "/s/leave/",
    ]  # fmt: skip
    places = [text.index(words) for words in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("content", "kind", "msg_type", "subject", "shape"),
    [
        (CONTENT, Kind.WARNING, MsgType.ALERT, "Extreme Gefahr: ", "⬣"),
        (CONTENT, Kind.CORRECTION, MsgType.UPDATE, "Extreme Gefahr (Berichtigung): ", "⬣"),
        (replace(CONTENT, severity=Severity.MINOR), Kind.UPDATE, MsgType.UPDATE, "Geringe Gefahr (", "●"),
        (replace(CONTENT, response=("AllClear",)), Kind.ALL_CLEAR, MsgType.CANCEL, "Entwarnung: ", "✓"),
        (replace(CONTENT, response=("AllClear",)), Kind.FALSE_ALARM, MsgType.CANCEL, "Fehlalarm: ", "✕"),
        (replace(CONTENT, status="Exercise"), Kind.WARNING, MsgType.ALERT, "ÜBUNG: ", "▨"),
        (replace(CONTENT, status="Test"), Kind.WARNING, MsgType.ALERT, "TEST: ", "▨"),
    ],
)
def test_the_level_is_a_word_and_a_shape(
    content: Content, kind: Kind, msg_type: MsgType, subject: str, shape: str
) -> None:
    fields = email().compose(notices(content, kind, msg_type)[0]).fields
    assert fields["subject"].startswith(subject)
    for kind_of_text in ("text", "html"):
        assert shape in fields[kind_of_text]
    over = msg_type == MsgType.CANCEL
    assert fields["importance"] == ("high" if subject.startswith("Extreme") else "normal")
    assert ("14. September 2030, 06:00" in fields["text"]) is (not over and content.status != "Test")


def test_a_test_of_the_channels_tells_nobody_to_do_anything() -> None:
    fields = email().compose(notices(replace(CONTENT, status="Test"))[0]).fields
    for text in (fields["text"], fields["html"]):
        assert "Helfen Sie" not in text
        assert "Bürgertelefon" not in text
        assert "Tun Sie nichts" in text


def test_a_language_that_runs_from_right_to_left_does() -> None:
    content = replace(CONTENT, texts={"de": CONTENT.texts["de"], "ar": replace(CONTENT.texts["de"], headline="خطر")})
    arabic = replace(notices(content)[0], language="ar", words_language="ar", headline="خطر")
    fields = email().compose(arabic).fields
    assert (fields["language"], fields["dir"]) == ("ar", "rtl")
    assert '<html lang="ar" dir="rtl">' in fields["html"]
    stand_in = replace(arabic, words_language="de", headline="Gefahr")
    assert (
        '<h1 style="margin:16px 0 8px;font-size:24px;line-height:1.3" lang="de" dir="ltr">'
        in (email().compose(stand_in).fields["html"])
    )


def test_a_long_headline_is_cut_in_the_subject_alone() -> None:
    long = "Sehr lange Überschrift " * 20
    fields = email().compose(said(long)).fields
    assert len(fields["subject"]) <= 150
    assert fields["subject"].endswith("…")
    assert " ".join(long.split()) in fields["text"]


def test_the_approver_reads_the_mail_not_its_source() -> None:
    rendering = email().compose(said("<b>Gefahr</b>"))
    shown = previews.rendering(rendering, Draft(pk=1))
    assert f"<b>{escape(rendering.fields['subject'])}</b></p>" in shown
    assert escape(rendering.fields["text"]) in shown
    assert "doctype" not in shown


# DKIM


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_rsa_key(65537, 2048)


def pem(private: Any) -> str:
    shape = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private.private_bytes(*shape).decode()


def verified(raw: bytes, private: RSAPrivateKey) -> bool:
    """Whether dkimpy, asking a DNS of ours, finds the signature good."""
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    asked = {b"s1._domainkey.leipzig.example.": record}
    return bool(
        dkim.verify(raw, dnsfunc=lambda name, timeout=5: asked.get(name if isinstance(name, bytes) else name.encode()))
    )


def signing(private: RSAPrivateKey, port: int = 0) -> Email:
    return email(port, dkim_key=pem(private), dkim_selector="s1", dkim_domain="leipzig.example")


@pytest.mark.parametrize("text", ["Bombe", *TEXTS[:12], "Leerzeichen   am Ende   \n\n\n", "🧨" * 200], ids=ascii)
def test_every_signature_is_good(text: str, key: RSAPrivateKey) -> None:
    _rendering, raw = mail_of(signing(key), said(text))
    assert verified(raw, key)
    assert not verified(raw, generate_rsa_key(65537, 2048)), "dkimpy does look at the key"


def test_it_is_good_for_each_resident_after_the_wire(key: RSAPrivateKey) -> None:
    with scripted() as server:
        channel = signing(key, server.port)
        rendering = replace(channel.compose(said(".\n.\nText")), slots=SLOTS)
        assert {one.state for one in channel.send(rendering, residents(12), key="k")} == {"accepted"}
        channel.close()
    assert len({one.raw for one in server.taken}) == 12
    assert all(verified(one.raw, key) for one in server.taken)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Bombe", b"Keine"),
        (b"To: erika@", b"To: emil@"),
        (TOKEN.encode() + b"/>", b"X" * 36 + b"/>"),
        (TOKEN.encode() + b"=", b"X" * 36 + b"="),
        (b"List-Unsubscribe=One-Click", b"List-Unsubscribe=Never"),
        (b"Subject: ", b"Subject: Fehlalarm! "),
        (b"\r\nSubject: ", b"\r\nSubject: Entwarnung\r\nSubject: "),
        (b"\r\nFrom: ", b"\r\nFrom: Fremde <x@boese.example>\r\nFrom: "),
        (b"\r\nList-Unsubscribe: ", b"\r\nList-Unsubscribe: <https://boese.example/>\r\nList-Unsubscribe: "),
    ],
)
def test_what_is_changed_on_the_way_breaks_it(old: bytes, new: bytes, key: RSAPrivateKey) -> None:
    _rendering, raw = mail_of(signing(key), notices()[0])
    assert verified(raw, key)
    assert old in raw
    assert not verified(raw.replace(old, new, 1), key)


def test_it_survives_what_relays_may_do_to_headers(key: RSAPrivateKey) -> None:
    _rendering, raw = mail_of(signing(key), notices()[0])
    changed = raw.replace(b"Subject: ", b"SUBJECT:   ").replace(b"List-Id: <", b"List-Id:\r\n\t<")
    assert verified(b"Received: from a by b\r\n" + changed, key)


def test_a_key_that_is_no_rsa_key_is_refused() -> None:
    with pytest.raises(ValueError, match="RSA"):
        email(dkim_key=pem(generate_private_key(SECP256R1())), dkim_selector="s1", dkim_domain="leipzig.example")


def test_the_key_is_not_shown(key: RSAPrivateKey) -> None:
    channel = signing(key)
    assert "PRIVATE" not in repr(channel) + repr(channel._head)
