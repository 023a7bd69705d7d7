"""The fixed words of CAP 1.2 and of Belfry, with the names officers and residents read."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Status(TextChoices):
    """CAP 1.2 ``status``: what kind of message this is. *System* and *Draft* are never sent."""

    ACTUAL = "Actual", _("Actual")
    EXERCISE = "Exercise", _("Exercise")
    TEST = "Test", _("Test")


class MsgType(TextChoices):
    """CAP 1.2 ``msgType`` of what Belfry sends."""

    ALERT = "Alert", _("Alert")
    UPDATE = "Update", _("Update")
    CANCEL = "Cancel", _("Cancel")


class Kind(TextChoices):
    """What a message is for its readers; ``MSG_TYPE`` tells its CAP type."""

    WARNING = "warning", _("Warning")
    UPDATE = "update", _("Update")
    CORRECTION = "correction", _("Correction")
    FALSE_ALARM = "false-alarm", _("False alarm")
    ALL_CLEAR = "all-clear", _("All-clear")


MSG_TYPE = {
    Kind.WARNING: MsgType.ALERT,
    Kind.UPDATE: MsgType.UPDATE,
    Kind.CORRECTION: MsgType.UPDATE,
    Kind.FALSE_ALARM: MsgType.CANCEL,
    Kind.ALL_CLEAR: MsgType.CANCEL,
}


class Category(TextChoices):
    GEO = "Geo", _("Earth and ground")
    MET = "Met", _("Weather")
    SAFETY = "Safety", _("Public safety")
    SECURITY = "Security", _("Police and security")
    RESCUE = "Rescue", _("Rescue")
    FIRE = "Fire", _("Fire")
    HEALTH = "Health", _("Health")
    ENV = "Env", _("Environment")
    TRANSPORT = "Transport", _("Transport")
    INFRA = "Infra", _("Power, water, telephone")
    CBRNE = "CBRNE", _("Hazardous substances")
    OTHER = "Other", _("Other")


class Urgency(TextChoices):
    IMMEDIATE = "Immediate", _("Act now")
    EXPECTED = "Expected", _("Act within the hour")
    FUTURE = "Future", _("Act soon")
    PAST = "Past", _("No longer needed")
    UNKNOWN = "Unknown", _("Not known")


class Severity(TextChoices):
    EXTREME = "Extreme", _("Extreme danger")
    SEVERE = "Severe", _("Great danger")
    MODERATE = "Moderate", _("Medium danger")
    MINOR = "Minor", _("Low danger")
    UNKNOWN = "Unknown", _("Danger not known")


# Unknown counts as Severe (DESIGN, matching): what nobody has judged yet may be bad.
SEVERITY_RANK = {
    Severity.EXTREME: 3,
    Severity.SEVERE: 2,
    Severity.UNKNOWN: 2,
    Severity.MODERATE: 1,
    Severity.MINOR: 0,
}


class Certainty(TextChoices):
    OBSERVED = "Observed", _("Seen")
    LIKELY = "Likely", _("Likely")
    POSSIBLE = "Possible", _("Possible")
    UNLIKELY = "Unlikely", _("Unlikely")
    UNKNOWN = "Unknown", _("Not known")


class ResponseType(TextChoices):
    SHELTER = "Shelter", _("Take shelter")
    EVACUATE = "Evacuate", _("Leave the area")
    PREPARE = "Prepare", _("Get ready")
    EXECUTE = "Execute", _("Carry out a plan")
    AVOID = "Avoid", _("Stay away")
    MONITOR = "Monitor", _("Stay informed")
    ASSESS = "Assess", _("Judge for yourself")
    ALL_CLEAR = "AllClear", _("All-clear")
    NONE = "None", _("Nothing to do")


def ui_language(language: str) -> str:
    """The interface language whose words frame a text: ``de-simple`` reads German words."""
    return language.split("-", 1)[0]


def language_name(language: str) -> str:
    """How a language calls itself, for switches and headings."""
    return {"de": "Deutsch", "de-simple": "Leichte Sprache", "en": "English"}.get(language, language)


def direction(language: str) -> str:
    """``rtl`` for scripts that run from right to left, else ``ltr``; the value of HTML's ``dir``."""
    return "rtl" if language.split("-", 1)[0] in {"ar", "fa", "he", "ps", "ur"} else "ltr"
