"""Coordinates as typed, gaps, differences: values in, values out."""

from __future__ import annotations

import pytest
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from alerts.content import Circle, Content, Polygon, Text
from alerts.desk import differences, gaps, typed
from tests import city

words = st.text(st.sampled_from("abc äöü\n.,"), max_size=60)


class TestTyped:
    @pytest.mark.parametrize(
        ("text", "point"),
        [
            ("51.3348, 12.3727", (51.3348, 12.3727)),
            ("51.3348 12.3727", (51.3348, 12.3727)),
            ("51,3348; 12,3727", (51.3348, 12.3727)),
            ("(51.3348,12.3727)", (51.3348, 12.3727)),
            ("-33.9, -70", (-33.9, -70.0)),
            ("51.12345678, 12", (51.123457, 12.0)),
        ],
    )
    def test_a_point_as_people_type_it(self, text: str, point: tuple[float, float]) -> None:
        assert typed.point(text) == point

    @pytest.mark.parametrize("text", ["", "51.3", "Markt", "51.3, 12.3, 4", "91, 0", "0, 181", "1e400, 1", "nan, 1"])
    def test_no_point(self, text: str) -> None:
        with pytest.raises(ValueError):
            typed.point(text)

    def test_metres_become_kilometres(self) -> None:
        assert typed.circle("51, 12", 600) == Circle(51.0, 12.0, 0.6)

    def test_polygons_are_parted_by_empty_lines_and_closed(self) -> None:
        first, second = typed.polygons("0, 0\n0, 1\n1, 1\n\n\n5, 5\n5, 6\n6, 6\n5, 5\n")
        assert first.points == ((0, 0), (0, 1), (1, 1), (0, 0))
        assert second.points[0] == second.points[-1] == (5, 5)

    @given(
        st.lists(
            st.tuples(st.floats(-90, 90).map(lambda x: round(x, 6)), st.floats(-180, 180).map(lambda x: round(x, 6))),
            min_size=3,
            max_size=8,
            unique=True,
        )
    )
    def test_what_is_shown_is_read_back(self, points: list[tuple[float, float]]) -> None:
        shape = Polygon((*points, points[0]))
        assert typed.polygons(typed.show_polygons([shape])) == (shape,)

    def test_too_many_corners_are_refused(self) -> None:
        with pytest.raises(ValueError):
            typed.polygons("\n".join(f"{number / 100}, 1" for number in range(typed.MOST_POINTS + 1)))


class TestGaps:
    CONTENT = Content(
        texts={"de": Text("Feuer", "Feuer {place}", "Um {time}: {what}", "{what} {place}"), "en": Text(short="{phone}")}
    )

    def test_each_is_found_once_in_reading_order(self) -> None:
        assert gaps.find(self.CONTENT) == ["place", "time", "what", "phone"]

    def test_they_are_filled_in_every_language_and_the_others_stay(self) -> None:
        filled = gaps.fill(self.CONTENT, {"place": "Markt", "phone": "115", "time": ""})
        assert filled.texts["de"].headline == "Feuer Markt"
        assert filled.texts["de"].description == "Um {time}: {what}"
        assert filled.texts["en"].short == "115"

    def test_a_value_with_braces_is_no_new_gap(self) -> None:
        filled = gaps.fill(self.CONTENT, {"place": "{time}", "time": "12 Uhr"})
        assert filled.texts["de"].headline == "Feuer {time}"

    @given(words, words)
    def test_text_without_gaps_is_left_alone(self, text: str, value: str) -> None:
        content = Content(texts={"de": Text(headline=text)})
        assert gaps.fill(content, {"place": value}) == content


class TestDifferences:
    @given(words, words)
    def test_old_and_new_can_be_read_from_the_pieces(self, before: str, after: str) -> None:
        pieces = differences.pieces(before, after)
        assert "".join(piece.text for piece in pieces if piece.how != "added") == before
        assert "".join(piece.text for piece in pieces if piece.how != "removed") == after

    def test_a_changed_word_is_one_word(self) -> None:
        pieces = differences.pieces("Meiden Sie das Gebiet", "Verlassen Sie das Gebiet")
        assert [(piece.how, piece.text) for piece in pieces] == [
            ("removed", "Meiden"),
            ("added", "Verlassen"),
            ("same", " Sie das Gebiet"),
        ]

    def test_a_very_long_text_is_shown_as_replaced(self) -> None:
        pieces = differences.pieces("a b " * 5_000, "b a " * 5_000)
        assert [piece.how for piece in pieces] == ["removed", "added"]

    def test_every_part_of_a_content_that_changes_is_a_line(self) -> None:
        before = city.content()
        changed = {
            "category": ("Fire",),
            "urgency": "Future",
            "severity": "Minor",
            "certainty": "Possible",
            "response": ("Shelter",),
            "texts": {},
            "place": "Markt",
            "circles": (),
            "valid_for": 60,
            "next_in": None,
            "facts_at": None,
            "contact": "",
            "web": "https://x.example",
            "note": "neu",
        }
        for name, value in changed.items():
            after = city.content(**{"facts_at": before.facts_at, name: value})
            assert any(not change.same for change in differences.compare(before, after)), name

    def test_nothing_changed_is_nothing_new(self) -> None:
        content = city.content()
        assert all(change.same for change in differences.compare(content, content))

    @pytest.mark.parametrize(
        ("minutes", "words"),
        [(0, "less than 1 min"), (1, "1 min"), (60, "1 h"), (104, "1 h 44 min"), (1440, "24 h"), (2880, "2 days")],
    )
    def test_a_stretch_of_time_in_words(self, minutes: int, words: str) -> None:
        with override("en"):
            assert differences.duration(minutes) == words
