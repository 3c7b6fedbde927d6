"""The ``schedule-zero`` command: its commands are declared here, those that ask a running core in
``core.commands.declared``, and all are done in ``core.commands``.

Nothing heavy is imported before a command needs it, so that ``--help`` and completion answer at once. This is the one
file of the core that may start the bot (``up``, ``bot``).
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.commands.declared.audit import audit_group
from core.commands.declared.chains import chains_group
from core.commands.declared.dead import dead_group
from core.commands.declared.export import export
from core.commands.declared.guilds import guilds_group
from core.commands.declared.handlers import events, handlers_group
from core.commands.declared.keys import keys_group
from core.commands.declared.login import login
from core.commands.declared.processes import processes_group
from core.commands.declared.runs import runs_group
from core.commands.declared.schedules import schedules_group
from core.commands.declaring import DEBUG, FILE, Group, with_config
from core.zone_data import take_newest_zones

if TYPE_CHECKING:
    from core.commands.up import Front, Up
    from core.config import Config, Further
    from core.engine.afresh import Missed
    from schedule_zero.schedule import OnClash

NAME = "schedule-zero"
HANDLER = "handler"


def _tell_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"{NAME}, version {version(NAME)}")
    except PackageNotFoundError:
        click.echo(f"{NAME}, from source")
    context.exit()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave the process: 0 done, 1 failed, 2 the input was wrong."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] != [HANDLER]:  # what our commands write (ledger, outbox, keys, backups) is for their own user alone
        os.umask(0o077)
        take_newest_zones()
    sys.exit(run(words))


def run(arguments: Sequence[str]) -> int:
    """Run one command; the exit code. Errors are said on standard error, one sentence each."""
    seen: dict[str, bool] = {}
    try:
        result = cli.main(args=list(arguments), prog_name=NAME, standalone_mode=False, obj=seen)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 1
    except Exception as error:  # noqa: BLE001  # said in words; the traceback stands behind --debug
        return _say(error, debug=DEBUG in seen)
    return result if isinstance(result, int) else 0


def _warn(notes: Sequence[object]) -> None:
    for note in notes:
        click.echo(f"warning: {note}", err=True)


def _say(error: Exception, *, debug: bool) -> int:
    from core.commands.explain import FAILED, explain

    if debug:
        traceback.print_exception(error)
    known = explain(error)
    if known is None:
        known = ([f"an unforeseen {type(error).__name__}: {error} (--debug shows where it happened)"], FAILED)
    lines, code = known
    for line in lines:
        click.echo(line, err=True)
    return code


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_tell_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Scheduled work for Discord communities.

    Exit codes: 0 done, 1 failed, 2 the input was wrong.
    """


@cli.command()
@with_config
def up(file: Path | None) -> None:
    """Start everything in one process: core, bot or playground, HTTP API."""
    _serve(file, _front)


@cli.command()
@with_config
def core(file: Path | None) -> None:
    """Start the core alone: no bot, no playground. Handlers, bots and other clients connect to it."""
    _serve(file, None)


@cli.command()
@click.option(
    "--shards", metavar="FIRST-LAST/ALL", help="The shards of this process, as 0-3/8, where several share them."
)
@with_config
def bot(shards: str | None, file: Path | None) -> None:
    """Start the bot alone, in front of a core in another process."""
    config = _begin(file)
    try:
        from core.commands.bot import serve
    except ModuleNotFoundError as error:
        from core.commands.explain import Failed

        raise Failed(f"{error.name} is missing, so there is no bot; install schedule-zero[bot]") from error
    serve(config, shards)


@cli.command("check-config")
@click.argument("file", type=FILE, required=False)
def check_config(file: Path | None) -> None:
    """Name every mistake of the configuration at once, and what has no effect in this version."""
    from core.commands.own_options import mistakes_of_options
    from core.commands.process_plan import mistakes_of_processes
    from core.config import find_file, read_config

    def further(config: Config) -> Iterator[tuple[str, str]]:
        yield from mistakes_of_options(config)
        yield from mistakes_of_processes(config)

    _warn(read_config(file, os.environ, further)[1])
    found = find_file(file, os.environ)
    click.echo(f"{found}: nothing is wrong" if found else "no file, all defaults: nothing is wrong")


@cli.command()
@click.argument("text")
@click.option(
    "--tz", "timezone", default="UTC", show_default=True, metavar="ZONE", help="The time zone, as Europe/Berlin."
)
@click.option("-n", "count", type=click.IntRange(1, 50), default=10, show_default=True, help="How many due times.")
@click.option("--after", metavar="INSTANT", help="RFC 3339; the text is read as if it were said then.")
@click.option(
    "--dst",
    type=click.Choice(["debian", "literal"]),
    default="debian",
    show_default=True,
    help="What happens where the clocks change.",
)
@click.option("--country", metavar="CODE", help="Its public holidays are days off: DE, DE-BY.")
@click.option(
    "--days-off", multiple=True, metavar="DAY", help="2026-12-25, 12-25, 2026-12-24/2027-01-02; as often as needed."
)
@click.option("--calendar", type=FILE, help="An iCalendar file whose all-day events are days off.")
@click.option(
    "--on-clash",
    type=click.Choice(["skip", "later", "earlier"]),
    help="What becomes of times on a day off; skip if not given.",
)
@click.option("--hours", multiple=True, metavar="WINDOW", help="'MO-FR 09:00-17:00'; as often as needed.")
@click.option(
    "--outside",
    type=click.Choice(["skip", "later", "earlier"]),
    help="What becomes of times outside the hours; skip if not given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def preview(
    text: str, timezone: str, count: int, after: str | None, dst: str, country: str | None, days_off: tuple[str, ...],
    calendar: Path | None, on_clash: OnClash | None, hours: tuple[str, ...], outside: OnClash | None, as_json: bool,
) -> None:  # fmt: skip
    """Show when TEXT is due: 'every weekday at 9', '0 9 * * MON-FRI', 'in 2 hours', an RRULE, …"""
    from core.commands.closed import Closed
    from core.commands.preview import show

    closed = Closed(
        country=country, days_off=days_off, calendar=calendar, on_clash=on_clash, hours=hours, outside=outside
    )
    show(text, timezone=timezone, count=count, after=after, dst=dst, closed=closed, as_json=as_json)


@cli.command(
    HANDLER, cls=click.Command, add_help_option=False, context_settings={"ignore_unknown_options": True},
    options_metavar="MODULE:OBJECT [OPTIONS]",
)  # fmt: skip
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="")
def handler(words: tuple[str, ...]) -> int:
    """Serve a handler of yours in a process of its own."""
    from schedule_zero.process.serving import (
        main as serve,  # the kit reads the words itself: it has the same command alone
    )

    try:
        return serve(words)
    except SystemExit as end:  # its parser leaves so after --help and after a mistake
        return int(end.code or 0)


@cli.group(cls=Group)
def db() -> None:
    """Look after the database."""


@db.command()
@with_config
def upgrade(file: Path | None) -> None:
    """Bring the database to this version's schema, after a backup."""
    from core.commands import db as commands
    from core.config import load_config

    commands.upgrade(load_config(file, os.environ))


@db.command()
@with_config
def check(file: Path | None) -> None:
    """Look for damage, and for the schema of another version."""
    from core.commands import db as commands
    from core.config import load_config

    commands.check(load_config(file, os.environ))


@db.command()
@click.argument("target", type=FILE, metavar="FILE")
@with_config
def backup(target: Path, file: Path | None) -> None:
    """Copy the database to FILE; the service may go on meanwhile."""
    from core.commands import db as commands
    from core.config import load_config

    commands.backup(load_config(file, os.environ), target)


@db.command()
@click.argument("source", type=FILE, metavar="[FILE]", required=False)
@click.option(
    "--missed",
    type=click.Choice(["skip", "fire"]),
    default="skip",
    show_default=True,
    help="What becomes of what was due since the backup was made.",
)
@with_config
def restore(source: Path | None, missed: Missed, file: Path | None) -> None:
    """Put a backup in the place of the database, which no service may use meanwhile; what was there is kept beside it."""
    from core.commands import db as commands
    from core.config import load_config

    commands.restore(load_config(file, os.environ), source, missed)


GROUPS = (
    schedules_group, chains_group, runs_group, dead_group, audit_group, guilds_group, handlers_group, events, export,
    keys_group, login, processes_group,
)  # fmt: skip
for group in GROUPS:
    cli.add_command(group)


def _serve(file: Path | None, front: Front | None) -> None:
    from core.commands.own_options import mistakes_of_options

    config = _begin(file, mistakes_of_options)
    from core.commands.up import serve

    serve(config, front)


def _begin(file: Path | None, further: Further | None = None) -> Config:
    """The configuration of a service that starts: a mistake is said at once, before the heavy imports."""
    from core.config import read_config

    config, notes = read_config(file, os.environ, further)
    _warn(notes)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)  # until the loop can stop in order, there is nothing to stop
    return config


def _leave(*_: object) -> None:
    raise SystemExit(0)


async def _front(service: Up) -> None:
    """The Discord side: the bot where there is a token, the playground where there is none."""
    token = service.discord_token
    try:
        await (_play(service) if token is None else _connect(service, token))
    except ModuleNotFoundError as error:
        extra = "playground" if token is None else "bot"
        click.echo(f"{error.name} is missing, so there is no Discord side; install schedule-zero[{extra}]", err=True)


async def _connect(service: Up, token: str) -> None:
    """The bot, until cancelled, or until Discord will not have it."""
    from core.commands.explain import Failed

    main, endpoint, outbox = await _imported("bot.main", "bot.endpoint", "bot.outbox")
    try:
        await main.run_discord(service.app, service.config.discord, token, data_dir=service.config.data_path)
    except (endpoint.WrongBase, outbox.OutboxError) as error:
        raise Failed(str(error)) from error


async def _play(service: Up) -> None:
    """The bot beside a simulated Discord, until cancelled."""
    import asyncio

    from core.commands.explain import Failed

    fronts, playgrounds, outbox = await _imported("bot.front", "bot.playground.playground", "bot.outbox")
    folder, operators = service.config.data_path, playgrounds.operators()
    try:
        async with fronts.Front(service.app, folder, forgetful=True, operators=operators).running() as front:
            bot = front.make_bot()
            playground = playgrounds.Playground(bot, folder)
            service.web.mount("/playground", playground.asgi)
            try:
                await playground.start()
                service.sign_in_with_playground("/playground", playground.asgi.programs)
                service.say_address("playground", playground.address(""))
                await asyncio.Event().wait()
            finally:
                await front.close_bot(bot)  # first: messages under way still find their channels
                await playground.close()
    except playgrounds.PlaygroundUnavailable as error:
        click.echo(str(error), err=True)
    except outbox.OutboxError as error:
        raise Failed(str(error)) from error


async def _imported(*names: str) -> list[Any]:
    """Modules, imported in a thread: that takes a second of the processor, and what is due does not wait for it."""
    import asyncio
    import importlib

    return [await asyncio.to_thread(importlib.import_module, name) for name in names]


if __name__ == "__main__":
    main()
