"""``schedule-zero up`` and ``core``: the service, from the first byte of the log to the last commit; ``up`` with the
Discord side in the same process.

The core comes up first and answers; only then the Discord side is imported, in a thread, because it is heavy and due
runs do not wait. Stopping goes the other way round: the HTTP door closes, running work ends, and the Discord side
leaves last, because running work may still have to say something there.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, Protocol

import click
import msgspec
import structlog

from core.app import App
from core.commands.builtin import load_builtin, with_secrets
from core.config import Config, secrets_of
from core.engine.janitor import Retention
from core.engine.ports import Pace
from core.gateway.doors import Listening
from core.governor.settings import GovernorSettings
from core.logs import configure
from core.secret import Secret
from core.web.app import Web, build_web
from core.web.server import HttpServer
from core.web.sign_in.discord import API, DiscordSignIn
from core.web.token import BOT_FILE, BOT_NAME, FILE, ensure_token
from schedule_zero.errors import ScheduleZeroError
from schedule_zero.instant import SECOND, parse_duration
from schedule_zero.process.leaving import run
from schedule_zero.process.notify import Notifier

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_VERIFIED: Final = "verified"
LEAVINGS: Final = 3
LEAVING_S: Final = 10.0
SWITCH_S: Final = 0.0002
_log = structlog.get_logger(__name__)


class Up:
    """The running service, as the Discord side sees it."""

    def __init__(self, config: Config, app: App, web: Web, server: HttpServer) -> None:
        self.config = config
        self.app = app
        self.web = web
        self.server = server

    @property
    def discord_token(self) -> str | None:
        """The bot's token; without one the playground opens."""
        token = self.config.discord.token
        return token.reveal() if token is not None else None

    def sign_in_with_playground(self, prefix: str, programs: Programs) -> None:
        """People may sign in as those of the playground, unless they do with Discord itself."""
        if self.config.http.oauth.client_id is None:
            secret = Secret(programs.client_secret)
            self.web.sign_in_with(DiscordSignIn(programs.client_id, secret, f"{self.server.address}{prefix}/api/v10"))

    def say_address(self, what: str, path: str) -> None:
        """Print an address to open."""
        click.echo(f"  {what:<11} {self.server.address}{path}")


class Programs(Protocol):
    """What the playground's Discord knows this program by."""

    client_id: str
    client_secret: str


Front = Callable[[Up], Coroutine[Any, Any, None]]


def serve(config: Config, front: Front | None) -> None:
    """Serve until a signal asks to stop; ``front`` None: without a Discord side.

    Raises:
        StoreError, CannotListen, OSError, WrongInput: it cannot start, or cannot go on; the sentence says why.
    """
    sys.path.insert(0, str(Path.cwd()))  # `handlers.builtin` may name modules of the working folder
    token, bot_token = ensure_token(config.data_path), ensure_token(config.data_path, BOT_FILE)
    config, options = with_secrets(config, os.environ)
    configure(config.log, secrets=[token, bot_token, *secrets_of(config), *options])
    run(_serve(config, token, bot_token, front))


def tune_interpreter() -> None:
    """Set Python's cycle collector and interpreter lock for a process that does nothing but serve.

    Rows come and go by the thousand and hardly ever form cycles: the collector, which by default looks after every 700
    of them, looks less often, and not at all at what the start has made. Not still less often, for what it then finds
    at once (APScheduler leaves cycles behind) holds everybody up [190 ms after 200,000 of them, 6 to 20 ms after
    20,000, 2 to 4 ms after 5,000; one run of a hundred at 1,000/s then waits 82 ms, or 46].

    The store's thread gives the interpreter lock away at every statement and gets it back from a busy loop only by
    waiting a whole switch interval, in which the loop must not have let go of it for a moment: a loop that turns faster
    would keep it for good. So the interval, by default 5 ms, is shorter than what our loop does in one go [saturated
    runs: 6,600 → 8,200/s].
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 50, 200)
    sys.setswitchinterval(SWITCH_S)


async def _serve(config: Config, token: str, bot_token: str, front: Front | None) -> None:
    listening = Listening(
        handlers=config.zmq.handlers, clients=config.zmq.clients, events=config.zmq.events, curve=config.zmq.curve
    )
    app = App(
        store=config.store, data_dir=config.data_path, governor=governor_of(config), retention=retention_of(config),
        listening=listening, pace=pace_of(config), among_others=front is None,
        operator_ids=config.discord.operator_ids,
        via="discord",  # nobody but the bot asks inside this process
    )  # fmt: skip
    app.keyring.trust(token)
    app.keyring.trust(bot_token, role="bot", name=BOT_NAME)
    for handler in load_builtin(config.handlers.builtin):
        app.serve(handler)
    ask_on_signals(app.stop_requested)
    notifier = Notifier()
    async with contextlib.AsyncExitStack() as leaving:
        await leaving.enter_async_context(notifier.beating())
        sides: list[asyncio.Task[None]] = []
        leaving.push_async_callback(end, sides)
        await leaving.enter_async_context(app.running())
        up = await _open_http(config, app, leaving, with_link=front is not None)
        notifier.ready(f"answers at {up.server.address}")
        tune_interpreter()
        if front is not None:
            sides.append(asyncio.create_task(front(up), name="the Discord side"))
        await _until_stopped(app, up, sides)
        _log.info("stopping")


async def _open_http(config: Config, app: App, leaving: contextlib.AsyncExitStack, *, with_link: bool) -> Up:
    status = await app.client.status()
    web = build_web(
        app.service, config.http, app.keyring.api_actor, version=status.version,
        with_metrics=config.reporting.metrics.enabled,
    )  # fmt: skip
    _offer_discord(web, config)
    server = HttpServer(web, config.http)
    await server.start()
    leaving.push_async_callback(server.stop)
    up = Up(config, app, web, server)
    app.service.calendar_links.address = config.http.public_url or server.address
    click.echo(f"ScheduleZero {status.version} is up; Ctrl-C stops it.")
    up.say_address("API", "/api/v1")
    up.say_address("runs", "/runs")
    up.say_address("handlers", "/handlers")
    if with_link:
        await _say_link(config, up)
    if app.doors is not None:
        click.echo(f"  {'handlers at':<11} {app.doors.handlers_at}")
        click.echo(f"  {'clients at':<11} {app.doors.clients_at}")
        click.echo(f"  {'events at':<11} {app.doors.events_at}")
    if app.keyring.server is not None:
        click.echo(f"  {'with key':<11} {app.keyring.server}")
    click.echo(f"  {'token in':<11} {config.data_path / FILE}")
    return up


def _offer_discord(web: Web, config: Config) -> None:
    """Let people sign in with Discord, where an application for it is configured."""
    oauth = config.http.oauth
    if (oauth.client_id is None) != (oauth.client_secret is None):
        _log.warning(
            "nobody can sign in with Discord: http.oauth takes client_id and client_secret, and has one of them"
        )
    elif oauth.client_id is not None and oauth.client_secret is not None:
        web.sign_in_with(DiscordSignIn(oauth.client_id, oauth.client_secret, config.discord.api_base or API))


async def _say_link(config: Config, up: Up) -> None:
    """Print a link that signs in, once, where nobody on the way can read it."""
    if not config.http.is_private:
        return
    try:
        link = await up.app.client.new_sign_in()
    except ScheduleZeroError as error:  # a full disk, for one, keeps nobody from starting
        _log.warning("no link to sign in with", error=error.sentence)
        return
    base = config.http.public_url or up.server.address
    click.echo(f"  {'sign in':<11} {base.rstrip('/')}{link.path}")
    click.echo(f"  {'':<11} (once, within five minutes; `schedule-zero login` prints another link)")


async def _until_stopped(app: App, up: Up, sides: list[asyncio.Task[None]]) -> None:
    """Until somebody asks to stop. A part that fails ends the process; a Discord side that gives up does not."""
    waits = {asyncio.create_task(app.wait()), asyncio.create_task(up.server.wait())}
    try:
        await asyncio.wait({*waits, *sides}, return_when=asyncio.FIRST_COMPLETED)
        for side in sides:
            if side.done():
                side.result()
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            if wait.done():
                wait.result()
    finally:
        for wait in waits:
            wait.cancel()


async def end(sides: list[asyncio.Task[None]]) -> None:
    """Cancel, and once more after a while: discord.py swallows what meets it while a shard reconnects."""
    left = set(sides)
    for _ in range(LEAVINGS):
        for side in left:
            side.cancel()
        if left:
            _, left = await asyncio.wait(left, timeout=LEAVING_S)
    if left:
        _log.warning("the Discord side does not end; it is left behind")
    await asyncio.gather(*(side for side in sides if side.done()), return_exceptions=True)


def ask_on_signals(stop: asyncio.Event) -> None:
    """The first signal asks; whoever sends a second one means it, and gets what the system does by itself."""
    loop = asyncio.get_running_loop()

    def ask(number: int) -> None:
        loop.remove_signal_handler(number)
        stop.set()

    for number in _SIGNALS:
        try:
            loop.add_signal_handler(number, ask, number)
        except NotImplementedError:  # Windows: a plain handler, which wakes the loop by itself
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))


def governor_of(config: Config) -> GovernorSettings:
    """The limits. Where nobody could verify a guild (no operators' guild, or the playground), all count as verified."""
    settings = config.governor
    alone = config.discord.operator_guild_id is None or config.discord.token is None
    if settings.default_plan is None and alone and _VERIFIED in settings.plans:
        return msgspec.structs.replace(settings, default_plan=_VERIFIED)
    return settings


def retention_of(config: Config) -> Retention:
    """How long what is over is kept."""
    kept = config.reporting.retention
    return Retention(
        runs=parse_duration(kept.runs), events=parse_duration(kept.events), audit=parse_duration(kept.audit),
        metrics=parse_duration(kept.metrics),
    )  # fmt: skip


def pace_of(config: Config) -> Pace:
    """How often the engine looks up although nothing woke it."""
    return Pace(health_s=parse_duration(config.reporting.handler_health.check_interval) / SECOND)
