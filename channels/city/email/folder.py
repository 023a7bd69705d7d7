"""Mails as files, where no mail server is set: readable at the desk and by any mail program."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from django.utils.translation import gettext as _

from channels.base import Temporary


class Folder:
    """Files named after the mail, so that a second try overwrites the first; for this user's eyes alone."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, mail: bytes) -> None:
        """Write one mail whole or not at all. Raises Temporary."""
        fresh = self.path / f".{secrets.token_hex(8)}"
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(mail)
            os.replace(fresh, self.path / f"{name}.eml")
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise Temporary(_("The folder of mails can't be written to.")) from error

    def look(self) -> None:
        """Raise Temporary where nothing can be written."""
        self.write("probe", b"")
        (self.path / "probe.eml").unlink()
