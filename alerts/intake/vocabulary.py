"""The words of the form in German and English, as officers type them; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..terms import Category, Certainty, Severity, Urgency
from .letters import spellings

LABELS: Mapping[str, Sequence[str]] = {
    "template": ("Vorlage", "Textvorlage", "Muster", "Template"),
    "status": ("Übung", "Exercise", "Test", "Drill", "Probe"),
    "severity": ("Stufe", "Warnstufe", "Gefahrenstufe", "Severity", "Level"),
    "urgency": ("Dringlichkeit", "Urgency"),
    "certainty": ("Gewissheit", "Certainty"),
    "category": ("Art", "Art der Gefahr", "Gefahrenart", "Kategorie", "Category", "Kind of danger"),
    "place": ("Ort", "Stelle", "Adresse", "Place", "Location", "Address"),
    "area": (
        "Gebiet", "Gebiete", "Warngebiet", "Gefahrengebiet", "Stadtteil", "Stadtteile", "Ortsteil", "Ortsteile",
        "Bezirk", "Bezirke", "Stadtbezirk", "Stadtbezirke", "Area", "Areas", "District", "Districts",
    ),
    "valid": (
        "Gültig", "Gültig bis", "Gültig für", "Gültigkeit", "Dauer", "Bis", "Valid",
        "Valid until", "Valid for", "Expires", "Until",
    ),
    "next": (
        "Nächste Meldung", "Nächste Information", "Nächstes Update", "Neue Meldung", "Next message", "Next update",
        "Next information",
    ),
    "facts": ("Stand", "Facts as of", "As of"),
    "onset": ("Beginn", "Beginnt", "Ab", "Begins", "Onset", "From"),
    "contact": ("Kontakt", "Auskunft", "Contact"),
    "web": ("Link", "Weitere Informationen", "More information", "Web"),
    "event": ("Ereignis", "Vorfall", "Event", "Incident"),
    "headline": ("Überschrift", "Titel", "Schlagzeile", "Headline", "Title"),
    "description": (
        "Text", "Beschreibung", "Was ist passiert", "Was ist los", "Lage", "Description", "What happened", "Situation",
    ),
    "instruction": (
        "Was tun", "Was ist zu tun", "Verhalten", "Verhaltenshinweise", "Handlungsempfehlung", "Handlungsempfehlungen",
        "Anweisung", "Anweisungen", "What to do", "Instruction", "Instructions", "Action",
    ),
    "short": ("Kurztext", "Kurzer Text", "Short text", "Short"),
}  # fmt: skip
"""Each field by its names; a field's first name is the one that Belfry prints."""

PRINTED = {
    "de": {field: names[0] for field, names in LABELS.items()},
    "en": {
        "template": "Template", "status": "Exercise", "severity": "Severity", "urgency": "Urgency",
        "certainty": "Certainty", "category": "Category", "place": "Place", "area": "Area", "valid": "Valid",
        "next": "Next message", "facts": "Facts as of", "onset": "Begins", "contact": "Contact", "web": "Link",
        "event": "Event", "headline": "Headline", "description": "Text", "instruction": "What to do",
        "short": "Short text",
    },
}  # fmt: skip

TEXTS = ("event", "headline", "description", "instruction", "short")
LONG = {"description", "instruction", "short"}
"""Fields that go on over several lines, until the next name."""

ENGLISH = {
    "event", "incident", "headline", "title", "description", "whathappened", "situation", "whattodo", "instruction",
    "instructions", "action", "shorttext", "short",
}  # fmt: skip
"""Folded names of texts that only a form in English has; "Event" is none of German's."""

LANGUAGES = {
    "de": "de", "deutsch": "de", "german": "de", "en": "en", "eng": "en", "englisch": "en", "english": "en",
    "ls": "de-simple", "leichtesprache": "de-simple", "einfachesprache": "de-simple", "desimple": "de-simple",
    "dels": "de-simple", "easylanguage": "de-simple", "plainlanguage": "de-simple", "fr": "fr", "französisch": "fr",
    "tr": "tr", "türkisch": "tr", "ar": "ar", "arabisch": "ar", "uk": "uk", "ukrainisch": "uk", "ru": "ru",
    "russisch": "ru", "pl": "pl", "polnisch": "pl", "es": "es", "it": "it", "fa": "fa", "ro": "ro", "vi": "vi",
    "cs": "cs", "nl": "nl",
}  # fmt: skip
"""Names of language blocks, folded, and the language each begins."""
SIGNS = {"de-simple": "LS"}
"""What a language block is printed as, where that isn't its key in capitals."""

SEVERITIES: Mapping[str, Sequence[str]] = {
    Severity.EXTREME: (
        "Extrem", "Extreme", "Extreme Gefahr", "Extreme danger", "sehr hoch", "very high",
        "Gefahrendurchsage",
    ),
    Severity.SEVERE: (
        "Groß", "Große Gefahr", "Schwer", "Schwere Gefahr", "Hoch", "Severe", "High", "Great", "Great danger",
        "Gefahrenmitteilung", "ernst",
    ),
    Severity.MODERATE: ("Mittel", "Mittlere Gefahr", "Mäßig", "Moderate", "Moderat", "Medium", "Medium danger"),
    Severity.MINOR: (
        "Gering", "Geringe Gefahr", "Niedrig", "Leicht", "Klein", "Minor", "Low", "Low danger", "Gefahreninformation",
    ),
    Severity.UNKNOWN: ("Unbekannt", "Unknown"),
}  # fmt: skip
URGENCIES: Mapping[str, Sequence[str]] = {
    Urgency.IMMEDIATE: ("Sofort", "Jetzt handeln", "Jetzt", "Immediate", "Act now", "Now"),
    Urgency.EXPECTED: ("Bald", "Binnen einer Stunde", "Expected", "Within the hour", "Act within the hour"),
    Urgency.FUTURE: ("Später", "Demnächst", "Future", "Later", "Act soon"),
    Urgency.PAST: ("Vorbei", "Past", "No longer needed"),
    Urgency.UNKNOWN: ("Unbekannt", "Unknown"),
}
CERTAINTIES: Mapping[str, Sequence[str]] = {
    Certainty.OBSERVED: ("Gesehen", "Sicher", "Beobachtet", "Observed", "Seen", "Certain"),
    Certainty.LIKELY: ("Wahrscheinlich", "Likely"),
    Certainty.POSSIBLE: ("Möglich", "Possible"),
    Certainty.UNLIKELY: ("Unwahrscheinlich", "Unlikely"),
    Certainty.UNKNOWN: ("Unbekannt", "Unknown"),
}
CATEGORIES: Mapping[str, Sequence[str]] = {
    Category.GEO: ("Geo", "Erde und Boden", "Erdbeben", "Erdrutsch", "Earth and ground"),
    Category.MET: ("Met", "Wetter", "Unwetter", "Hochwasser", "Weather"),
    Category.SAFETY: ("Safety", "Öffentliche Sicherheit", "Public safety", "Bombe", "Bombenfund"),
    Category.SECURITY: ("Security", "Polizei", "Polizei und Sicherheit", "Police and security", "Police"),
    Category.RESCUE: ("Rescue", "Rettung"),
    Category.FIRE: ("Fire", "Feuer", "Brand"),
    Category.HEALTH: ("Health", "Gesundheit"),
    Category.ENV: ("Env", "Umwelt", "Environment"),
    Category.TRANSPORT: ("Transport", "Verkehr", "Traffic"),
    Category.INFRA: ("Infra", "Strom, Wasser, Telefon", "Versorgung", "Power, water, telephone"),
    Category.CBRNE: ("CBRNE", "Gefahrstoffe", "Hazardous substances", "Chemie"),
    Category.OTHER: ("Other", "Anderes", "Sonstiges"),
}
TELLING: Sequence[tuple[str, Sequence[str]]] = (
    (r"bombe|munition|blindg|bomb|evakuier|evacuat", (Category.SAFETY,)),
    (r"trinkwasser|drinking water|leitungswasser|tap water", (Category.HEALTH, Category.INFRA)),
    (r"gas|chemi|gefahrstoff|giftig|säure|chlor|ammoniak|strahl|radioak|hazardous|toxic", (Category.CBRNE,)),
    (r"brand\b|brände|feuer|fire|rauch|smoke", (Category.FIRE,)),
    (r"sturm|unwetter|orkan|gewitter|hitze|glätte|schnee|hochwasser|starkregen|storm|flood|heat|snow", (Category.MET,)),
    (r"stromausfall|blackout|power (?:cut|outage|failure)|notruf|telefon|fernwärme|wasserrohr", (Category.INFRA,)),
    (r"amok|anschlag|geisel|schuss|schüsse|bewaffnet|attack|armed|hostage|shooting", (Category.SECURITY,)),
    (r"erdbeben|erdrutsch|earthquake|landslide", (Category.GEO,)),
    (r"seuche|infektion|keime|epidem|outbreak", (Category.HEALTH,)),
    (r"entgleis|zugunglück|autobahn|derail|train crash", (Category.TRANSPORT,)),
)
"""What an event's words tell of its category."""

GAPS: Mapping[str, Sequence[str]] = {
    "street": ("Straße", "Street"),
    "district": ("Stadtteil", "District"),
    "radius": ("Radius", "Umkreis"),
    "time": ("Uhrzeit", "Zeit", "Time"),
    "until": ("Bis wann", "Until when"),
    "weight": ("Gewicht", "Weight"),
    "people": ("Personen", "Menschen", "Wie viele Menschen", "People", "How many people"),
    "shelter": ("Notunterkunft", "Unterkunft", "Shelter", "Emergency shelter"),
    "shelters": ("Notunterkünfte", "Unterkünfte", "Shelters", "Emergency shelters"),
    "substance": ("Stoff", "Substance"),
    "phone": ("Telefon", "Telephone", "Phone"),
    "reason": ("Grund", "Reason"),
    "name": ("Name",),
}
"""Names of gaps besides those that the desk shows."""


def index(words: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Every spelling of every name, to its key."""
    return {spelling: key for key, names in words.items() for name in names for spelling in spellings(name)}


FIELD_BY_NAME = index(LABELS)
ENGLISH_NAMES = {
    "template", "exercise", "drill", "severity", "level", "urgency", "certainty", "category", "kindofdanger", "place",
    "location", "address", "area", "areas", "district", "districts", "valid", "validuntil", "validfor", "expires",
    "until", "nextmessage", "nextupdate", "nextinformation", "factsasof", "asof", "begins", "onset", "from", "contact",
    "moreinformation",
} | ENGLISH  # fmt: skip
"""Folded names that only a form in English has."""
