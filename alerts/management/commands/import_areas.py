"""``manage.py import_areas``: the city's districts from a GeoJSON file."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _
from tqdm import tqdm

from alerts.geojson import BadFile
from alerts.importing import import_file

TREE = """
The tree file says which districts belong together, in any depth:

  {"city": "Leipzig",
   "stadtbezirke": [
     {"stadtbezirk": "Mitte", "ortsteile": [{"name": "Zentrum", "nr": "00"}, "Zentrum-Ost"]},
     {"name": "Nord", "code": "north", "children": ["Seehausen"]}]}

A part is an object with its name ("name", or the name of its level: "city", "stadtbezirk",
"bezirk", "ortsteil", "district"), perhaps a key ("code", else the name is the key) and perhaps one
list of its own parts, however that is called; or just a name. What has no parts is a district of
the GeoJSON file, found by "code", by "nr" or by name. Other properties are ignored.

Importing again updates by key. An area that is no longer in the file stays, out of use, since
messages refer to it. Where anything is wrong, nothing changes.
"""


class Command(BaseCommand):
    help = "Make the districts of a GeoJSON file (WGS 84, Polygon or MultiPolygon) the city's districts."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        parser = super().create_parser(prog_name, subcommand, epilog=TREE, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="GeoJSON FeatureCollection")
        parser.add_argument("--tree", type=Path, metavar="TREE.json", help="which districts belong together, see below")
        parser.add_argument("--name", metavar="PROPERTY", default="name", help="property with the name (name)")
        parser.add_argument("--code", metavar="PROPERTY", default="", help="property with the key; else the name is it")
        parser.add_argument("--parent", metavar="PROPERTY", default="", help="property with the name of the parent")
        parser.add_argument("--city", metavar="NAME", default="", help="name of the whole (tree's, else the setting's)")

    def handle(self, *, file: Path, tree: Path | None, **options: Any) -> None:
        names = {option: options[option] for option in ("name", "code", "parent", "city")}
        try:
            result = import_file(file, tree=tree, progress=self._progress, **names)
        except BadFile as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            raise CommandError(_("Interrupted. Nothing has changed."), returncode=130) from None
        for note in result.notes:
            self.stderr.write(note)
        words = _("{new} areas are new, {changed} changed, {same} unchanged, {retired} no longer in use.")
        self.stdout.write(
            words.format(new=result.new, changed=result.changed, same=result.same, retired=result.retired)
        )

    def _progress(self, steps: Sequence[Any], words: str) -> Iterable[Any]:
        """A bar on a terminal, nothing in a log."""
        bar: Iterable[Any] = tqdm(steps, desc=words, disable=None, leave=False)
        return bar
