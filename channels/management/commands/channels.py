"""``manage.py channels``: each channel, its owner, its switch, whether it would work now, when credentials end."""

from __future__ import annotations

import json
import threading
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from channels import credentials, pauses, registry
from channels.base import ChannelError
from channels.models import Pause

PATIENCE = 20.0
"""Seconds that all probes together may take: they run side by side."""


@dataclass(slots=True)
class Line:
    """One channel. ``works`` is None where nobody looked; ``ends`` an ISO time, ``days`` whole days until then."""

    channel: str
    label: str
    owner: str
    rehearsal: bool
    paused: str
    works: bool | None = None
    words: str = ""
    ends: str | None = None
    days: int | None = None


class Command(BaseCommand):
    help = (
        "List each channel: owner, rehearsal, switch, whether it would work now (a harmless question to the "
        "platform), when its credentials end. Ends with 1 where one does not work."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-probe", action="store_true", help="Ask no platform.")
        parser.add_argument("--json", action="store_true", help="For machines.")
        parser.add_argument(
            "--seconds", type=float, default=PATIENCE, help=f"How long to wait for answers ({PATIENCE:.0f})."
        )

    def handle(self, *, no_probe: bool, json: bool, seconds: float, **_options: Any) -> None:
        with override("de"):
            paused = self._paused()
            lines = [_line(name, paused.get(name)) for name in settings.CHANNELS]
            lines.sort(key=lambda line: line.owner != "city")
            if not no_probe:
                probe(lines, seconds)
            self.stdout.write(_as_json(lines) if json else _as_table(lines))
        faulty = [line.label for line in lines if line.works is False]
        if faulty:
            raise CommandError("Does not work: " + ", ".join(faulty))

    def _paused(self) -> dict[str, Pause]:
        """The channels that are paused now; a database that is gone keeps nobody from asking the platforms."""
        try:
            return pauses.paused()
        except DatabaseError:
            self.stderr.write("The database does not answer: which channels are paused is not known.")
            return {}


def _line(name: str, paused: Pause | None) -> Line:
    try:
        registry.channel(name)
    except Exception:  # noqa: BLE001 (any adapter, any fault: the others are listed all the same)
        words = _("The channel can't be made: manage.py check says why.")
        return Line(name, registry.label(name), "?", True, "", works=False, words=words)
    until = credentials.valid_until(name)
    return Line(
        name,
        registry.label(name),
        "city" if registry.channel(name).city else "commercial",
        registry.rehearsal(name),
        timezone.localtime(paused.since).isoformat(timespec="minutes") if paused else "",
        ends=timezone.localtime(until).isoformat(timespec="minutes") if until else None,
        days=credentials.days_left(until) if until else None,
    )


def probe(lines: Sequence[Line], seconds: float) -> None:
    """Ask every channel at once. One that hangs is told of and left behind; it keeps nobody from ending."""
    asked = [line for line in lines if line.works is None]
    threads = [threading.Thread(target=_ask, args=(line,), daemon=True) for line in asked]
    for thread in threads:
        thread.start()
    until = time.monotonic() + seconds
    for line, thread in zip(asked, threads, strict=True):
        thread.join(max(0.0, until - time.monotonic()))
        if thread.is_alive():
            words = _("No answer within {count} seconds: it hangs.").format(count=round(seconds, 1))
            line.works, line.words = False, words


def _ask(line: Line) -> None:
    """One channel's probe, in its own thread; what it comes to is written in one step."""
    with override("de"):
        try:
            works, words = True, registry.channel(line.channel).probe()
        except ChannelError as error:
            works, words = False, str(error)
        except Exception as error:  # noqa: BLE001 (told by its kind alone: its words may hold a secret)
            works, words = False, _("Unexpected fault ({name}).").format(name=type(error).__name__)
    if line.works is None:
        line.works, line.words = works, words


def _as_json(lines: Sequence[Line]) -> str:
    return json.dumps({"channels": [asdict(line) for line in lines]}, ensure_ascii=False, indent=2)


def _as_table(lines: Sequence[Line]) -> str:
    head = [_("Channel"), _("Owner"), _("Operation"), _("Works"), _("Credentials until")]
    rows = [head, *(_cells(line) for line in lines)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    told = []
    for row, line in zip(rows, [None, *lines], strict=True):
        told.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if line is not None and line.words:
            told.append(f"    {' '.join(line.words.split())}")
    return "\n".join(told)


def _cells(line: Line) -> list[str]:
    works = {None: "–", True: _("yes"), False: _("NO")}[line.works]
    ends = "–"
    if line.ends and line.days is not None:
        left = _("{count} days left") if line.days >= 0 else _("ENDED")
        ends = f"{line.ends[:10]} ({left.format(count=line.days)})"
    running = [_("rehearsal")] if line.rehearsal else [_("live")]
    running += [_("paused since {time}").format(time=line.paused.replace("T", " ")[:16])] if line.paused else []
    owner = {"city": _("city"), "commercial": _("commercial")}.get(line.owner, "?")
    return [
        line.label if line.label == line.channel else f"{line.label} [{line.channel}]",
        owner,
        ", ".join(running),
        works,
        ends,
    ]
