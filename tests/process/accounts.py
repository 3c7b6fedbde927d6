"""The accounts: what was due, what ran, what stands in the channels. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from schedule_zero.instant import parse
from schedule_zero.run import RunState
from tests.process.remains import Remains, RunLeft


class Due(msgspec.Struct, frozen=True):
    """One due time of a one-shot, and the text that has to stand in a channel once."""

    schedule_id: str
    text: str


class Accounts(msgspec.Struct):
    """What is wrong, a sentence each."""

    lost: list[str] = []
    doubled: list[str] = []

    @property
    def balanced(self) -> bool:
        """Whether every due time has its one run and its one message."""
        return not self.lost and not self.doubled

    @property
    def words(self) -> str:
        """All that is wrong."""
        return "\n".join(["lost:", *self.lost, "doubled:", *self.doubled])


def settle(dues: Sequence[Due], remains: Remains, texts: Sequence[str]) -> Accounts:
    """Every one-shot needs one run, which succeeded, and one message."""
    accounts = Accounts()
    for due in dues:
        runs = [run for run in remains.runs if run.schedule_id == due.schedule_id]
        count = sum(due.text in text for text in texts)
        if count == 0:
            accounts.lost.append(f"{due.text!r} never came")
        if count > 1:
            accounts.doubled.append(f"{due.text!r} came {count} times")
        if len(runs) > 1:
            accounts.doubled.append(f"{due.text!r} has {len(runs)} runs")
        if not any(run.state == RunState.SUCCEEDED for run in runs):
            accounts.lost.append(
                f"{due.text!r} has no run that succeeded, but {[(run.state, run.error) for run in runs]}"
            )
    return accounts


def settle_series(dues: Sequence[int], runs: Sequence[RunLeft], message_ids: Sequence[str]) -> Accounts:
    """Every due time of a series needs one run or a place inside one `missed` row; every success one message."""
    accounts = Accounts()
    singles = Counter(int(run.occurrence.removeprefix("t:")) for run in runs if run.missed is None)
    spans = list(_spans(runs))
    for due in dues:
        places = singles[due] + sum(first <= due <= last for first, last in spans)
        if places != 1:
            (accounts.doubled if places else accounts.lost).append(f"due time {due} has {places} places")
    stated = Counter(
        msgspec.json.decode(run.result)["message_id"] for run in runs if run.state == RunState.SUCCEEDED and run.result
    )
    posted = Counter(message_ids)
    accounts.lost += [f"message {id} was reported and is not there" for id in stated - posted]
    accounts.doubled += [f"message {id} belongs to no run" for id in posted - stated]
    return accounts


def _spans(runs: Sequence[RunLeft]) -> Iterator[tuple[int, int]]:
    for run in runs:
        if run.missed is not None:
            missed = msgspec.json.decode(run.missed)
            yield parse(missed["from"]), parse(missed["to"])
