"""How ``schedules`` is declared."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from core.commands.declaring import Group, asking, asking_about_one, paged

if TYPE_CHECKING:
    from core.commands.schedules import Schedules


@click.group("schedules", cls=Group)
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


@schedules_group.command("skip")
@click.option("--occurrence", metavar="INSTANT", help="Which due time; the next one where none is named.")
@asking_about_one
def schedules_skip(id: str, occurrence: str | None, file: Path | None, as_json: bool) -> None:
    """Leave one due time out."""
    _schedules(file, as_json).skip(id, occurrence)


@schedules_group.command("move")
@click.option("--occurrence", metavar="INSTANT", help="Which due time; the next one where none is named.")
@asking_about_one
@click.argument("to")
def schedules_move(id: str, to: str, occurrence: str | None, file: Path | None, as_json: bool) -> None:
    """Move one due time TO an instant, or words such as 'tomorrow at 15:00'."""
    _schedules(file, as_json).move(id, to, occurrence)


@schedules_group.command("undo")
@click.argument("token")
@asking
def schedules_undo(token: str, file: Path | None, as_json: bool) -> None:
    """Take a change back by the TOKEN it came with; within 15 minutes, once."""
    _schedules(file, as_json).undo(token)


@schedules_group.command("delete")
@click.option("--revision", type=click.IntRange(0), help="Only if it still is this revision.")
@asking_about_one
def schedules_delete(id: str, revision: int | None, file: Path | None, as_json: bool) -> None:
    """Delete a schedule."""
    _schedules(file, as_json).delete(id, revision)
