"""Channels that do what a test's script says; the wire is the only thing that is not real about them."""

from __future__ import annotations

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from alerts.notice import Notice, Rendering
from channels.base import Broadcaster, Outcome, Post, Publisher, Recipient

sent: dict[str, list[tuple[str, str]]] = defaultdict(list)
"""What each channel put out: (key, text)."""
script: dict[str, list[Exception | Callable[[], None]]] = defaultdict(list)
"""What happens at a channel's next tries: an error is raised, a function is called."""


answers: dict[str, list[str]] = {}
"""What the next tries to an address come to; *accepted* when nothing is left."""


found: dict[str, str] = {}
"""What looking up an address afterwards comes to; *uncertain* where nothing is said."""
used: dict[str, list[bytes]] = defaultdict(list)
taken_back: dict[str, list[str]] = defaultdict(list)
"""The remote ids of posts that a channel took back."""
refusals: dict[str, list[Exception]] = {}
"""What happens at a channel's next tries to take a post back."""


def forget() -> None:
    found.clear()
    used.clear()
    taken_back.clear()
    refusals.clear()
    sent.clear()
    script.clear()
    answers.clear()


class Fake(Publisher):
    """A publisher at the end of a very short wire."""

    city = True
    seconds = 1.0

    def compose(self, notice: Notice) -> Rendering:
        return Rendering(self.name, notice.language, {"text": notice.headline, "link": notice.url})

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        if script[self.name]:
            step = script[self.name].pop(0)
            if isinstance(step, Exception):
                raise step
            step()
        sent[self.name].append((key, str(rendering.fields["text"])))
        return Post(remote_id=f"{self.name}-{len(sent[self.name])}")


class Page(Fake):
    site = True
    idempotent = True


class Own(Fake):
    idempotent = True


class Once(Fake):
    """One that can't be tried twice."""


class Commercial(Fake):
    city = False


class Retractable(Commercial):
    """One that takes posts back, unless ``refusals`` says otherwise."""

    def retract(self, post: Post) -> None:
        if refusals.get(self.name):
            raise refusals[self.name].pop(0)
        taken_back[self.name].append(post.remote_id)


class Slow(Fake):
    """One that takes its time and tells a file (``sink``) when it begins and when it has sent."""

    idempotent = True
    seconds = 2.0

    def __init__(self, name: str, *, sink: str, pause: float = 1.0) -> None:
        super().__init__(name)
        self.sink = Path(sink)
        self.pause = pause

    def publish(self, rendering: Rendering, *, key: str, reply_to: Post | None = None) -> Post:
        self._tell(f"begins {key}")
        time.sleep(self.pause)
        self._tell(f"sent {key}")
        return Post(remote_id=key)

    def _tell(self, line: str) -> None:
        with self.sink.open("a") as file:
            file.write(line + "\n")


class SlowOnce(Slow):
    """The same, where trying twice would send twice."""

    idempotent = False


class Crowd(Broadcaster):
    """A broadcaster at the end of a very short wire: an address in ``answers`` answers as it says."""

    city = True
    idempotent = True
    seconds = 1.0
    checkpoint = 10
    way = "push"

    def compose(self, notice: Notice) -> Rendering:
        return Rendering(self.name, notice.language, {"text": notice.headline, "link": notice.url})

    def send(self, rendering: Rendering, recipients: Sequence[Recipient], *, key: str) -> Iterable[Outcome]:
        for recipient in recipients:
            if script[self.name]:
                step = script[self.name].pop(0)
                if isinstance(step, Exception):
                    raise step
                step()
            sent[self.name].append((recipient.address, str(rendering.fields["text"])))
            left = answers.get(recipient.address)
            yield Outcome(recipient.id, left.pop(0) if left else "accepted")


class CrowdOnce(Crowd):
    """The same, where trying twice would send twice; ``found`` is what the provider says when asked afterwards."""

    idempotent = False
    way = "sms"

    def look_up(
        self, rendering: Rendering, recipients: Sequence[Recipient], *, since: dt.datetime
    ) -> Iterable[Outcome]:
        return [Outcome(one.id, found.get(one.address, "uncertain")) for one in recipients]


class CrowdInTurn(CrowdOnce):
    """The same, one batch at a time."""

    one_by_one = True


class CrowdPrepared(Crowd):
    """One that makes a part of each send ahead; ``used`` is what it was given for each address."""

    prepares = True

    def prepare(self, address: str) -> bytes:
        return f"made for {address}".encode()

    def send(self, rendering: Rendering, recipients: Sequence[Recipient], *, key: str) -> Iterable[Outcome]:
        for recipient in recipients:
            used[recipient.address].append(recipient.prepared)
        return super().send(rendering, recipients, key=key)


class Nothing(Crowd):
    """One that does nothing at once: what is left is the engine."""

    checkpoint = 500

    def send(self, rendering: Rendering, recipients: Sequence[Recipient], *, key: str) -> Iterable[Outcome]:
        return [Outcome(one.id, "accepted") for one in recipients]
