"""The ``schedule-zero`` command: every command and option is declared here, and done in ``core.commands``.

Nothing heavy is imported before a command needs it, so that ``--help`` and completion answer at once. This is the one
file of the core that may start the bot (``up``, ``bot``).
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.commands.declaring import DEBUG, FILE, Group, asking, asking_about_one, paged, with_config
from core.commands.fleet import events, handlers_group
from core.commands.making_keys import keys_group

if TYPE_CHECKING:
    from core.commands.runs import Runs
    from core.commands.schedules import Schedules
    from core.commands.up import Up

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


cli.add_command(keys_group)


@cli.command()
@with_config
def up(file: Path | None) -> None:
    """Start everything in one process: core, bot or playground, HTTP API."""
    from core.config import read_config

    config, notes = read_config(file, os.environ)  # before the heavy imports: a mistake is said at once
    _warn(notes)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)  # until the loop can stop in order, there is nothing to stop
    from core.commands.up import serve

    serve(config, _front)


@cli.command()
@with_config
def core(file: Path | None) -> None:
    """Start the core alone: no bot, no playground. Handlers, bots and other clients connect to it."""
    from core.config import read_config

    config, notes = read_config(file, os.environ)
    _warn(notes)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    from core.commands.up import serve

    serve(config, None)


@cli.command()
@click.option(
    "--shards", metavar="FIRST-LAST/ALL", help="The shards of this process, as 0-3/8, where several share them."
)
@with_config
def bot(shards: str | None, file: Path | None) -> None:
    """Start the bot alone, in front of a core in another process."""
    from core.config import read_config

    config, notes = read_config(file, os.environ)
    _warn(notes)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
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
    from core.config import find_file, read_config

    _warn(read_config(file, os.environ)[1])
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
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def preview(text: str, timezone: str, count: int, after: str | None, dst: str, as_json: bool) -> None:
    """Show when TEXT is due: 'every weekday at 9', '0 9 * * MON-FRI', 'in 2 hours', an RRULE, …"""
    from core.commands.preview import show

    show(text, timezone=timezone, count=count, after=after, dst=dst, as_json=as_json)


@cli.command(
    HANDLER, cls=click.Command, add_help_option=False, context_settings={"ignore_unknown_options": True},
    options_metavar="MODULE:OBJECT [OPTIONS]",
)  # fmt: skip
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="")
def handler(words: tuple[str, ...]) -> int:
    """Serve a handler of yours in a process of its own."""
    from schedule_zero.serving import main as serve  # the kit reads the words itself: it has the same command alone

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


@cli.group("schedules", cls=Group)
def schedules_group() -> None:
    """Schedules of a running core."""


def _schedules(file: Path | None, as_json: bool) -> Schedules:
    from core.commands.schedules import Schedules
    from core.config import load_config

    return Schedules(load_config(file, os.environ), os.environ, as_json=as_json)


@schedules_group.command("list")
@click.option("--guild", metavar="ID", help="Only this guild's; 'null' for those of no guild.")
@click.option("--state", help="Only those in this state, as active or paused.")
@click.option("--handler", help="Only those of this handler.")
@click.option("--owner", metavar="ID", help="Only this person's.")
@click.option("-q", "query", metavar="TEXT", help="Only those whose name, id or text holds this.")
@click.option("--metadata", multiple=True, metavar="KEY=VALUE", help="Only those with this metadata; may be repeated.")
@paged
@asking
def schedules_list(
    guild: str | None, state: str | None, handler: str | None, owner: str | None, query: str | None,
    metadata: tuple[str, ...], limit: int, cursor: str | None, file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """List schedules."""
    from core.commands.options import guild_filter, pairs

    _schedules(file, as_json).show_list(
        **guild_filter(guild), state=state, handler=handler, owner_id=owner, q=query,
        metadata=pairs(metadata, "--metadata"), limit=limit, cursor=cursor,
    )  # fmt: skip


@schedules_group.command("show")
@asking_about_one
def schedules_show(id: str, file: Path | None, as_json: bool) -> None:
    """Show a schedule."""
    _schedules(file, as_json).show(id)


@schedules_group.command("create")
@click.argument("when", required=False)
@click.option("--handler", help="Who does the work, as discord.")
@click.option("--method", help="What is done, as send_message.")
@click.option("--args", metavar="JSON", help="The method's arguments, a JSON object.")
@click.option("--name", help="A name, unique in its guild.")
@click.option("--guild", "guild_id", metavar="ID", help="The guild it belongs to; none without.")
@click.option("--owner", "owner_id", metavar="ID", help="Who it belongs to.")
@click.option("--tz", "timezone", metavar="ZONE", help="The time zone, as Europe/Berlin.")
@click.option("--start", metavar="TIME", help="Nothing is due before.")
@click.option("--until", metavar="TIME", help="Nothing is due after.")
@click.option("--count", type=click.IntRange(1), help="It ends after so many runs.")
@click.option("--policy", metavar="JSON", help="Policy words that differ from the defaults, a JSON object.")
@click.option("--metadata", multiple=True, metavar="KEY=VALUE", help="May be repeated.")
@click.option(
    "--file",
    "source",
    type=click.Path(allow_dash=True, path_type=Path),
    metavar="FILE",
    help="Read one schedule, or a list of them, as the HTTP API takes them; '-' is standard input.",
)
@asking
def schedules_create(
    when: str | None, source: Path | None, args: str | None, policy: str | None, metadata: tuple[str, ...],
    file: Path | None, as_json: bool, **fields: Any,
) -> None:  # fmt: skip
    """Create a schedule that is due WHEN, as 'every weekday at 9'."""
    from core.commands.options import json_object, pairs, required
    from core.commands.schedules import spec_from_options

    commands = _schedules(file, as_json)
    if source is not None:
        if when is not None:
            raise click.UsageError("WHEN and --file exclude each other")
        commands.create_from(source)
        return
    required(WHEN=when, **{"--handler": fields["handler"], "--method": fields["method"]})
    fields |= {
        "args": json_object(args, "--args"),
        "policy": json_object(policy, "--policy"),
        "metadata": pairs(metadata, "--metadata"),
    }
    commands.create(spec_from_options(str(when), **fields))


@schedules_group.command("pause")
@click.option("--until", metavar="TIME", help="When it resumes by itself.")
@click.option("--note", help="Why, for others to read.")
@asking_about_one
def schedules_pause(id: str, until: str | None, note: str | None, file: Path | None, as_json: bool) -> None:
    """Pause a schedule."""
    _schedules(file, as_json).pause(id, until, note)


@schedules_group.command("resume")
@asking_about_one
def schedules_resume(id: str, file: Path | None, as_json: bool) -> None:
    """Resume a paused or blocked schedule."""
    _schedules(file, as_json).resume(id)


@schedules_group.command("run")
@click.option("--args", metavar="JSON", help="Arguments that differ this time, a JSON object.")
@asking_about_one
def schedules_run(id: str, args: str | None, file: Path | None, as_json: bool) -> None:
    """Run a schedule now."""
    from core.commands.options import json_object

    _schedules(file, as_json).run(id, json_object(args, "--args"))


@schedules_group.command("delete")
@click.option("--revision", type=click.IntRange(0), help="Only if it still is this revision.")
@asking_about_one
def schedules_delete(id: str, revision: int | None, file: Path | None, as_json: bool) -> None:
    """Delete a schedule."""
    _schedules(file, as_json).delete(id, revision)


@cli.group("runs", cls=Group)
def runs_group() -> None:
    """Runs of a running core."""


def _runs(file: Path | None, as_json: bool) -> Runs:
    from core.commands.runs import Runs
    from core.config import load_config

    return Runs(load_config(file, os.environ), os.environ, as_json=as_json)


@runs_group.command("list")
@click.option("--guild", metavar="ID", help="Only this guild's; 'null' for those of no guild.")
@click.option("--schedule", metavar="ID", help="Only those of this schedule.")
@click.option("--state", help="Only those in this state, as waiting or failed.")
@click.option("--since", metavar="INSTANT", help="Only those due since then.")
@paged
@asking
def runs_list(
    guild: str | None, schedule: str | None, state: str | None, since: str | None, limit: int, cursor: str | None,
    file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """List runs, newest first."""
    from core.commands.options import guild_filter

    _runs(file, as_json).show_list(
        **guild_filter(guild), schedule_id=schedule, state=state, since=since, limit=limit, cursor=cursor
    )


@runs_group.command("show")
@asking_about_one
def runs_show(id: str, file: Path | None, as_json: bool) -> None:
    """Show a run with its attempts."""
    _runs(file, as_json).show(id)


@runs_group.command("cancel")
@asking_about_one
def runs_cancel(id: str, file: Path | None, as_json: bool) -> None:
    """Cancel a run."""
    _runs(file, as_json).cancel(id)


@runs_group.command("retry")
@asking_about_one
def runs_retry(id: str, file: Path | None, as_json: bool) -> None:
    """Run again what ended, as a new run."""
    _runs(file, as_json).retry(id)


cli.add_command(handlers_group)
cli.add_command(events)


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
    folder = service.config.data_path
    try:
        async with fronts.Front(service.app, folder, forgetful=True).running() as front:
            bot = front.make_bot()
            playground = playgrounds.Playground(bot, folder)
            service.web.mount("/playground", playground.asgi)
            try:
                await playground.start()
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
