"""What ``deploy/run`` does in the data folder before anything is started: one process, so that it is quick.

Catalogues, checks, tables, static files, keys, the demo city and, where the code or the settings
changed, the public pages. Every step may run again.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
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

from alerts.signature import CERTIFICATE_FILE

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
    make_keys()
    if settings.DEMO:
        call_command("demo_city")
        call_command("demo_reach")
    make_pages()


def make_keys() -> None:
    """The keys that are missing; what they are is said when they are new."""
    said = io.StringIO()
    new = not (settings.KEYS_DIR / CERTIFICATE_FILE).is_file()
    with translation.override("en"):
        call_command("make_keys", stdout=said)
    if new:
        say(said.getvalue().strip())


def make_pages() -> None:
    """The public pages anew, where the code or the settings changed. Raises CommandError where there are none.

    In a process of its own: pages that can't be made anew must not keep the city from warning.
    """
    stamp = settings.DATA / "run" / "pages-made-from"
    state = fingerprint(settings.DATA)
    there = (settings.PUBLIC_DIR / "index.html").is_file()
    if there and stamp.is_file() and stamp.read_text() == state:
        return
    say("Making the public pages …")
    made = subprocess.run([sys.executable, "manage.py", "rebuild_site"], check=False, cwd=HOUSE)
    if made.returncode == 0:
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(state)
    elif there:
        say("The public pages could not be made anew: the reason stands above, the old ones stay.")
    else:
        raise CommandError("The public pages could not be made: the reason stands above.")


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
