"""The playground as the rest of the program sees it: start it with a bot, mount its pages, close it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import discord

from bot.playground import keeping
from bot.playground.clocks import id_of
from bot.playground.exchange import Answer, Asked, Place
from bot.playground.nonces import Nonces
from bot.playground.site import Site
from bot.playground.world import OPERATOR, PLAYGROUND, WORLD
from cogs.operators import Operators

if TYPE_CHECKING:
    from bot.playground.simcord_internals import LiveEnv, LivePreview

FOLDER: Final = "playground"
"""Its folder inside the data folder."""
SAVE_EVERY: Final = 1.0
"""Seconds between two savings of the history at least."""

logger = logging.getLogger(__name__)


def operators() -> Operators:
    """Who runs the service in the playground, and where."""
    return Operators([str(id_of(OPERATOR.number))], str(id_of(PLAYGROUND.number)))


class PlaygroundUnavailable(Exception):
    """The playground cannot be started; the sentence says what is missing and how to get it."""


class Playground:
    """A simulated Discord for one bot, and its pages.

    Args:
        bot: a client that never logged in; it is logged in by ``start`` and closed by ``close``.
        data_dir: where token and history are kept, in a folder of their own.
        prefix: the path the pages are mounted at.

    Attributes:
        asgi: the pages, an ASGI application for ``prefix``. It may be mounted before ``start``; until then it says
            that the playground is starting.
    """

    def __init__(self, bot: discord.Client, data_dir: Path, *, prefix: str = "/playground") -> None:
        self._bot = bot
        self._folder = data_dir / FOLDER
        self._nonces = Nonces()
        self._unsaved = asyncio.Event()
        self._hurry = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._running: _Running | None = None
        self._saving: asyncio.Task[None] | None = None
        # One thread: a writing that was cancelled goes on in its thread, and the next one comes after it.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="playground")
        self.asgi = Site(prefix)

    def address(self, base_url: str) -> str:
        """The link to open, token included, on a server reached at ``base_url``; anybody with it can act there."""
        return self.asgi.address(base_url)

    async def start(self) -> None:
        """Build the world, bring back what was said in it, bring the bot to READY and open a page per channel.

        Raises:
            PlaygroundUnavailable: SimCord is missing or not the one that is known here.
            OSError: the data folder cannot be used.
            TimeoutError: the bot did not become ready.
        """
        parts = await asyncio.to_thread(_load)
        token = await asyncio.to_thread(keeping.ensure_token, self._folder)
        kept = await asyncio.to_thread(keeping.read_history, self._folder)
        env: LiveEnv = parts.simcord_internals.LiveEnv(self._bot, self._nonces, self._unsaved.set, self._kept)
        try:
            openings = parts.seeding.seed(env, env.standing.stand_at, WORLD)
            if kept is not None:
                self._put_back(parts, env, kept)
            await env.attach()
            stage = _Stage()
            for opening in openings:
                page = await env.open(opening.channel, opening.viewers, token)
                stage.add(opening.place, page)
        except BaseException:  # whatever kept it from opening: what was attached must not stay behind
            await env.detach()
            raise
        self._running = _Running(parts, env)
        self._saving = asyncio.create_task(self._save_for_ever(self._running), name="playground history")
        self.asgi.open(stage, _People(parts, env), token, parts.simcord_internals.PAGE)
        logger.info(
            "the playground is open, with %d messages from before", sum(map(len, env.backend.messages.values()))
        )

    async def close(self) -> None:
        """Close pages and bot, and keep what was said, for good. Harmless when it is not open."""
        running, self._running = self._running, None
        self.asgi.close()
        if self._saving is not None:
            self._saving.cancel()
            await asyncio.wait((self._saving,))
            self._saving = None
        if running is not None:
            await running.env.detach()
            await self._save(running)
        self._writer.shutdown(wait=False)

    def _put_back(self, parts: _Parts, env: LiveEnv, kept: bytes) -> None:
        try:
            parts.history.put_back(kept, env.backend, self._nonces)
        except parts.history.Unreadable as error:
            aside = keeping.set_aside(self._folder)
            logger.warning("what was said in the playground cannot be read and now lies in %s: %s", aside, error)

    async def _save_for_ever(self, running: _Running) -> None:
        while True:
            await self._unsaved.wait()
            await self._save(running)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SAVE_EVERY):
                    await self._hurry.wait()

    async def _kept(self) -> None:
        """Until what was said by now is in the file: all who wait share one writing."""
        if self._running is None:
            return
        saved = asyncio.get_running_loop().create_future()
        self._waiting.append(saved)
        self._unsaved.set()
        self._hurry.set()
        await saved

    async def _save(self, running: _Running) -> None:
        self._unsaved.clear()
        self._hurry.clear()
        waiting, self._waiting = self._waiting, []
        path = self._folder / keeping.HISTORY
        try:
            content = running.parts.history.take(running.env.backend, self._nonces)
            await asyncio.get_running_loop().run_in_executor(self._writer, keeping.write_private, path, content)
        except OSError as error:
            logger.warning("what was said in the playground cannot be kept: %s", error)
        except Exception:  # a defect of ours must not hold up who waits, nor end the keeping of what is said later
            logger.exception("what was said in the playground cannot be kept")
        finally:
            for saved in waiting:
                if not saved.done():
                    saved.set_result(None)


class _Stage:
    """The open pages by path (``exchange.Stage``)."""

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self._pages: dict[str, LivePreview] = {}

    def add(self, place: Place, page: LivePreview) -> None:
        self.places[place.path] = place
        self._pages[place.path] = page

    async def answer(self, path: str, asked: Asked) -> Answer:
        return await self._pages[path].answer(asked)


class _People:
    """Who there is, as programs are told (``exchange.Directory``)."""

    def __init__(self, parts: _Parts, env: LiveEnv) -> None:
        self._parts = parts
        self._backend = env.backend

    def people(self) -> list[tuple[str, str]]:
        users = [user for user in self._backend.users.values() if not user.bot]
        return [(str(user.id), user.global_name or user.name) for user in users]

    def user(self, id: str) -> Mapping[str, Any]:
        user: Mapping[str, Any] = self._parts.simcord_internals.serializers.user_payload(self._backend.users[int(id)])
        return user

    def guilds(self, id: str) -> list[Mapping[str, Any]]:
        mine = [guild for guild in self._backend.guilds.values() if int(id) in guild.members]
        return [
            {
                "id": str(guild.id), "name": guild.name, "icon": None, "owner": guild.owner_id == int(id), "features": [],
                "permissions": str(self._backend.compute_permissions(guild.id, int(id))),
            }
            for guild in mine
        ]  # fmt: skip


class _Parts(NamedTuple):
    """The modules that need SimCord."""

    simcord_internals: Any
    seeding: Any
    history: Any


class _Running(NamedTuple):
    """What there is while the playground is open."""

    parts: _Parts
    env: LiveEnv


def _load() -> _Parts:
    """Import what needs SimCord: a fifth of a second of work that only a start of the playground should cost.

    Raises:
        PlaygroundUnavailable: see ``Playground.start``.
    """
    remedy = "install the extra `playground` of schedule-zero, or set DISCORD_TOKEN to use Discord itself"
    try:
        with _without_warnings("discord.client", "discord.state"):
            parts = _Parts(*(importlib.import_module(f"bot.playground.{name}") for name in _Parts._fields))
        parts.simcord_internals.check_version()
    except ImportError as error:
        raise PlaygroundUnavailable(f"the playground cannot be loaded ({error}): {remedy}") from error
    except RuntimeError as error:
        raise PlaygroundUnavailable(f"the playground cannot be used ({error}): {remedy}") from error
    return parts


@contextmanager
def _without_warnings(*names: str) -> Iterator[None]:
    """SimCord makes a client without intents while it is imported, to look at it; the library warns of such a client."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
