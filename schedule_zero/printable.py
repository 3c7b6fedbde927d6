"""Text of strangers on a line of a log or a terminal."""

from __future__ import annotations

import logging


def printable(text: str) -> str:
    """Text without control characters, so that it cannot steer the terminal nor begin a line of its own."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


class OneLine(logging.Formatter):
    """Writes each message on one line, whatever stands in it; a traceback follows on lines of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is the library's
        return printable(super().formatMessage(record))
