"""``manage.py import_subscriptions FILE``: subscriptions from another system."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from channels.subscriptions.transfer import BadFile, Reader

FORMAT = """
The file is CSV in UTF-8; its first line names the columns. Needed are

  way       sms, email or push
  address   a mobile number, a mail address; for push endpoint, p256dh and auth with a space between
  areas     codes of districts, with ; between them (as in the list of areas at the desk)

and there may be

  least     Minor, Moderate (where empty), Severe, Extreme
  topics    weather;fire;safety;health;supply;traffic;other; all of them where empty
  language  one of BELFRY_LANGUAGES, its first where empty
  tests     yes or no (where empty): exercises too

Nobody is asked to confirm: take in only who has agreed to it. Who is subscribed here already stays as
he is. A line that can't be read is told by its number and left out. The import may be broken off and
run again.
"""


class Command(BaseCommand):
    help = "Take in subscriptions from a CSV file."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        parser = super().create_parser(prog_name, subcommand, epilog=FORMAT, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--dry-run", action="store_true", help="Say what would be taken in, and change nothing.")

    def handle(self, *, file: Path, dry_run: bool, **_options: Any) -> None:
        try:
            with file.open("rb") as source, self._bar(file) as bar:
                reader = Reader(self._bad, bar.update, dry=dry_run)
                try:
                    tally = reader.take(source)
                except KeyboardInterrupt:
                    done = reader.tally.new
                    raise CommandError(
                        f"Interrupted. {done} subscriptions were taken in; run it again to go on.", returncode=130
                    ) from None
        except OSError as error:
            raise CommandError(f"{file} can't be read: {error.strerror}.") from error
        except BadFile as error:
            raise CommandError(str(error)) from None
        what = "would be new" if dry_run else "are new"
        self.stdout.write(
            f"{tally.new} subscriptions {what}, {tally.known} were there already, {tally.bad} lines were left out."
        )

    def _bad(self, number: int, reason: str) -> None:
        tqdm.write(f"line {number}: {reason}", file=self.stderr)

    def _bar(self, file: Path) -> Any:
        """A bar on a terminal, nothing in a log."""
        return tqdm(total=file.stat().st_size, unit="B", unit_scale=True, disable=None, leave=False)
