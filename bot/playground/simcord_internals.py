"""Private names of SimCord 3.2.1 and discord.py 2.7.1, all of them: a simulated Discord that lives in real time.

SimCord is made for tests. It hooks into the event loop, stops the clock, waits after every step until the bot has
nothing left to do, and renders a page when asked. Here the bot shares its loop with the core, time is time, nothing
waits for anything but the answer a person's click gets, and pages follow whatever happens. What is SimCord's: the world
and its rules, REST routes, gateway events, what people do, and the page.

Any release may change a name that begins with an underscore; so the version is checked here, and pinned.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

import discord
import msgspec
import simcord
from aiohttp import web
from discord.webhook.async_ import AsyncWebhookAdapter, async_context
from simcord import ChannelHandle, MemberActor, UserHandle
from simcord import _dpy_internals as sdk
from simcord.backend import Backend, serializers
from simcord.backend.errors import SetupError
from simcord.backend.models import Interaction
from simcord.gateway import ShardRouter
from simcord.preview import (
    Preview,
    _component_projection,
    _messages,
    _queries,
    _require_preview_runtime,
    _server,
    _snapshot,
)
from simcord.preview._markdown import markdown_tokens
from simcord.preview._pages import _Page
from simcord.preview._queries import _message_navigation

from bot.playground.clocks import StandingClock, WallClock
from bot.playground.exchange import Answer, Asked, PageFiles, PageRequest
from bot.playground.nonces import Nonces
from bot.playground.transport import LiveHttp, LiveWebhooks

PINNED: Final = "3.2.1"
"""The only SimCord whose private names are known here."""
KEPT: Final = 200
"""Messages kept per channel, and entries kept of every record the simulation makes."""
KEPT_FILES: Final = 32 * 2**20
"""Bytes of uploaded files kept in memory."""
FIRST_ANSWER: Final = 3.0
"""Seconds within which Discord wants the first answer to an interaction."""
PUBLISH_EVERY: Final = 0.2
PUBLISH_WITHIN: Final = 0.4
"""Seconds between two publications; with the half second between two polls of a page, a post shows within a second."""
READY_WITHIN: Final = 20.0
"""Seconds the bot may take from its login to its READY; it syncs its commands in between."""
_ASLEEP: Final = 90.0

logger = logging.getLogger(__name__)


class WrongSimCord(RuntimeError):
    """Another SimCord than the pinned one is installed."""


def check_version() -> None:
    """Refuse to work on names we do not know, and find out about missing parts of SimCord's page.

    Raises:
        WrongSimCord: the installed version is not the pinned one, or is incomplete.
    """
    if simcord.__version__ != PINNED:
        raise WrongSimCord(f"it needs simcord {PINNED} and finds {simcord.__version__}")
    try:
        _require_preview_runtime()
    except SetupError as error:
        raise WrongSimCord(str(error)) from None


# ── the world that lives ────────────────────────────────────────────────────────────────────────────────────


class LiveEnv(simcord.Env):
    """SimCord's environment without its hold on loop, clock and tasks. One at a time in a process.

    Args:
        bot: a client that never logged in.
        nonces: what is remembered of nonces.
        on_change: called at every change of the world, from inside the change.
        kept: returns when what was said by now outlives the process.
    """

    def __init__(
        self, bot: discord.Client, nonces: Nonces, on_change: Callable[[], None], kept: Callable[[], Awaitable[None]]
    ) -> None:
        unsaid = isinstance(bot, discord.AutoShardedClient) and bot.shard_count is None
        super().__init__(bot, check_errors=False, shard_count=1 if unsaid else None)
        self.standing = StandingClock()
        self.backend = Backend(clock=self.standing)  # type: ignore[arg-type]  # asked for the same three names
        self.backend.bot_user.name = "ScheduleZero"
        self.backend.transcript = deque(maxlen=KEPT)  # type: ignore[assignment]  # it is only appended to
        self.backend.http_requests = deque(maxlen=KEPT)  # type: ignore[assignment]
        self.nonces = nonces
        self.previews: list[LivePreview] = []
        self.changes = 0
        self._on_change = on_change
        self._kept = kept
        self._dirty = asyncio.Event()
        self._asked: WeakKeyDictionary[asyncio.Task[Any], tuple[Interaction, asyncio.Future[None]]] = (
            WeakKeyDictionary()
        )
        self._publishing: asyncio.Task[None] | None = None
        self._webhooks: AsyncWebhookAdapter | None = None
        self._logged_in = False

    # SimCord keeps one preview per environment here; there is one per channel.
    _preview = property(lambda _self: None, lambda _self, _value: None)

    async def attach(self) -> None:
        """Let the time run and bring the bot to READY: logged in, its commands synced, every guild told.

        Raises:
            TimeoutError: the bot did not become ready.
        """
        self._loop = asyncio.get_running_loop()
        self._generation, self._started = 1, True
        self.backend.clock = WallClock()  # type: ignore[assignment]
        state = self._put_in(self._loop)
        router = ShardRouter(self.backend, state, self.bot.dispatch, self._shard_count, self._shard_ids)
        sharded = self.bot if isinstance(self.bot, discord.AutoShardedClient) else None
        if sharded is None:
            sdk.install_websocket(self.bot, router.websockets[0])
        else:
            sharded.shard_count = self._shard_count
        self._logged_in = True
        await self.bot.login("playground")
        if sharded is not None:
            sdk.install_shards(sharded, dict(router.shards))
        for shard_id in self._shard_ids:
            router.identify(shard_id)
        for guild in self.backend.guilds.values():
            router.feed("GUILD_CREATE", serializers.guild_create_payload(self.backend, guild))

        def feed(event: str, payload: Mapping[str, Any]) -> None:
            router.feed(event, payload)
            self.touch()

        self.backend.subscribers.append(feed)
        async with asyncio.timeout(READY_WITHIN):
            await self.bot.wait_until_ready()
        self._publishing = asyncio.create_task(self._publish_for_ever(), name="playground pages")

    def _put_in(self, loop: asyncio.AbstractEventLoop) -> Any:
        """Put our REST and webhooks where the library has its own; returns its connection state."""
        sdk.install_http(self.bot, LiveHttp(self.backend, loop, self.nonces, self.touch, self._kept))
        sdk.set_guild_ready_timeout(self.bot, 0.1)
        # Interactions look their adapter up in the context of whoever answers them, which may be any task of this
        # process; so the one that all contexts share is changed, instead of one put into a context.
        webhooks = contextvars.Context().run(async_context.get)
        if "request" in vars(webhooks):
            raise RuntimeError("another playground is open in this process")
        self._webhooks = webhooks
        vars(webhooks)["request"] = LiveWebhooks(self.backend, self._answered).request
        state = sdk.get_state(self.bot)
        self._message_states.add(state)
        state.shard_count, state.shard_ids = self._shard_count, list(self._shard_ids)
        return state

    async def detach(self) -> None:
        """Close the pages and the bot, and give the library its webhooks back."""
        if self._publishing is not None:
            self._publishing.cancel()
            await asyncio.wait((self._publishing,))
        for preview in self.previews:
            await preview.close()
        self.previews.clear()
        self.backend.subscribers.clear()
        if self._logged_in:  # a client that never was cannot be closed
            await self.bot.close()
        if self._webhooks is not None:
            vars(self._webhooks).pop("request", None)
        self._started = False

    async def open(
        self, channel: ChannelHandle, viewers: Sequence[MemberActor | UserHandle], token: str
    ) -> LivePreview:
        """Open the page of a channel for these people; ``token`` is what a browser must show."""
        preview = LivePreview(self, channel, tuple(viewers), token)
        await preview.__aenter__()
        self.previews.append(preview)
        return preview

    def touch(self) -> None:
        """The world changed."""
        self.changes += 1
        self.redraw()
        self._on_change()

    def redraw(self) -> None:
        """Pages have to be published anew."""
        self._dirty.set()

    def _answered(self) -> None:
        """The bot answered an interaction, or edited an answer: let those go on who wait for that."""
        for interaction, answered in list(self._asked.values()):
            if interaction.responded and not answered.done():
                answered.set_result(None)
        self.touch()

    async def _publish_for_ever(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            began = time.perf_counter()
            _trim(self.backend)
            for preview in self.previews:
                preview.publish_live()
            cost = time.perf_counter() - began
            # The loop is the core's too: drawing takes a fifth of it at most, unless a post would show too late.
            await asyncio.sleep(min(max(PUBLISH_EVERY, 4 * cost), PUBLISH_WITHIN))

    def _begin_operation(self, label: str) -> None:
        """Nothing: several people may act at once."""

    def _end_operation(self) -> None:
        """Nothing, for the same reason."""

    def _mark_mutation(self) -> None:
        for preview in self.previews:
            preview._mark_action_dispatched()

    def _notify_dispatch_observers(self, interaction: Any) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._asked[task] = (interaction, asyncio.get_running_loop().create_future())
        super()._notify_dispatch_observers(interaction)

    async def _settle_internal(self, **_options: Any) -> None:
        """Wait for the first answer to what this task's person did, as a Discord client does; for nothing else."""
        task = asyncio.current_task()
        if task is None or task not in self._asked:
            return
        interaction, answered = self._asked[task]
        try:
            async with asyncio.timeout(FIRST_ANSWER):
                if not interaction.responded:
                    await answered
        except TimeoutError:
            pass  # the page says that the bot did not answer, as Discord does
        finally:
            self._asked.pop(task, None)

    def _record_error(self, error: BaseException) -> None:
        logger.error("an action in the playground failed", exc_info=error)


def _trim(backend: Backend) -> None:
    """Hold the world's size: every record of what happened grows for ever otherwise."""
    for messages in backend.messages.values():
        for message_id in sorted(messages)[: max(0, len(messages) - KEPT)]:
            del messages[message_id]
    for interaction in list(backend.interactions.values())[:-KEPT]:
        del backend.interactions[interaction.id]
        backend.interaction_tokens.pop(interaction.token, None)
    for guild in backend.guilds.values():
        del guild.audit_log_entries[:-KEPT]
    files = backend.cdn._blobs
    while sum(map(len, files.values())) > KEPT_FILES:
        del files[next(iter(files))]
    # Both only keep two ids of one millisecond apart, so the latest are enough.
    backend._sequences = dict(islice(backend._sequences.items(), max(0, len(backend._sequences) - KEPT), None))
    if len(backend._reserved_ids) > 50 * KEPT:
        backend._reserved_ids = set(sorted(backend._reserved_ids)[-KEPT:])


# ── the pages ───────────────────────────────────────────────────────────────────────────────────────────────

_HANDLERS: Final = (
    ("POST", re.compile("/api/pages"), "_pages"),
    ("DELETE", re.compile("/api/pages/(?P<context_id>[^/]+)"), "_delete_page"),
    ("GET", re.compile("/api/state"), "_state"),
    ("GET", re.compile("/api/commands"), "_commands"),
    ("GET", re.compile("/api/action-result"), "_action_result"),
    ("POST", re.compile("/api/action"), "_action"),
    ("GET", re.compile("/api/assets/(?P<asset_id>[^/]+)"), "_asset"),
)
PAGE: Final = PageFiles(
    folder=Path(_server.__file__).with_name("static"),
    names=frozenset(_server.PreviewServer._STATIC_FILES.values()) - {"index.html", "protocol.schema.json"},
    version=PINNED,
)


class _Doorless(_server.PreviewServer):
    """SimCord's page server without a socket: its handlers are called."""

    async def start(self) -> None:
        _server.web = web  # type: ignore[attr-defined]  # its own start would import it there


class LivePreview(Preview):
    """SimCord's preview of one channel, following what happens there."""

    env: LiveEnv

    def __init__(self, env: LiveEnv, channel: Any, viewers: tuple[Any, ...], token: str) -> None:
        super().__init__(
            env, channel, viewers, layout="channel", display="responsive", width=1100, height=720,
            locale="en-US", timezone="UTC", presentation_time=None, assets=None, port=0,
        )  # fmt: skip
        self.capability = token
        self._server = _Doorless(self)
        self._one_at_a_time = asyncio.Lock()
        self._payloads: dict[str, tuple[tuple[int, int, str], dict[str, Any]]] = {}

    async def answer(self, asked: Asked) -> Answer:
        """Answer a request of the page."""
        for method, path, name in _HANDLERS:
            match = path.fullmatch(asked.path)
            if match is not None and method == asked.method:
                try:
                    response = await getattr(self._server, name)(PageRequest(asked, match.groupdict()))
                except web.HTTPException as refusal:
                    response = refusal
                body = response.body
                return Answer(response.status, dict(response.headers), body if isinstance(body, bytes) else b"")
        return Answer(404, {}, b"")

    def publish_live(self) -> None:
        """Publish every page somebody looks at."""
        self._advance_presentation_time()
        self._payloads = {key: kept for key, kept in self._payloads.items() if key in self._pages}
        for page in list(self._pages.values()):
            if page is self._python or page.id not in self._pages or _is_asleep(page):
                continue
            try:
                self._publish(page, reason="refresh")
            except Exception:  # one page that cannot be drawn must not stop the others; the browser opens it anew
                logger.exception("a page of the playground cannot be drawn")
                self._close_page(page.id)

    def _publish(self, page: _Page, *, reason: Any = "action") -> None:
        if page is not self._python:  # nobody looks at the page meant for Python
            super()._publish(page, reason=reason)

    def _initial_target(self, viewer: Any, channel_id: int) -> None:
        """No message is singled out: a page stands at the newest one and follows."""

    def _open_page(self, viewer_id: Any = None, target_id: Any = None) -> _Page:
        while len(self._pages) > self._MAX_PAGES:
            idle = [page for page in self._pages.values() if page not in (self._python, self._action_page)]
            self._close_page(min(idle, key=lambda page: page.last_activity).id)
        known = any(str(viewer.id) == str(viewer_id) for viewer in self.viewers)
        return super()._open_page(viewer_id if known else None, target_id)

    def _get_page(self, context_id: str | None) -> _Page:
        page = self._pages.get(context_id or "")
        if page is not None and _is_asleep(page):
            self.env.redraw()
        return super()._get_page(context_id)

    def _page_payload(self, page: _Page) -> dict[str, Any]:
        """The same as long as nothing changed: a page asks twice a second."""
        state = (page.revision, self.env.changes, page.status)
        kept = self._payloads.get(page.id)
        if kept is None or kept[0] != state:
            kept = self._payloads[page.id] = (state, super()._page_payload(page))
        return kept[1]

    async def _action(self, context_id: str | None, body: Any) -> dict[str, Any]:
        """One action after the other (SimCord refuses a second one), and none is refused because the bot just posted."""
        async with self._one_at_a_time:
            page = self._get_page(context_id)
            if isinstance(body, dict) and "published_revision" in body:
                body = {**body, "published_revision": page.revision}
                if body.get("kind") == "refresh" and body.get("modal_handle") == page.modal_handle:
                    page.modal = page.modal_handle = None  # the form was given up: our page says so (writing.py)
            try:
                return await super()._action(context_id, body)
            finally:
                self.env.changes += 1

    async def _prepare_asset(self, *args: Any, **options: Any) -> Any:
        try:
            return await super()._prepare_asset(*args, **options)
        finally:
            self.env.changes += 1


def _is_asleep(page: _Page) -> bool:
    """Whether its tab is hidden or gone; a tab that is seen asks twice a second."""
    return time.monotonic() - page.last_activity > _ASLEEP


# ── publishing at a bearable price ──────────────────────────────────────────────────────────────────────────

_NO_NAVIGATION: Final = {
    "query": "", "filter": "all", "hasPrevious": False, "hasNext": False, "previousCursor": None, "nextCursor": None,
}  # fmt: skip


@functools.lru_cache(2048)
def _tokens_of(text: str, profile: str, context: bytes) -> bytes:
    return msgspec.json.encode(markdown_tokens(text, profile, context=msgspec.json.decode(context)))


def _markdown_once(value: Any, profile: str = "message", *, context: Any = None) -> Any:
    """SimCord makes a Markdown parser per text and publication; what a text was read as is kept here."""
    if not isinstance(value, str):
        return markdown_tokens(value, profile, context=context)
    return msgspec.json.decode(_tokens_of(value, profile, msgspec.json.encode(context)))


def _navigation_unless_live(preview: Any, page: Any, visible: Any) -> Any:
    """The list of a channel's messages beside it costs more than the channel, and our page does not show it."""
    return (
        ([], dict(_NO_NAVIGATION)) if isinstance(preview, LivePreview) else _message_navigation(preview, page, visible)
    )


for _module in (_component_projection, _messages, _queries, _snapshot):
    vars(_module)["markdown_tokens"] = _markdown_once
vars(_snapshot)["_message_navigation"] = _navigation_unless_live
