"""``/job handlers``: who does the work here, how that goes, and what their methods take."""

from __future__ import annotations

from discord import app_commands, ui

from cogs.answers import defer, show
from cogs.cards import card
from cogs.front import Interaction, core_of
from cogs.job.fields import Field, fields_of
from cogs.job.work import HandlerName, usable
from cogs.refusals import Refusal
from cogs.texts import fit, one_line, shorten, stamp
from schedule_zero.instant import say_duration
from schedule_zero.schedule import MESSAGES
from schedule_zero.views import BreakerView, HandlerView, InstanceView, MethodView, RecordView

HandlerNameText = app_commands.Transform[str, HandlerName]
_ROOM = 2_500


@app_commands.command(name="handlers", description="Show the programs that do jobs for this server, or one of them")
@app_commands.describe(name="Which one; left out, all of them")
async def handlers(interaction: Interaction, name: HandlerNameText | None = None) -> None:
    """List handlers, or show one."""
    await defer(interaction)
    core = core_of(interaction)
    if name is None:
        await show(interaction, _listed(usable(await core.list_handlers())))
        return
    if name == MESSAGES:
        raise Refusal("`name`: messages are no jobs; `/status` says how the bot is.")
    await show(interaction, _shown(await core.get_handler(name)))


def _listed(found: list[HandlerView]) -> ui.LayoutView:
    if not found:
        return card("No handlers here", "No program does jobs for this server. `/job token` lets one of yours connect.")
    return card("Handlers", fit([_row(each) for each in found], 3_500))


def _row(handler: HandlerView) -> str:
    methods = one_line(", ".join(method.name for method in handler.methods), 150) or "none"
    return f"- {_mark(handler)} **{one_line(handler.name, 64)}** · {one_line(handler.standing, 80)} · {methods}\n-# {record_of(handler.record)}"


def _shown(handler: HandlerView) -> ui.LayoutView:
    facts = [f"{_mark(handler)} {one_line(handler.standing, 150)}", record_of(handler.record)]
    facts.append(f"{handler.in_flight} of {handler.credit} runs going at once")
    processes = [_process(each) for each in handler.instances]
    methods = [line for method in handler.methods for line in _method(method)]
    return card(
        f"Handler: {one_line(handler.name, 64)}", "\n".join(facts),
        "**Processes**\n" + fit(processes, 800) if processes else "",
        "**Methods**\n" + fit(methods, _ROOM) if methods else "It has no methods that this server may use.",
    )  # fmt: skip


def _process(instance: InstanceView) -> str:
    parts = [f"- `{one_line(instance.id, 60)}`", one_line(instance.software or "inside the core", 60)]
    parts += [f"version {one_line(instance.version, 40)}"] if instance.version else []
    parts += [f"has {one_line(', '.join(instance.capabilities), 100)}"] if instance.capabilities else []
    parts += [f"trouble: {one_line(instance.trouble, 120)}"] if instance.trouble else []
    parts += ["draining"] if instance.draining else []
    parts += [f"last beat {say_duration(instance.last_beat)} ago"] if instance.last_beat else []
    return " · ".join(parts)


def _method(method: MethodView) -> list[str]:
    doc = one_line(method.doc.split("\n\n")[0], 150)
    head = f"**{one_line(method.name, 60)}**" + (f": {doc}" if doc else "")
    limits = [f"at most {say_duration(method.timeout)}"] if method.timeout else []
    limits += ["at most once"] if method.at_most_once else []
    lines = [f"{head} ({', '.join(limits)})" if limits else head]
    lines += [_left_alone(breaker) for breaker in method.breakers]
    return [*lines, *(_argument(field) for field in fields_of(method.schema)), f"-# {record_of(method.record)}"]


def _left_alone(breaker: BreakerView) -> str:
    """A method that is left alone for a while, because it failed again and again."""
    until = "one run is tried now" if breaker.until is None else f"one run is tried {stamp(breaker.until, 'R')}"
    return f"-# ⚠️ Left alone after {breaker.failures} failures in a row; {until}."


def _argument(field: Field) -> str:
    what = field.hint if field.kind != "json" else "JSON"
    needed = "" if field.required else " (may be left out)"
    told = f" · {one_line(field.help, 100)}" if field.help else ""
    return f"- `{shorten(field.name, 60).replace('`', chr(39))}`: {one_line(what, 120)}{needed}{told}"


def record_of(record: RecordView) -> str:
    """How attempts went lately, in a line."""
    if record.success_rate is None:
        return f"nothing done in the last {say_duration(record.window)}"
    took = f", half within {say_duration(record.p50)}" if record.p50 else ""
    took += f", 19 of 20 within {say_duration(record.p95)}" if record.p95 else ""
    return f"{record.success_rate:.0%} succeeded in the last {say_duration(record.window)}{took}"


def _mark(handler: HandlerView) -> str:
    return "🟢" if handler.healthy else "🟡" if handler.instances else "🔴"
