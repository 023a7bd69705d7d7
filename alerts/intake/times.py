"""Durations and times as people type them in German and English; pure."""

from __future__ import annotations

import datetime as dt
import re

MOST_MINUTES = 60 * 24 * 60
_LONGEST = 80

_NUMBERS = {
    "ein": 1.0, "eine": 1.0, "einen": 1.0, "einer": 1.0, "a": 1.0, "an": 1.0, "one": 1.0, "zwei": 2.0, "two": 2.0,
    "drei": 3.0, "three": 3.0, "vier": 4.0, "four": 4.0, "fünf": 5.0, "fuenf": 5.0, "five": 5.0, "sechs": 6.0,
    "six": 6.0, "sieben": 7.0, "seven": 7.0, "acht": 8.0, "eight": 8.0, "neun": 9.0, "nine": 9.0, "zehn": 10.0,
    "ten": 10.0, "zwölf": 12.0, "zwoelf": 12.0, "twelve": 12.0, "anderthalb": 1.5, "eineinhalb": 1.5, "½": 0.5,
    "halbe": 0.5, "half": 0.5, "eine halbe": 0.5, "half an": 0.5, "half a": 0.5, "1½": 1.5, "2½": 2.5,
    "zweieinhalb": 2.5,
}  # fmt: skip
_UNITS = {"m": 1, "h": 60, "s": 60, "t": 1440, "d": 1440, "w": 10080}
_COUNT = r"\d{1,4}(?:[.,]\d{1,2})?|" + "|".join(sorted(map(re.escape, _NUMBERS), key=len, reverse=True))
_UNIT = r"minuten?|minutes?|mins?|m|stunden?|std|hours?|hrs?|hr|h|tage?n?|days?|d|wochen?|weeks?"
_PIECE = re.compile(rf"(?P<count>{_COUNT})\s*(?P<unit>{_UNIT})(?![a-zäöü])\.?")
_CLOCK_LENGTH = re.compile(r"(\d{1,3})\s*(?:h|:)\s*(\d{2})\s*(h|std\.?|stunden|hours|hrs|m|min\.?)?")

_MONTHS = [
    ("jan", "jän"), ("feb",), ("mär", "mar", "maer"), ("apr",), ("mai", "may"), ("jun",), ("jul",), ("aug",), ("sep",),
    ("okt", "oct"), ("nov",), ("dez", "dec"),
]  # fmt: skip
_DAYS = {"heute": 0, "today": 0, "tonight": 0, "morgen": 1, "tomorrow": 1, "übermorgen": 2, "uebermorgen": 2}
_WEEKDAYS = [
    ("montag", "monday"), ("dienstag", "tuesday"), ("mittwoch", "wednesday"), ("donnerstag", "thursday"),
    ("freitag", "friday"), ("samstag", "sonnabend", "saturday"), ("sonntag", "sunday"),
]  # fmt: skip
_HOUR = re.compile(
    r"(?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2}))?\s*(?P<half>[ap]\.?\s?m\.?)?\s*(?P<clock>uhr|h|o'?clock)?"
    r"(?:\s*(?P<after>\d{2}))?"
)
_UNTIL = re.compile(r"^(?:bis(?: zum| um| ca\.?| etwa)?|until|till?|by|um|at|ab|gegen|spätestens|around)\s+")
_BETWEEN = re.compile(r"^(?:,|um\b|at\b|früh|frueh|abends?|nachmittags?|vormittags?|-|\s)+")
_FOR = re.compile(r"^(?:für|fuer|for|in|within|noch|another|ca\.?|etwa|rund|about|circa|die nächsten|the next)\s+")


def duration(text: str) -> int | None:
    """``4 Stunden``, ``2h30``, ``1,5 h``, ``half an hour`` as minutes, or None where it is no duration."""
    text = _plain(text)
    while (shorter := _FOR.sub("", text)) != text:
        text = shorter
    clock = _CLOCK_LENGTH.fullmatch(text)
    if clock and ("h" in text or clock[3]):
        return _whole(int(clock[1]) * 60 + int(clock[2]))
    minutes, at = 0.0, 0
    for piece in _PIECE.finditer(text):
        if text[at : piece.start()].strip(" ,;") not in {"", "und", "and", "&", "+"}:
            return None
        count = piece["count"]
        number = _NUMBERS[count] if count in _NUMBERS else float(count.replace(",", "."))
        minutes += number * _UNITS[piece["unit"][0]]
        at = piece.end()
    return _whole(minutes) if at and not text[at:].strip(" .") else None


def _whole(minutes: float) -> int | None:
    return round(minutes) if 0 < minutes <= MOST_MINUTES else None


def moment(text: str, now: dt.datetime) -> dt.datetime | None:
    """``bis 18 Uhr``, ``6 pm``, ``morgen 8:30``, ``24.12. 18 Uhr``, ISO 8601, in the zone of ``now``; or None.

    A time alone is the next one of its kind; a day alone means its end.
    """
    text = _plain(text)
    until = False
    while (shorter := _UNTIL.sub("", text)) != text:
        text, until = shorter, True
    try:
        exact = dt.datetime.fromisoformat(text.upper()) if re.match(r"\d{4}-\d\d-\d\d[t ]\d\d:\d\d", text) else None
        if exact is not None:
            return exact if exact.tzinfo else exact.replace(tzinfo=now.tzinfo)
        day, rest = _day(text, now)
        rest = re.sub(
            r"^(?:,|um|at|früh|frueh|abend|abends|nachmittag|vormittag|mittag(?= \d)|-|\s)+", "", rest
        ).strip()
        clock = _clock(f"{rest} uhr" if until and rest.isdecimal() else rest)
        if day is None and clock is None:
            return None
        hour, minute, next_day = clock or (23, 59, 0)
        if clock is None and rest:
            return None
        found = dt.datetime.combine(day or now.date(), dt.time(hour, minute), tzinfo=now.tzinfo)
        found += dt.timedelta(days=next_day)
        return found + dt.timedelta(days=1) if day is None and found <= now else found
    except (ValueError, OverflowError):
        return None


def _day(text: str, now: dt.datetime) -> tuple[dt.date | None, str]:
    """The day that a text names, and what is left of it."""
    today = now.date()
    for word, days in _DAYS.items():
        if found := re.search(rf"(?<!\w){word}(?!\w)", text):
            return today + dt.timedelta(days=days), _without(text, found)
    for number, names in enumerate(_WEEKDAYS):
        if found := re.search(rf"(?<!\w)(?:{'|'.join(names)})(?!\w)", text):
            ahead = (number - today.weekday()) % 7
            rest = _without(text, found)
            dated, left = _day(rest, now)
            return (dated, left) if dated else (today + dt.timedelta(days=ahead), rest)
    if found := re.search(r"(?<!\d)(\d{4})-(\d\d)-(\d\d)(?!\d)", text):
        return dt.date(int(found[1]), int(found[2]), int(found[3])), _without(text, found)
    if found := re.search(r"(?<![\d.])(\d{1,2})\.\s?(\d{1,2})\.(?:\s?(\d{4}|\d{2})(?![\d:.]|\s?uhr))?", text):
        return _date(int(found[1]), int(found[2]), found[3], today), _without(text, found)
    for number, names in enumerate(_MONTHS, 1):
        name = rf"(?:{'|'.join(names)})[a-zäöü]*\.?"
        found = re.search(rf"(?<!\d)(\d{{1,2}})(?:\.|st|nd|rd|th)?\s+{name}(?:,?\s+(\d{{4}}))?(?!\w)", text)
        found = found or re.search(rf"(?<!\w){name}\s+(\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s+(\d{{4}}))?(?![\w:])", text)
        if found:
            return _date(int(found[1]), number, found[2], today), _without(text, found)
    return None, text


def _without(text: str, found: re.Match[str]) -> str:
    return f"{text[: found.start()]} {text[found.end() :]}".strip(" ,")


def _date(day: int, month: int, year: str | None, today: dt.date) -> dt.date:
    """A date; without a year, the one that comes."""
    if year:
        return dt.date(int(year) + (2000 if len(year) == 2 else 0), month, day)
    found = dt.date(today.year, month, day)
    return found if found >= today else dt.date(today.year + 1, month, day)


def _clock(text: str) -> tuple[int, int, int] | None:
    """Hour, minute and 1 where the next day is meant (24 Uhr, midnight)."""
    if text in {"mitternacht", "midnight"}:
        return 0, 0, 1
    if text in {"mittag", "noon", "12 noon", "mittags"}:
        return 12, 0, 0
    found = _HOUR.fullmatch(text)
    if found is None or (found["after"] and not found["clock"]):
        return None
    if not (found["minute"] or found["half"] or found["clock"]):
        return None
    hour, minute = int(found["hour"]), int(found["minute"] or found["after"] or 0)
    if half := found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    if hour == 24 and minute == 0:
        return 0, 0, 1
    return (hour, minute, 0) if hour < 24 and minute < 60 else None


def _plain(text: str) -> str:
    return " ".join(text[:_LONGEST].lower().replace("–", "-").split()).strip(" .!\"'")
