"""``/job token``: lets a program of this server's own connect as a handler, for this server alone."""

from __future__ import annotations

from typing import Final

from discord import app_commands

from cogs.answers import defer, show
from cogs.cards import card
from cogs.front import Interaction, core_of
from cogs.job.work import HandlerName
from cogs.places import require_home
from cogs.refusals import Refusal, about
from cogs.texts import moment, one_line
from schedule_zero.schedule import MESSAGES

VALID_FOR: Final = "PT1H"


class Scope(HandlerName):
    """``scope``: the handler that a token is for; one that is there, or a new name."""

    option = "scope"


ScopeText = app_commands.Transform[str, Scope]


@app_commands.command(name="token", description="Let a program of yours do jobs for this server; shown once")
@app_commands.describe(
    scope="What the handler is called, as jobs name it",
    rotate="End the keys this handler has now, at once; left out, they stay good",
)
async def token(interaction: Interaction, scope: ScopeText, rotate: bool = False) -> None:
    """Make a registration for a handler of this guild."""
    await defer(interaction)
    home = require_home(interaction, "/job")
    if scope == MESSAGES:
        raise Refusal("`scope`: that name is the bot's own; choose another.")
    with about("scope", "name"):
        made = await core_of(interaction).new_key(
            scope, "handler", key=f"interaction:{interaction.id}", guild_id=home, register=True, valid_for=VALID_FOR,
            in_place=rotate,
        )  # fmt: skip
    if made.token is None:
        raise Refusal("This token was shown already; ask for another one.")
    until = "" if made.expires is None else f" Use it once, until {moment(made.expires)}."
    server = "" if made.server is None else f"\nserver  {made.server}"
    await show(
        interaction,
        card(
            f"Token for {one_line(scope, 64)}",
            f"Only you see it, and only now.{until} With it a program connects as `{scope}`, for this server alone.",
            f"```\ntoken   {made.token}{server}\n```",
            "Put these lines into a file that only you may read, and start it: "
            f"`schedule-zero-handler MODULE:OBJECT --name {scope} --key FILE --core ADDRESS` "
            "(the address is known to who runs this service).",
            "-# The keys it had before are no longer good." if rotate else "",
        ),
    )
