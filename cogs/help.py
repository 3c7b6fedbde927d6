"""``/help``: every command there is, read off the tree itself, and how times are written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from discord import app_commands

from cogs.answers import show
from cogs.cards import notes_card
from cogs.front import Interaction
from cogs.maintenance import banner
from cogs.refusals import Refusal
from cogs.texts import list_of

_TIMES: Final = """\
`when` takes a moment or a rule, in words or in notation:
- `in 2 hours`, `tomorrow at 5pm`, `next friday 18:30`, `2026-12-24 18:00`, `<t:1798135200>`
- `every weekday at 9`, `every 15 minutes`, `last day of the month at 6pm`
- five or six cron fields, `@daily`
What is unclear or past is never guessed: you get readings to choose from. Without a time of day the server's default is
taken and said back."""

_REPEAT: Final = """\
`repeat` makes a series of what `when` starts: `when: tomorrow 18:00`, `repeat: every week`. Both may be one rule in \
`when`. `until` and `count` end a series. A clock change never moves a series: 9:00 stays 9:00. Preview shows each due \
time, with a note where the clock changes."""

_ZONES: Final = """\
A command's own `tz` comes first, then yours (`/timezone set`), then the server's (`/settings timezone`), then UTC. \
What is saved keeps the zone it was made with, and its card names it."""

_UNDO: Final = """\
Every change can be taken back for 15 minutes: by the button on its card, or with `/schedule undo`. Nothing is deleted \
because it failed: it is blocked, the server is told once, and one press resumes it."""

GUIDES: Final = {"times": _TIMES, "repeat": _REPEAT, "time zones": _ZONES, "undo": _UNDO}


class Topic(app_commands.Transformer):
    """``topic``: a guide, or a command."""

    async def transform(self, interaction: Interaction, value: Any, /) -> str:
        return str(value).strip().lstrip("/").casefold()

    async def autocomplete(  # type: ignore[override]
        self, interaction: Interaction, value: str | float, /
    ) -> list[app_commands.Choice[str]]:
        wanted = str(value).strip().lstrip("/").casefold()
        names = [*GUIDES, *(command.name for command in _tree(interaction).get_commands())]
        return [app_commands.Choice(name=name, value=name) for name in names if wanted in name.casefold()][:25]


@app_commands.command(name="help", description="Show what there is and how times are written")
@app_commands.describe(topic="A command, or times, repeat, time zones, undo")
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
@app_commands.allowed_installs(guilds=True, users=True)
async def help_(interaction: Interaction, topic: app_commands.Transform[str, Topic] | None = None) -> None:
    """Show the commands, one of them, or a guide."""
    if topic is None:
        commands = list_of(map(_overview, _tree(interaction).get_commands()))
        more = f"-# `/help` with the name of a group says what each of its commands does. Topics: {', '.join(GUIDES)}"
        await show(interaction, notes_card("Help", await banner(interaction), commands, more))
        return
    guide = GUIDES.get(topic)
    if guide is not None:
        await show(interaction, notes_card(f"Help: {topic}", guide))
        return
    found = [command for command in _tree(interaction).get_commands() if command.name == topic.split(" ")[0]]
    if not found:
        raise Refusal(f"There is no topic {topic!r}. Topics: {', '.join(GUIDES)}, or the name of a command.")
    await show(interaction, notes_card(f"Help: /{found[0].name}", list_of(_lines(found))))


COMMANDS: Final[tuple[app_commands.Command[Any, ..., Any], ...]] = (help_,)


def _tree(interaction: Interaction) -> app_commands.CommandTree[Any]:
    tree: app_commands.CommandTree[Any] = interaction.client.tree
    return tree


def _overview(command: Any) -> str:
    """A command, or a group with the names of all that is in it: with their descriptions they would fill several cards."""
    if not isinstance(command, app_commands.Group):
        return f"`/{command.qualified_name}`: {command.description}"
    inner = (each for each in command.walk_commands() if isinstance(each, app_commands.Command))
    return f"{command.description}: {', '.join(f'`/{each.qualified_name}`' for each in inner)}"


def _lines(commands: Any) -> Iterator[str]:
    for command in commands:
        if isinstance(command, app_commands.Group):
            yield from _lines(command.commands)
        elif isinstance(command, app_commands.Command):
            taken = " ".join(
                option.display_name if option.required else f"[{option.display_name}]" for option in command.parameters
            )
            shown = f" {taken}" if taken else ""
            yield f"`/{command.qualified_name}{shown}`: {command.description}"
