"""``schedule-zero handler MODULE:OBJECT``: one handler as a process of its own.

Needs nothing but this package, so that an author of handlers installs the kit alone.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from schedule_zero.errors import Invalid, ScheduleZeroError
from schedule_zero.handler import Handler, methods_of, name_of
from schedule_zero.printable import OneLine
from schedule_zero.process.interrupts import meant_for_the_process
from schedule_zero.process.leaving import Leaving, leave_at_once
from schedule_zero.process.loading import NAME, WrongInput, load, said
from schedule_zero.process.notify import Notifier
from schedule_zero.process.reloading import Reloading
from schedule_zero.process.slots import Slots
from schedule_zero.process.worker import CONCURRENCY, DRAIN_S, Refused, Worker, new_instance
from schedule_zero.transport.connecting import check_address
from schedule_zero.transport.curve import open_key_file
from schedule_zero.transport.keyfile import WrongKeyFile

CORE: Final = "tcp://127.0.0.1:4242"
FAILED: Final = 1
WRONG_INPUT: Final = 2
log = logging.getLogger("schedule_zero.process.serving")


def main(arguments: Sequence[str], prog: str = "schedule-zero handler") -> int:
    """Serve until SIGTERM or SIGINT, then finish what is held; the exit code. ``prog``: how the command was called."""
    asked = _parser(prog).parse_args(arguments)
    level = logging.DEBUG if asked.debug else logging.INFO
    logging.basicConfig(level=level, handlers=[_screen()])
    again = Reloading(Path.cwd()) if asked.reload else None
    leaving, code = Leaving(), 0
    try:
        leaving.run(_serve(_serving(asked), again))
    except (WrongInput, ScheduleZeroError) as error:
        if asked.debug:
            log.exception("where it was raised:")
        sys.stderr.write(f"{error}\n")
        code = WRONG_INPUT if isinstance(error, WrongInput | WrongKeyFile | Invalid) else FAILED
    if again is not None and (code or again.changed):
        log.info("%s changed: starting anew", again.changed or again.wait())
        again.start_anew()
    return leaving.end(code)


def _screen() -> logging.Handler:
    screen = logging.StreamHandler(sys.stderr)
    screen.setFormatter(OneLine("%(asctime)s %(levelname)-7s %(message)s"))
    return screen


def _serving(asked: argparse.Namespace) -> Serving:
    cores = _addresses(asked.core or [CORE])
    keys = None if asked.key is None else open_key_file(asked.key)
    handler = load(asked.object, name=asked.name)
    slots, instance = Slots(asked.concurrency), new_instance()
    workers = [
        Worker(handler, core, name=asked.name, token=asked.token, keys=keys, slots=slots, instance=instance,
               capabilities=asked.capability)
        for core in cores
    ]  # fmt: skip
    return Serving(handler, workers, asked.drain)


def script() -> int:
    """``schedule-zero-handler``, as the kit's own distribution installs it."""
    return main(sys.argv[1:], "schedule-zero-handler")


class Serving:
    """One handler, served to every core that was named: started once, stopped once."""

    def __init__(self, handler: Handler, workers: Sequence[Worker], drain_s: float = DRAIN_S) -> None:
        """``drain_s``: how long what runs may take to end when the process is told to."""
        self._drain_s = drain_s
        self._handler = handler
        self._workers = workers
        for worker in workers:
            worker.serve_beside(workers)
        self._draining: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serve until ``leave`` was called and everything is answered, or no core admits the handler.

        Raises:
            Refused: the last core that was left refused it.
        """
        names = ", ".join(methods_of(self._handler))
        log.info(
            "%s (%s): connecting to %s", name_of(self._handler), names, ", ".join(w.address for w in self._workers)
        )
        try:
            await self._handler.start()
        except (Exception, SystemExit) as error:  # whatever the author's code raises
            if meant_for_the_process(error):
                raise
            raise WrongInput(f"the handler could not start: {said(error)}") from error
        try:
            await self._serve()
        finally:
            try:
                await self._handler.stop()
            except (Exception, SystemExit) as error:  # it must not hide how the work itself ended
                if meant_for_the_process(error):
                    raise
                log.error("the handler could not stop: %s", said(error))

    def tell_silences(self, tell: Callable[[float], None]) -> None:
        """Tell this one from now on how long what runs may keep the process from beating: see ``Silences``."""
        for worker in self._workers:
            worker.silences.tell = tell

    def leave(self) -> None:
        """Take nothing new, and end when what runs is done."""
        if self._draining is None:
            log.info("stopping: what runs may end")
            self._draining = asyncio.create_task(self._drain(), name="drain")

    async def known(self) -> str:
        """Until a core knows the handler; that core's address."""
        waits = {asyncio.create_task(worker.welcomed.wait()): worker for worker in self._workers}
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return waits[done.pop()].address
        finally:
            for wait in waits:
                wait.cancel()

    async def _serve(self) -> None:
        left = {asyncio.create_task(worker.serve(), name=worker.address): worker for worker in self._workers}
        try:
            while left:
                done, _ = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    worker = left.pop(task)
                    try:
                        task.result()
                    except Refused as error:
                        if not left:
                            raise
                        log.error("the core at %s refuses this handler: %s", worker.address, error.sentence)
        finally:
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _drain(self) -> None:
        await asyncio.gather(*(worker.drain(self._drain_s) for worker in self._workers))


async def _serve(serving: Serving, again: Reloading | None) -> None:
    _leave_on_signals(serving)
    if again is not None:
        watching = asyncio.create_task(again.watch(), name="reload")
        watching.add_done_callback(lambda task: None if task.cancelled() else serving.leave())
    notifier = Notifier()
    serving.tell_silences(notifier.may_be_silent)
    async with notifier.beating():
        telling = asyncio.create_task(_tell_when_known(serving, notifier), name="telling when known")
        try:
            await serving.run()
        finally:
            telling.cancel()


async def _tell_when_known(serving: Serving, notifier: Notifier) -> None:
    notifier.status("no core knows this handler yet")
    notifier.ready(f"known to the core at {await serving.known()}")


def _leave_on_signals(serving: Serving) -> None:
    """The first signal asks; whoever sends a second one means it."""
    loop = asyncio.get_running_loop()
    asked: list[int] = []

    def ask(number: int) -> None:
        if asked:
            log.warning("stopping at once: what runs is left unfinished")
            leave_at_once(128 + number)
        asked.append(number)
        serving.leave()

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, ask, number)
        except NotImplementedError:  # Windows: a plain handler, which wakes the loop by itself
            signal.signal(number, lambda got, _: loop.call_soon_threadsafe(ask, got))


def _addresses(texts: Sequence[str]) -> list[str]:
    """Every core's address once; several stand in one text with commas between, or in texts of their own."""
    found = [address.strip() for text in texts for address in text.split(",") if address.strip()]
    for address in found:
        if not address.startswith(("tcp://", "ipc://")):
            raise WrongInput(f"--core {address!r}: write an address such as {CORE}")
        try:
            check_address(address)
        except ValueError as error:
            raise WrongInput(f"--core {error}") from None
    return list(dict.fromkeys(found)) or [CORE]


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description="Serve one handler to a core.")
    parser.add_argument("object", metavar="MODULE:OBJECT", help="a Handler class, or an object of one")
    parser.add_argument(
        "--core", action="append", metavar="ADDR",
        help=f"where a core listens for handlers; several with commas, or again --core (default: {CORE})",
    )  # fmt: skip
    parser.add_argument("--name", help="the name schedules address (default: the class name in lower case)")
    parser.add_argument(
        "--capability", action="append", default=[], type=_word, metavar="WORD",
        help="what this process has that others of the name may not have, for schedules that need it; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--concurrency", type=_count, default=CONCURRENCY, metavar="N",
        help="runs at once, of all cores together (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--drain", type=_seconds, default=DRAIN_S, metavar="SECONDS",
        help="how long what runs may take to end when this process is told to; then it is cancelled (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--reload", action="store_true", help="for development: start anew when a file of the working folder changes"
    )
    parser.add_argument(
        "--key", type=Path, metavar="FILE", help="the key file; with the core's key in it the connection is encrypted"
    )
    parser.add_argument("--token", help="a token, where the core asks for one; also a line of the key file")
    parser.add_argument("--debug", action="store_true", help="tell more, and show where errors were raised")
    return parser


def _word(text: str) -> str:
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no word of letters, digits, '_', '.' and '-'")
    return text


def _count(text: str) -> int:
    if not (text.isdigit() and 1 <= int(text) <= 4096):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 4096")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is no time from 0 to 86400 seconds")
    return seconds
