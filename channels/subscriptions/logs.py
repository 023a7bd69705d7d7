"""Keeps residents' words out of the log: Django writes the path of a request that failed, and the word stands in it."""

from __future__ import annotations

import logging
import re

_word = re.compile(r"(/s/[a-z]+/)[^\s/?\"']{8,}")


class WithoutWords(logging.Filter):
    """For the handlers of settings.LOGGING: ``/s/manage/<word>/`` is written as ``/s/manage/…/``."""

    def filter(self, record: logging.LogRecord) -> bool:
        if "/s/" in (said := record.getMessage()):
            record.msg, record.args = _word.sub(r"\1…", said), None
        return True
