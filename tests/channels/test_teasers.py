"""What a post says: the approved words in order, the link last, nobody mentioned, whatever the limit."""

from __future__ import annotations

from dataclasses import replace

import grapheme
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alerts.terms import Kind, MsgType
from channels import teasers
from tests.channels.contract import CONTENT, ORDER, notices

LINK = "https://warnung.leipzig.example/alerts/k7f3x/"


def test_level_headline_place_and_times_come_first_and_the_link_last() -> None:
    said = teasers.teaser(notices()[0], 500).splitlines()
    assert said[0] == f"Extreme Gefahr: Bombenfund: {ORDER}"
    assert said[1] == "600 Meter um Dimitroffstraße (Zentrum-Süd)"
    assert "Stand 13. September 2030, 19:35 Uhr." in said[3]
    assert "Gilt bis 14. September 2030, 06:00 Uhr." in said[3]
    assert said[-1] == LINK


def test_all_clear_names_itself_and_no_end() -> None:
    said = teasers.teaser(notices(kind=Kind.ALL_CLEAR, msg_type=MsgType.CANCEL)[0], 500)
    assert "Gilt bis" not in said


def test_a_teaser_has_no_word_that_the_approved_message_lacks() -> None:
    for one in notices():
        said = teasers.teaser(one, 1500)
        for line in said.splitlines()[:-1]:
            known = (one.headline, one.area, *one.steps, one.description, one.level_word)
            assert any(part in line for part in known) or line.startswith(("Stand", "As of"))


def test_an_exercise_says_so_first_and_last_and_never_the_order() -> None:
    for one in notices(replace(CONTENT, status="Exercise", note="Übung")):
        for limit in (120, 300, 5000):
            said = teasers.teaser(one, limit)
            assert said.startswith(("ÜBUNG", "EXERCISE"))
            assert "Verlassen" not in said


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("an @stadt", "an @\u2060stadt"),
        ("#panik", "#\u2060panik"),
        ("mail@stadt.example", "mail@stadt.example"),
        ("C# und 3 @ 4", "C# und 3 @ 4"),
        ("＠alle ＃not", "＠\u2060alle ＃\u2060not"),
    ],
)
def test_nobody_is_mentioned_by_accident(text: str, there: str) -> None:
    assert teasers.plain(text) == there


@given(st.text(max_size=400), st.integers(60, 400))
def test_any_text_keeps_limit_and_link(text: str, limit: int) -> None:
    for count in (len, grapheme.length, lambda said: len(said.encode())):
        said = teasers.joined(text, LINK, limit, count)
        assert count(said) <= limit
        assert said.endswith(f"\n{LINK}")


def test_a_word_without_end_is_cut_between_what_people_see_as_characters() -> None:
    family = "👩‍👩‍👧‍👦"
    said = teasers.joined(family * 80, LINK, 100, grapheme.length)
    assert said == family * (100 - len(LINK) - 2) + "…\n" + LINK


@example("\r\n" * 20, 30)
@given(st.text(max_size=200), st.integers(1, 300))
def test_seen_is_the_number_of_graphemes_or_surely_above_the_limit(text: str, limit: int) -> None:
    exact = grapheme.length(text)
    assert teasers.seen(text, limit) == exact or min(teasers.seen(text, limit), exact) > limit


def test_no_room_is_said_in_words() -> None:
    with pytest.raises(ValueError, match=r"no room|kein Platz"):
        teasers.joined("Gefahr", LINK, len(LINK) + 1)
