"""Requests about schedules."""

from __future__ import annotations

from typing import Any

import msgspec

from schedule_zero.asks.base_request import BaseRequest
from schedule_zero.bounds import Id, Line, Text, Word
from schedule_zero.schedule import ScheduleSpec, ScheduleState


class CreateSchedule(BaseRequest, tag="schedule.create", frozen=True):
    """Answers Schedule."""

    spec: ScheduleSpec


class CreateSchedules(BaseRequest, tag="schedule.create_batch", frozen=True):
    """Answers BatchView. ``items`` are raw, so that one wrong item does not refuse the others."""

    items: tuple[Any, ...]


class GetSchedule(BaseRequest, tag="schedule.get", frozen=True):
    """Answers Schedule; a deleted one too, while its undo token lives."""

    id: Id


class ListSchedules(BaseRequest, tag="schedule.list", frozen=True):
    """Answers SchedulePage. ``q`` searches name, id and text arguments; ``owner_id`` keeps one person's."""

    guild_id: Id | None = None
    any_guild: bool = False
    state: ScheduleState | None = None
    handler: Word | None = None
    owner_id: Id | None = None
    q: Line | None = None
    metadata: dict[Word, Text] = msgspec.field(default_factory=dict)
    limit: int = 50
    cursor: Word | None = None


class PatchSchedule(BaseRequest, tag="schedule.patch", frozen=True):
    """Answers Schedule. ``changes`` holds the fields of a spec that change; ``revision`` guards against lost edits."""

    id: Id
    changes: dict[str, Any]
    revision: int | None = None


class DeleteSchedule(BaseRequest, tag="schedule.delete", frozen=True):
    """Answers Schedule (state ``deleted``)."""

    id: Id
    revision: int | None = None


class PauseSchedule(BaseRequest, tag="schedule.pause", frozen=True):
    """Answers Schedule. ``until`` is an instant or text; at that time it resumes by itself."""

    id: Id
    until: Text | None = None
    note: Text | None = None


class ResumeSchedule(BaseRequest, tag="schedule.resume", frozen=True):
    """Answers Schedule. Also resumes a blocked one; missed times are not made up for."""

    id: Id


class RunSchedule(BaseRequest, tag="schedule.run", frozen=True):
    """Answers Run. ``args`` replace single arguments for this run only."""

    id: Id
    args: dict[str, Any] = msgspec.field(default_factory=dict)


class CheckRun(BaseRequest, tag="schedule.check_run", frozen=True):
    """Answers RunCheck: what would become of RunSchedule, of which nothing is done."""

    id: Id
    args: dict[str, Any] = msgspec.field(default_factory=dict)


class SkipOccurrence(BaseRequest, tag="schedule.skip", frozen=True):
    """Answers Schedule. One due time is left out, the next one where none is named: ``occurrence`` as a run has it
    (``t:…``), or the instant alone."""

    id: Id
    occurrence: Word | None = None


class MoveOccurrence(BaseRequest, tag="schedule.move", frozen=True):
    """Answers Schedule. One due time comes at another instant instead; ``to`` is an instant or text."""

    id: Id
    to: Text
    occurrence: Word | None = None


class PreviewSchedule(BaseRequest, tag="schedule.preview", frozen=True):
    """Answers PreviewView of a saved schedule."""

    id: Id
    n: int = 10
    after: Word | None = None


class SuggestSchedules(BaseRequest, tag="schedule.suggest", frozen=True):
    """Answers Suggestions of schedules the actor may act on, for the option ``item``.

    ``reminders`` keeps to the actor's own reminders, wherever they were made; ``jobs`` to work for other programs."""

    text: Line
    guild_id: Id | None = None
    reminders: bool = False
    jobs: bool = False


class Undo(BaseRequest, tag="undo", frozen=True):
    """Answers Schedule as it is after the change was taken back."""

    token: Id
