"""``/data``: what is kept of oneself, or of the server, as a file; and to have it erased.

The group asks for no permission, since everybody may have their own. What is the server's takes a right, which the core
asks for.
"""

from __future__ import annotations

import io
from typing import Any, Final, Literal, Self

import discord
from discord import app_commands, ui

from cogs.answers import defer, show
from cogs.cards import notes_card
from cogs.forms import Form, text_field
from cogs.front import Interaction, actor_of, core_of
from cogs.places import require_home
from cogs.refusals import Refusal
from cogs.texts import moment, one_line
from schedule_zero.asks.export import ExportFormat
from schedule_zero.confirming import confirms
from schedule_zero.views import Erasure

data = app_commands.Group(
    name="data",
    description="Take away what is kept of you or of this server, or have it erased",
    allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True),
    allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
)
COMMANDS: Final = (data,)

Scope = Literal["mine", "server"]
LinkAction = Literal["show", "new", "end"]
MINE: Final = "erase my data"
_LONGEST: Final = 100
_NEW_LINK: Final = (
    "Only you see it, and only now. Subscribe to it in a calendar program. Whoever has it reads what is scheduled, until "
    "`{}`, or until another is made."
)
_ABOUT_LINK: Final = "-# `{}` makes one, which ends the one before; `{}` ends it."
_OF: Final[dict[Scope, str]] = {"mine": "of what is yours", "server": "of this server"}
_ERASED_MINE: Final = (
    "Your reminders, your time zone and everything else that was yours are gone. What you scheduled for servers is theirs: it "
    "waits until somebody there takes it over."
)
_ERASED_SERVER: Final = "Everything that was kept of this server is gone. The bot stays, as if it had just joined."
_GOES_ON: Final = "That takes a while; it goes on by itself."


@data.command(name="export", description="Get what is kept of you, or of this server, as a file")
@app_commands.describe(
    format="json holds everything; csv is for a spreadsheet, ics for a calendar program",
    scope="Yours, or this server's",
)
async def export(interaction: Interaction, format: ExportFormat = "json", scope: Scope = "mine") -> None:
    """Send a file with everything that is kept."""
    await defer(interaction)
    asked: dict[str, Any] = {"user_id": actor_of(interaction).id}
    if scope == "server":
        asked = {"guild_id": require_home(interaction, "/data export")}
    written, name, most = io.BytesIO(), "", _largest(interaction)
    async for part in core_of(interaction).export(format=format, **asked):
        written.write(part.text.encode())
        name = part.name
        if written.tell() > most:
            raise Refusal(
                f"The file is larger than the {most >> 20} MB that Discord takes here; `format: csv` is smaller, or ask those "
                "who run the service for it."
            )
    written.seek(0)
    whose = "this server" if scope == "server" else "you"
    words = f"Everything that is kept of {whose} and not deleted, as {format}. Arguments that are secret are hidden."
    await interaction.edit_original_response(content=words, attachments=[discord.File(written, filename=name)])


@data.command(name="calendar", description="A secret link by which calendar programs show what is scheduled")
@app_commands.describe(
    action="new makes one, and ends the one before; end ends it; left out, whether there is one",
    scope="Of what is yours, or of what this server posts and does",
)
async def calendar(interaction: Interaction, action: LinkAction = "show", scope: Scope = "mine") -> None:
    """Make, end or look for the link of a calendar."""
    await defer(interaction, public=False)
    core, whose = core_of(interaction), _whose(interaction, scope)
    if action == "show":
        link = await core.calendar_link(**whose)
        since = f"There is a link {_OF[scope]} since {moment(link.since)}." if link.since else _none(scope)
        about = _ABOUT_LINK.format(_typed("new", scope), _typed("end", scope))
        await show(interaction, notes_card("Calendar link", since, about))
    elif action == "end":
        if (await core.calendar_link(**whose)).since is None:
            raise Refusal(f"{_none(scope)} {_elsewhere(scope)}")
        await core.end_calendar_link(**whose)
        words = f"Who has the link {_OF[scope]} gets nothing by it any more."
        await show(interaction, notes_card("Calendar link ended", words))
    else:
        link = await core.new_calendar_link(**whose, key=f"interaction:{interaction.id}")
        if link.url is None:
            raise Refusal("This link was shown already; make another one.")
        await show(
            interaction, notes_card("Calendar link", _NEW_LINK.format(_typed("end", scope)), f"```\n{link.url}\n```")
        )


def _none(scope: Scope) -> str:
    return f"There is no link {_OF[scope]}."


def _elsewhere(scope: Scope) -> str:
    """What else may have been meant by who finds no link to end."""
    other: Scope = "mine" if scope == "server" else "server"
    return f"That {_OF[other]} ends by `{_typed('end', other)}`."


def _typed(action: LinkAction, scope: Scope) -> str:
    """The command as somebody types it."""
    return f"/data calendar action:{action}" + (" scope:server" if scope == "server" else "")


def _whose(interaction: Interaction, scope: Scope) -> dict[str, str]:
    if scope == "server":
        return {"guild_id": require_home(interaction, "/data calendar")}
    return {"user_id": actor_of(interaction).id}


@data.command(name="erase", description="Erase everything that is yours, or of this server, for good")
@app_commands.describe(scope="Yours, or everything of this server, which only its owner may erase")
async def erase(interaction: Interaction, scope: Scope = "mine") -> None:
    """Ask for the words that confirm it; nothing is erased before."""
    if scope == "mine":
        await interaction.response.send_modal(EraseForm(scope, MINE))
        return
    require_home(interaction, "/data erase")
    if not actor_of(interaction).owner:
        raise Refusal("Only the owner of a server can have everything of it erased.")
    name = interaction.guild.name if interaction.guild is not None else ""
    await interaction.response.send_modal(EraseForm(scope, name))


class EraseForm(Form):
    """A field for the words that confirm it."""

    def __init__(self, scope: Scope, words: str, typed: str = "") -> None:
        super().__init__("Erase for good")
        self._scope: Scope = scope
        self._words = words
        self._field = text_field(typed, required=True, hint=words, longest=_LONGEST)
        what = "all that is yours" if scope == "mine" else "everything of this server"
        self.ask(f"Type: {words}", self._field, f"Then {what} is erased. This cannot be undone.")

    async def accept(self, interaction: Interaction) -> None:
        """Erase it, if the words are those."""
        if not confirms(str(self._field.value), self._words):
            raise Refusal(f"Nothing was erased: to confirm it, type `{one_line(self._words, _LONGEST)}`.")
        await defer(interaction)
        actor, core = actor_of(interaction), core_of(interaction)
        if self._scope == "mine":
            done = await core.erase_user(actor.id)
        else:
            done = await core.erase_guild(require_home(interaction, "/data erase"))
            if interaction.guild is not None:  # what it is called went, too, and the bot that is there tells it anew
                interaction.client.dispatch("guild_available", interaction.guild)
        await show(interaction, _card(done))

    def again(self) -> Self:
        """The same form, with what was typed."""
        return type(self)(self._scope, self._words, str(self._field.value))


def _card(done: Erasure) -> ui.LayoutView:
    words = _ERASED_MINE if done.kind == "user" else _ERASED_SERVER
    return notes_card("Erased" if done.finished else "Being erased", words if done.finished else _GOES_ON)


def _largest(interaction: Interaction) -> int:
    """Bytes of the largest file that Discord takes here."""
    return interaction.filesize_limit or discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES
