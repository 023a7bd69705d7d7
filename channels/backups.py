"""Backups: one .tar.gz with the database and channels.toml; the keys only when asked for. Restoring starts held."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils.translation import gettext as _

from alerts.models import Alert, AuditEntry

from . import hold
from .models import Prepared

SQLITE, POSTGRES = "database.sqlite3", "database.dump"
USED_ONCE = Prepared._meta.db_table


class BackupFailed(Exception):
    """Why there is no backup, or why it was not restored; ``str()`` is for the administrator."""


def write(target: Path, *, keys: bool = False) -> None:
    """A backup, consistent while the system runs; mode 600. Raises BackupFailed; never overwrites."""
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise BackupFailed(f"{target} is there already.") from error
    except OSError as error:
        raise BackupFailed(f"{target} can't be written: {error.strerror}.") from error
    try:
        with os.fdopen(handle, "wb") as file, tempfile.TemporaryDirectory() as folder:
            dump = _dump(Path(folder))
            with tarfile.open(fileobj=file, mode="w:gz") as archive:
                archive.add(dump, dump.name)
                if settings.CHANNELS_FILE.is_file():
                    archive.add(settings.CHANNELS_FILE, "channels.toml")
                if keys:
                    archive.add(settings.KEYS_DIR, "keys")
    except (OSError, sqlite3.Error, subprocess.CalledProcessError) as error:
        target.unlink(missing_ok=True)
        raise BackupFailed(f"No backup was written: {_words(error)}") from error


def restore(source: Path) -> None:
    """Bring a backup into an empty system, which then is held. Raises BackupFailed and changes nothing."""
    if Alert.objects.exists() or AuditEntry.objects.exists():
        raise BackupFailed("This system is not empty. Restore into a new data folder or database.")
    try:
        with tarfile.open(source) as archive, tempfile.TemporaryDirectory() as name:
            archive.extractall(name, filter="data")
            folder = Path(name)
            _load(folder)
            # Held before anything else can fail: what follows are files
            call_command("migrate", verbosity=0)
            hold.hold(_("The database was restored from a backup."))
            if (folder / "channels.toml").is_file() and not settings.CHANNELS_FILE.exists():
                _keep(settings.CHANNELS_FILE, (folder / "channels.toml").read_bytes())
            for key in sorted((folder / "keys").glob("*")) if (folder / "keys").is_dir() else []:
                kept = settings.KEYS_DIR / key.name
                if key.is_file() and not kept.exists():
                    _keep(kept, key.read_bytes())
    except (OSError, tarfile.TarError, sqlite3.Error, subprocess.CalledProcessError) as error:
        raise BackupFailed(f"The backup was not restored whole: {_words(error)}") from error


def _keep(path: Path, body: bytes) -> None:
    """A new file that its owner alone reads."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(body)


def _dump(folder: Path) -> Path:
    if connection.vendor == "sqlite":
        target = folder / SQLITE
        with closing(sqlite3.connect(settings.DATABASES["default"]["NAME"])) as live:
            with closing(sqlite3.connect(target)) as copy:
                live.backup(copy)
                # All in the one file, and sets for single use in none: a backup must not bring one back
                copy.execute("PRAGMA journal_mode=DELETE")
                copy.execute(f'DELETE FROM "{USED_ONCE}"')  # noqa: S608 (a table of our own)
                copy.commit()
                copy.execute("VACUUM")
        return target
    target = folder / POSTGRES
    _run("pg_dump", "--format=custom", "--no-owner", f"--exclude-table-data={USED_ONCE}", f"--file={target}")
    return target


def _load(folder: Path) -> None:
    if connection.vendor == "sqlite":
        source = folder / SQLITE
        if not source.is_file():
            raise BackupFailed("The backup holds no SQLite database; set DATABASE_URL as where it was made.")
        connection.close()
        with sqlite3.connect(source) as copy, sqlite3.connect(settings.DATABASES["default"]["NAME"]) as live:
            copy.backup(live)
        return
    source = folder / POSTGRES
    if not source.is_file():
        raise BackupFailed("The backup holds no PostgreSQL dump; set DATABASE_URL as where it was made.")
    connection.close()
    _run("pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction", str(source))


def _run(program: str, *arguments: str) -> None:
    """A program of PostgreSQL on our database; the password goes through its environment, not the process list."""
    base = settings.DATABASES["default"]
    given = {"PGHOST": base["HOST"], "PGPORT": base["PORT"], "PGUSER": base["USER"], "PGPASSWORD": base["PASSWORD"]}
    environment = os.environ | {name: str(value) for name, value in given.items() if value}
    subprocess.run(
        [program, *arguments[:-1], f"--dbname={base['NAME']}", arguments[-1]],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )


def _words(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return (error.stderr or "").strip().splitlines()[-1] if error.stderr else str(error)
    return str(error)
