"""``/admin health``, ``lag``, ``queue`` and ``shards``: how the whole service is."""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

import discord
from discord import app_commands

from cogs.answers import defer, show
from cogs.cards import notes_card
from cogs.front import Interaction, service_of
from cogs.texts import fit, list_of, moment, one_line, runs_wait, stamp, waits_for
from schedule_zero.instant import say_duration
from schedule_zero.views import HandlerView, LagView, QueueGuild, QueueScope, QueueView, Status

HANDLERS_SHOWN: Final = 20
SCOPES_SHOWN: Final = 8
GUILDS_SHOWN: Final = 10
SHARDS_ROOM: Final = 3_500


@app_commands.command(name="health", description="Show the parts of the service, the store and the handlers")
async def health(interaction: Interaction) -> None:
    """Show what works and what does not."""
    await defer(interaction)
    core = service_of(interaction)
    status, handlers = await core.status(), await core.list_handlers()
    card = notes_card("Health", _state(status), _parts(status), _handlers(handlers.items))
    await show(interaction, card)


@app_commands.command(name="lag", description="Show how late ticks and dispatch are")
async def lag(interaction: Interaction) -> None:
    """Show how late the core is."""
    await defer(interaction)
    await show(interaction, notes_card("Lag", _lag(await service_of(interaction).lag())))


@app_commands.command(name="queue", description="Show what waits, why, and the servers with most of it")
async def queue(interaction: Interaction) -> None:
    """Show what runs wait for."""
    await defer(interaction)
    waiting = await service_of(interaction).queue(GUILDS_SHOWN)
    names = {str(guild.id): guild.name for guild in interaction.client.guilds}
    card = notes_card("Queue", _waiting(waiting), _scopes(waiting.scopes), _guilds(waiting.guilds, names))
    await show(interaction, card)


@app_commands.command(name="shards", description="Show the shards of this process, how late each is, and its servers")
async def shards(interaction: Interaction) -> None:
    """Show the connections to Discord's gateway."""
    await defer(interaction)
    service_of(interaction)  # raises unless it is an operator who asks
    client: discord.AutoShardedClient = interaction.client
    servers = Counter(guild.shard_id for guild in client.guilds)
    rows = [_shard(shard, servers[id]) for id, shard in sorted(client.shards.items())]
    of = f"{len(rows)} of {client.shard_count or 1} shards are this process's."
    await show(interaction, notes_card("Shards", of, fit(rows, SHARDS_ROOM)))


def _shard(shard: discord.ShardInfo, servers: int) -> str:
    late = f"{shard.latency * 1000:.0f} ms" if math.isfinite(shard.latency) else "no beat yet"
    mark = _mark(not shard.is_closed() and not shard.is_ws_ratelimited())
    notes = [late, f"{servers:,} server{'' if servers == 1 else 's'}"]
    notes += ["**closed**"] if shard.is_closed() else []
    return f"{mark} Shard {shard.id}: {', '.join(notes)}"


def _state(status: Status) -> str:
    state = "accepts and fires" if status.running else "does not fire at the moment"
    last = moment(status.last_tick) if status.last_tick else "not yet"
    return f"The core **{state}** (version {status.version}). Last tick {last}, {status.runs_executed:,} runs done."


def _parts(status: Status) -> str:
    return "\n".join(f"{_mark(part.ok)} {name}: {part.detail}" for name, part in sorted(status.parts.items()))


def _handlers(handlers: tuple[HandlerView, ...]) -> str:
    """The sick ones first, for there may be more than can be shown."""
    ordered = sorted(handlers, key=lambda each: (each.healthy, each.name))
    lines = [_handler(each) for each in ordered[:HANDLERS_SHOWN]]
    more = len(ordered) - len(lines)
    return "\n".join([*lines, f"… and {more} more"] if more > 0 else lines) or "No handlers."


def _handler(handler: HandlerView) -> str:
    record = handler.record
    since = f" since {stamp(handler.absent_since, 'f')}" if handler.absent_since else ""
    facts = [f"{len(handler.instances)} there" if handler.instances else f"nobody there{since}"]
    facts.append(f"{handler.in_flight} of {handler.credit} in flight")
    if record.success_rate is not None:
        facts.append(f"{record.success_rate:.1%} of {record.succeeded + record.failed + record.lost:,} succeeded")
    if record.p95 is not None:
        facts.append(f"p95 {say_duration(record.p95)}")
    facts += [f"{one_line(each.id, 60)}: {each.trouble}" for each in handler.instances if each.trouble][:3]
    draining = sum(each.draining for each in handler.instances)
    facts += [f"{draining} draining"] if draining else []
    return f"{_mark(handler.healthy)} **{one_line(handler.name, 64)}**: {', '.join(facts)}"


def _lag(lag: LagView) -> str:
    last = moment(lag.last_tick) if lag.last_tick else "not yet"
    return (
        f"**Ticks**: {say_duration(lag.tick)} late, {lag.due:,} schedules due; the last one {last}.\n"
        f"**Dispatch**: {say_duration(lag.dispatch)} late, {lag.ready:,} runs ready for their turn, {lag.waiting:,} waiting in all.\n"
        f"**Under way**: {lag.in_flight:,} attempts; {lag.uncommitted:,} outcomes on their way into the store."
    )


def _waiting(queue: QueueView) -> str:
    servers = (
        f"{queue.guild_count:,} server{'' if queue.guild_count == 1 else 's'}" if queue.guild_count else "no server"
    )
    whose = f", of {servers}" if queue.waiting else ""
    return f"{runs_wait(queue.waiting)}{whose}; {queue.running:,} {'is' if queue.running == 1 else 'are'} under way."


def _scopes(scopes: tuple[QueueScope, ...]) -> str:
    return list_of(f"{_runs(each)}: {waits_for(each.words)}" for each in scopes[:SCOPES_SHOWN])


def _guilds(guilds: tuple[QueueGuild, ...], names: dict[str, str]) -> str:
    return "\n".join(_guild(each, names) for each in guilds)


def _guild(guild: QueueGuild, names: dict[str, str]) -> str:
    known = names.get(guild.guild_id or "")
    name = one_line(known, 60) if known else guild.guild_id or "of no server"
    why = ", ".join(f"{each.limit} {each.runs:,}" for each in guild.scopes)
    return f"**{name}**: {guild.waiting:,} waiting{f' ({why})' if why else ''}, {guild.running:,} under way"


def _runs(scope: QueueScope) -> str:
    return f"**{scope.runs:,}** run{'' if scope.runs == 1 else 's'}"


def _mark(ok: bool) -> str:
    return "✅" if ok else "⚠️"
