"""What one SMS says and costs: segments, plain letters, and a link that is never cut."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st
from smpplib import consts
from smpplib.gsm import make_parts

from alerts.content import Text
from alerts.terms import Kind, MsgType
from channels.city.sms import Sms, wording
from channels.city.sms.text import GSM7, ROOM, UCS2, characters, encoding, parts, plain, segments
from tests.channels.contract import CONTENT, notices

BASIC = "@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCXYZÄÖÑÜ§¿abcxyzäöñüà"
ESCAPED = "^{}\\[~]|€"
GSM = st.text(st.sampled_from(BASIC + ESCAPED), max_size=500)
MISTAKEN = "`§\f\x1b"
"""What smpplib's table has wrong: it holds a grave accent at the place of the section sign, and no form feed."""
TYPOGRAPHY = "„“”‚‘’«»–—‑…\u00a0\u202f\u200b\u00ad•→"
LATIN = "".join(chr(code) for code in range(0xC0, 0x17F) if unicodedata.decomposition(chr(code)))
LEAVE = "https://warnung.leipzig.example/s/leave/"


def channel(**options: object) -> Sms:
    return Sms("sms", data_dir="/nowhere", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "kind", "count"),
    [
        ("", GSM7, 1),
        ("a" * 160, GSM7, 1),
        ("a" * 161, GSM7, 2),
        ("ä" * 306, GSM7, 2),
        ("ä" * 307, GSM7, 3),
        ("€" * 80, GSM7, 1),
        ("€" * 81, GSM7, 2),
        ("ß" * 158 + "€", GSM7, 1),
        ("я" * 70, UCS2, 1),
        ("я" * 71, UCS2, 2),
        ("я" * 134, UCS2, 2),
        ("я" * 135, UCS2, 3),
        ("🧨" * 35, UCS2, 1),
        ("🧨" * 36, UCS2, 2),
        ("„" + "a" * 70, UCS2, 2),
    ],
)
def test_segments_are_counted_as_networks_do(text: str, kind: str, count: int) -> None:
    assert (encoding(text), segments(text)) == (kind, count)


@given(
    st.one_of(
        GSM.filter(lambda text: "§" not in text),
        st.text(st.characters(codec="utf-16-be", exclude_characters=MISTAKEN), max_size=300),
    )
)
def test_an_independent_library_counts_the_same_characters(text: str) -> None:
    found, coding, _flags = make_parts(text, consts.SMPP_ENCODING_DEFAULT, use_udhi=False)
    assert (coding == consts.SMPP_ENCODING_DEFAULT) == (encoding(text) == GSM7)
    unit = 1 if encoding(text) == GSM7 else 2
    assert sum(map(len, found)) == unit * characters(text)
    # it cuts pairs in two, where a network does not: then one segment more
    assert len(found) <= segments(text) <= len(found) + 1


@given(st.one_of(GSM, st.text(max_size=300)))
def test_no_segment_is_too_long_and_none_cuts_a_character(text: str) -> None:
    found = parts(text)
    assert "".join(found) == text
    kind = encoding(text)
    single, each = ROOM[kind]
    widths = [
        sum(2 if (one in ESCAPED + "\f" if kind == GSM7 else ord(one) > 0xFFFF) else 1 for one in part)
        for part in found
    ]
    assert all(width <= (single if len(found) == 1 else each) for width in widths)


@given(GSM)
def test_what_is_plain_stays(text: str) -> None:
    assert plain(text) == " ".join(text.split())


@given(st.text(st.sampled_from(BASIC + TYPOGRAPHY + LATIN + "łŁıđœ⚠🧨°①™"), max_size=200))
def test_typography_accents_and_pictures_never_double_the_price(text: str) -> None:
    seen = "".join(one for one in plain(text))
    assert encoding(seen) == GSM7 or not any(one in BASIC + LATIN for one in seen)


@given(st.text(max_size=200))
def test_putting_it_plainly_twice_changes_nothing_more(text: str) -> None:
    once = plain(text)
    assert plain(once) == once
    assert not any(unicodedata.category(one) in {"Cc", "Cf", "Cs"} for one in once)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("„Bleiben Sie zu Hause“ – sagt die Feuerwehr…", '"Bleiben Sie zu Hause" - sagt die Feuerwehr...'),
        ("18\u00a0Uhr,\u202fnicht\u00a0später", "18 Uhr, nicht später"),
        ("Łódź, Kraków, São Paulo, Çeşme, İzmir", "Lodz, Krakow, Sao Paulo, Çesme, Izmir"),
        ("⚠️ Achtung 🧨!", "Achtung !"),
        ("Pegel ≥ 3,5 m → steigend", "Pegel >= 3,5 m -> steigend"),
        ("a\u0301\u0301\u0301 b", "a b"),
        ("Warn\u00adung\u200b", "Warnung"),
        ("hallo\u202etxt.exe", "hallotxt.exe"),
        ("Zeile\r\n\tZeile", "Zeile Zeile"),
        ("GROẞE STRAẞE für 5 €", "GROßE STRAßE für 5 €"),
    ],
)
def test_it_is_written_in_letters_that_cost_nothing_more(text: str, said: str) -> None:
    assert plain(text) == said
    assert encoding(said) == GSM7


@pytest.mark.parametrize("text", ["Увага! Львів", "מים מזוהמים", "تحذير", "请离开", "Προσοχή", "🧨🧨"])
def test_other_scripts_are_left_as_they_are(text: str) -> None:
    assert plain(text) == text
    assert encoding(text) == UCS2


def test_a_text_says_what_where_until_when_and_ends_in_the_link() -> None:
    with translation.override("en"):
        for notice in notices():
            fields = channel().compose(notice).fields
            text = fields["text"]
            assert text.startswith(plain(notice.short or notice.headline))
            assert plain(notice.area) in text
            assert "September 2030, 06:00" in text
            assert LEAVE in text
            assert text.endswith(notice.url)
            assert fields["encoding"] == GSM7
            assert fields["segments"] == segments(text) == 2
            assert fields["characters"] == characters(text)


def test_without_a_short_text_headline_and_first_step_are_said_once_each() -> None:
    texts = {"de": Text("Rauch", "Rauch: Fenster schließen", "", "Fenster schließen.\nWarten.", "")}
    (notice, *_rest) = notices(replace(CONTENT, texts=texts))
    assert str(channel().compose(notice).fields["text"]).startswith("Rauch: Fenster schließen. 600 Meter")
    texts = {"de": replace(texts["de"], headline="Rauch über Mitte")}
    (notice, *_rest) = notices(replace(CONTENT, texts=texts))
    assert str(channel().compose(notice).fields["text"]).startswith("Rauch über Mitte. Fenster schließen. 600 Meter")


def test_a_place_that_the_words_name_is_not_named_again() -> None:
    texts = {"de": Text("Bombe", "Bombe", "", "", "Dimitroffstraße räumen!")}
    text = channel().compose(notices(replace(CONTENT, texts=texts))[0]).fields["text"]
    assert text.count("Dimitroffstraße") == 1


def test_an_all_clear_says_so_and_has_no_end() -> None:
    for kind, word in ((Kind.ALL_CLEAR, "Entwarnung: "), (Kind.FALSE_ALARM, "Fehlalarm: ")):
        content = replace(CONTENT, response=("AllClear",))
        text = channel().compose(notices(content, kind, MsgType.UPDATE)[0]).fields["text"]
        assert text.startswith(word)
        assert "06:00" not in text


def test_an_exercise_says_so_first_and_last_and_nothing_but_the_fixed_text() -> None:
    (notice, *_rest) = notices(replace(CONTENT, status="Exercise", note="Übung"))
    for most in (1, 2, 3):
        text = channel(segments=most).compose(notice).fields["text"]
        assert text.startswith("ÜBUNG: ")
        assert text.endswith(notice.url)
        assert "06:00" not in text
    assert text.startswith(notice.short)


@given(
    headline=st.text(st.one_of(st.sampled_from("aä „“–🧨я"), st.characters(codec="utf-8")), min_size=1, max_size=160),
    short=st.text(st.one_of(st.sampled_from("aä  –я"), st.characters(codec="utf-8")), max_size=400),
    place=st.text(st.sampled_from("abc äöß,"), max_size=80),
    most=st.integers(1, 4),
    leave=st.sampled_from(["link", "reply", "none"]),
)
def test_never_more_segments_than_allowed_and_always_the_link(
    headline: str, short: str, place: str, most: int, leave: str
) -> None:
    texts = {"de": Text("Ereignis", headline, "", "", short)}
    notice = notices(replace(CONTENT, texts=texts, place=place))[0]
    try:
        fields = channel(segments=most, leave=leave).compose(notice).fields
    except ValueError:
        first = wording.said(notice, leave)[0].split(" ")[0]
        assert segments(f"{first.rstrip(' ,;:.–-')}... {notice.url}") > most  # not even one word has room
        return
    assert fields["segments"] == segments(fields["text"]) <= most
    assert fields["text"].endswith(notice.url)


def test_what_has_no_room_is_cut_at_a_word_and_marked() -> None:
    texts = {"de": Text("Ereignis", "Ü" * 10, "", "", "wichtig " * 60)}
    text = channel(segments=2).compose(notices(replace(CONTENT, texts=texts))[0]).fields["text"]
    assert "wichtig... " in text


def test_a_short_text_gives_its_room_to_the_words() -> None:
    """Where there is one segment, the way to leave goes first, then the end of the warning."""
    texts = {"de": Text("Ereignis", "Rauch", "", "", "Fenster zu " * 9)}
    notice = notices(replace(CONTENT, texts=texts))[0]
    text = channel(segments=1).compose(notice).fields["text"]
    assert LEAVE not in text
    assert text.startswith("Fenster zu " * 8)


@pytest.mark.parametrize(("leave", "there"), [("link", LEAVE), ("reply", "STOP"), ("none", "")])
def test_it_says_how_to_leave(leave: str, there: str) -> None:
    text = channel(leave=leave).compose(notices()[0]).fields["text"]
    assert there in text
    assert (LEAVE in text) == (leave == "link")
    assert ("STOP" in text) == (leave == "reply")


def test_an_address_that_does_not_fit_is_refused_in_words() -> None:
    notice = replace(notices()[0], url="https://warnung.leipzig.example/" + "a" * 140)
    with pytest.raises(ValueError, match="SMS"):
        channel(segments=1).compose(notice)
    with pytest.raises(ValueError, match="SMS"):
        channel(segments=1).compose(replace(notice, url=notice.url[:158], short="Rauch"))
