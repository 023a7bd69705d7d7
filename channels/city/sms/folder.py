"""Folder: each SMS is written as a small file, to be read instead of sent (the embedded set-up)."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from channels.base import ChannelError, Permanent, Recipient, Temporary

from .gateways import Gateway, Text
from .text import encoding, segments


class Folder(Gateway):
    """Writes below ``data_dir``/sms, named by time; of a number only its last three digits."""

    kind = "folder"

    def __init__(self, name: str, *, data_dir: str, **common: Any) -> None:
        super().__init__(name, **common)
        self.folder = Path(data_dir) / "sms"

    async def submit(self, sms: Text, to: Recipient) -> str:
        now = dt.datetime.now(dt.UTC)
        head = f"To: …{to.address[-3:]}\nDate: {now:%Y-%m-%dT%H:%M:%SZ}\n"
        cost = f"Segments: {segments(sms.text)} {encoding(sms.text)}\n"
        try:
            self._ready()
            # under its name stands a whole file or none
            handle, part = tempfile.mkstemp(prefix=f"{now:%Y%m%dT%H%M%S.%f}-", suffix=".part", dir=self.folder)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(f"{head}{cost}\n{sms.text}\n")
            path = Path(part).replace(Path(part).with_suffix(".txt"))
        except OSError as error:
            raise _meaning(error) from error
        return path.stem

    async def probe(self) -> str:
        """Make the folder where it is missing."""
        try:
            self._ready()
        except OSError as error:
            raise _meaning(error) from error
        return _("SMS are written into a folder instead of being sent.")

    def _ready(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(self.folder, os.W_OK):
            raise PermissionError(13, os.strerror(13))


def _meaning(error: OSError) -> ChannelError:
    words = _("The folder for SMS can't be written: {reason}").format(reason=error.strerror)
    mending = isinstance(error, PermissionError | NotADirectoryError | FileExistsError)
    return Permanent(words) if mending else Temporary(words)
