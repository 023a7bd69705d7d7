"""Gettext catalogues: compiled by polib, so that nothing but Python is needed; checked against the code.

``python -m deploy.catalogues`` compiles, ``python -m deploy.catalogues --check`` says which texts of
the code lack German (it needs GNU gettext: the program xgettext).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import polib

HOUSE = Path(__file__).resolve().parent.parent
LOCALE = HOUSE / "templates" / "locale"
SLOT = re.compile(r"\{\w*\}|%\(\w+\)[sd]|%[sd]")
PARTS = ("alerts", "channels", "deploy", "templates", "static")


def compile_all(locale: Path = LOCALE) -> list[Path]:
    """Write every ``.mo`` that does not say what its ``.po`` says; returns those."""
    written = []
    for source in sorted(locale.glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        content = polib.pofile(str(source), encoding="utf-8").to_binary()
        if target.is_file() and target.read_bytes() == content:
            continue
        # Whole or not at all: a running process may be reading it
        fresh = target.with_suffix(".mo.new")
        fresh.write_bytes(content)
        fresh.replace(target)
        written.append(target)
    return written


def texts() -> list[polib.POEntry]:
    """Every translatable text of the code and the templates, as Django's makemessages finds them."""
    if not shutil.which("xgettext"):
        sys.exit("The check needs GNU gettext (Debian and Ubuntu: apt install gettext).")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in PARTS:
            if (HOUSE / part).is_dir():
                shutil.copytree(HOUSE / part, folder / part, ignore=shutil.ignore_patterns("locale", "__pycache__"))
        (folder / "locale").mkdir()
        django = [sys.executable, "-m", "django", "makemessages", "--locale=de", "--keep-pot", "--verbosity=0"]
        found: dict[tuple[str | None, str], polib.POEntry] = {}
        for domain in (["--domain=django"], ["--domain=djangojs", "--ignore=vendor/*", "--ignore=*.min.js"]):
            subprocess.run([*django, *domain], cwd=folder, check=True, env={"PATH": _path()})
        for pot in (folder / "locale").glob("*.pot"):
            for entry in polib.pofile(str(pot), encoding="utf-8"):
                found[entry.msgctxt, entry.msgid] = entry
    return list(found.values())


def lacking(entries: list[polib.POEntry], language: str = "de") -> list[polib.POEntry]:
    """The entries that have no translation in ``language``, in the order of the code."""
    known = {
        (entry.msgctxt, entry.msgid, entry.msgid_plural)
        for source in LOCALE.glob(f"{language}/LC_MESSAGES/*.po")
        for entry in polib.pofile(str(source), encoding="utf-8")
        if entry.translated()
    }
    return [entry for entry in entries if (entry.msgctxt, entry.msgid, entry.msgid_plural) not in known]


def twisted(language: str = "de") -> list[polib.POEntry]:
    """The translations that fill in other names than the text does: they would fail, or drop a fact, when shown."""
    found = []
    for source in LOCALE.glob(f"{language}/LC_MESSAGES/*.po"):
        for entry in polib.pofile(str(source), encoding="utf-8"):
            wanted = set(SLOT.findall(entry.msgid + entry.msgid_plural))
            said = [entry.msgstr, *entry.msgstr_plural.values()]
            if entry.translated() and (
                not all(set(SLOT.findall(text)) <= wanted for text in said)
                or set(SLOT.findall("".join(said))) != wanted
            ):
                found.append(entry)
    return found


def _path() -> str:
    return f"{Path(shutil.which('xgettext') or '/usr/bin/xgettext').parent}:/usr/bin:/bin"


def main() -> int:
    if "--check" not in sys.argv:
        compile_all()
        return 0
    entries = texts()
    missing = lacking(entries)
    for entry in missing:
        places = ", ".join(f"{path}:{line}" for path, line in entry.occurrences[:2])
        sys.stdout.write(f"no German: {entry.msgid!r} ({places})\n")
    wrong = twisted()
    for entry in wrong:
        sys.stdout.write(f"other names to fill in: {entry.msgid!r} -> {entry.msgstr or entry.msgstr_plural!r}\n")
    sys.stdout.write(f"{len(entries)} texts, {len(missing)} without German, {len(wrong)} with other names to fill in\n")
    return 1 if missing or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
