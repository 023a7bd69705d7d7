"""A notice says what was written, an exercise never prints the order, and no cut loses the link."""

from __future__ import annotations

import datetime as dt

import pytest
from cattrs.errors import ClassValidationError
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from alerts.content import Circle, Content, District, Text, canonical, from_json, to_json
from alerts.notice import City, Notice, fit, moment, notice, page_path
from alerts.terms import Kind, MsgType

CITY = City("Stadt Leipzig", "Leipzig", "Branddirektion", "115", "https://warnung.leipzig.example")
ORDER = "Verlassen Sie sofort das Gebiet"
CONTENT = Content(
    category=("Safety",),
    severity="Extreme",
    urgency="Immediate",
    certainty="Observed",
    texts={
        "de": Text("Bombenfund", ORDER, f"Deshalb: {ORDER}.", f"{ORDER}.\nHelfen Sie.", ORDER),
        "en": Text("Bomb found", "Leave the area now", "", "Leave the area now.", ""),
    },
    place="Dimitroffstraße",
    circles=(Circle(51.3348, 12.3727, 0.6),),
    touched=(District("a", "Zentrum"),),
)


def made(content: Content = CONTENT, language: str = "de") -> Notice:
    return notice(
        content, slug="k7f3x", kind=Kind.WARNING, msg_type=MsgType.ALERT, language=language, fallback="de", city=CITY
    )


def test_a_notice_names_level_place_and_address() -> None:
    one = made()
    assert (one.level, one.level_word, one.url) == ("extreme", "Extreme Gefahr", f"{CITY.address}/alerts/k7f3x/")
    assert one.area == "600 Meter um Dimitroffstraße (Zentrum)"
    assert made(language="en").level_word == "Extreme danger"


def test_a_missing_language_is_stood_in_for_by_the_first_one() -> None:
    one = made(language="de-simple")
    assert (one.language, one.words_language, one.headline) == ("de-simple", "de", ORDER)


@pytest.mark.parametrize("language", ["de", "en"])
def test_an_exercise_never_prints_the_order(language: str) -> None:
    real = {"status": "Exercise", "contact": f"{ORDER}: 0341 1", "web": "https://leave.example/the area", "note": ORDER}
    one = made(Content(**{**_fields(CONTENT), **real}), language)
    assert (one.contact, one.web, one.note) == ("", "", one.headline)
    said = " ".join([one.headline, one.description, *one.steps, one.short, one.event, one.level_word])
    assert ORDER not in said
    assert "Leave the area" not in said
    for words in (one.headline, one.event, one.short):
        assert words.startswith(("ÜBUNG", "EXERCISE"))
    assert one.level == "exercise"


def _fields(content: Content) -> dict[str, object]:
    return {name: getattr(content, name) for name in Content.__slots__}


def test_content_is_the_same_after_json() -> None:
    whole = Content(**{**_fields(CONTENT), "expires": dt.datetime(2022, 9, 14, 6, tzinfo=dt.UTC)})
    assert from_json(to_json(whole)) == whole
    assert canonical(to_json(from_json(to_json(whole)))) == canonical(to_json(whole))


def test_unknown_keys_in_content_are_refused() -> None:
    with pytest.raises(ClassValidationError):
        from_json({"colour": "red"})


def test_times_are_told_in_the_citys_own_time() -> None:
    value = dt.datetime(2022, 9, 13, 17, 35, tzinfo=dt.UTC)
    with translation.override("de"):
        assert moment(value) == "13. September 2022, 19:35 Uhr"
    with translation.override("en"):
        assert moment(value) == "13 September 2022, 19:35"


@pytest.mark.parametrize(("language", "path"), [("de", "/alerts/x/"), ("en", "/en/alerts/x/")])
def test_the_first_language_has_the_short_path(language: str, path: str) -> None:
    assert page_path("x", language, "de") == path


LINK = "https://w.example/k7f3"


@given(st.text(max_size=400), st.integers(min_value=len(LINK), max_value=300))
def test_words_are_cut_never_the_link(text: str, limit: int) -> None:
    said = fit(text, LINK, limit)
    assert len(said) <= limit
    assert said.endswith(LINK)


def test_a_cut_falls_between_words_and_is_marked() -> None:
    assert fit("Verlassen Sie sofort das Gebiet", LINK, 40) == f"Verlassen Sie… {LINK}"


def test_no_room_for_the_link_is_an_error() -> None:
    with pytest.raises(ValueError, match="link"):
        fit("Text", LINK, 10)
