"""``/job edit`` and the button **Edit arguments**: one part of a job changed in a form that begins with what it is."""

from __future__ import annotations

from typing import Any, Final, Literal, Self, get_args

import discord
import msgspec
from discord import app_commands, ui

from cogs.answers import defer, show
from cogs.buttons import CardButton, on_press
from cogs.channels import POSTABLE
from cogs.drafts import moment_of
from cogs.forms import Form, choice_field, text_field
from cogs.front import Interaction, actor_of, core_of
from cogs.items import resolve_job
from cogs.job.asking import ArgumentsForm, Then, asks
from cogs.job.create import NAME
from cogs.job.work import in_time, work_of
from cogs.options import TIME_TEXT, JobText
from cogs.places import require_bot_rights
from cogs.presses import show_stale, shown
from cogs.refusals import Refusal
from cogs.shown import card_of, remember, show_change
from cogs.telling import WORDS, On, Telling, telling_of, told
from cogs.texts import label_of
from schedule_zero.errors import RevisionMismatch
from schedule_zero.schedule import Schedule
from schedule_zero.trigger import CronTrigger, DateTrigger, RRuleTrigger

Part = Literal["args", "time", "name", "channel"]
MOVED: Final = "Somebody changed this job meanwhile. Sent again, this replaces what they wrote; /job show has it."


@app_commands.command(name="edit", description="Change one part of a job in a form; you can undo it")
@app_commands.describe(item="Which job", part="What to change; left out, its arguments")
async def edit(interaction: Interaction, item: JobText, part: Part = "args") -> None:
    """Open the form for a part of a job."""
    job = await in_time(resolve_job(interaction, item))
    await interaction.response.send_modal(await _form(interaction, job, part))


@on_press("edit")
async def press_edit(interaction: Interaction, schedule_id: str, detail: str) -> None:
    """Open the form for the arguments; the detail names the revision that was shown, and perhaps the run that failed."""
    revision, _, run_id = detail.partition(".")
    job = await in_time(shown(interaction, schedule_id))
    if not run_id and str(job.revision) != revision:
        await defer(interaction)
        await show_stale(interaction, job)
        return
    await interaction.response.send_modal(await _form(interaction, job, "args", run_id))


async def _form(interaction: Interaction, job: Schedule, part: Part, run_id: str = "") -> ui.Modal:
    if part == "args":
        work = await in_time(work_of(core_of(interaction), job))
        if work is None:
            raise Refusal(
                f"Nobody knows {job.handler}.{job.method} at the moment, so there is no form for its arguments."
            )
        if not asks(work, job.args):
            raise Refusal(f"{work.name} takes no arguments.")
        return ArgumentsForm(work, job.args, _changing(job, run_id))
    if part == "time":
        return TimeForm(job)
    if part == "name":
        return NameForm(job)
    return ChannelForm(job)


def _changing(job: Schedule, run_id: str) -> Then:
    """What is done with new arguments: they are saved, unless somebody was quicker; after a failed run, Retry is offered."""
    revision: int | None = job.revision

    async def change(interaction: Interaction, args: dict[str, Any]) -> None:
        nonlocal revision
        await defer(interaction)
        try:
            changed = await core_of(interaction).patch_schedule(job.id, {"args": args}, revision=revision)
        except RevisionMismatch:
            revision = None
            raise Refusal(MOVED) from None
        if not run_id:
            await show_change(interaction, changed, "Arguments changed")
            return
        remember(interaction, changed, "Arguments changed")
        card = await card_of(interaction, changed, "Arguments changed", done="**Retry** runs it again with these.")
        row: ui.ActionRow[Any] = ui.ActionRow(CardButton("Retry", "retry", run_id, style=discord.ButtonStyle.success))
        card.add_item(row)
        await show(interaction, card)

    return change


class _PartForm(Form):
    """A form for a part of a job whose fields are texts; ``typed`` is what stands in them."""

    def __init__(self, title: str, job: Schedule, typed: dict[str, str]) -> None:
        super().__init__(f"{title}: {label_of(job)}")
        self.job = job
        self.typed = typed
        self.inputs: dict[str, ui.TextInput[Any]] = {}

    def field(self, name: str, about: str, *, required: bool = False, longest: int = TIME_TEXT) -> None:
        """Add a text field."""
        self.inputs[name] = text_field(self.typed.get(name, ""), required=required, longest=longest)
        self.ask(name, self.inputs[name], about)

    def read(self, name: str) -> str:
        """What stands in a field, tidied."""
        return " ".join(self.inputs[name].value.split())

    def again(self) -> Self:
        return type(self)(self.job, {name: given.value for name, given in self.inputs.items()})  # type: ignore[call-arg]


class TimeForm(_PartForm):
    """When a job runs."""

    def __init__(self, job: Schedule, typed: dict[str, str] | None = None) -> None:
        super().__init__("When", job, typed if typed is not None else _times_of(job))
        about = "tomorrow at 9, every weekday at 9, every 15 minutes, a date, a cron line"
        self.field("when", about, required=not job.after)
        self.field("repeat", "How it repeats, if when is only the start")
        self.field("tz", "Time zone to read the times in")
        self.field("until", "When the series ends; empty: never")
        self.field("count", "After how many times the series ends; empty: never", longest=6)

    async def accept(self, interaction: Interaction) -> None:
        await defer(interaction)
        count = self.read("count")
        if count and not (count.isdecimal() and 1 <= int(count) <= 10_000):
            raise Refusal("`count` has to be a whole number from 1 to 10,000; leave it empty for a series without end.")
        until = None
        if self.read("until"):
            until = await moment_of(interaction, self.read("until"), "until", self.read("tz") or self.job.timezone)
        changes: dict[str, Any] = {"until": until, "count": int(count) if count else None}
        if not (self.read("when") or self.read("repeat")):
            changes = {"trigger": None}  # it has what it runs after
        elif any(self.read(name) != _times_of(self.job)[name] for name in ("when", "repeat", "tz")):
            changes = await self._new_rule(interaction, until, changes["count"])
        changed = await core_of(interaction).patch_schedule(self.job.id, changes)
        await show_change(interaction, changed, "Time changed")

    async def _new_rule(self, interaction: Interaction, until: str | None, count: int | None) -> dict[str, Any]:
        """What becomes different with another rule; one that stayed as it was keeps its start."""
        actor = actor_of(interaction)
        reading = await core_of(interaction).read_time(
            self.read("when"), self.read("repeat") or None, timezone=self.read("tz") or None, guild_id=actor.guild_id,
            user_id=actor.id,
        )  # fmt: skip
        return {
            "trigger": msgspec.to_builtins(reading.trigger), "timezone": reading.timezone, "start": reading.start,
            "until": until or reading.until, "count": count or reading.count, "policy": {"month_end": reading.month_end},
        }  # fmt: skip


class NameForm(_PartForm):
    """What a job is called."""

    def __init__(self, job: Schedule, typed: dict[str, str] | None = None) -> None:
        super().__init__("Name", job, typed if typed is not None else {"name": job.name or ""})
        self.field("name", "What the job is called here; empty: by its work", longest=NAME)

    async def accept(self, interaction: Interaction) -> None:
        await defer(interaction)
        changed = await core_of(interaction).patch_schedule(self.job.id, {"name": self.read("name") or None})
        await show_change(interaction, changed, "Renamed")


class ChannelForm(Form):
    """Where the outcome of a job's runs is told, and when."""

    def __init__(self, job: Schedule, telling: Telling | None = None) -> None:
        super().__init__(f"Told: {label_of(job)}")
        self.job = job
        telling = telling or telling_of(job)
        kinds = list(POSTABLE)
        chosen = [] if telling is None else [discord.Object(int(telling.channel_id))]
        self._channel: ui.ChannelSelect[Any] = ui.ChannelSelect(
            channel_types=kinds, required=False, min_values=0, default_values=_defaults(chosen)
        )
        self._on = choice_field(
            [(words, on) for on, words in WORDS.items()], telling.on if telling else "fail", required=True
        )
        self.ask("channel", self._channel, "Where it is told; empty: nowhere")
        self.ask("notify_on", self._on, "When it is told")

    async def accept(self, interaction: Interaction) -> None:
        await defer(interaction)
        telling = self._telling()
        if telling is not None:
            await require_bot_rights(interaction, int(telling.channel_id), "channel")
        changes = {"metadata": told(self.job.metadata, telling)}
        changed = await core_of(interaction).patch_schedule(self.job.id, changes, revision=self.job.revision)
        await show_change(interaction, changed, "Told elsewhere" if telling is not None else "Told nowhere")

    def again(self) -> Self:
        return type(self)(self.job, self._telling())

    def _telling(self) -> Telling | None:
        if not self._channel.values:
            return None
        on: On = next((each for each in get_args(On) if each in self._on.values), "fail")
        return Telling(str(self._channel.values[0].id), on)


def _defaults(chosen: list[discord.Object]) -> list[discord.SelectDefaultValue]:
    kind = discord.SelectDefaultValueType.channel
    return [discord.SelectDefaultValue(id=each.id, type=kind) for each in chosen]


def _times_of(job: Schedule) -> dict[str, str]:
    """A job's times as people type them."""
    trigger = job.trigger
    when = "" if trigger is None else job.words
    if isinstance(trigger, DateTrigger):
        when = trigger.at
    elif isinstance(trigger, CronTrigger):
        when = trigger.expression
    elif isinstance(trigger, RRuleTrigger):
        when = f"RRULE:{trigger.rule.removeprefix('RRULE:')}"
    return {
        "when": when, "repeat": "", "tz": job.timezone, "until": job.until or "",
        "count": "" if job.count is None else str(job.count),
    }  # fmt: skip
