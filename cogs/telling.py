"""Telling: where the outcome of a job's runs is told, and when. It stands in the metadata of its schedule."""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

from schedule_zero.schedule import Schedule

On = Literal["fail", "always", "change"]
"""When something is told: a run failed; a run ended; a run ended otherwise than the one before."""
CHANNEL: Final = "notify"
ON: Final = "notify_on"
WORDS: Final[dict[On, str]] = {
    "fail": "when it fails",
    "always": "whenever it ran",
    "change": "when it fails after it succeeded, or succeeds after it failed",
}


class Telling(msgspec.Struct, frozen=True):
    """Where and when."""

    channel_id: str
    on: On = "fail"

    @property
    def words(self) -> str:
        return f"<#{self.channel_id}>, {WORDS[self.on]}"


def telling_of(schedule: Schedule) -> Telling | None:
    """Where its outcomes are told; None where nobody asked for that."""
    channel, on = schedule.metadata.get(CHANNEL, ""), schedule.metadata.get(ON, "fail")
    if not channel.isdecimal() or len(channel) > 20:
        return None
    return Telling(channel, next((each for each in get_args(On) if each == on), "fail"))


def told(metadata: dict[str, str], telling: Telling | None) -> dict[str, str]:
    """The metadata of a schedule whose outcomes are told there from now on."""
    others = {key: value for key, value in metadata.items() if key not in (CHANNEL, ON)}
    return others if telling is None else {**others, CHANNEL: telling.channel_id, ON: telling.on}
