"""Bluesky against a real AT Protocol network; run by ``python -m tests.channels.atproto``, not with the other tests."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import grapheme
import pytest
from django.utils import translation
from PIL import Image

from alerts.notice import Picture, Rendering
from alerts.terms import Kind
from channels.base import Permanent, Temporary
from channels.commercial.bluesky import Bluesky, length
from channels.http import Http
from tests.channels.contract import CONTENT, notices
from tests.channels.posting import ODD, SLOTS

from .server import Account, Network, network

LINK = "https://warnung.leipzig.example/alerts/k7f3x/"
NUMBERS = itertools.count()


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture(scope="module")
def there() -> Iterator[Network]:
    with network() as found:
        yield found


@pytest.fixture
def city(there: Network) -> Account:
    return there.account(f"leipzig{next(NUMBERS)}")


def bluesky(city: Account, **options: Any) -> Bluesky:
    given = {"handle": city.handle, "app_password": city.password, "service": city.network.url, **options}
    return Bluesky("bluesky", http=Http(seconds=30), **given)


def rendering(channel: Bluesky, headline: str = "Bombenfund", kind: Kind = Kind.WARNING) -> Rendering:
    texts = {language: replace(old, headline=headline) for language, old in CONTENT.texts.items()}
    return replace(channel.compose(notices(replace(CONTENT, texts=texts), kind=kind)[0]), slots=SLOTS)


def test_a_post_stands_there_as_it_was_approved(city: Account) -> None:
    channel = bluesky(city)
    said = rendering(channel)
    post = channel.publish(said, key="one")
    [(uri, record)] = city.posts().items()
    assert uri == post.remote_id
    assert record["text"] == said.fields["text"]
    assert record["langs"] == ["de"]
    assert record["createdAt"] == "2030-09-13T17:35:00.000Z"
    assert record["embed"]["external"]["uri"] == LINK
    [facet] = record["facets"]
    marked = record["text"].encode()[facet["index"]["byteStart"] : facet["index"]["byteEnd"]]
    assert marked.decode() == facet["features"][0]["uri"] == LINK


def test_trying_again_is_the_same_post(city: Account) -> None:
    posts = [bluesky(city).publish(rendering(bluesky(city)), key="again") for _try in range(3)]
    assert len({post.remote_id for post in posts}) == 1
    assert len({post.data["cid"] for post in posts}) == 1
    assert len(city.posts()) == 1


def test_two_at_once_are_one_post(city: Account) -> None:
    def once(_number: int) -> str:
        with translation.override("en"):
            try:
                return bluesky(city).publish(rendering(bluesky(city)), key="both").remote_id
            except Temporary:
                return bluesky(city).publish(rendering(bluesky(city)), key="both").remote_id

    with ThreadPoolExecutor(4) as hands:
        assert len(set(hands.map(once, range(4)))) == 1
    assert len(city.posts()) == 1


def test_languages_and_messages_are_posts_of_their_own(city: Account) -> None:
    channel = bluesky(city)
    for one in notices():
        channel.publish(replace(channel.compose(one), slots=SLOTS), key=f"same second:{one.language}")
    assert sorted(record["langs"] for record in city.posts().values()) == [["de"], ["de"], ["en"]]


def test_an_update_and_the_all_clear_reply_under_the_first(city: Account) -> None:
    channel = bluesky(city)
    first = channel.publish(rendering(channel), key="thread 1")
    update = channel.update(rendering(channel, "Die Lage", Kind.UPDATE), first, key="thread 2")
    over = channel.update(rendering(channel, "Vorbei", Kind.ALL_CLEAR), first, key="thread 3")
    seen = city.posts()
    for post in (update, over):
        reply = seen[post.remote_id]["reply"]
        assert (reply["root"]["uri"], reply["root"]["cid"]) == (first.remote_id, first.data["cid"])
        assert (reply["parent"]["uri"], reply["parent"]["cid"]) == (first.remote_id, first.data["cid"])


@pytest.mark.parametrize("what", ODD)
def test_odd_text_is_taken(city: Account, what: str) -> None:
    channel = bluesky(city)
    said = rendering(channel, ODD[what])
    post = channel.publish(said, key=what)
    assert city.posts()[post.remote_id]["text"] == said.fields["text"]


@pytest.mark.parametrize("sign", ["n", "ü", "🧨", "a\u0301\u0301"])
def test_300_are_taken_and_one_over_is_refused(city: Account, sign: str) -> None:
    channel = bluesky(city)
    said = rendering(channel)
    longest = sign * (300 - 1 - len(LINK)) + f"\n{LINK}"
    assert length(longest) == grapheme.length(longest) == 300
    assert channel.publish(replace(said, fields={**said.fields, "text": longest}), key="longest").remote_id
    with pytest.raises(Permanent):
        channel.publish(replace(said, fields={**said.fields, "text": sign + longest}), key="over")
    assert len(city.posts()) == 1


def test_3000_bytes_are_taken_and_one_over_is_refused(city: Account) -> None:
    channel = bluesky(city)
    said = rendering(channel)
    families, rest = divmod(3000 - 1 - len(LINK), 25)
    longest = "👩‍👩‍👧‍👦" * families + "x" * rest + f"\n{LINK}"
    assert len(longest.encode()) == 3000
    assert length(longest) == 300
    assert channel.publish(replace(said, fields={**said.fields, "text": longest}), key="longest").remote_id
    with pytest.raises(Permanent):
        channel.publish(replace(said, fields={**said.fields, "text": f"x{longest}"}), key="over")


def card() -> tuple[Picture, bytes]:
    made = io.BytesIO()
    Image.new("RGB", (1200, 630), "#b00").save(made, "JPEG")
    body = made.getvalue()
    return Picture("wide", "image/jpeg", 1200, 630, hashlib.sha256(body).hexdigest(), "Rot", "https://w.x/c"), body


def test_the_card_shows_the_picture(city: Account) -> None:
    channel = bluesky(city)
    picture, body = card()
    said = channel.compose(replace(notices()[0], pictures=(picture,)))
    said = replace(said, slots=SLOTS, pictures={picture.sha256: body})
    said = replace(said, begun=channel.begin(said, key="card"))
    post = channel.publish(said, key="card")
    assert channel.publish(said, key="card").data["cid"] == post.data["cid"]
    thumb = city.posts()[post.remote_id]["embed"]["external"]["thumb"]
    assert city.blob(thumb["ref"]["$link"]) == body


def test_a_picture_that_is_gone_is_left_out(city: Account) -> None:
    channel = bluesky(city)
    never = "bafkreiccldh766hwcnuxnf2wh6jgzepf2nlu2lvcllt63eww5p6chi4ity"
    gone = {"$type": "blob", "ref": {"$link": never}, "mimeType": "image/jpeg", "size": 7}
    post = channel.publish(replace(rendering(channel), begun={"thumb": gone}), key="gone")
    assert "thumb" not in city.posts()[post.remote_id]["embed"]["external"]


def test_a_post_is_taken_back_and_may_be_so_twice(city: Account) -> None:
    channel = bluesky(city)
    post = channel.publish(rendering(channel), key="back")
    channel.retract(post)
    channel.retract(post)
    assert not city.posts()


def test_the_account_is_named_also_while_nobody_knows_its_followers(city: Account) -> None:
    """This network has no AppView, which alone counts them: the account's server passes that on as 502."""
    channel = bluesky(city)
    assert channel.probe() == f"Signed in as @{city.handle}."
    with pytest.raises(Temporary, match="502"):
        channel.audience()


def test_a_wrong_password_is_refused(city: Account) -> None:
    with pytest.raises(Permanent, match="app password"):
        bluesky(city, app_password="falsch").probe()


def test_a_revoked_app_password_is_refused(city: Account) -> None:
    city.network.ask("com.atproto.server.revokeAppPassword", {"name": "belfry"}, token=city.token)
    with pytest.raises(Permanent, match="app password"):
        bluesky(city).publish(rendering(bluesky(city)), key="revoked")
    assert not city.posts()


def test_a_session_is_refreshed(city: Account) -> None:
    channel = bluesky(city)
    channel.probe()
    assert channel._client is not None
    channel._client._refresh_and_set_session()
    assert channel.publish(rendering(channel), key="refreshed").remote_id


def test_a_session_that_the_server_knows_no_more_is_followed_by_a_new_one(city: Account) -> None:
    channel = bluesky(city)
    channel.probe()
    assert channel._client is not None
    held = channel._client._session
    head, claims, _signature = held.access_jwt.split(".")
    held.access_jwt = f"{head}.{claims}.{'A' * 43}"
    assert channel.publish(rendering(channel), key="new session").remote_id
    assert len(city.posts()) == 1


def test_an_account_that_is_closed_says_so(city: Account) -> None:
    channel = bluesky(city)
    channel.probe()
    city.network.ask("com.atproto.server.deactivateAccount", {"deleteAfter": _later()}, token=city.token)
    with pytest.raises(Permanent):
        channel.publish(rendering(channel), key="closed")


def _later() -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
