"""What every channel will say, as plain text in a mail."""

from __future__ import annotations

import pytest

from alerts import drafting
from alerts.intake import answers
from tests import city


@pytest.mark.django_db
def test_every_channel_of_the_city_is_in_the_answer_with_its_own_words(districts: None) -> None:
    draft = city.drafted(city.officer("anna", "write_draft"))
    said = dict(answers.spoken(drafting.preview(draft)))
    german = [text for name, text in said.items() if name.endswith("Deutsch")]
    assert len(german) == 5, "website, feeds, push, SMS, e-mail"
    for text in german:
        assert "Bombenfund: Verlassen Sie das Gebiet" in text
        assert "<" not in text
    assert any("Gehen Sie." in text and "Helfen Sie." in text for text in german)
    steps = [text for name, text in said.items() if name.endswith("English") and "Leave." in text]
    assert len(steps) >= 3


def test_a_step_of_one_word_is_a_word_and_no_key() -> None:
    fields = {
        "kind": "warning",
        "headline": "Gas leak",
        "steps": ["Leave.", "Call 112."],
        "url": "https://city.example/a",
    }
    assert answers.words_of(fields) == "Gas leak\nLeave.\nCall 112.\nhttps://city.example/a"
