"""Make all public pages and feeds anew, in place, out of what was released."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from channels import registry
from channels.base import ChannelError


class Command(BaseCommand):
    help = (
        "Make all public pages and feeds anew, in place. Residents see whole pages throughout, an urgent alert "
        "goes first, and it may be broken off and run again. Needed after an update of Belfry or of its settings."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        for name in registry.names():
            channel = registry.channel(name)
            rebuild: Callable[[Callable[[int, int], None]], None] | None = getattr(channel, "rebuild", None)
            if not channel.site or rebuild is None:
                continue
            # disable=None: no bar where nobody looks
            with tqdm(desc=registry.label(name), unit="", disable=None) as bar:

                def progress(done: int, total: int, bar: Any = bar) -> None:
                    bar.total = total
                    bar.update(done - bar.n)

                try:
                    rebuild(progress)
                except ChannelError as error:
                    raise CommandError(f"{registry.label(name)}: {error}") from error
                except KeyboardInterrupt:
                    raise CommandError(
                        "Broken off. What is made is whole; run rebuild_site again for the rest."
                    ) from None
            self.stdout.write(f"{registry.label(name)}: made anew.")
