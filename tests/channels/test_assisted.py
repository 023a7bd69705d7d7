"""Assisted channels: what lies ready for TikTok, YouTube and others, and the clip made of a card."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.utils.translation import override
from PIL import Image

from alerts.notice import Notice, Picture, Rendering
from alerts.terms import Kind, MsgType
from channels.base import ByHand, Post
from channels.commercial import _clip
from channels.commercial.assisted import Assisted
from tests.channels.contract import CONTENT, HOSTILE, Contract, notices
from tests.channels.posting import KEY, ODD

PICTURE = Picture("tall", "image/jpeg", 1080, 1920, "ab" * 32, "Extreme Gefahr", "https://w.x/cards/ab.jpg")


def jpeg() -> bytes:
    made = BytesIO()
    Image.new("RGB", (1080, 1920), "#a30d1b").save(made, "JPEG")
    return made.getvalue()


CARD = jpeg()


def said(headline: str) -> list[Notice]:
    texts = {language: replace(old, headline=headline) for language, old in CONTENT.texts.items()}
    return notices(replace(CONTENT, texts=texts))


def with_card(channel: Assisted) -> Rendering:
    rendering = channel.compose(replace(notices()[0], pictures=(PICTURE,)))
    return replace(rendering, pictures={PICTURE.sha256: CARD})


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """Words for officers are compared as they stand in the code."""
    with override("en"):
        yield


class Ready(Contract):
    """Tests that hold for any platform."""

    platform: str
    label: str

    def channel(self, **_options: Any) -> Assisted:
        return Assisted(self.platform, platform=self.platform)

    def size(self, text: str) -> int:
        return len(text.encode("utf-16-le")) // 2

    def test_an_officer_does_the_rest(self) -> None:
        channel = self.channel()
        with pytest.raises(ByHand) as found:
            channel.publish(with_card(channel), key=KEY)
        assert self.label in str(found.value)

    def test_so_with_an_update(self) -> None:
        channel = self.channel()
        rendering = channel.compose(notices(kind=Kind.UPDATE, msg_type=MsgType.UPDATE)[0])
        assert channel.begin(rendering, key=KEY) == {}
        with pytest.raises(ByHand):
            channel.update(rendering, Post("1"), key=KEY)

    def test_trying_twice_is_harmless(self) -> None:
        assert self.channel().idempotent
        assert not self.channel().city

    def test_the_tall_picture_is_named(self) -> None:
        channel = self.channel()
        assert channel.pictures == ("tall",)
        assert with_card(channel).fields["picture"]["sha256"] == PICTURE.sha256
        assert "picture" not in channel.compose(notices()[0]).fields

    @pytest.mark.parametrize("what", [*ODD, *HOSTILE])
    def test_odd_text_keeps_limit_and_link(self, what: str) -> None:
        for one in said(ODD.get(what, what)):
            text = self.channel().compose(one).fields["text"]
            assert self.size(text) <= self.limit
            assert text.endswith(one.url)

    def test_nobody_is_mentioned_by_accident(self) -> None:
        fields = json.dumps(dict(self.channel().compose(said("Wegen @stadt und #panik")[0]).fields), ensure_ascii=False)
        assert "@stadt" not in fields
        assert "#panik" not in fields

    def test_it_says_whose_hands_it_passes(self) -> None:
        assert [hop.where for hop in self.channel().hops] == ["abroad"]


class TestTikTok(Ready):
    platform, label, limit = "tiktok", "TikTok", 2200

    def test_it_has_no_title_and_no_clip(self) -> None:
        rendering = with_card(self.channel())
        assert "title" not in rendering.fields
        assert "clip" not in rendering.fields


class TestYouTube(Ready):
    platform, label, limit = "youtube", "YouTube", 5000

    def size(self, text: str) -> int:
        return len(text.encode())

    @pytest.mark.parametrize("what", [*ODD, *HOSTILE])
    def test_a_title_is_there_and_keeps_its_limit(self, what: str) -> None:
        for one in said(ODD.get(what, what)):
            title = self.channel().compose(one).fields["title"]
            assert 0 < len(title.encode("utf-16-le")) // 2 <= 100
            assert "\n" not in title

    def test_a_title_says_level_and_headline(self) -> None:
        title = self.channel().compose(said("Bombenfund in der Südvorstadt")[0]).fields["title"]
        assert title == "Extreme Gefahr: Bombenfund in der Südvorstadt"

    def test_angle_brackets_that_youtube_refuses_are_replaced(self) -> None:
        fields = self.channel().compose(said("<b>Gas</b> & so weiter")[0]).fields
        assert not set(f"{fields['title']}{fields['text']}") & set("<>")
        assert "‹b›Gas" in fields["text"]

    def test_what_stands_in_for_them_is_counted(self) -> None:
        assert self.size(self.channel().compose(said("<<<< " * 400)[0]).fields["text"]) <= 5000

    def test_a_title_of_one_long_word_is_cut_between_characters(self) -> None:
        one = replace(notices()[0], level_word="Gefahr", headline="Gefahr" + "x" * 300)
        title = self.channel().compose(one).fields["title"]
        assert title.startswith("Gefahrx")
        assert 80 < len(title) <= 100

    def test_it_wants_a_clip_of_its_card(self) -> None:
        assert with_card(self.channel()).fields["clip"] == 10
        assert "clip" not in self.channel().compose(notices()[0]).fields

    def test_what_the_machine_lacks_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "")
        assert "ffmpeg" in self.channel().probe()
        with pytest.raises(ByHand, match="ffmpeg"):
            self.channel().publish(with_card(self.channel()), key=KEY)


class TestAnother(Ready):
    platform, label, limit = "Schwarzes Brett", "Schwarzes Brett", 2000

    def test_its_limit_may_be_set(self) -> None:
        channel = Assisted("brett", platform="Schwarzes Brett", limit=300)
        assert 100 < len(channel.compose(said("Satz mit Sinn. " * 90)[0]).fields["text"]) <= 300

    def test_it_needs_a_name(self) -> None:
        with pytest.raises(ValueError, match="platform"):
            Assisted("brett", platform=" ")


# the clip


def boxes(film: bytes) -> list[str]:
    """The names of an MP4's boxes, in order (ISO 14496-12, 4.2)."""
    found, at = [], 0
    while at + 8 <= len(film):
        found.append(film[at + 4 : at + 8].decode("ascii"))
        length = int.from_bytes(film[at : at + 4], "big")
        at += length if length >= 8 else len(film)
    return found


def test_a_clip_is_a_film_that_plays_before_it_is_all_there() -> None:
    film = _clip.made(CARD, 2)
    if shutil.which("ffmpeg") is None:
        assert film is None
        return
    assert film is not None
    names = boxes(film)
    assert names[0] == "ftyp"
    assert names.index("moov") < names.index("mdat")
    assert b"avc1" in film
    assert b"mp4a" not in film


def test_a_clip_has_the_size_of_a_phone(tmp_path: Path) -> None:
    film, probe = _clip.made(CARD, 2), shutil.which("ffprobe")
    if film is None or probe is None:
        assert film is None or shutil.which("ffprobe") is None
        return
    (tmp_path / "clip.mp4").write_bytes(film)
    command = [probe, "-v", "error", "-show_streams", "-of", "json", str(tmp_path / "clip.mp4")]
    (stream,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["streams"]
    assert (stream["width"], stream["height"]) == (1080, 1920)
    assert (stream["codec_name"], stream["pix_fmt"]) == ("h264", "yuv420p")
    assert 1.8 <= float(stream["duration"]) <= 2.2


def test_without_ffmpeg_there_is_no_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert not _clip.can()
    assert _clip.made(CARD, 2) is None


FILM = 'for last; do :; done; echo film > "$last"'


@pytest.mark.parametrize("does", [f"{FILM}; exit 1", "exit 0", f"{FILM}; exec /bin/sleep 5"])
def test_an_ffmpeg_that_fails_or_hangs_makes_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, does: str) -> None:
    fake = tmp_path / "ffmpeg"
    fake.write_text(f"#!/bin/sh\n{does}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _clip.can()
    assert _clip.made(CARD, 2, patience=0.2 if "sleep" in does else 10) is None


def test_no_picture_is_no_clip() -> None:
    assert _clip.made(b"no picture", 2) is None
