"""What makes the public pages an app: style sheet, scripts and icons by their content, manifest, service worker."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.utils.translation import gettext as _
from django.utils.translation import override

from alerts.notice import City
from alerts.terms import direction, ui_language

from .feed_places import prefix

PATIENCE = 4.0
"""Seconds that a page may take to come before the stored copy stands in for it."""
SPREAD = 10.0
"""Seconds over which the phones that were all woken at once fetch the page of an alert."""

# The PNG files are icon.svg in Chromium, each in a window of its size without a ground (Playwright:
# page.screenshot(omit_background=True)): 192 and 512 as it is; "maskable" and "apple" with square
# corners, since the system cuts its own, the tower of "maskable" at 82 % to lie within the safe zone
# (W3C manifest, "maskable"); "badge" the tower alone, since Android reads nothing of it but the alpha.
ICONS = {192: "icon-192.png", 512: "icon-512.png"}
MASKABLE, APPLE, BADGE = "icon-maskable.png", "icon-apple.png", "icon-badge.png"
ASSETS: Mapping[str, Sequence[str]] = {
    "belfry.css": ("tokens.css", "belfry.css"),
    "belfry.js": ("public/expiry.js", "public/app.js"),
    "subscribe.js": ("public/districts.js", "public/subscribe.js"),
    "icon.svg": ("icon.svg",),
    **{name: (name,) for name in (*ICONS.values(), MASKABLE, APPLE, BADGE)},
}
"""name -> the files below ``static/`` that it is put together from."""
OFFLINE_ASSETS = ("belfry.css", "belfry.js", "subscribe.js", "icon.svg", ICONS[192], BADGE)
"""What a stored page is read with, and a notification shown."""


@dataclass(frozen=True, slots=True)
class Look:
    """The style sheet, scripts and icons by their addresses, which change with their content."""

    addresses: Mapping[str, str]
    files: Mapping[str, bytes]
    colours: Mapping[str, tuple[str, str]]
    """Some of the tokens: in light and in dark."""

    @staticmethod
    @cache
    def now() -> Look:
        """The look of this version of the program, read once."""
        bodies = {name: b"\n".join(map(_static, parts)) for name, parts in ASSETS.items()}
        paths = {name: _named(name, body) for name, body in bodies.items()}
        return Look(
            addresses={name: f"/{path}" for name, path in paths.items()},
            files={paths[name]: body for name, body in bodies.items()},
            colours={name: _colours(name) for name in ("bar", "ground", "exercise")},
        )

    @property
    def css(self) -> str:
        return self.addresses["belfry.css"]

    @property
    def script(self) -> str:
        return self.addresses["belfry.js"]

    @property
    def subscribe(self) -> str:
        return self.addresses["subscribe.js"]

    @property
    def icon(self) -> str:
        return self.addresses["icon.svg"]

    @property
    def apple(self) -> str:
        return self.addresses[APPLE]

    @property
    def version(self) -> str:
        """Another one where any of it has changed."""
        return hashlib.sha256(" ".join(self.files).encode()).hexdigest()[:12]


def _static(name: str) -> bytes:
    found = finders.find(name)
    if not isinstance(found, str):
        raise FileNotFoundError(f"static/{name} is missing")
    return Path(found).read_bytes()


def _named(name: str, body: bytes) -> str:
    stem, suffix = name.rsplit(".", 1)
    return f"assets/{stem}.{hashlib.sha256(body).hexdigest()[:12]}.{suffix}"


def _colours(token: str) -> tuple[str, str]:
    """A token of ``tokens.css`` in light and in dark. Raises ValueError where it stands there once or never."""
    found = re.findall(rf"--{token}:\s*(#[0-9a-f]{{6}});", _static("tokens.css").decode())
    if len(found) < 2:
        raise ValueError(f"static/tokens.css names no --{token} in light and dark")
    return found[0], found[1]


def manifest(look: Look, *, city: City, language: str, languages: Sequence[str]) -> bytes:
    """The web app manifest in one language. Its ``id`` is the same in all: it is one app."""
    home = "/" + prefix(language, languages)
    with override(ui_language(language)):
        made = {
            "id": "/",
            "start_url": home,
            "scope": "/",
            "display": "standalone",
            "lang": language,
            "dir": direction(language),
            "name": _("Warnings of {city}").format(city=city.name),
            "short_name": _("Warnings"),
            "description": _("What {city} warns of, straight from the city").format(city=city.name),
            "theme_color": look.colours["bar"][0],
            "background_color": look.colours["ground"][0],
            "icons": [
                *(_icon(look, name, pixels, "any") for pixels, name in ICONS.items()),
                _icon(look, MASKABLE, 512, "maskable"),
                _icon(look, BADGE, 96, "monochrome"),
            ],
            "shortcuts": [{"name": _("Subscribe to warnings"), "url": f"{home}subscribe/"}],
        }
    return json.dumps(made, ensure_ascii=False, indent=1).encode()


def _icon(look: Look, name: str, pixels: int, purpose: str) -> dict[str, str]:
    return {"src": look.addresses[name], "type": "image/png", "sizes": f"{pixels}x{pixels}", "purpose": purpose}


def worker(look: Look, *, city: City, languages: Sequence[str], vapid_key: str) -> bytes:
    """The service worker: ``static/public/sw.js`` below what it has to know of this city.

    Its bytes change with the look, so that browsers take it anew.
    """
    knows: dict[str, Any] = {
        "look": look.version,
        "assets": [look.addresses[name] for name in OFFLINE_ASSETS],
        "homes": {language: "/" + prefix(language, languages) for language in languages},
        "words": {language: _words(city, language) for language in languages},
        "icon": look.addresses[ICONS[192]],
        "badge": look.addresses[BADGE],
        "vapid": vapid_key,
        "patience": PATIENCE,
        "spread": SPREAD,
    }
    head = f"const BELFRY = {json.dumps(knows, ensure_ascii=False)};\n"
    return head.encode() + _worker_code()


@cache
def _worker_code() -> bytes:
    return _static("public/sw.js")


def _words(city: City, language: str) -> dict[str, str]:
    """What a notification says whose text can't be read: browsers punish a push that shows nothing."""
    with override(ui_language(language)):
        return {
            "title": _("Warnings of {city}").format(city=city.name),
            "body": _("The city has something to tell you. Open the page to read it."),
        }
