"""Outcome: what an answer makes of its run. Pure; ``settle`` carries it out.

The rules are those of semantics section 2: lasting causes end the run, passing ones are tried again, at most once is
never tried again. Attempts that our own crash took do not count, and neither do those that a handler handed back because
it was stopped itself, or that ended with it asking for later; only crashes in a row have an end.

A schedule's policy may name ends by words (``retry_on``, ``never_on``). At most once, a message whose fate is unknown and
the time in which the run may start are stronger than ``retry_on``; nothing is stronger than ``never_on`` but a wish to stop,
and that nothing of the attempt was begun.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from hashlib import blake2b
from typing import Final, Protocol

import msgspec

from core.engine.flights import Flight
from core.engine.plan import Terms
from core.engine.ports import Answer
from core.ledger.rows import AttemptRow
from schedule_zero.run import Cause, RunState, head_of

# So often in a row our own process may go down with a run: one that takes it along every time must end some day.
CRASH_CAP: Final = 20
# The word of a handler that cannot know whether its work was done, and must not do it again (semantics, section 5).
UNKNOWN_FATE: Final = "unknown"
# The reason of a run whose last attempt failed and said nothing that a program could read.
ERROR: Final = "error"
HANDED_BACK: Final = "its handler was stopped before it was done"
ASKED_QUICKLY: Final = 10
LONGEST_DELAY_S: Final = 366 * 86_400.0


class Outcome(msgspec.Struct, kw_only=True):
    """What becomes of a run after one attempt.

    Attributes:
        state: the run's next state; ``waiting`` for another try, then ``not_before`` (wall microseconds) is set.
        outcome: the attempt's own end, in the words of run states, or ``lost``.
        lasting: True counts a lasting failure, False clears the count, None leaves it.
        lost: attempts that do not count, after this one.
    """

    state: RunState
    outcome: str
    cause: str | None = None
    reason: str | None = None
    error: str | None = None
    result: str | None = None
    not_before: int | None = None
    lasting: bool | None = None
    lost: int = 0


class Ends(Protocol):
    """Where attempts that ended without an answer go."""

    def end(self, flight: Flight, outcome: Outcome) -> None: ...


def conclude(flight: Flight, answer: Answer, now: int) -> Outcome:
    """The outcome of an attempt that was answered."""
    if answer.kind == "succeeded":
        return Outcome(
            state=RunState.SUCCEEDED, outcome="succeeded", result=answer.value, lasting=False, lost=flight.lost
        )
    if flight.stopping == "cancelled":
        return Outcome(state=RunState.CANCELLED, outcome="cancelled", error=answer.error, lost=flight.lost)
    if flight.stopping == "timed_out":
        return _again(flight, now, ended=RunState.TIMED_OUT, outcome="timed_out", cause=Cause.PASSING,
                      reason="timed_out", error=f"took longer than {flight.order.timeout_s:g} s")  # fmt: skip
    if answer.kind == "cancelled":  # nobody here asked for it
        return _again(flight, now, ended=RunState.FAILED, outcome="cancelled", cause=Cause.PASSING, reason="lost",
                      error=HANDED_BACK, asked_s=0.0, blameless=True)  # fmt: skip
    if answer.cause is Cause.LASTING and reason_in(answer.error) == UNKNOWN_FATE:
        return Outcome(
            state=RunState.FAILED, outcome="failed", cause=Cause.UNKNOWN, reason=UNKNOWN_FATE, error=answer.error,
            lost=flight.lost,
        )  # fmt: skip
    if answer.cause is Cause.LASTING:
        return _again(flight, now, ended=RunState.FAILED, outcome="failed", cause=Cause.LASTING,
                      reason=reason_in(answer.error), error=answer.error, begun=answer.begun)  # fmt: skip
    return _again(flight, now, ended=RunState.FAILED, outcome="failed", cause=answer.cause or Cause.UNKNOWN,
                  reason=ERROR, error=answer.error, asked_s=answer.retry_after_s, begun=answer.begun)  # fmt: skip


def vanish(flight: Flight, now: int, *, ours: bool, before: int = 0) -> Outcome:
    """The outcome of an attempt nobody will answer.

    Args:
        ours: our own process went down with it; else its lease ran out.
        before: how many attempts in a row nobody had answered before this one (``unanswered``).
    """
    return _again(flight, now, ended=RunState.FAILED, outcome="lost", cause=Cause.PASSING, reason="lost",
                  error="the handler went away before it answered", asked_s=0.0 if ours else None,
                  over=ours and before + 1 >= CRASH_CAP, blameless=ours)  # fmt: skip


def judged(flight: Flight, outcome: Outcome) -> bool | None:
    """What an attempt's end says of who ran it: it works, or it fails for a passing cause; None: nothing.

    A lasting failure is the schedule's own, and an unknown one may be. Who asks for later, or hands back because it is
    stopped itself, has not failed; nor has who went down with us.
    """
    if outcome.outcome == "succeeded":
        return True
    if outcome.cause != Cause.PASSING or outcome.outcome == "cancelled" or outcome.lost != flight.lost:
        return None
    return False


def unanswered(attempts: Sequence[AttemptRow]) -> int:
    """How many attempts, counted back from the newest that is over, ended without an answer."""
    over = [attempt for attempt in attempts if attempt.outcome is not None]
    answered = [place for place, attempt in enumerate(over, 1) if attempt.outcome != "lost"]
    return len(over) - max(answered, default=0)


def _again(
    flight: Flight, now: int, *, ended: RunState, outcome: str, cause: Cause, reason: str, error: str | None,
    asked_s: float | None = None, over: bool = False, begun: bool = True, blameless: bool = False,
) -> Outcome:  # fmt: skip
    """Another try if the rules allow one, else the end.

    Args:
        asked_s: somebody asked for another try, so many seconds later. The attempt is not counted, however often.
        over: enough is enough.
        begun: False where nothing of it was done: it may be tried again also where it may be begun but once.
        blameless: neither the work nor its handler failed, so the schedule is not blocked for it.
    """
    lost = flight.lost + (asked_s is not None)
    if flight.stopping == "cancelled":
        return Outcome(state=RunState.CANCELLED, outcome=outcome, cause=cause, error=error, lost=lost)
    words = words_of(cause, reason, error)
    counted = asked_s is None
    never = (begun or counted) and not words.isdisjoint(flight.terms.policy.retry.never_on)
    attempt = flight.order.attempt
    allowed = not (over or never) and (
        not counted or (_may_repeat(flight, cause, words) and attempt - lost < flight.terms.policy.retry.max_attempts)
    )
    delay = backoff(flight.terms, flight.order.run_id, attempt - flight.lost) if asked_s is None else asked_s
    if asked_s is not None and lost > ASKED_QUICKLY:  # one that asks for "at once" for ever keeps nobody busy
        delay = max(delay, backoff(flight.terms, flight.order.run_id, lost - ASKED_QUICKLY))
    not_before = now + int(min(delay, LONGEST_DELAY_S) * 1e6)
    in_time = flight.start_before is None or not_before <= flight.start_before
    if allowed and in_time and not (flight.at_most_once and begun):
        return Outcome(
            state=RunState.WAITING, outcome=outcome, cause=cause, error=error, not_before=not_before, lost=lost
        )
    lasting = True if cause is Cause.LASTING or (never and not blameless) else None
    return Outcome(state=ended, outcome=outcome, cause=cause, reason=reason, error=error, lost=lost, lasting=lasting)


def words_of(cause: Cause, reason: str, error: str | None) -> Set[str]:
    """What a policy may call such an end: its cause, its reason, the word its error begins with. What was handed back by
    its handler is ``lost``, as far as anybody knows."""
    words = {str(cause), head_of(error), None if reason == ERROR else reason}
    return {word for word in words if word is not None}


def _may_repeat(flight: Flight, cause: Cause, words: Set[str]) -> bool:
    """Whether what failed in this way is tried again at all: what the policy names, or else what is not lasting."""
    named = flight.terms.policy.retry.retry_on
    return not words.isdisjoint(named) if named else cause is not Cause.LASTING


def backoff(terms: Terms, run_id: str, tried: int) -> float:
    """Seconds before the next try, after ``tried`` counted ones. The jitter is the run's own, so it repeats."""
    retry = terms.policy.retry
    if retry.backoff == "list" and terms.retry_delays_s:
        delay = terms.retry_delays_s[min(tried, len(terms.retry_delays_s)) - 1]
    elif retry.backoff == "fixed":
        delay = terms.retry_initial_s
    else:
        delay = min(terms.retry_maximum_s, terms.retry_initial_s * 2 ** min(max(0, tried - 1), 40))
    share = int.from_bytes(blake2b(f"{run_id}/{tried}".encode(), digest_size=4).digest(), "big") / 0xFFFFFFFF
    return max(0.0, delay * (1 + retry.jitter * (2 * share - 1)))


def reason_in(error: str | None) -> str:
    """The machine word at the head of a rejection (``no_rights: …``), else ``rejected``."""
    head = (error or "").partition(":")[0]
    return head if head.isidentifier() and head.islower() else "rejected"
