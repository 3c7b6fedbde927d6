"""``schedule-zero bot``: the Discord side alone, in front of a core in another process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import click
import structlog

from bot.endpoint import WrongBase
from bot.main import run_discord
from bot.outbox import OutboxError
from bot.remote import SOFTWARE, Displaced, Remote, handlers_near
from bot.shards import Part, read
from core.commands.explain import Failed, WrongInput
from core.commands.up import ask_on_signals, end
from core.config import Config, secrets_of
from core.logs import configure
from core.web.token import BOT_FILE, ensure_token
from schedule_zero.process.notify import Notifier
from schedule_zero.transport.curve import open_key_file
from schedule_zero.transport.keyfile import KeyFile
from schedule_zero.transport.zmq_client import ZmqClient

log = structlog.get_logger("schedule_zero.bot")

NO_DISCORD: Final = (
    "there is no Discord token: set DISCORD_TOKEN; to look at the bot without one, start the playground with "
    "`schedule-zero up`"
)


def serve(config: Config, shards: str | None) -> None:
    """Serve until a signal asks to stop; ``shards``: those of this process, as ``0-3/8``.

    Raises:
        WrongInput, Failed: it cannot start, or cannot go on; the sentence says why.
    """
    if config.discord.token is None:
        raise WrongInput(NO_DISCORD)
    try:
        part = None if shards is None else read(shards)
    except ValueError as error:
        raise WrongInput(f"--shards: {error}") from None
    clients_at, keys = core_of(config)
    held = [secret for secret in (keys.token, keys.secret) if secret is not None]
    configure(config.log, secrets=[*held, *secrets_of(config)])
    handlers_at = handlers_near(clients_at, config.zmq.handlers)
    asyncio.run(_serve(config, config.discord.token.reveal(), clients_at, handlers_at, keys, part))


def core_of(config: Config) -> tuple[str, KeyFile]:
    """Where the core listens for clients, and what opens it.

    Raises:
        WrongInput: the address or the key is none that a bot can use.
        Failed: the token of this machine, or the key file, cannot be read.
    """
    address, key = config.core.address, config.core.key
    if address is None:
        address = config.zmq.clients
        _require_port(address, "zmq.clients")
        _require_port(config.zmq.handlers, "zmq.handlers")
        if key is None:
            try:
                return address, KeyFile(token=ensure_token(config.data_path, BOT_FILE))
            except ValueError as error:
                raise Failed(str(error)) from None
    if address.startswith("http"):
        raise WrongInput(f"core.address is {address}; the bot reaches a core over tcp:// or ipc:// (its zmq.clients)")
    if key is None:
        raise WrongInput(f"core.key is missing: the core at {address} wants the token or the key file of a bot")
    path = Path(key.reveal()).expanduser()
    return address, open_key_file(path) if path.is_file() else KeyFile(token=key.reveal())


def _require_port(address: str, key: str) -> None:
    if address.endswith(":*"):
        raise WrongInput(f"{key} takes a free port, which only the core knows; set it to the port the core has")


async def _serve(
    config: Config, token: str, clients_at: str, handlers_at: str, keys: KeyFile, part: Part | None
) -> None:
    stop = asyncio.Event()
    ask_on_signals(stop)
    notifier = Notifier()
    async with notifier.beating(), _remote(clients_at, handlers_at, keys, part) as remote:
        click.echo(f"The bot asks the core at {clients_at}; Ctrl-C stops it.")
        side = asyncio.create_task(_discord(remote, config, token, part), name="the Discord side")
        asked = asyncio.create_task(stop.wait(), name="stop requested")
        telling = asyncio.create_task(_tell_when_known(remote, notifier, clients_at), name="telling when known")
        try:
            ends: set[asyncio.Future[Any]] = {side, asked, remote.displaced}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if remote.displaced.done():
                remote.displaced.result()
            if side.done():
                side.result()
        except Displaced as error:
            raise Failed(str(error)) from None
        finally:
            log.info("stopping")
            asked.cancel()
            telling.cancel()
            await remote.drain()
            await end([side])


async def _tell_when_known(remote: Remote, notifier: Notifier, clients_at: str) -> None:
    """Ready is a bot that the core knows; Discord may be away for hours, and starting anew would not bring it back."""
    notifier.status("the core does not know this bot yet")
    await remote.known()
    notifier.ready(f"known to the core at {clients_at}")


async def _discord(remote: Remote, config: Config, token: str, part: Part | None) -> None:
    """The bot, until cancelled. Raises Failed when Discord will not have it."""
    try:
        sentence = await run_discord(remote, config.discord, token, data_dir=config.data_path, part=part)
    except (WrongBase, OutboxError) as error:
        raise Failed(str(error)) from error
    raise Failed(sentence)


@contextlib.asynccontextmanager
async def _remote(clients_at: str, handlers_at: str, keys: KeyFile, part: Part | None) -> AsyncIterator[Remote]:
    remote = Remote(ZmqClient(clients_at, keys, software=SOFTWARE), handlers_at, keys, part)
    try:
        yield remote
    finally:
        await remote.close()
