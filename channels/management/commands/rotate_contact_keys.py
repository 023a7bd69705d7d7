"""``manage.py rotate_contact_keys``: a new key for residents' addresses, the old ones dropped."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from channels.subscriptions import rotation, sealing

GRACE = 60.0
"""Seconds until what a request of this moment has sealed with the old key stands in the database."""


class Command(BaseCommand):
    help = (
        "Add a contact key, seal every address anew, then drop the older keys. May be broken off: run again, it "
        "goes on. Hosts that have a keys folder of their own need its copy before the grace is over. Backups from "
        "before can only be opened with the old keys: keep a copy of the folder with them, or delete them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--grace", type=float, default=GRACE, help=f"Seconds before the last look ({GRACE:.0f}).")

    def handle(self, *, grace: float, **_options: Any) -> None:
        try:
            # what an interrupted run has left comes first: only where nothing is, a new key begins
            done = self._reseal("going on")
            if not done:
                sealing.add_key()
                done = self._reseal("sealing anew")
            time.sleep(grace)
            while late := self._reseal("last look"):
                done += late
        except sealing.CannotOpen as error:
            raise CommandError(f"An address can't be opened: {error}. No key was dropped.") from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted. No key was dropped; run it again to go on.", returncode=130) from None
        sealing.drop_keys(sealing.newest_key())
        self.stdout.write(f"{done} addresses sealed with key {sealing.newest_key()}; the older keys are dropped.")

    def _reseal(self, words: str) -> int:
        with tqdm(total=rotation.total(), desc=words, disable=None, leave=False) as bar:
            return rotation.reseal(bar.update)
