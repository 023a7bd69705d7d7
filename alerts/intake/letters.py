"""Bytes of a mail as letters: charsets recovered, what hides or reorders text taken out, names folded; pure."""

from __future__ import annotations

import codecs
import re
import unicodedata

LONGEST_MARKS = 8
"""Accents that one letter keeps: more are decoration, and sorting them takes time that grows with the square."""

JOINERS = "\u200c\u200d"
BREAKS = {ord(letter): "\n" for letter in "\v\f\x1c\x1d\x1e\x85\u2028\u2029"}
UMLAUTS = {ord("ä"): "ae", ord("ö"): "oe", ord("ü"): "ue"}
STATEFUL = {"utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "hz", "iso2022_kr"}
"""Charsets whose bytes read as UTF-8 too, and as nonsense: with these the declaration goes first."""
# A list of what is taken, since Python has codecs that unpack, that hang (idna) and that run escapes; and no UTF-7,
# in which a filter and a reader see different words.
SINGLE = {f"iso8859-{number}" for number in range(1, 17)} | {f"cp125{number}" for number in range(9)}
SINGLE |= {"ascii", "cp437", "cp850", "cp852", "cp866", "cp874", "koi8-r", "koi8-u", "mac-roman", "tis-620"}
EASTERN = {"big5", "big5hkscs", "cp950", "gb2312", "gbk", "gb18030", "euc_jp", "euc_kr", "shift_jis", "cp932", "cp949"}
CODECS = SINGLE | EASTERN | STATEFUL | {"utf-8", "utf-8-sig"}


def decode(raw: bytes, declared: str = "") -> str:
    """``raw`` as text: as UTF-8 where it is that, else as declared, else as Windows' Latin; never raises."""
    codec = _codec(declared)
    tries = ["utf-8-sig", codec]
    if codec in STATEFUL or codec.startswith("iso2022_jp"):
        tries.reverse()
    for name in tries:
        if name:
            try:
                return raw.decode(name)
            except UnicodeError:
                continue
    return raw.decode("cp1252", "replace")


def _codec(declared: str) -> str:
    """The codec of a declared charset, or nothing where it is unknown or not taken."""
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,40}", declared):
        return ""
    try:
        name = codecs.lookup(declared).name
    except LookupError:
        return ""
    return name if name in CODECS or name.startswith("iso2022_jp") else ""


def clean(text: str) -> str:
    """Lines that end in a line feed, in NFC, without control characters and without what hides or reorders text."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(BREAKS)
    letters = set(text)
    drop = {ord(letter): None for letter in letters if _hidden(letter)}
    if drop:
        text = text.translate(drop)
    marks = "".join(re.escape(letter) for letter in sorted(letters) if unicodedata.combining(letter))
    if marks:
        text = re.sub(rf"([{marks}]{{{LONGEST_MARKS}}})[{marks}]+", r"\1", text)
    return unicodedata.normalize("NFC", text)


def _hidden(letter: str) -> bool:
    return letter not in "\n\t" and letter not in JOINERS and unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Co"}


def one_line(text: str, most: int) -> str:
    """``text`` cleaned, on one line, at most ``most`` characters."""
    return " ".join(clean(text[: 4 * most]).split())[:most]


def fold(text: str) -> str:
    """A name for comparing: ``Gültig bis`` and ``GUELTIG-BIS`` are both ``gueltigbis``."""
    return _bare(unicodedata.normalize("NFKC", text[:200]).casefold().translate(UMLAUTS))


def spellings(text: str) -> set[str]:
    """``fold`` of a name, and what is left of it on a keyboard without umlauts."""
    return {fold(text), _bare(unicodedata.normalize("NFKC", text[:200]).casefold())}


def _bare(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if letter.isalnum())
