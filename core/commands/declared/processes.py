"""How ``processes`` is declared."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from core.commands.declaring import Group, with_config

if TYPE_CHECKING:
    from core.commands.process_plan import Plan

NO_UNIX: Final = "`processes` needs Linux or another Unix; start 'schedule-zero up', and handlers, one by one"
with_data_dir = click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="Whatever runs in this data folder, without a look at its configuration.",
)  # fmt: skip
with_patience = click.option(
    "--wait", "patience_s", type=click.FloatRange(0, 86_400), default=60.0, show_default=True, metavar="SECONDS",
    help="How long all that is started may take to be ready.",
)  # fmt: skip
with_threads = click.option(
    "--threads", is_flag=True, help="The handlers alone, as threads of one process; core and bot run elsewhere."
)


@click.group("processes", cls=Group)
def processes_group() -> None:
    """Keep core, bot and handlers alive, as the configuration's `processes` names them."""


def _plan(file: Path | None, *, threads: bool = False, only_asking: bool = False) -> Plan:
    from core.commands.explain import Failed

    if os.name != "posix":
        raise Failed(NO_UNIX)
    from core.commands.process_plan import mistakes_of_processes, plan_of, plan_to_ask
    from core.config import find_file, load_config, read_config

    found = find_file(file, os.environ)
    if only_asking:
        return plan_to_ask(load_config(file, os.environ), found)
    further = partial(mistakes_of_processes, threads=threads, wanted=True)
    return plan_of(read_config(file, os.environ, further)[0], found, threads=threads)


def _plan_of_what_runs(file: Path | None, data_dir: Path | None) -> Plan:
    """A plan to look at what runs and to end it, which has to be possible also where the configuration cannot be read."""
    from core.commands.explain import Failed
    from core.config import ConfigErrors, find_file

    try:
        if data_dir is None:
            return _plan(file, only_asking=True)
    except ConfigErrors as errors:
        from core.processes.deployments import Deployments

        found = find_file(file, os.environ)
        data_dir = None if found is None else Deployments().data_dir_of(str(found.absolute()))
        if data_dir is None:
            raise
        for mistake in errors.mistakes:
            click.echo(f"warning: {mistake}", err=True)
    if os.name != "posix":
        raise Failed(NO_UNIX)
    from core.commands.process_plan import plan_for

    return plan_for(data_dir)


def _words(plan: Plan, *, threads: bool) -> tuple[str, ...]:
    """The command line of the governor's own process."""
    config = () if plan.file is None else ("--config", str(plan.file))
    return ("processes", "start", "--foreground", *(("--threads",) if threads else ()), *config)


@processes_group.command("start")
@click.option("--foreground", is_flag=True, help="Stay, for systemd and containers; logs go to standard error.")
@with_threads
@with_config
def processes_start(foreground: bool, threads: bool, file: Path | None) -> None:
    """Start what the configuration names, and a governor that keeps it alive."""
    plan = _plan(file, threads=threads)
    if foreground:
        from core.commands import process_governor

        process_governor.run(plan, threads=threads)
    else:
        from core.commands import processes

        processes.start(plan, _words(plan, threads=threads))


@processes_group.command("ensure")
@with_threads
@with_patience
@with_config
def processes_ensure(threads: bool, patience_s: float, file: Path | None) -> None:
    """Start it unless it runs, and return once everything is ready; exit 1 if that does not come."""
    plan = _plan(file, threads=threads)
    from core.commands import processes

    processes.ensure(plan, _words(plan, threads=threads), patience_s)


@processes_group.command("stop")
@with_data_dir
@with_config
def processes_stop(data_dir: Path | None, file: Path | None) -> None:
    """End everything in order: handlers, bot, core, governor."""
    from core.commands import processes

    processes.stop(_plan_of_what_runs(file, data_dir))


@processes_group.command("restart")
@click.argument("name", required=False)
@with_threads
@with_config
def processes_restart(name: str | None, threads: bool, file: Path | None) -> None:
    """Start NAME again (a process, or a handler with all of its own), or everything with the configuration as it is now."""
    plan = _plan(file, threads=threads, only_asking=name is not None)
    from core.commands import processes

    processes.restart(plan, name, _words(plan, threads=threads))


@processes_group.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the governor, and a list of its children.")
@with_data_dir
@with_config
def processes_status(as_json: bool, data_dir: Path | None, file: Path | None) -> None:
    """Show each process: its state, since when, its restarts, how it ended last, what it uses."""
    from core.commands import processes

    processes.status(_plan_of_what_runs(file, data_dir), as_json=as_json)


@processes_group.command("add")
@click.argument("module", metavar="MODULE:OBJECT")
@click.option("--name", help="The name schedules address; default: the object's in lower case.")
@click.option("--count", type=click.IntRange(1, 64), default=1, show_default=True, help="How many processes.")
@click.option("--key", type=click.Path(dir_okay=False), metavar="FILE", help="The key file it shows the core.")
@with_patience
@with_config
def processes_add(
    module: str, name: str | None, count: int, key: str | None, patience_s: float, file: Path | None
) -> None:  # fmt: skip
    """Keep another handler alive, until everything is stopped; exit 1 if it does not get ready, which removes it again."""
    from core.commands import processes
    from core.processes.settings import HandlerProcess

    handler = HandlerProcess(module=module, name=name, count=count, key=key and str(Path(key).absolute()))
    processes.add(_plan(file, only_asking=True), handler, patience_s)


@processes_group.command("remove")
@click.argument("name")
@with_config
def processes_remove(name: str, file: Path | None) -> None:
    """End a handler, or one process of it, and keep it alive no longer, until everything is stopped."""
    from core.commands import processes

    processes.remove(_plan(file, only_asking=True), name)


@processes_group.command("output")
@click.argument("name")
@click.option("-n", "lines", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many lines.")
@with_config
def processes_output(name: str, lines: int, file: Path | None) -> None:
    """Print the last lines that a process printed; NAME `governor`: the governor itself."""
    from core.commands import processes

    processes.show_output(_plan(file, only_asking=True), name, lines)
