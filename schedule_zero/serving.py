"""``schedule-zero handler MODULE:OBJECT``: one handler as a process of its own.

Needs nothing but this package, so that an author of handlers installs the kit alone.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import inspect
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from schedule_zero.curve import open_key_file
from schedule_zero.errors import ScheduleZeroError
from schedule_zero.handler import Handler, methods_of
from schedule_zero.keyfile import WrongKeyFile
from schedule_zero.worker import CONCURRENCY, Worker

CORE: Final = "tcp://127.0.0.1:4242"
FAILED: Final = 1
WRONG_INPUT: Final = 2


class WrongInput(Exception):
    """What was written on the command line is wrong; the sentence says what and the remedy."""


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM or SIGINT, then finish what is held; the exit code."""
    asked = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s", stream=sys.stderr)
    try:
        return serve(
            asked.object, core=asked.core, name=asked.name, concurrency=asked.concurrency, token=asked.token,
            key=asked.key,
        )  # fmt: skip
    except WrongKeyFile as error:
        sys.stderr.write(f"{error.sentence}\n")
        return WRONG_INPUT
    except WrongInput as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_INPUT
    except ScheduleZeroError as error:
        sys.stderr.write(f"{error.sentence}\n")
        return FAILED


def serve(
    place: str, *, core: str, name: str | None, concurrency: int, token: str | None, key: Path | None = None
) -> int:
    """Load a handler and serve it to a core. ``key``: its key file.

    Raises:
        WrongInput: there is no handler of that name.
        WrongKeyFile: the key file is none.
        Refused: the core does not admit it.
    """
    keys = None if key is None else open_key_file(key)
    worker = Worker(load(place), core, name=name, concurrency=concurrency, token=token, keys=keys)
    asyncio.run(_until_told(worker))
    return 0


async def _until_told(worker: Worker) -> None:
    loop = asyncio.get_running_loop()
    leaving: list[asyncio.Task[None]] = []

    def leave(number: int) -> None:  # whoever signals twice means it
        loop.remove_signal_handler(number)
        leaving.append(loop.create_task(worker.drain(), name="drain"))

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, leave, number)
    await worker.run()


def load(place: str) -> Handler:
    """The handler at ``module:object``: a Handler class, an object of one, or a function. The working folder counts.

    Raises:
        WrongInput: nothing there, or nothing that could be served.
    """
    module_name, colon, name = place.partition(":")
    if not (module_name and colon and name):
        raise WrongInput(f"{place!r} names no handler; write it as MODULE:OBJECT, for example reports:Reports")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise WrongInput(f"{module_name} cannot be imported ({error}); the working folder is searched first") from error
    found = getattr(module, name, None)
    if found is None:
        raise WrongInput(f"{module_name} has no {name}; it has {', '.join(_offers(module)) or 'no handler at all'}")
    return _as_handler(found, place)


def _as_handler(found: Any, place: str) -> Handler:
    if inspect.isclass(found) and issubclass(found, Handler):
        try:
            found = found()
        except TypeError as error:
            raise WrongInput(
                f"{place} needs arguments ({error}); make an object in the module, and name that"
            ) from error
    if not isinstance(found, Handler):
        raise WrongInput(f"{place} is no Handler; write a class that inherits schedule_zero.Handler")
    if not methods_of(found):
        raise WrongInput(f"{place} has no methods; mark them with @method()")
    return found


def _offers(module: Any) -> list[str]:
    return [
        name for name, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Handler) and kind is not Handler
    ]  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="schedule-zero handler", description="Serve one handler to a core.")
    parser.add_argument("object", metavar="MODULE:OBJECT", help="a Handler class, or an object of one")
    parser.add_argument("--core", default=CORE, metavar="ADDR", help="where the core listens (default: %(default)s)")
    parser.add_argument("--name", help="the name schedules address (default: the class name in lower case)")
    parser.add_argument(
        "--concurrency", type=_count, default=CONCURRENCY, metavar="N", help="runs at once (default: %(default)s)"
    )
    parser.add_argument(
        "--key", type=Path, metavar="FILE", help="the key file; with the core's key in it the connection is encrypted"
    )
    parser.add_argument("--token", help="a token, where the core asks for one; also a line of the key file")
    return parser


def _count(text: str) -> int:
    if not (text.isdigit() and 1 <= int(text) <= 4096):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 4096")
    return int(text)
