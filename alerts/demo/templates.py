"""Ready-made texts of the demo city, our own; gaps stand in braces and are filled at the desk."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.content import Content, Text
from alerts.terms import Category, Certainty, ResponseType, Severity, Urgency


@dataclass(frozen=True, slots=True)
class Ready:
    """One template: its key, its name in each interface language, and what a draft starts with."""

    key: str
    names: dict[str, str]
    content: Content


def steps(*lines: str) -> str:
    return "\n".join(lines)


CONTACT = "Bürgertelefon 115"

READY = (
    Ready(
        "bombenfund-warnung",
        {"de": "Bombenfund: Warnung", "en": "Bomb found: warning"},
        Content(
            category=(Category.SAFETY,),
            urgency=Urgency.EXPECTED,
            severity=Severity.SEVERE,
            certainty=Certainty.OBSERVED,
            response=(ResponseType.AVOID, ResponseType.PREPARE),
            valid_for=720,
            next_in=120,
            contact=CONTACT,
            texts={
                "de": Text(
                    event="Bombenfund",
                    headline="Bombenfund {place}: Meiden Sie das Gebiet",
                    description=(
                        "Um {time} Uhr wurde eine Bombe aus dem Zweiten Weltkrieg gefunden. "
                        "Sie wiegt {weight} Kilogramm. "
                        "Die Polizei sperrt das Gebiet. Wer dort wohnt, muss es später verlassen."
                    ),
                    instruction=steps(
                        "Meiden Sie das Gebiet.",
                        "Sie wohnen dort? Packen Sie Ausweis, Medikamente und Ladekabel ein.",
                        "Sagen Sie Ihren Nachbarn Bescheid.",
                    ),
                ),
                "de-simple": Text(
                    event="Bombenfund",
                    headline="Bombe gefunden: {place}. Gehen Sie nicht dorthin.",
                    description=steps(
                        "Eine alte Bombe ist gefunden worden.",
                        "Die Bombe kann gefährlich sein.",
                        "Die Polizei sperrt die Straßen.",
                    ),
                    instruction=steps(
                        "Gehen Sie nicht dorthin.",
                        "Wohnen Sie dort? Packen Sie eine Tasche mit Ausweis und Medikamenten.",
                        "Sagen Sie es Ihren Nachbarn.",
                    ),
                ),
                "en": Text(
                    event="Bomb found",
                    headline="Bomb found at {place}: stay away",
                    description=(
                        "A bomb from the Second World War was found at {time}. It weighs {weight} kilograms. "
                        "Police are closing off the area. People who live there will have to leave later."
                    ),
                    instruction=steps(
                        "Stay away from the area.",
                        "You live there? Pack your identity card, medicines and a charging cable.",
                        "Tell your neighbours.",
                    ),
                ),
            },
        ),
    ),
    Ready(
        "bombenfund-raeumung",
        {"de": "Bombenfund: Räumung läuft", "en": "Bomb found: evacuation"},
        Content(
            category=(Category.SAFETY,),
            urgency=Urgency.IMMEDIATE,
            severity=Severity.EXTREME,
            certainty=Certainty.OBSERVED,
            response=(ResponseType.EVACUATE,),
            valid_for=720,
            next_in=60,
            contact=CONTACT,
            texts={
                "de": Text(
                    event="Bombenfund",
                    headline="Bombenfund {place}: Verlassen Sie sofort das Gebiet",
                    description=(
                        "Die Bombe wird heute entschärft. Rund {people} Menschen müssen das Gebiet verlassen. "
                        "Die Entschärfung beginnt erst, wenn alle gegangen sind."
                    ),
                    instruction=steps(
                        "Gehen Sie aus dem Gebiet. Zu Fuß oder mit dem Rad.",
                        "Nehmen Sie das Nötigste mit. Ausweis, Medikamente, Schlüssel, warme Jacke.",
                        "Sie wissen nicht, wohin? Kommen Sie hierher: {shelters}.",
                        "Sie können nicht allein gehen? Rufen Sie 115 an.",
                    ),
                ),
                "de-simple": Text(
                    event="Bombenfund",
                    headline="Bombe: {place}. Gehen Sie jetzt weg.",
                    description=steps(
                        "Die Bombe wird heute unschädlich gemacht.",
                        "Das ist gefährlich.",
                        "Alle Menschen müssen dort weggehen.",
                    ),
                    instruction=steps(
                        "Gehen Sie jetzt weg. Zu Fuß oder mit dem Rad.",
                        "Nehmen Sie Ausweis, Medikamente und eine Jacke mit.",
                        "Wissen Sie nicht, wohin? Gehen Sie hierher: {shelters}.",
                        "Können Sie nicht allein gehen? Rufen Sie 115 an.",
                    ),
                ),
                "en": Text(
                    event="Bomb found",
                    headline="Bomb at {place}: leave the area now",
                    description=(
                        "The bomb will be defused today. About {people} people have to leave the area. "
                        "Defusing begins only when everyone has left."
                    ),
                    instruction=steps(
                        "Leave the area. On foot or by bicycle.",
                        "Take only what you need. Identity card, medicines, keys, a warm jacket.",
                        "Nowhere to go? Come here: {shelters}.",
                        "You cannot walk alone? Call 115.",
                    ),
                ),
            },
        ),
    ),
    Ready(
        "brand-rauch",
        {"de": "Großbrand mit Rauch", "en": "Large fire with smoke"},
        Content(
            category=(Category.FIRE,),
            urgency=Urgency.IMMEDIATE,
            severity=Severity.SEVERE,
            certainty=Certainty.OBSERVED,
            response=(ResponseType.SHELTER,),
            valid_for=240,
            next_in=60,
            contact=CONTACT,
            texts={
                "de": Text(
                    event="Großbrand",
                    headline="Großbrand {place}: Schließen Sie Fenster und Türen",
                    description="Es brennt, {place}. Der Rauch zieht über das Gebiet. Er kann der Gesundheit schaden.",
                    instruction=steps(
                        "Gehen Sie ins Haus und bleiben Sie drinnen.",
                        "Schließen Sie Fenster und Türen. Schalten Sie die Lüftung aus.",
                        "Halten Sie die Straßen für die Feuerwehr frei.",
                        "Sie haben Beschwerden? Rufen Sie 112 an.",
                    ),
                ),
                "de-simple": Text(
                    event="Großbrand",
                    headline="Großes Feuer: {place}. Machen Sie die Fenster zu.",
                    description="Es gibt ein großes Feuer.\nDer Rauch ist ungesund.",
                    instruction=steps(
                        "Gehen Sie ins Haus.",
                        "Machen Sie alle Fenster und Türen zu.",
                        "Geht es Ihnen schlecht? Rufen Sie 112 an.",
                    ),
                ),
                "en": Text(
                    event="Large fire",
                    headline="Large fire at {place}: close windows and doors",
                    description="There is a fire at {place}. Smoke is moving over the area. It can harm your health.",
                    instruction=steps(
                        "Go indoors and stay there.",
                        "Close windows and doors. Turn off ventilation.",
                        "Keep the roads clear for the fire brigade.",
                        "You feel unwell? Call 112.",
                    ),
                ),
            },
        ),
    ),
    Ready(
        "trinkwasser",
        {"de": "Trinkwasser abkochen", "en": "Boil drinking water"},
        Content(
            category=(Category.HEALTH, Category.INFRA),
            urgency=Urgency.IMMEDIATE,
            severity=Severity.SEVERE,
            certainty=Certainty.LIKELY,
            response=(ResponseType.EXECUTE,),
            valid_for=1440,
            next_in=240,
            contact=CONTACT,
            texts={
                "de": Text(
                    event="Trinkwasser verunreinigt",
                    headline="Trinkwasser {place}: Kochen Sie das Wasser ab",
                    description=(
                        "Im Leitungswasser können Keime sein. Die Stadtwerke spülen das Netz und prüfen das Wasser."
                    ),
                    instruction=steps(
                        "Kochen Sie Leitungswasser drei Minuten sprudelnd ab, bevor Sie es trinken.",
                        "Nehmen Sie abgekochtes Wasser auch zum Zähneputzen und für Babynahrung.",
                        "Duschen und Wäsche waschen können Sie wie sonst.",
                    ),
                ),
                "de-simple": Text(
                    event="Trinkwasser verunreinigt",
                    headline="Wasser aus der Leitung: Kochen Sie es ab",
                    description="Das Wasser aus der Leitung ist nicht sauber.\nEs kann krank machen.",
                    instruction=steps(
                        "Kochen Sie das Wasser 3 Minuten lang. Dann können Sie es trinken.",
                        "Nehmen Sie auch zum Zähneputzen gekochtes Wasser.",
                        "Duschen ist erlaubt.",
                    ),
                ),
                "en": Text(
                    event="Drinking water polluted",
                    headline="Drinking water, {place}: boil it before use",
                    description=(
                        "There may be germs in the tap water. The waterworks are flushing and testing the network."
                    ),
                    instruction=steps(
                        "Boil tap water for three minutes before you drink it.",
                        "Use boiled water for brushing teeth and for baby food too.",
                        "You can shower and wash clothes as usual.",
                    ),
                ),
            },
        ),
    ),
    Ready(
        "unwetter",
        {"de": "Unwetter", "en": "Severe weather"},
        Content(
            category=(Category.MET,),
            urgency=Urgency.EXPECTED,
            severity=Severity.SEVERE,
            certainty=Certainty.LIKELY,
            response=(ResponseType.SHELTER, ResponseType.PREPARE),
            valid_for=360,
            next_in=180,
            contact=CONTACT,
            texts={
                "de": Text(
                    event="Schwerer Sturm",
                    headline="Schwerer Sturm, {place}: Bleiben Sie im Haus",
                    description="Ab {time} Uhr erwarten wir schwere Sturmböen. Bäume und Dachziegel können fallen.",
                    instruction=steps(
                        "Bleiben Sie im Haus. Meiden Sie Parks und Wald.",
                        "Räumen Sie Balkon und Garten leer.",
                        "Stellen Sie Ihr Auto nicht unter Bäume.",
                    ),
                ),
                "de-simple": Text(
                    event="Schwerer Sturm",
                    headline="Sturm: Bleiben Sie im Haus",
                    description="Es kommt ein starker Sturm.\nBäume können umfallen.",
                    instruction=steps("Bleiben Sie im Haus.", "Gehen Sie nicht in den Park oder in den Wald."),
                ),
                "en": Text(
                    event="Severe storm",
                    headline="Severe storm, {place}: stay indoors",
                    description="We expect severe gusts from {time}. Trees and roof tiles may fall.",
                    instruction=steps(
                        "Stay indoors. Keep out of parks and woods.",
                        "Clear your balcony and garden.",
                        "Do not park under trees.",
                    ),
                ),
            },
        ),
    ),
)

EXERCISE = Content(
    status="Exercise",
    category=(Category.SAFETY,),
    urgency=Urgency.IMMEDIATE,
    severity=Severity.EXTREME,
    certainty=Certainty.OBSERVED,
    response=(ResponseType.NONE,),
    valid_for=60,
    note="Übung: Die Stadt probt ihre Warnwege",
    texts={
        "de": Text(
            event="Bombenfund",
            headline="Bombenfund: Die Stadt probt ihre Warnwege",
            description="Die Stadt probt, ob ihre Warnungen ankommen.",
            instruction="Tun Sie nichts. Es ist eine Übung.",
        ),
        "de-simple": Text(
            event="Bombenfund",
            headline="Bombe gefunden: Das ist eine Übung",
            description="Die Stadt übt.\nEs ist nichts passiert.",
            instruction="Tun Sie nichts. Es ist eine Übung.",
        ),
        "en": Text(
            event="Bomb found",
            headline="Bomb found: the city tests its warnings",
            description="The city tests whether its warnings arrive.",
            instruction="Do nothing. It is an exercise.",
        ),
    },
)
