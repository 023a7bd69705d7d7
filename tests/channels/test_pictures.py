"""Image cards on their way: drawn at submission, covered by the digest, on the city's site before the gate opens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction

from alerts import approval
from alerts.approval import Stale
from alerts.models import Card
from alerts.notice import Notice, Rendering
from alerts.terms import Status
from channels import jobs, registry
from channels.base import Post, Temporary
from channels.city.website import Website
from channels.http import Http
from channels.models import Delivery, State
from channels.serving import Serve
from tests import city
from tests.channels import fakes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("districts", "wired")]

ADDRESS = "https://warnung.leipzig.example"


class Pictured(fakes.Commercial):
    """One that shows a picture, fetched from the city's site or taken along."""

    pictures = ("square",)
    got: ClassVar[list[tuple[str, bytes]]] = []

    def compose(self, notice: Notice) -> Rendering:
        return Rendering(self.name, notice.language, {"text": notice.headline, "picture": notice.picture("square")})

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        picture = rendering.fields["picture"]
        self.got.append((picture["url"], rendering.pictures[picture["sha256"]]))
        return Post("1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "public"


@pytest.fixture
def wired(settings: Any, quiet: None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.PUBLIC_DIR = folder
    settings.ADDRESS = ADDRESS
    settings.CONTENT_LANGUAGES = ["de", "en"]
    settings.CHANNELS = {
        "website": {"adapter": "channels.city.website.Website"},
        "shows": {"adapter": "tests.channels.test_pictures.Pictured", "rehearsal": False},
    }
    monkeypatch.setattr(registry, "Http", lambda: site(folder))
    registry.channel.cache_clear()
    monkeypatch.setattr(jobs, "ring_for", list)
    Pictured.got.clear()


def site(folder: Path) -> Http:
    def nothing(_environ: Any, _start_response: Any) -> Iterable[bytes]:
        raise AssertionError("a public page asked Django")

    return Http(transport=httpx.WSGITransport(app=Serve(nothing, public=folder, static=folder)))


def test_submitting_draws_a_card_in_each_language_and_the_digest_covers_it(author: User) -> None:
    draft = city.submitted(author)
    cards = list(Card.objects.filter(draft=draft, round=draft.round))
    assert [(card.language, card.shape, card.width, card.height) for card in cards] == [
        ("de", "square", 1080, 1080),
        ("en", "square", 1080, 1080),
    ]
    assert all(hashlib.sha256(card.body).hexdigest() == card.sha256 for card in cards)
    assert "Bombenfund" in cards[0].alt
    assert "Bomb found" in cards[1].alt
    words = approval.renderings_of(draft)
    assert approval.digest_of(draft, words, []) != draft.digest


def test_a_card_never_changes_and_a_changed_one_is_not_released(author: User, approver: User) -> None:
    draft = city.submitted(author)
    with pytest.raises(DatabaseError, match="rows never change"), transaction.atomic():
        Card.objects.filter(draft=draft).update(body=b"another picture")
    with connection.cursor() as cursor:
        table = "" if connection.vendor == "sqlite" else " ON alerts_card"
        cursor.execute(f"DROP TRIGGER alerts_card_frozen{table}")
    Card.objects.filter(draft=draft, language="en").update(body=b"another picture")
    with pytest.raises(Stale):
        approval.approve(draft.pk, draft.digest, approver)


def test_without_a_channel_that_shows_pictures_none_is_drawn(settings: Any, author: User) -> None:
    settings.CHANNELS = {"website": {"adapter": "channels.city.website.Website"}}
    draft = city.submitted(author)
    assert not Card.objects.exists()
    assert approval.digest_of(draft, approval.renderings_of(draft), []) == draft.digest


def test_a_card_stands_on_the_site_before_any_platform_is_told_of_it(
    author: User, approver: User, folder: Path
) -> None:
    message = city.released(author, approver)
    jobs.fan_out(message.pk)
    message.refresh_from_db()
    assert message.live_at is not None
    jobs.deliver(Delivery.objects.get(message=message, channel="shows").pk)
    assert len(Pictured.got) == 2
    for url, body in Pictured.got:
        assert site(folder).get("card", url).content == body
        assert (folder / url.removeprefix(f"{ADDRESS}/")).read_bytes() == body
    page = (folder / "alerts" / message.alert.slug / "index.html").read_text()
    assert f'<meta property="og:image" content="{Pictured.got[0][0]}">' in page


def test_the_gate_waits_until_the_card_can_be_fetched(author: User, approver: User, folder: Path) -> None:
    message = city.released(author, approver)
    whole = Serve(lambda _environ, _start: [], public=folder, static=folder)

    def no_cards(environ: Any, start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith("/cards/"):
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"no"]
        return whole(environ, start_response)

    channel = registry.channel("website")
    assert isinstance(channel, Website)
    channel.http = Http(transport=httpx.WSGITransport(app=no_cards))
    jobs.fan_out(message.pk)
    row = Delivery.objects.get(message=message, channel="website")
    assert (row.state, message.live_at) == (State.WAITING, None)
    assert "403" in row.words
    assert not Pictured.got


def test_another_picture_at_its_address_is_noticed(folder: Path) -> None:
    (folder / "cards").mkdir(parents=True)
    (folder / "cards" / "0123.jpg").write_bytes(b"another")
    channel = Website("website", folder=str(folder), address=ADDRESS, http=site(folder))
    with pytest.raises(Temporary):
        channel._look_at_card({"url": f"{ADDRESS}/cards/0123.jpg", "sha256": "0" * 64})


def test_an_exercise_s_card_says_so_and_holds_no_order(author: User, approver: User) -> None:
    draft = city.submitted(author, status=Status.EXERCISE, note="Übung", contact="")
    for card in Card.objects.filter(draft=draft):
        assert "ÜBUNG" in card.alt or "EXERCISE" in card.alt
        assert "Verlassen" not in card.alt
