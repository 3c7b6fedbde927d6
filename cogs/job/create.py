"""``/job create`` and ``copy``: work for another program, once or again and again."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from discord import app_commands, ui

from cogs.answers import defer, show
from cogs.drafts import Draft, begin, end_of, finish, read
from cogs.front import Interaction, core_of
from cogs.items import resolve_item, resolve_job
from cogs.job.asking import ArgumentsForm, asks
from cogs.job.cards import job_card
from cogs.job.work import Arguments, HandlerMethod, Work, find_work, in_time, parsed_args, work_of
from cogs.options import AfterText, ChannelPlace, JobText, Place, RepeatText, UntilText, WhenText, ZoneText
from cogs.places import require_bot_rights, require_home
from cogs.refusals import Refusal
from cogs.shown import remember
from cogs.telling import On, Telling, told
from schedule_zero.schedule import After, Priority, Schedule, ScheduleSpec
from schedule_zero.views import ReadingView

NAME: Final = 80
_COPIES: Final = 100

HandlerText = app_commands.Transform[str, HandlerMethod]
ArgsText = app_commands.Transform[str, Arguments]


class JobDraft(Draft, frozen=True, kw_only=True):
    """A job as somebody asked for it. ``args`` None: a form will ask for them."""

    work: Work
    args: dict[str, Any] | None = None
    name: str | None = None
    count: int | None = None
    priority: Priority | None = None
    telling: Telling | None = None
    after: str | None = None

    @property
    def is_complete(self) -> bool:
        return self.args is not None

    def form(self, interaction: Interaction) -> ui.Modal:
        async def go_on(interaction: Interaction, args: dict[str, Any]) -> None:
            await finish(interaction, msgspec.structs.replace(self, args=args))

        return ArgumentsForm(self.work, {}, go_on)

    async def save(self, interaction: Interaction) -> ui.LayoutView:
        if self.telling is not None:
            await require_bot_rights(interaction, int(self.telling.channel_id), "notify")
        spec = self._spec(interaction)
        if self.when or self.repeat:
            await self._add_times(interaction, spec, await read(interaction, self))
        saved = await core_of(interaction).create_schedule(spec, idempotency_key=f"interaction:{interaction.id}")
        remember(interaction, saved, "Job made")
        return job_card(saved, "Job made", self.work)

    async def _add_times(self, interaction: Interaction, spec: ScheduleSpec, reading: ReadingView) -> None:
        spec.trigger, spec.timezone, spec.start = reading.trigger, reading.timezone, reading.start
        spec.until = await end_of(interaction, self, reading)
        spec.count = spec.count if spec.count is not None else reading.count
        spec.policy = {**spec.policy, "month_end": reading.month_end}

    def _spec(self, interaction: Interaction) -> ScheduleSpec:
        """Everything but the times."""
        return ScheduleSpec(
            handler=self.work.handler,
            method=self.work.method,
            args=self.args or {},
            guild_id=require_home(interaction, "/job"),
            name=self.name,
            owner_id=str(interaction.user.id),
            timezone=self.tz,
            count=self.count,
            policy={} if self.priority is None else {"priority": self.priority},
            after=() if self.after is None else (After(schedule=self.after),),
            metadata=told({}, self.telling),
        )


@app_commands.command(name="create", description="Let another program do something, once or again and again")
@app_commands.describe(
    handler="Which program does what: handler.method",
    when="When: tomorrow at 9, every weekday at 9, every 15 minutes, a date, a cron line",
    repeat="How it repeats, if when is only the start",
    args='Its arguments: key=value key="two words", or JSON; left out, a form asks for them',
    name="What the job is called here",
    tz="Time zone to read the times in; default: yours, then the server's",
    until="When the series ends",
    count="After how many times the series ends",
    priority="What comes first when much waits",
    notify="Where the outcome of its runs is told",
    notify_on="When it is told; left out, when a run fails",
    after="Which schedule it runs after, when that succeeded; /chain has more",
)
async def create(  # noqa: PLR0913, PLR0917  # as many as the command has options
    interaction: Interaction,
    handler: HandlerText,
    when: WhenText | None = None,
    repeat: RepeatText | None = None,
    args: ArgsText | None = None,
    name: app_commands.Range[str, 1, NAME] | None = None,
    tz: ZoneText | None = None,
    until: UntilText | None = None,
    count: app_commands.Range[int, 1, 10_000] | None = None,
    priority: Priority | None = None,
    notify: ChannelPlace | None = None,
    notify_on: On | None = None,
    after: AfterText | None = None,
) -> None:
    """Make a job."""
    require_home(interaction, "/job")
    if when is None and repeat is None and after is None:
        raise Refusal("Say in `when` or in `repeat` when it runs, or in `after` what it runs after.")
    if when is None and repeat is None and until is not None:
        raise Refusal("`until` ends a series, and this has no times of its own; leave it out, or say `when`.")
    telling = _telling(interaction, notify, notify_on)
    if args is None:
        work = await in_time(find_work(interaction, handler))
    else:
        await defer(interaction)
        work = await find_work(interaction, handler)
    parent = None if after is None else await in_time(resolve_item(interaction, after))
    given = parsed_args(work, args) if args is not None else None if asks(work, {}) else {}
    draft = JobDraft(
        when=when or "",
        repeat=repeat,
        until=until,
        tz=tz,
        work=work,
        args=given,
        name=name,
        count=count,
        priority=priority,
        telling=telling,
        after=parent,
    )
    await begin(interaction, draft)


@app_commands.command(name="copy", description="Make another job like one there is; you can undo it")
@app_commands.describe(item="Which job", channel="Where the outcome of the copy's runs is told; left out, as the job's")
async def copy(interaction: Interaction, item: JobText, channel: ChannelPlace | None = None) -> None:
    """Copy a job, under a name of its own."""
    telling = _telling(interaction, channel, None, "channel")
    await defer(interaction)
    core, job = core_of(interaction), await resolve_job(interaction, item)
    if channel is not None:
        await require_bot_rights(interaction, channel.id, "channel")
    taken = await _names(interaction, job)
    saved = await core.create_schedule(
        _spec_of(interaction, job, _name_beside(job.name, taken), telling),
        idempotency_key=f"interaction:{interaction.id}",
    )
    remember(interaction, saved, "Copied")
    await show(interaction, job_card(saved, "Copied", await work_of(core, saved), done=f"A copy of `{job.id}`."))


def _telling(interaction: Interaction, channel: Place | None, on: On | None, option: str = "notify") -> Telling | None:
    """Where outcomes are told.

    Raises:
        Refusal: ``notify_on`` without a channel, or a channel of elsewhere.
    """
    if channel is None:
        if on is not None:
            raise Refusal("`notify_on` says when something is told; say in `notify` where.")
        return None
    if channel.guild_id != interaction.guild_id:
        raise Refusal(f"`{option}` belongs to another server; pick a channel of this server.")
    if not channel.permissions.view_channel:
        raise Refusal(f"You cannot see <#{channel.id}>; pick a channel in `{option}` that you can read.")
    return Telling(str(channel.id), on or "fail")


async def _names(interaction: Interaction, job: Schedule) -> set[str]:
    """The names that are taken among those that look like this one's."""
    if job.name is None:
        return set()
    page = await core_of(interaction).list_schedules(guild_id=job.guild_id, q=job.name[:NAME], limit=200)
    return {schedule.name.casefold() for schedule in page.items if schedule.name}


def _name_beside(name: str | None, taken: set[str]) -> str | None:
    """A name for a copy."""
    if name is None:
        return None
    for number in range(1, _COPIES):
        tail = " copy" if number == 1 else f" copy {number}"
        found = name[: NAME - len(tail)] + tail
        if found.casefold() not in taken:
            return found
    return None


def _spec_of(interaction: Interaction, job: Schedule, name: str | None, telling: Telling | None) -> ScheduleSpec:
    """A spec that makes the same again, in the name of who asks."""
    policy = msgspec.to_builtins(job.policy)
    return ScheduleSpec(
        handler=job.handler,
        method=job.method,
        args=job.args,
        guild_id=require_home(interaction, "/job"),
        name=name,
        owner_id=str(interaction.user.id),
        trigger=job.trigger,
        timezone=job.timezone,
        start=job.start,
        until=job.until,
        count=job.count,
        calendar=job.calendar,
        active_hours=job.active_hours,
        policy=policy,
        after=job.after,
        metadata=job.metadata if telling is None else told(job.metadata, telling),
    )
