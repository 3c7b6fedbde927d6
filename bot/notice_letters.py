"""The words of notices: what an event means to those it concerns, and several of them as one message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import discord
import msgspec

from bot.sender import Letter
from cogs.buttons import CardButton
from cogs.reminders import REMINDER
from cogs.telling import Telling
from cogs.texts import CONTENT, content_of, fit, is_job, moment, one_line, shorten, title_of
from schedule_zero import instant
from schedule_zero.event import Event, EventKind
from schedule_zero.instant import spell
from schedule_zero.masking import without
from schedule_zero.schedule import Schedule

BUTTONS: Final = 25
"""The most buttons of a message (Discord documentation: five rows of five)."""
SUSPICION: Final = "suspicion"
_LABEL: Final = 80
_SKIPPED: Final = {
    "overlap": "because an earlier run of it was not over",
    "quota": "because the runs its server may have are used up",
}
_RESERVE: Final = 150


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell.

    Attributes:
        place: of its event in the journal, ``epoch-seq``.
        at: when that happened.
        guild_id: the guild whose channels may show it; None: only its owner may read it.
        owner_id: whose schedule it is about; like ``schedule_id`` empty where it is about the whole guild.
        line: the words.
        title: what the schedule is called, without markdown.
        purpose: which of the guild's channels it is for.
        button: what can be done about it, as (label, verb, subject, detail).
        channel_id: the channel that was chosen for this one schedule; it is tried before the guild's.
        skipped: why nothing ran, where that is what is told; see ``bot.digest``.
        times: how often it happened.
    """

    place: str
    at: str
    guild_id: str | None
    owner_id: str
    schedule_id: str
    line: str
    title: str
    purpose: Literal["failures", "log"] = "failures"
    button: tuple[str, str, str, str] | None = None
    channel_id: str | None = None
    skipped: str | None = None
    times: int = 1

    @property
    def whom(self) -> str:
        """For whom it is: the guild, or ``@`` and the owner."""
        return self.guild_id or f"@{self.owner_id}"

    @property
    def moment(self) -> tuple[int, int]:
        """Its place, so that later ones are greater."""
        epoch, _, seq = self.place.partition("-")
        return int(epoch), int(seq)

    @property
    def gist(self) -> str:
        """What it says, for the log: without the schedule's own words, which may be for its owner alone."""
        if not self.schedule_id:
            return f"there is news of server {self.guild_id}"
        if self.button is None:
            return f"{self.schedule_id} was {'skipped' if self.skipped in _SKIPPED else 'missed'}"
        if self.button[1] == "resume":
            return f"{self.schedule_id} will not run until it is resumed"
        if self.button[1] == "show_run":
            return f"a run of {self.schedule_id} ended"
        return f"it is not known whether {self.schedule_id} posted"


def is_told(event: Event) -> bool:
    """Whether somebody has to hear of an event."""
    return event.schedule_id is not None and (
        event.kind == EventKind.SCHEDULE_BLOCKED
        or (event.kind == EventKind.RUN_FAILED and event.data.get("reason") == "unknown")
        or (
            event.kind == EventKind.RUN_SKIPPED
            and event.data.get("reason") in ("missed", *_SKIPPED)
            and not event.data.get("together")  # then one event tells of all of them
        )
    )


def notice_of(event: Event, schedule: Schedule, hidden: frozenset[str] = frozenset()) -> Notice:
    """What is told of an event that has to be heard of; ``hidden``: texts that it may not repeat."""
    title = title_of(schedule)
    why = _why(event, hidden)
    purpose: Literal["failures", "log"] = "failures"
    button = None
    if event.kind == EventKind.SCHEDULE_BLOCKED:
        state = "waits for a new owner" if schedule.state == "needs_owner" else "is blocked"
        line = f"⛔ **{title}** {state} and will not run until somebody resumes it: {why}"
        button = ("Resume", "resume", schedule.id, str(schedule.revision))
    elif event.kind == EventKind.RUN_FAILED:
        what, again = ("it was done", "Run again") if is_job(schedule) else ("a message came out", "Post again")
        line = f"❓ **{title}**: whether {what} is not known, so it was not repeated ({why})."
        button = (again, "again", event.run_id or "", "")
    else:
        reason = str(event.data["reason"])
        line = f"⏭ **{title}** was missed while the service was away: {_missed(event)}"
        if reason in _SKIPPED:
            line = f"⏭ **{title}** was skipped, {_SKIPPED[reason]}."
        return msgspec.structs.replace(_noticed(event, schedule, line, "log", None), skipped=reason)
    return _noticed(event, schedule, line, purpose, button)


def suspicions_of(event: Event, operators: str | None) -> list[Notice]:
    """What is told of a server that was slowed down because it looked like abuse: to itself, and to the operators in the
    server of theirs, if there is one."""
    if event.kind != EventKind.QUOTA_REACHED or event.data.get("limit") != SUSPICION or event.guild_id is None:
        return []
    words, until = str(event.data.get("words", "")), moment(instant.spell(int(event.data["until"])))
    place = f"{event.epoch}-{event.seq}"
    own = f"🐢 This server {words}, so its messages go out slowly until {until}. Nothing was deleted."
    told = [_about_a_guild(place, event, event.guild_id, own)]
    if operators is not None and operators != event.guild_id:
        line = (
            f"🐢 Server `{event.guild_id}` {words}. It is slowed down until {until}; setting any limit of it ends that."
        )
        told.append(_about_a_guild(f"{place}/operators", event, operators, line))
    return told


def _about_a_guild(place: str, event: Event, guild_id: str, line: str) -> Notice:
    return Notice(
        place=place, at=event.at, guild_id=guild_id, owner_id="", schedule_id="", line=line, title="", purpose="log"
    )


def outcome_of(event: Event, schedule: Schedule, telling: Telling, hidden: frozenset[str]) -> Notice:
    """What is told of how a run of a job ended, in the channel that was chosen for that."""
    title = title_of(schedule)
    purpose: Literal["failures", "log"] = "failures"
    if event.kind == EventKind.RUN_SUCCEEDED:
        line, purpose = f"✅ **{title}** succeeded.", "log"
    elif event.kind == EventKind.RUN_TIMED_OUT:
        line = f"⏱️ **{title}** {_why(event, hidden) or 'took too long'}."
    else:
        line = f"❌ **{title}** failed: {_why(event, hidden) or 'nothing is known of the reason'}"
    notice = _noticed(event, schedule, line, purpose, ("Show run", "show_run", event.run_id or "", ""))
    return msgspec.structs.replace(notice, channel_id=telling.channel_id)


def return_of(event: Event, named: Sequence[tuple[Schedule, int]]) -> Notice:
    """What is told of a bot that is back in a server; ``named``: schedules that missed most, and how many times."""
    facts = event.data
    goes_on = _counted(facts.get("resumed", 0), "schedule")
    line = f"👋 I am back in this server, and **{goes_on}** {'goes' if facts.get('resumed') == 1 else 'go'} on."
    if facts.get("missed"):
        most = ", ".join(
            f"**{title_of(schedule)}** {count:,}" for schedule, count in named if not _is_private(schedule)
        )
        line += f" Missed since {moment(spell(facts['since']))}: {_counted(facts['missed'], 'due time')}"
        line += f", most of them of {most}." if most else "."
    if facts.get("over"):
        line += f" Of {_counted(facts['over'], 'schedule')} the last time has passed."
    return Notice(
        place=f"{event.epoch}-{event.seq}", at=event.at, guild_id=event.guild_id, owner_id="", schedule_id="",
        line=line, title="", purpose="log",
    )  # fmt: skip


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _noticed(
    event: Event,
    schedule: Schedule,
    line: str,
    purpose: Literal["failures", "log"],
    button: tuple[str, str, str, str] | None,
) -> Notice:
    return Notice(
        place=f"{event.epoch}-{event.seq}",
        at=event.at,
        guild_id=None if _is_private(schedule) else schedule.guild_id,
        owner_id=schedule.owner_id,
        schedule_id=schedule.id,
        line=f"{line} `{schedule.id}`",
        title=_plain_title(schedule),
        purpose=purpose,
        button=button,
    )


def _why(event: Event, hidden: frozenset[str]) -> str:
    return one_line(without(str(event.data.get("error") or event.data.get("reason") or ""), hidden), 200)


def letter_of(notices: Sequence[Notice]) -> Letter:
    """All of them as one message; where there is not room for every line, it says how many are left out."""
    view = None
    buttons = [(notice, notice.button) for notice in notices if notice.button is not None]
    if buttons:
        view = discord.ui.View(timeout=None)
        for notice, (label, verb, subject, detail) in buttons[:BUTTONS]:
            named = label if len(buttons) == 1 else shorten(f"{label}: {notice.title}", _LABEL)
            view.add_item(CardButton(named, verb, subject, detail))
    listing = "/remind list" if notices[0].guild_id is None else "/schedule list"
    more = f"… and {{count}} more; `{listing}` shows them all"
    return Letter(content=fit(_lines(notices), CONTENT - _RESERVE, more), view=view)


def _lines(notices: Sequence[Notice]) -> list[str]:
    """What each says; what is said several times, once, with how often it was."""
    times: dict[str, int] = {}
    for notice in notices:
        times[notice.line] = times.get(notice.line, 0) + notice.times
    return [line if count == 1 else f"{line} ({count:,} times)" for line, count in times.items()]


def _is_private(schedule: Schedule) -> bool:
    """Whether its text is for its owner alone: a reminder, wherever it is delivered, and any direct message."""
    return schedule.metadata.get("kind") == REMINDER or (schedule.handler, schedule.method) == ("discord", "send_dm")


def _plain_title(schedule: Schedule) -> str:
    """What a schedule is called where no markdown is read: on a button."""
    text = schedule.name or content_of(schedule) or f"{schedule.handler}.{schedule.method}"
    return shorten(" ".join(text.split()), _LABEL)


def _missed(event: Event) -> str:
    missed = event.data.get("missed")
    if not isinstance(missed, dict):
        return f"due {moment(event.at)}"
    count = missed.get("count", 1)
    times = "once" if count == 1 else f"{count} times"
    return f"{times}, from {moment(str(missed['from']))} to {moment(str(missed['to']))}"
