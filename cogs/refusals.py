"""Errors as people read them: one table, one way to answer.

What is foreseen gets its sentence; everything else gets a code that the operator finds in the log, never a traceback.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import aiohttp
import discord
from discord import app_commands

from cogs.answers import tell
from cogs.custom_ids import WHICH_LIMIT, spelled
from cogs.front import Interaction, front_of, home_of
from cogs.maintenance import banner
from cogs.texts import CONTENT, list_of, one_line, sentence_case, shorten, stamp, unix
from schedule_zero.errors import (
    FieldError,
    Forbidden,
    Invalid,
    QuotaExceeded,
    ReadingOffer,
    ScheduleZeroError,
    StorageFull,
    Unavailable,
)

AWAY: Final = "Discord does not answer the bot at the moment. Look whether it was done before you try again."
"""Nothing is said about what was changed: it may have been saved before Discord failed to show it."""
UNKNOWN_INTERACTION: Final = 10062
READINGS_SHOWN: Final = 3
_KEPT_TEXT: Final = 1_500
_MAY_BE_MAINTENANCE: Final = (QuotaExceeded, Unavailable, StorageFull, TimeoutError)
"""What may come of something that is done to the service, besides what nobody foresaw."""
_OPTIONS: Final = {
    "trigger": "when",
    "trigger.text": "when",
    "hour24": "clock",
    "trigger.timezone": "tz",
    "timezone": "tz",
    "begin": "from",
    "end": "to",
    "args.content": "text",
    "args.mentions": "mentions",
    "args.channel_id": "channel",
    "roles.manager": "manager",
    "roles.member": "member",
    "mentions.listed": "listed",
    "mentions.max": "max",
    "channels.allow": "allow",
    "channels.deny": "deny",
    "retention.history_days": "days",
}
"""Fields as the core names them, which commands call otherwise."""


_SUSPENDED: Final = "suspended"


class Refusal(Exception):
    """A command cannot be carried out; the sentence says what is wrong and what to do."""


@contextmanager
def about(option: str, *fields: str) -> Iterator[None]:
    """What the core refuses in these fields (without any: in whatever field) is said of the option it came from."""
    try:
        yield
    except Invalid as error:
        errors = tuple(
            FieldError(option, wrong.message) if not fields or wrong.field in fields else wrong
            for wrong in error.errors
        )
        raise Invalid(error.sentence, errors, error.readings) from None


def sentence_of(error: Exception) -> str | None:
    """What to tell a person about an error; None if nobody foresaw it."""
    if isinstance(error, app_commands.CommandInvokeError | app_commands.TransformerError) and _cause(error) is not None:
        return sentence_of(_cause(error) or error)
    if _is_discord_away(error):
        return AWAY
    for kind, say in _TABLE:
        if isinstance(error, kind):
            return shorten(say(error), CONTENT)
    return None


async def refuse(interaction: Interaction, error: Exception, *, kept: str | None = None) -> None:
    """Answer an interaction with an error.

    Args:
        kept: a text the person typed, given back so that it is not lost.
    """
    cause = _cause(error) or error
    if isinstance(cause, discord.NotFound) and cause.code == UNKNOWN_INTERACTION:
        front_of(interaction).incidents.record(cause, "answering an interaction that Discord had given up")
        return
    sentence, code = sentence_of(error), None
    if sentence is None:
        code = front_of(interaction).incidents.record(cause, _doing(interaction))
        sentence = f"Something went wrong here; look before you try again. The operator finds it as `{code}`."
    if kept and kept.strip():
        quoted = shorten(kept, _KEPT_TEXT).replace("```", "'''")
        sentence = f"{shorten(sentence, CONTENT - len(quoted) - 40)}\nYour text:\n```\n{quoted}\n```"
    if isinstance(cause, _MAY_BE_MAINTENANCE) or code is not None:
        told = await banner(interaction, away=isinstance(cause, Unavailable | TimeoutError))
        sentence = shorten(f"{sentence}\n-# {told}" if told else sentence, CONTENT)
    try:
        await tell(interaction, sentence, _further(interaction, cause))
    except (discord.DiscordException, aiohttp.ClientError, OSError) as trouble:  # time-outs are among the last
        front_of(interaction).incidents.record(trouble, f"telling somebody: {shorten(sentence, 200)}")


def _further(interaction: Interaction, error: Exception) -> list[discord.ui.Button[Any]]:
    """What can be pressed under a refusal: a limit of the server's can be explained."""
    if not isinstance(error, QuotaExceeded) or home_of(interaction) is None:
        return []
    return [discord.ui.Button(label="Which limit?", custom_id=spelled(WHICH_LIMIT))]


def offered(reading: ReadingOffer) -> str:
    """One reading of an unclear time: what to write, and when that would be."""
    meaning = "" if reading.text == reading.words else f": {reading.words}"
    return f"`{reading.text}`{meaning}" + (f", next {stamp(reading.next)}" if reading.next else "")


def _is_discord_away(error: Exception) -> bool:
    if isinstance(error, discord.HTTPException):
        return error.status >= 500 or error.status == 429
    return isinstance(error, discord.RateLimited | aiohttp.ClientError)


def _cause(error: BaseException) -> Exception | None:
    original = getattr(error, "original", None) or error.__cause__
    return original if isinstance(original, Exception) else None


def _doing(interaction: Interaction) -> str:
    command = interaction.command
    if command is not None:
        return f"carrying out /{command.qualified_name}"
    data: Any = interaction.data or {}
    return f"handling {data.get('custom_id', 'an interaction')!r}"


def _invalid(error: Invalid) -> str:
    """What is wrong, each with the option it is in, and what may have been meant. Both are not said twice."""
    wrong = [f"`{_OPTIONS.get(item.field, item.field)}`: {_asked_below(item.message, error)}" for item in error.errors]
    if not wrong:
        lines = [sentence_case(error.sentence)]
    elif len(wrong) == 1:
        lines = wrong
    else:
        lines = ["Several things are wrong:", list_of(wrong)]
    if error.readings:
        lines += ["Did you mean:", list_of(offered(reading) for reading in error.readings[:READINGS_SHOWN])]
    return "\n".join(lines)


def _asked_below(message: str, error: Invalid) -> str:
    """A message without the question at its end, where the readings that it asks about follow."""
    if not (error.readings and message.endswith("?")):
        return message
    said, _, _ = message.rpartition("; did you mean " if "; did you mean " in message else ": ")
    return f"{said}." if said else message


def _quota(error: QuotaExceeded) -> str:
    if error.details.get("limit") == _SUSPENDED:  # its reason is what an operator wrote
        return one_line(error.sentence, CONTENT // 2)
    if error.retry_after is None:
        return error.sentence
    free = unix(discord.utils.utcnow()) + int(error.retry_after) + 1
    return f"{error.sentence} Free again <t:{free}:R>."


def _forbidden(error: Forbidden) -> str:
    """Why somebody may not; of a ban it has the reason in it, which is what an operator wrote."""
    return sentence_case(one_line(error.sentence, CONTENT // 2))


def _stale_commands(_: Exception) -> str:
    return "The commands were updated just now. Reload Discord (or wait a minute), then try again."


def _option(error: app_commands.TransformerError) -> str:
    return f"{shorten(str(error.value), 80)!r} cannot be used here."


_TABLE: Final[tuple[tuple[type[Exception], Callable[[Any], str]], ...]] = (
    (Refusal, str),
    (Invalid, _invalid),
    (QuotaExceeded, _quota),
    (Forbidden, _forbidden),
    (ScheduleZeroError, lambda error: sentence_case(error.sentence)),
    (TimeoutError, lambda _: "That took too long. Look whether it was done before you try again."),
    (app_commands.CommandNotFound, _stale_commands),
    (app_commands.CommandSignatureMismatch, _stale_commands),
    (app_commands.NoPrivateMessage, lambda _: "This command works in servers only."),
    (app_commands.MissingPermissions, lambda _: "You lack the rights for this command here."),
    (app_commands.TransformerError, _option),
)
