"""What an approval covers: a draft frozen with its times, renderings and cards, and the digest of it all."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from . import areas, drafting, pictures, ports
from .content import Content, digest, to_json
from .models import Alert, Draft, DraftState, ReleasePlan, Rendering
from .notice import Rendering as Words
from .people import Refused

if TYPE_CHECKING:
    from .cards import Card


class HasFaults(Refused):
    """The draft can't be submitted; ``faults`` name each field to mend."""

    def __init__(self, faults: list[drafting.Fault]) -> None:
        super().__init__(_("The draft is not complete yet."))
        self.faults = faults


class Stale(Refused):
    """The draft is no longer what this officer saw."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """What an approval would cover: the content with its times, every channel's words, the image cards."""

    content: Content
    renderings: list[Words]
    cards: list[Card]


def frozen(draft: Draft, now: dt.datetime) -> Frozen:
    """What would go out, or HasFaults. Pure but for reading; outside the transaction, since composing takes time."""
    drill = draft.plan == ReleasePlan.DRILL
    content = draft.content if drill else draft.content.settled(draft.release_at or now)
    content = replace(content, status=draft.alert.status, touched=areas.touched(content))
    faults = [
        fault
        for fault in drafting.faults(content, kind=draft.kind, now=draft.release_at or now, drill=drill)
        if fault.hard
    ]
    if draft.release_at is not None and draft.release_at <= now:
        faults.append(drafting.Fault("release_at", "release-past", _("The release time has passed.")))
    if drill and not content.exercise:
        faults.append(drafting.Fault("plan", "drill", _("Only an exercise is kept ready for a drill.")))
    if not content.touched and not faults:
        faults.append(
            drafting.Fault(
                "area", "outside", _("The area touches none of the city's districts. Check the place on the map.")
            )
        )
    if base_id(draft.alert_id) != draft.base_id:
        faults.append(
            drafting.Fault(
                "base", "overtaken", _("There is a newer message of this alert. Begin the update from that one.")
            )
        )
    if faults:
        raise HasFaults(faults)
    notices = drafting.notices(draft, content)
    cards = pictures.drawn(notices)
    return Frozen(content, ports.compose(pictures.noticed(notices, cards)), cards)


def freeze(draft: Draft, what: Frozen, now: dt.datetime) -> None:
    """Keep what would go out as the draft's next round, in the caller's transaction. Raises Stale."""
    seen = draft.version, draft.state
    draft.content_json = to_json(what.content)
    draft.round += 1
    draft.version += 1
    draft.state = DraftState.SUBMITTED
    draft.submitted_at = now
    draft.reason = ""
    draft.digest = digest_of(draft, what.renderings, pictures.covered(what.cards))
    moved = Draft.objects.filter(pk=draft.pk, version=seen[0], state=seen[1]).update(
        content_json=draft.content_json,
        round=draft.round,
        version=draft.version,
        state=draft.state,
        submitted_at=now,
        reason="",
        digest=draft.digest,
        changed_at=now,
    )
    if moved != 1:
        raise stale()
    Rendering.objects.bulk_create(
        Rendering(
            draft=draft,
            round=draft.round,
            channel=words.channel,
            language=words.language,
            fields_json=dict(words.fields),
        )
        for words in what.renderings
    )
    pictures.keep(draft, what.cards)


def digest_of(draft: Draft, renderings: list[Words], cards: list[list[str]]) -> str:
    """SHA-256 over all that is approved: content, renderings, base message, release plan, cards where there are any."""
    return digest(
        {
            **({"cards": cards} if cards else {}),
            "alert": draft.alert.slug,
            "kind": draft.kind,
            "base": draft.base.identifier if draft.base else None,
            "plan": draft.plan,
            "release_at": draft.release_at.astimezone(dt.UTC).isoformat() if draft.release_at else None,
            "content": draft.content_json,
            "renderings": sorted([words.channel, words.language, dict(words.fields)] for words in renderings),
        }
    )


def renderings_of(draft: Draft) -> list[Words]:
    """The renderings of the round that is submitted or approved."""
    rows = Rendering.objects.filter(draft=draft, round=draft.round)
    return [Words(row.channel, row.language, row.fields_json) for row in rows]


def base_id(alert_id: int) -> int | None:
    """The message that a draft of this alert must build on."""
    latest: int | None = Alert.objects.values_list("latest_id", flat=True).get(pk=alert_id)
    return latest


def stale() -> Stale:
    return Stale(_("This draft has changed since you opened it. Load the page anew and read it again."))
