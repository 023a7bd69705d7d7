"""The acceptance story: Leipzig, 13 and 14 September 2022, a bomb in Dimitroffstraße; words our own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

from alerts.content import Circle, Content, District, Text
from alerts.terms import MSG_TYPE, Kind, Status

BERLIN = ZoneInfo("Europe/Berlin")
START = dt.datetime(2022, 9, 13, 11, 20, tzinfo=BERLIN)
PLACE = "Dimitroffstraße"
CIRCLE = Circle(51.3348, 12.3727, 0.6)
TOUCHED = tuple(District(name, name) for name in ("Zentrum", "Zentrum-Süd", "Zentrum-Südost", "Zentrum-West"))
SENDER = "warnung.leipzig.example"


@dataclass(frozen=True, slots=True)
class Step:
    """One message of the story: what it is, when it was said, what it says."""

    kind: Kind
    sent: dt.datetime
    content: Content


def lines(*steps: str) -> str:
    return "\n".join(steps)


WARNING = {
    "de": Text(
        event="Bombenfund",
        headline="Bombenfund in der Dimitroffstraße: Meiden Sie das Gebiet",
        description=(
            "Neben der Polizeidirektion wurde um 10:38 Uhr eine Bombe aus dem Zweiten Weltkrieg gefunden. "
            "Sie wiegt 100 Kilogramm. Die Polizei sperrt das Gebiet. "
            "Alle im Umkreis von 600 Metern müssen es später verlassen."
        ),
        instruction=lines(
            "Meiden Sie das Gebiet um die Dimitroffstraße. Fahren Sie auch nicht mit dem Auto hinein.",
            "Sie wohnen im Gebiet? Packen Sie Ausweis, Medikamente und Ladekabel ein.",
            "Sagen Sie Ihren Nachbarn Bescheid. Vor allem denen, die schlecht hören oder gehen.",
        ),
        short="Bombe in der Dimitroffstraße gefunden. Meiden Sie das Gebiet, 600 Meter im Umkreis.",
    ),
    "de-simple": Text(
        event="Bombenfund",
        headline="Bombe in der Dimitroffstraße gefunden: Gehen Sie nicht dorthin",
        description=(
            "In der Dimitroffstraße liegt eine alte Bombe.\n"
            "Die Bombe ist aus dem Zweiten Weltkrieg.\n"
            "Die Bombe kann gefährlich sein.\n"
            "Die Polizei sperrt die Straßen.\n"
            "Später müssen alle Menschen dort weggehen."
        ),
        instruction=lines(
            "Gehen Sie nicht zur Dimitroffstraße.",
            "Wohnen Sie dort? Packen Sie eine Tasche. Nehmen Sie Ausweis und Medikamente mit.",
            "Sagen Sie es Ihren Nachbarn.",
        ),
        short="In der Dimitroffstraße liegt eine Bombe. Gehen Sie nicht dorthin.",
    ),
    "en": Text(
        event="Bomb found",
        headline="Bomb found in Dimitroffstraße: stay away from the area",
        description=(
            "A bomb from the Second World War was found next to the police headquarters at 10:38. "
            "It weighs 100 kilograms. Police are closing off the area. "
            "Everyone within 600 metres will have to leave later."
        ),
        instruction=lines(
            "Stay away from the area around Dimitroffstraße. Do not drive into it.",
            "You live in the area? Pack your identity card, medicines and a charging cable.",
            "Tell your neighbours. Above all those who hear or walk badly.",
        ),
        short="Bomb found in Dimitroffstraße. Stay away, 600 metres around.",
    ),
}

EVACUATION = {
    "de": Text(
        event="Bombenfund",
        headline="Bombenfund in der Dimitroffstraße: Verlassen Sie sofort das Gebiet",
        description=(
            "Die Bombe muss heute noch entschärft werden. Rund 7.500 Menschen müssen das Gebiet verlassen. "
            "Der City-Tunnel ist gesperrt, Straßenbahnen fahren nicht durch das Gebiet.\n\n"
            "Helfer gehen von Haus zu Haus. Erst wenn alle gegangen sind, kann die Entschärfung beginnen. "
            "Die Entwarnung lesen Sie auf dieser Seite."
        ),
        instruction=lines(
            "Gehen Sie aus dem Gebiet. Zu Fuß oder mit dem Rad, Bahnen fahren hier nicht.",
            "Nehmen Sie das Nötigste mit. Ausweis, Medikamente, Schlüssel, warme Jacke, Ladekabel.",
            "Sie wissen nicht, wohin? Kommen Sie in die Schule in der Tarostraße 4 oder in der Karl-Heine-Straße 22b.",
            "Sie können nicht allein gehen? Rufen Sie 115 an. Den Notruf 112 nur bei Lebensgefahr.",
        ),
        short="Verlassen Sie sofort das Gebiet um die Dimitroffstraße, 600 Meter im Umkreis. Zwei Schulen sind offen.",
    ),
    "de-simple": Text(
        event="Bombenfund",
        headline="Bombe in der Dimitroffstraße: Gehen Sie jetzt weg",
        description=(
            "Die Bombe wird heute unschädlich gemacht.\n"
            "Das ist gefährlich.\n"
            "Alle Menschen müssen aus dem Gebiet weggehen.\n"
            "Die Züge im City-Tunnel fahren nicht.\n"
            "Die Straßenbahnen fahren dort nicht."
        ),
        instruction=lines(
            "Gehen Sie jetzt aus dem Gebiet. Gehen Sie zu Fuß oder fahren Sie mit dem Rad.",
            "Nehmen Sie Ausweis, Medikamente und eine Jacke mit.",
            "Wissen Sie nicht, wohin? Gehen Sie in eine Schule: Tarostraße 4 oder Karl-Heine-Straße 22b.",
            "Können Sie nicht allein gehen? Rufen Sie 115 an.",
        ),
        short="Gehen Sie jetzt weg von der Dimitroffstraße. Zwei Schulen sind offen.",
    ),
    "en": Text(
        event="Bomb found",
        headline="Bomb in Dimitroffstraße: leave the area now",
        description=(
            "The bomb has to be defused today. About 7,500 people have to leave the area. "
            "The City-Tunnel is closed and trams do not run through the area.\n\n"
            "Helpers go from house to house. Defusing can only begin when everyone has left. "
            "The all-clear will be on this page."
        ),
        instruction=lines(
            "Leave the area. On foot or by bicycle, no trams or trains run here.",
            "Take only what you need. Identity card, medicines, keys, a warm jacket, charging cable.",
            "You do not know where to go? Come to the school at Tarostraße 4 or at Karl-Heine-Straße 22b.",
            "You cannot walk alone? Call 115. Call 112 only if a life is in danger.",
        ),
        short="Leave the area around Dimitroffstraße now, 600 metres around. Two schools are open.",
    ),
}

DELAY = {
    "de": Text(
        event="Bombenfund",
        headline="Bombenfund in der Dimitroffstraße: Die Entschärfung verzögert sich, bleiben Sie weg",
        description=(
            "Die Entschärfung hat noch nicht begonnen. Im Gebiet waren bis zuletzt Menschen. "
            "Sie beginnt, sobald alle gegangen sind, voraussichtlich nach Mitternacht. "
            "Der City-Tunnel bleibt gesperrt. Beide Schulen bleiben die ganze Nacht offen."
        ),
        instruction=lines(
            "Bleiben Sie außerhalb des Gebiets. Gehen Sie noch nicht nach Hause.",
            "Sie sind noch im Gebiet? Gehen Sie jetzt hinaus. Ohne Sie kann es nicht beginnen.",
            "Sie suchen einen Platz für die Nacht? Kommen Sie in die Tarostraße 4 oder die Karl-Heine-Straße 22b.",
            "Sie brauchen Hilfe? Rufen Sie 115 an. Den Notruf 112 nur bei Lebensgefahr.",
        ),
        short="Die Entschärfung verzögert sich. Bleiben Sie weg von der Dimitroffstraße, 600 Meter im Umkreis.",
    ),
    "de-simple": Text(
        event="Bombenfund",
        headline="Bombe in der Dimitroffstraße: Es dauert länger, bleiben Sie weg",
        description=(
            "Die Bombe ist noch da.\n"
            "Es dauert länger als gedacht.\n"
            "In der Nacht wird sie unschädlich gemacht.\n"
            "Die Schulen bleiben die ganze Nacht offen."
        ),
        instruction=lines(
            "Gehen Sie noch nicht nach Hause.",
            "Sind Sie noch im Gebiet? Gehen Sie jetzt weg.",
            "Brauchen Sie einen Platz zum Schlafen? Gehen Sie in eine Schule: Tarostraße 4 oder Karl-Heine-Straße 22b.",
            "Brauchen Sie Hilfe? Rufen Sie 115 an.",
        ),
        short="Es dauert länger. Gehen Sie noch nicht nach Hause.",
    ),
    "en": Text(
        event="Bomb found",
        headline="Bomb in Dimitroffstraße: defusing is delayed, stay away",
        description=(
            "Defusing has not begun yet. Until just now there were still people in the area. "
            "It begins as soon as everyone has left, probably after midnight. "
            "The City-Tunnel stays closed. Both schools stay open all night."
        ),
        instruction=lines(
            "Stay out of the area. Do not go home yet.",
            "You are still in the area? Leave now. It cannot begin before you have left.",
            "You need a place for the night? Come to Tarostraße 4 or Karl-Heine-Straße 22b.",
            "You need help? Call 115. Call 112 only if a life is in danger.",
        ),
        short="Defusing is delayed. Stay away from Dimitroffstraße, 600 metres around.",
    ),
}

ALL_CLEAR = {
    "de": Text(
        event="Bombenfund",
        headline="Entwarnung: Die Bombe ist entschärft, Sie können nach Hause",
        description=(
            "Die Bombe in der Dimitroffstraße wurde gegen 2 Uhr entschärft. Es besteht keine Gefahr mehr. "
            "Alle Straßen sind frei. Danke, dass Sie gegangen sind und einander geholfen haben."
        ),
        instruction=lines(
            "Sie dürfen zurück in Ihre Wohnung. Alle Straßen sind frei.",
            "Der City-Tunnel ist wieder offen. Die Bahnen fahren nach und nach wieder.",
            "Sie möchten bis zum Morgen bleiben? Die Schule in der Tarostraße 4 ist bis 8 Uhr offen.",
            "Sie brauchen Hilfe für den Heimweg? Rufen Sie 115 an.",
        ),
        short="Entwarnung: Die Bombe in der Dimitroffstraße ist entschärft. Sie können nach Hause.",
    ),
    "de-simple": Text(
        event="Bombenfund",
        headline="Entwarnung: Die Gefahr ist vorbei, Sie können nach Hause",
        description=(
            "Die Bombe in der Dimitroffstraße ist unschädlich.\nEs gibt keine Gefahr mehr.\nDanke für Ihre Hilfe."
        ),
        instruction=lines(
            "Sie können nach Hause gehen.",
            "Die Bahnen fahren bald wieder.",
            "Möchten Sie bis zum Morgen bleiben? Die Schule in der Tarostraße 4 ist bis 8 Uhr offen.",
            "Brauchen Sie Hilfe? Rufen Sie 115 an.",
        ),
        short="Die Gefahr ist vorbei. Sie können nach Hause.",
    ),
    "en": Text(
        event="Bomb found",
        headline="All-clear: the bomb is defused, you can go home",
        description=(
            "The bomb in Dimitroffstraße was defused at about 2:00. There is no danger any more. "
            "All streets are open. Thank you for leaving and for helping each other."
        ),
        instruction=lines(
            "You may go back to your home. All streets are open.",
            "The City-Tunnel is open again. Trams and trains start running bit by bit.",
            "You want to stay until morning? The school at Tarostraße 4 is open until 8:00.",
            "You need help to get home? Call 115.",
        ),
        short="All-clear: the bomb in Dimitroffstraße is defused. You can go home.",
    ),
}


def steps(start: dt.datetime = START) -> list[Step]:
    """The four messages as if the warning had been given at ``start``; by default when it was."""

    def hours(count: float) -> dt.datetime:
        return (start + dt.timedelta(hours=count)).replace(second=0, microsecond=0)

    warning = Content(
        category=("Safety",),
        urgency="Expected",
        severity="Moderate",
        certainty="Observed",
        response=("Avoid", "Prepare"),
        texts=WARNING,
        place=PLACE,
        circles=(CIRCLE,),
        touched=TOUCHED,
        onset=start.replace(second=0, microsecond=0),
        expires=hours(14 + 2 / 3),
        facts_at=hours(-1 / 12),
        next_by=hours(2 + 2 / 3),
        contact="Bürgertelefon 115",
        web="",
    )
    evacuation = replace(
        warning,
        urgency="Immediate",
        severity="Extreme",
        response=("Evacuate",),
        texts=EVACUATION,
        expires=hours(18 + 2 / 3),
        facts_at=hours(2.5),
        next_by=hours(12 + 1 / 6),
    )
    delay = replace(
        evacuation,
        texts=DELAY,
        response=("Evacuate", "Monitor"),
        facts_at=hours(12),
        next_by=hours(15 + 1 / 6),
    )
    all_clear = replace(
        delay,
        urgency="Past",
        severity="Minor",
        response=("AllClear",),
        texts=ALL_CLEAR,
        expires=hours(24 + 2 / 3),
        facts_at=hours(14.75),
        next_by=None,
    )
    return [
        Step(Kind.WARNING, start, warning),
        Step(Kind.UPDATE, hours(2 + 2 / 3), evacuation),
        Step(Kind.UPDATE, hours(12 + 1 / 6), delay),
        Step(Kind.ALL_CLEAR, hours(14 + 5 / 6), all_clear),
    ]


STEPS = steps()


def as_exercise(step: Step) -> Step:
    """The same message as an exercise: the order stays in its content and must come out nowhere."""
    return replace(step, content=replace(step.content, status=Status.EXERCISE, note="Probe der Branddirektion"))


@contextmanager
def clock(now: dt.datetime) -> Iterator[None]:
    """Django's clock stands at ``now``."""
    with mock.patch("django.utils.timezone.now", return_value=now.astimezone(dt.UTC)):
        yield


def square(number: int) -> dict[str, Any]:
    """A made-up outline near the place, one beside the other, lon, lat."""
    west, south = 12.360 + 0.013 * (number % 2), 51.326 + 0.009 * (number // 2)
    east, north = west + 0.013, south + 0.009
    return {
        "type": "Polygon",
        "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]],
    }


def districts() -> list[Any]:
    """The four districts as rows, made where they are missing."""
    from alerts.models import Area

    return [
        Area.objects.get_or_create(
            code=district.code,
            defaults={"name": district.name, "boundary": square(number), "outline": square(number), "order": number},
        )[0]
        for number, district in enumerate(TOUCHED)
    ]


def put_out(step: Step, alert: Any = None, officers: Sequence[Any] | None = None) -> Any:
    """Release one message as if two officers had agreed on it, at the time of the step.

    ``alert`` is given for all but the first, which is a warning whatever the step says; ``officers``
    are who wrote and who approved.
    """
    from django.conf import settings
    from django.contrib.auth import get_user_model

    from alerts import content as contents
    from alerts.cap import cap_time
    from alerts.models import Alert, Draft, DraftState, Message, MessageArea, Part, PartKind, Rendering, new_slug
    from alerts.notice import notice
    from alerts.public import city

    content = step.content
    with clock(step.sent):
        districts()
        if officers is None:
            officers = [
                get_user_model().objects.get_or_create(username=name)[0] for name in ("verfasserin", "freigabe")
            ]
        if alert is None:
            status = content.status
            alert = Alert.objects.create(status=status, slug=new_slug(5 if status == Status.ACTUAL else 16))
        base = alert.latest
        kind = step.kind if base else Kind.WARNING
        value = contents.to_json(content)
        draft = Draft.objects.create(
            alert=alert,
            kind=kind,
            base=base,
            content_json=value,
            round=1,
            digest=contents.digest(value),
            state=DraftState.RELEASED,
            submitted_at=step.sent,
        )
        Part.objects.create(draft=draft, officer=officers[0], part=PartKind.SUBMITTED)
        approval = Part.objects.create(draft=draft, officer=officers[1], part=PartKind.APPROVED)
        msg_type = MSG_TYPE[kind]
        notices = [
            notice(
                content,
                slug=alert.slug,
                kind=kind,
                msg_type=msg_type,
                language=language,
                fallback=settings.CONTENT_LANGUAGES[0],
                city=city(),
            )
            for language in settings.CONTENT_LANGUAGES
        ]
        for rendering in composed(notices):
            Rendering.objects.create(
                draft=draft,
                round=1,
                channel=rendering.channel,
                language=rendering.language,
                fields_json=dict(rendering.fields),
            )
        number = base.number + 1 if base else 1
        message = Message.objects.create(
            alert=alert,
            number=number,
            draft=draft,
            round=1,
            base=base,
            identifier=f"{SENDER}.{alert.slug}.{number}",
            sender=SENDER,
            sent=step.sent,
            kind=kind,
            msg_type=msg_type,
            status=content.status,
            severity=content.severity,
            highest=content.severity,
            expires=content.expires,
            content_json=value,
            references=[[m.sender, m.identifier, cap_time(m.sent)] for m in alert.messages.all()],
            digest=draft.digest,
            approval=approval,
        )
        for area in districts():
            MessageArea.objects.create(message=message, area=area)
        alert.latest = message
        alert.save()
    return message


def composed(notices: Sequence[Any]) -> list[Any]:
    """What website and feeds will say."""
    from channels.city.website import Website

    found = [Website("website").compose(notice) for notice in notices]
    try:
        from channels.city.feeds import Feeds
    except ImportError:
        return found
    return found + [Feeds("feeds").compose(notice) for notice in notices]
