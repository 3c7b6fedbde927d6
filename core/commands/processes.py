"""``schedule-zero processes``: brings up a governor in a process of its own, or asks the one that runs."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import click
import msgspec

from core.commands.explain import Failed, WrongInput
from core.commands.output import one_line, say_json, say_table
from core.commands.process_plan import Plan, search_path
from core.file_lock import FileLock, Held
from core.log_settings import LogSettings
from core.logs import configure
from core.processes.control import Remote
from core.processes.deployments import Deployments, refuse_others
from core.processes.governor import ProcessGovernor
from core.processes.keeper import usage
from core.processes.output import tail
from core.processes.places import Places, control_in
from core.processes.port import ChildStatus, GovernorStatus, Health, ProcessError
from core.processes.record import Record, read_record
from core.processes.settings import HandlerProcess

UP_S: Final = 20.0
"""Seconds a governor may take until it takes orders; its children take longer."""
TURN_S: Final = 0.02
SLACK_S: Final = 10.0
T = TypeVar("T")


def start(plan: Plan, words: tuple[str, ...]) -> None:
    """Start a governor that goes on without us, unless one runs; ``words``: the command line that makes one.

    Raises:
        Failed, ProcessError: it cannot be started; the sentence says why.
    """
    if (record := _own_governor(plan)) is not None:
        click.echo(f"a governor runs already (process {record.governor.pid})")
        if (sentence := _differs(plan, record)) is not None:
            click.echo(sentence)
        return
    record = _bring_up(plan, words)
    click.echo(f"a governor runs (process {record.governor.pid}); its log is {plan.places.output}")


def ensure(plan: Plan, words: tuple[str, ...], patience_s: float) -> None:
    """Have everything running and ready.

    Raises:
        Failed: it does not get ready, or something else runs than the configuration says; the sentence says what.
    """
    record = _own_governor(plan) or _bring_up(plan, words)
    health = _asked(record, lambda remote: remote.ready(patience_s))
    if not health.healthy:
        raise Failed(f"not everything is ready: {_said(health)} (see 'schedule-zero processes status')")
    if (sentence := _differs(plan, record)) is not None:
        raise Failed(f"everything is ready, but {sentence}")
    click.echo("everything is ready")


def stop(plan: Plan) -> None:
    """End everything: by the governor's hand, or by ours where it is gone.

    Raises:
        Failed: something does not end.
    """
    _refuse_others(plan)
    record = read_record(plan.places.record)
    if record is None or not record.is_alive():
        _clear_away(plan)
        click.echo("nothing runs")
        return
    if record.governor.is_alive():
        try:
            _way_to(record).stop(_stopping_s(plan))
        except (ConnectionError, FileNotFoundError):  # it is on its way already
            pass
        _wait_until(lambda: not record.governor.is_alive(), SLACK_S, f"the governor (process {record.governor.pid})")
    _clear_away(plan)
    click.echo("everything has ended")


def restart(plan: Plan, name: str | None, words: tuple[str, ...]) -> None:
    """Start one child or handler again; or everything, with the configuration as it is now. Raises Failed."""
    if name is None:
        stop(plan)
        start(plan, words)
        return
    record = _required(plan)
    _asked(record, lambda remote: remote.restart(name, _stopping_s(plan)))
    click.echo(f"{name} is started again")


def add(plan: Plan, handler: HandlerProcess, patience_s: float) -> None:
    """Keep a handler alive as well, until the governor is stopped; one that does not get ready in time is removed again.

    Raises:
        WrongInput: the module is not written as one.
        Failed: it is not kept alive; the sentence says why.
    """
    module, colon, wanted = handler.module.partition(":")
    if not (module and colon and wanted):
        raise WrongInput(f"{handler.module} names no handler; write it as MODULE:OBJECT, for example reports:Reports")
    record = _required(plan)
    names = _asked(record, lambda remote: remote.add_handler(handler))
    health = _asked(record, lambda remote: remote.ready(patience_s, names))
    if not health.healthy:
        _asked(record, lambda remote: remote.remove_handler(handler.pool, _stopping_s(plan)))
        raise Failed(f"{handler.pool} is not added, because it does not get ready: {_said(health)}")
    click.echo(f"started: {', '.join(names)}; to keep it after the next stop, write it into processes.handlers")


def remove(plan: Plan, name: str) -> None:
    """Keep a handler, or one process of it, alive no longer, until the governor is stopped. Raises Failed."""
    names = _asked(_required(plan), lambda remote: remote.remove_handler(name, _stopping_s(plan)))
    click.echo(f"ended: {', '.join(names)}; to leave it out after the next stop, take it out of processes.handlers")


def status(plan: Plan, *, as_json: bool) -> None:
    """Show every child. Raises Failed: the governor does not answer."""
    found = _status(plan)
    if as_json:
        say_json(found)
        return
    if found.pid is None:
        click.echo(
            "no governor runs" + (", and these go on without; `ensure` takes them over" if found.children else "")
        )
    else:
        click.echo(f"{found.deployment}: governor of {found.kind}, process {found.pid}")
    if found.deployment != plan.deployment and not plan.any_deployment:
        click.echo(f"these are of {found.deployment}, not of {plan.deployment}, which has the same data_dir")
    if found.children or found.pid is not None:
        titles = ("name", "state", "pid", "since", "restarts", "cpu", "memory", "last exit", "says")
        say_table(titles, [_row(child) for child in found.children], "nothing is kept alive")


def show_output(plan: Plan, name: str, lines: int) -> None:
    """Print the last lines of what a child, or the governor itself, printed. Raises Failed: there is no such file."""
    file = plan.places.output if name == "governor" else plan.places.output_of(name)
    if not file.is_file():
        have = sorted(each.stem for each in plan.places.folder.glob("*.log"))
        raise Failed(f"{name} has printed nothing here; there is output of {', '.join(have) or 'nobody'}")
    for line in tail(file, lines):
        click.echo(line)


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────


def _governing(places: Places) -> Record | None:
    """The record of the governor that runs; None: none does."""
    record = read_record(places.record)
    return record if record is not None and record.governor.is_alive() else None


def _refuse_others(plan: Plan) -> None:
    if not plan.any_deployment:
        refuse_others(plan.deployment, plan.places)


def _own_governor(plan: Plan) -> Record | None:
    """The governor of this deployment, if one takes orders; one that is on its way up or down is waited for.

    Raises:
        ProcessError: another deployment is in the way, or another program.
    """
    Deployments().check(plan.claim, plan.places)
    end = time.monotonic() + _stopping_s(plan)
    while True:
        record = _governing(plan.places)
        if _takes_orders(record):
            return record
        if _is_free(plan.places):
            return None
        if time.monotonic() > end:
            raise Failed(f"a governor is there and takes no orders; its log is {plan.places.output}")
        time.sleep(TURN_S)


def _required(plan: Plan) -> Record:
    _refuse_others(plan)
    record = _governing(plan.places)
    if record is None:
        raise Failed("no governor runs here; start one with 'schedule-zero processes start'")
    return record


def _asked(record: Record, ask: Callable[[Remote], T]) -> T:
    try:
        return ask(_way_to(record))
    except ProcessError as error:
        raise Failed(str(error)) from None
    except OSError as error:
        raise Failed(f"the governor (process {record.governor.pid}) cannot be asked: {error}") from None


def _differs(plan: Plan, record: Record) -> str | None:
    """By what the configuration has changed since what runs was started, in a sentence; None: by nothing."""
    keys = plan.differing(record)
    if not keys:
        return None
    verb = "differs" if len(keys) == 1 else "differ"
    return (
        f"what runs is not what the configuration says now: {', '.join(keys)} {verb}; "
        "'schedule-zero processes restart' brings it"
    )


def _said(health: Health) -> str:
    return "; ".join(f"{name} {sentence}" for name, sentence in health.wrong.items())


def _way_to(record: Record) -> Remote:
    return Remote(control_in(Path(record.sockets)))


def _bring_up(plan: Plan, words: tuple[str, ...]) -> Record:
    """Start a governor, and wait until it takes orders, or another one does that somebody started meanwhile."""
    places = plan.places
    places.make()
    said_before = places.output.stat().st_size if places.output.is_file() else 0
    descriptor = os.open(places.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        governor = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-P", "-m", "core.cli", *words], stdin=subprocess.DEVNULL, stdout=descriptor,
            stderr=descriptor, start_new_session=True, env=os.environ | search_path() | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    finally:
        os.close(descriptor)
    end = time.monotonic() + UP_S
    while True:
        record = _governing(places)
        if record is not None and _takes_orders(record):
            return record
        if governor.poll() is not None and _is_free(places):
            with places.output.open(encoding="utf-8", errors="replace") as log:
                log.seek(said_before)
                lines = log.read().strip().splitlines()
            raise Failed(lines[-1] if lines else f"the governor ended with exit code {governor.returncode}")
        if time.monotonic() > end:
            raise Failed(f"the governor does not take orders; its log is {places.output}")
        time.sleep(TURN_S)


def _takes_orders(record: Record | None) -> bool:
    if record is None:
        return False
    try:
        return not _way_to(record).status().stopping
    except (OSError, ProcessError):
        return False


def _is_free(places: Places) -> bool:
    """Whether no governor, not even one that is just coming up, has the lock."""
    if not places.lock.is_file():
        return True
    lock = FileLock(places.lock)
    try:
        lock.take()
    except Held:
        return False
    lock.release()
    return True


def _clear_away(plan: Plan) -> None:
    """End what a governor left that is gone, and take its record away."""
    if not plan.places.record.is_file():
        return
    lock = FileLock(plan.places.lock)
    try:
        lock.take()
    except Held as held:
        raise Failed(f"a governor is just coming up (process {held.holder}); try again") from None
    try:
        configure(LogSettings(level="warning"))
        asyncio.run(_end_what_is_left(plan))
        Deployments().leave(str(plan.places.data_dir))
    finally:
        lock.release()


async def _end_what_is_left(plan: Plan) -> None:
    nothing = ProcessGovernor(
        (), plan.places, plan.limits, deployment=plan.deployment, output=plan.config.processes.output,
        specs_of=lambda _: (),
    )  # fmt: skip
    await nothing.start()
    await nothing.stop()
    control_in(nothing.sockets).unlink(missing_ok=True)


def _status(plan: Plan) -> GovernorStatus:
    record = read_record(plan.places.record)
    if record is not None and record.governor.is_alive():
        return _asked(record, lambda remote: remote.status())
    alive = [] if record is None else [child for child in record.children if child.identity.is_alive()]
    children = [
        msgspec.structs.replace(
            usage(child.identity.pid), name=child.name, state="ready" if child.ready else "starting", ready=child.ready,
            restarts=child.restarts, pid=child.identity.pid, output=str(plan.places.output_of(child.name)),
            since=child.since, says=child.says,
        )
        for child in alive
    ]  # fmt: skip
    return GovernorStatus(
        pid=None,
        kind="processes",
        deployment=plan.deployment if record is None else record.deployment,
        stopping=False,
        children=tuple(children),
    )


def _row(child: ChildStatus) -> tuple[str, ...]:
    memory = "" if child.memory is None else f"{child.memory / 1e6:.0f} MB"
    cpu = "" if child.cpu_percent is None else f"{child.cpu_percent:g} %"
    since = child.since.partition(".")[0].replace("T", " ")
    return (
        child.name, child.state, str(child.pid or ""), since, str(child.restarts), cpu, memory, child.last_exit or "",
        one_line(child.says, 100),
    )  # fmt: skip


def _stopping_s(plan: Plan) -> float:
    """How long an end of everything may take: handlers, bot and core, one after another."""
    return 3 * plan.limits.stop_s + SLACK_S


def _wait_until(holds: Callable[[], bool], patience_s: float, who: str) -> None:
    end = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > end:
            raise Failed(f"{who} does not end; see its log")
        time.sleep(TURN_S)
