"""What ``deploy/run`` does in the data folder before anything is started: one process, so that it is quick.

Catalogues, checks, tables, static files, keys, the demo city and, where the code or the settings
changed, the public pages. Every step may run again.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
from pathlib import Path

import django
import environs
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError, SystemCheckError
from django.db import OperationalError
from django.utils import translation

from . import catalogues

HOUSE = Path(__file__).resolve().parent.parent
SHAPES_THE_PAGES = ("alerts", "channels", "deploy", "static", "templates")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class WrongSetting(Exception):
    """A setting that can't even be read."""


def read_settings() -> None:
    try:
        dir(settings)  # whichever is asked for first, all are read
    except (ImproperlyConfigured, environs.EnvError, ValueError) as error:
        raise WrongSetting(f"A setting is wrong: {error}") from error


def prepare() -> None:
    catalogues.compile_all()
    read_settings()
    django.setup()
    with translation.override("en"):  # the terminal speaks one language
        check()
    call_command("migrate", verbosity=0, interactive=False)
    call_command("collectstatic", verbosity=0, interactive=False)
    with translation.override("en"):
        call_command("make_keys")
    if settings.DEMO:
        call_command("demo_city")
    stamp = settings.DATA / "run" / "pages-made-from"
    state = fingerprint(settings.DATA)
    if not (settings.PUBLIC_DIR / "index.html").is_file() or not stamp.is_file() or stamp.read_text() != state:
        call_command("rebuild_site")
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(state)


def check() -> None:
    """Say what Django's system checks warn of. Raises SystemCheckError where one finds a mistake."""
    found = io.StringIO()
    call_command("check", stdout=found, stderr=found)
    if "no issues" not in found.getvalue():
        say(found.getvalue())


def fingerprint(data: Path) -> str:
    """A digest of the code, the templates and the settings that the public pages are made from."""
    digest = hashlib.sha256()
    files = [
        path
        for folder in SHAPES_THE_PAGES
        for path in sorted((HOUSE / folder).rglob("*"))
        if path.is_file() and path.suffix not in {".pyc", ".mo"}
    ]
    for path in [*files, data / "belfry.env", data / "channels.toml"]:
        if path.is_file():
            digest.update(f"{path.name}:{path.stat().st_size}:".encode() + path.read_bytes())
    return digest.hexdigest()


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
    try:
        prepare()
    except (WrongSetting, SystemCheckError, CommandError) as error:
        say(str(error))
    except OperationalError as error:
        say(f"The database can't be used: {str(error).strip()} Look at DATABASE_URL and at the disk.")
    except OSError as error:
        say(f"A file can't be written: {error.filename}: {error.strerror}")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
