"""Errors as the command line says them: lines for standard error, and the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from core.config import ConfigErrors
from core.ledger.port import StoreError
from core.listening import CannotListen
from core.processes.port import ProcessError
from schedule_zero.errors import FieldError, Invalid, ReadingOffer, ScheduleZeroError

FAILED = 1
WRONG_INPUT = 2
_TOO_MANY: Final = "Got unexpected extra argument"  # click's words


class Failed(Exception):
    """A command cannot do what it was asked to; the sentence says why and what to do."""


class WrongInput(Exception):
    """What was written on the command line, or in a file it names, is wrong."""


def explain(error: Exception) -> tuple[list[str], int] | None:
    """What to say about an error, and how to exit; None for one that nobody foresaw."""
    if isinstance(error, click.ClickException):
        return _usage(error), error.exit_code
    if isinstance(error, ConfigErrors):
        return [str(mistake) for mistake in error.mistakes], WRONG_INPUT
    if isinstance(error, Invalid):
        return [*mistakes(error.sentence, error.errors), *(_offer(reading) for reading in error.readings)], WRONG_INPUT
    if isinstance(error, ScheduleZeroError):
        return [error.sentence], WRONG_INPUT if error.status == 400 else FAILED
    if isinstance(error, WrongInput):
        return [str(error)], WRONG_INPUT
    if isinstance(error, (Failed, StoreError, CannotListen, ProcessError)):
        return [str(error)], FAILED
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return [f"{place}{error.strerror.lower()}"], FAILED
    return None


def mistakes(sentence: str, errors: Sequence[FieldError]) -> list[str]:
    """Every field that is wrong, a line each; the sentence itself tells of the first, and how many more there are."""
    if len(errors) < 2:
        return [sentence]
    return [f"{each.field}: {each.message}" if each.field else each.message for each in errors]


def _usage(error: click.ClickException) -> list[str]:
    sentence = " ".join(error.format_message().split()).rstrip(".")  # words to choose from stand on lines of their own
    if sentence.startswith(_TOO_MANY):  # it goes on with all of them, and a * has become every file there is
        sentence = "There are more words than it takes; put a text of several words, or with a *, in quotes"
    context = error.ctx if isinstance(error, click.UsageError) else None
    return [f"{sentence} (see '{context.command_path} --help')" if context is not None else sentence]


def _offer(reading: ReadingOffer) -> str:
    following = f", next {reading.next}" if reading.next else ""
    words = f": {reading.words}" if reading.words != reading.text else ""
    return f"  {reading.text}{words}{following}"
