"""Make what the city signs its CAP documents with: a key and a certificate in the keys folder."""

from __future__ import annotations

import os
import stat
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from alerts.signature import CERTIFICATE_FILE, KEY_FILE, Signer, SigningFailed, make_certificate, make_key


class Command(BaseCommand):
    """Safe to run again, and by two at once: what is there stays, and only what is missing is made."""

    help = "Make the key and certificate for signing CAP documents, unless they are there; print the fingerprint."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--force", action="store_true", help="replace key and certificate; the old files are kept beside them"
        )

    def handle(self, *args: Any, force: bool, **options: Any) -> None:
        folder = Path(settings.KEYS_DIR)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if force:
                self._put_away(folder)
            self._make(folder)
            signer = Signer.load(folder)
            mode = stat.S_IMODE((folder / KEY_FILE).stat().st_mode)
        except OSError as error:
            raise CommandError(
                _("{file} can't be written: {reason}").format(file=error.filename, reason=error.strerror)
            ) from error
        except SigningFailed as error:
            raise CommandError(str(error)) from error
        if mode & 0o077:
            text = _("Others can read {file}. Run: chmod 600 {file}")
            self.stderr.write(self.style.WARNING(text.format(file=folder / KEY_FILE)))
        self.stdout.write(
            _("CAP certificate, valid until {date}, SHA-256 fingerprint:").format(date=f"{signer.ends:%Y-%m-%d}")
        )
        self.stdout.write(signer.fingerprint)

    def _make(self, folder: Path) -> None:
        key, certificate = folder / KEY_FILE, folder / CERTIFICATE_FILE
        if certificate.exists() and not key.exists():
            text = _("{certificate} is there, but {key} is not. Bring the key back, or run make_keys --force.")
            raise CommandError(text.format(certificate=certificate, key=key))
        if not key.exists():
            _write_new(key, make_key(), 0o600)
        if not certificate.exists():
            _write_new(certificate, make_certificate(key.read_bytes(), settings.CITY, timezone.now()), 0o644)

    def _put_away(self, folder: Path) -> None:
        stamp = f"{timezone.now():%Y%m%dT%H%M%S}"
        for name in (CERTIFICATE_FILE, KEY_FILE):
            old = folder / name
            if old.exists():
                kept = old.with_name(f"{old.stem}.{stamp}{old.suffix}")
                os.replace(old, kept)
                self.stdout.write(_("The old file is kept as {file}.").format(file=kept.name))


def _write_new(path: Path, body: bytes, mode: int) -> None:
    """Write a whole file or nothing; a file that someone else made meanwhile is left as it is."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.stem}-") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
        os.fchmod(file.fileno(), mode)
        try:
            os.link(file.name, path)
        except FileExistsError:
            return
