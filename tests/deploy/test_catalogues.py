"""Translations: compiled without GNU gettext, and checked."""

from __future__ import annotations

import gettext
from pathlib import Path

import polib
import pytest

from deploy import catalogues


@pytest.fixture
def locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "de" / "LC_MESSAGES").mkdir(parents=True)
    monkeypatch.setattr(catalogues, "LOCALE", tmp_path)
    return tmp_path


def write(locale: Path, *entries: polib.POEntry) -> Path:
    source = locale / "de" / "LC_MESSAGES" / "django.po"
    file = polib.POFile()
    file.metadata = {"Content-Type": "text/plain; charset=UTF-8", "Plural-Forms": "nplurals=2; plural=(n != 1);"}
    file.extend(entries)
    file.save(str(source))
    return source


def test_a_compiled_catalogue_speaks_german(locale: Path) -> None:
    write(locale, polib.POEntry(msgid="All clear", msgstr="Entwarnung"))
    (written,) = catalogues.compile_all(locale)
    with written.open("rb") as file:
        assert gettext.GNUTranslations(file).gettext("All clear") == "Entwarnung"


def test_an_unchanged_catalogue_is_left_alone_and_a_changed_one_is_not(locale: Path) -> None:
    write(locale, polib.POEntry(msgid="a", msgstr="b"))
    assert len(catalogues.compile_all(locale)) == 1
    assert catalogues.compile_all(locale) == []
    write(locale, polib.POEntry(msgid="a", msgstr="c"))
    assert len(catalogues.compile_all(locale)) == 1


def test_a_text_without_german_is_found(locale: Path) -> None:
    write(locale, polib.POEntry(msgid="said", msgstr="gesagt"), polib.POEntry(msgid="empty", msgstr=""))
    entries = [polib.POEntry(msgid=text) for text in ("said", "empty", "new")]
    entries.append(polib.POEntry(msgid="said", msgctxt="another sense"))
    assert [(entry.msgctxt, entry.msgid) for entry in catalogues.lacking(entries)] == [
        (None, "empty"),
        (None, "new"),
        ("another sense", "said"),
    ]


@pytest.mark.parametrize(
    ("english", "german", "found"),
    [
        ("valid until {time}", "gültig bis {time}", False),
        ("valid until {time}", "gültig bis {zeit}", True),
        ("valid until {time}", "gültig", True),
        ("%(count)s areas", "%(count)s Gebiete", False),
        ("%s areas", "Gebiete", True),
    ],
)
def test_a_translation_fills_in_the_same_names(locale: Path, english: str, german: str, found: bool) -> None:
    write(locale, polib.POEntry(msgid=english, msgstr=german))
    assert bool(catalogues.twisted()) is found


def test_a_singular_may_leave_the_number_out(locale: Path) -> None:
    plural = {0: "ein Gebiet", 1: "{count} Gebiete"}
    write(locale, polib.POEntry(msgid="one area", msgid_plural="{count} areas", msgstr_plural=plural))
    assert catalogues.twisted() == []


def test_texts_of_code_and_templates_are_seen() -> None:
    found = {entry.msgid for entry in catalogues.texts()}
    assert "Waits for approval" in found  # alerts/models.py
