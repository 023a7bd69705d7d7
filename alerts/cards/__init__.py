"""Image cards: a notice as a picture, for networks that show pictures first; the same notice gives the same bytes."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from PIL import Image

from alerts.notice import Notice, Picture
from alerts.public import PublicArea

from .layout import card
from .map import ground_of
from .words import look_of, words_of

QUALITIES = (88, 76, 62, 46)
MOST_BYTES = 200_000
"""A link's preview is fetched by phones as well: where a card is larger, it is compressed more."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of card: its size in pixels and its format."""

    width: int
    height: int
    mime: str


@dataclass(frozen=True, slots=True)
class Card:
    """One drawn card: its bytes and what a rendering says of it."""

    language: str
    picture: Picture
    body: bytes


SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "square": Shape(1080, 1080, "image/jpeg"),
        "square-png": Shape(1080, 1080, "image/png"),
        "wide": Shape(1200, 630, "image/jpeg"),
        "tall": Shape(1080, 1920, "image/jpeg"),
    }
)


def drawn(notice: Notice, shapes: Collection[str], areas: Sequence[PublicArea]) -> list[Card]:
    """The notice's cards in these shapes (keys of ``SHAPES``), in the order of ``SHAPES``.

    ``areas`` are the city's districts, for the map. Raises KeyError for a shape that is not there.
    """
    wanted = {name: SHAPES[name] for name in shapes}
    if not wanted:
        return []
    words, ground = words_of(notice, areas), ground_of(notice, areas)
    images: dict[tuple[int, int], Image.Image] = {}
    cards = []
    for name, shape in SHAPES.items():
        if name not in wanted:
            continue
        size = shape.width, shape.height
        if size not in images:
            images[size] = card(words, ground, look_of(notice), size).image
        body = _encoded(images[size], shape.mime)
        digest = hashlib.sha256(body).hexdigest()
        ending = "png" if shape.mime == "image/png" else "jpg"
        picture = Picture(
            shape=name,
            mime=shape.mime,
            width=shape.width,
            height=shape.height,
            sha256=digest,
            alt=words.alt,
            url=f"{notice.city.address}/cards/{digest[:32]}.{ending}",
        )
        cards.append(Card(notice.language, picture, body))
    return cards


def imagined(notice: Notice, shapes: Collection[str], areas: Sequence[PublicArea]) -> tuple[Picture, ...]:
    """What renderings would say of these cards, were they drawn; without file and address."""
    alt = words_of(notice, areas).alt
    return tuple(
        Picture(name, shape.mime, shape.width, shape.height, sha256="", alt=alt, url="")
        for name, shape in SHAPES.items()
        if name in shapes
    )


def _encoded(image: Image.Image, mime: str) -> bytes:
    """Without EXIF or time stamps; colours are not thinned out, since red text would get ragged edges."""
    if mime == "image/png":
        return _saved(image, "PNG", compress_level=6)
    body = b""
    for quality in QUALITIES:
        body = _saved(image, "JPEG", quality=quality, subsampling="4:4:4", optimize=True)
        if len(body) <= MOST_BYTES:
            break
    return body


def _saved(image: Image.Image, kind: str, **options: int | str | bool) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
