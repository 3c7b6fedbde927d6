"""What was said and registered in the simulated Discord, taken out of it and put back at the next start.

Messages, the commands the bot registered and the nonces in use come back. What belongs to one process does not:
ephemeral answers, answers still "thinking", uploaded files, and channels or members made meanwhile.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from simcord.backend import Backend, serializers
from simcord.backend.models import Message

from bot.playground.nonces import Nonces

_FORM: Final = 1
_LOADING: Final = 1 << 7  # discord.MessageFlags.loading


class Nonce(msgspec.Struct, frozen=True, array_like=True):
    """A nonce still in use and the message it stands for."""

    channel_id: str
    nonce: str
    at: float
    message_id: int


class History(msgspec.Struct, frozen=True):
    """The file's form.

    Attributes:
        form: 1; another number is not read.
        messages: by channel, oldest first.
        commands: by guild, null for everywhere.
    """

    form: int
    messages: dict[int, list[Message]]
    commands: list[tuple[int | None, list[dict[str, Any]]]]
    nonces: list[Nonce]


class Unreadable(ValueError):
    """The file is damaged, or of a playground with another form of it."""


def take(backend: Backend, nonces: Nonces) -> bytes:
    """What has to be kept of the world as it is now."""
    messages = {
        channel_id: [message for message in kept.values() if not (message.is_ephemeral or message.flags & _LOADING)]
        for channel_id, kept in backend.messages.items()
        if kept
    }
    used = [Nonce(channel_id, nonce, known.at, int(known.message["id"])) for channel_id, nonce, known in nonces]
    commands = [(guild_id, list(registered.values())) for guild_id, registered in backend.commands.items()]
    return msgspec.json.encode(History(_FORM, messages, commands, used))


def put_back(content: bytes, backend: Backend, nonces: Nonces) -> None:
    """Put what was kept into a world just built.

    Raises:
        Unreadable: nothing was put back.
    """
    try:
        history = msgspec.json.decode(content, type=History)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unreadable(str(error)) from None
    if history.form != _FORM:
        raise Unreadable(f"it has the form {history.form}, and {_FORM} is known here")
    for channel_id, messages in history.messages.items():
        for message in messages:
            _put_message(backend, channel_id, message)
    for guild_id, commands in history.commands:
        if guild_id is None or guild_id in backend.guilds:
            backend.commands[guild_id] = {(command["name"], command["type"]): command for command in commands}
    for nonce in history.nonces:
        kept = backend.messages.get(int(nonce.channel_id), {}).get(nonce.message_id)
        if kept is not None:
            payload: dict[str, Any] = {**serializers.message_payload(backend, kept), "nonce": nonce.nonce}
            nonces.note(nonce.channel_id, nonce.nonce, payload, at=nonce.at)


def _put_message(backend: Backend, channel_id: int, message: Message) -> None:
    channel = backend.channels.get(channel_id)
    if channel is None or message.author_id not in backend.users:
        return  # of a channel or a webhook that was made in the other process
    message.attachments.clear()
    backend.messages[channel_id][message.id] = message
    backend.reserve_id(message.id)
    channel.last_message_id = message.id
