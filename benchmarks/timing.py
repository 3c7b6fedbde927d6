"""Due times and phrases: what one question to a rule costs, beside croniter and cronsim, and one text beside dateparser.

Each figure is the time of one call, over expressions and moments that lie as people's do; rules are asked as the engine
asks them, compiled before, in a zone with clock changes. croniter is told the moment, having been made before; cronsim
takes it at its making, which is part of its figure.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from benchmarks.measure import RUNS, Figures, app_in, limited, median_of, thread_cpu
from core.timing.compile import compile_rule
from core.timing.cron import cron_pattern, read_fields
from core.timing.reading import read
from core.timing.rule import Rule
from schedule_zero.instant import DAY, from_datetime
from schedule_zero.trigger import CronTrigger, IntervalTrigger, RRuleTrigger, Trigger

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 18, 10, tzinfo=BERLIN)
MOMENTS = [NOW + timedelta(hours=37 * number) for number in range(200)]
CRON = ("*/15 * * * *", "0 9 * * *", "30 8 * * MON-FRI", "0 9 1,15 * *", "0 0 29 2 *", "0 9 * * MON#1", "15 */6 * * *")
INTERVALS = ("PT15M", "PT6H", "P1D", "P3W")
RRULES = (
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR",
    "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=DAILY;COUNT=10000",
    "FREQ=HOURLY;INTERVAL=7",
)
PHRASES = (
    "tomorrow at 5pm",
    "every weekday at 9",
    "in 2 hours",
    "every 2nd friday at 18:00",
    "last day of the month at 6pm",
)
TIMES = 100
DATES = ("20 november 2026 18:30", "tomorrow at 17:00", "in 3 days", "friday 9am")


def rule_of(trigger: Trigger) -> Rule:
    return compile_rule(trigger, timezone="Europe/Berlin", anchor=from_datetime(NOW))


def microseconds(work: Callable[[], int]) -> float:
    """The time of one call; ``work`` answers how many it made."""
    started = time.perf_counter()
    calls = work()
    return (time.perf_counter() - started) * 1e6 / calls


def asked(ask: Callable[[], Sequence[object]]) -> Callable[[], int]:
    return lambda: len(ask())


def medians(name: str, figures: dict[str, Callable[[], int]]) -> dict[str, float]:
    """Run every figure five times, print the medians with the spread, and return them."""
    found = {}
    print(f"\n{name}   (µs; median of {RUNS}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)")
    for label, work in figures.items():
        work()  # zones, caches and the other engines' modules are warm, as in a service that runs
        taken = sorted(microseconds(work) for _ in range(RUNS))
        found[label] = statistics.median(taken)
        print(f"  {label:<44} {found[label]:>12,.2f}   [{taken[0]:,.2f} … {taken[-1]:,.2f}]")
    return found


def due_times() -> None:
    from croniter import croniter  # type: ignore[import-untyped]
    from cronsim import CronSim

    crons, instants = [rule_of(CronTrigger(text)) for text in CRON], [from_datetime(moment) for moment in MOMENTS]
    intervals = [rule_of(IntervalTrigger(text)) for text in INTERVALS]
    recurrences = [rule_of(RRuleTrigger(text)) for text in RRULES]
    few, engines = MOMENTS[:20], [croniter(text, NOW) for text in CRON]

    def next_by_croniter(engine: croniter, moment: datetime) -> object:
        engine.set_current(moment, force=True)
        return engine.get_next(datetime)

    taken = medians(
        "next due time",
        {
            "cron": asked(lambda: [rule.next_after(instant) for rule in crons for instant in instants]),
            "cron by cronsim": asked(lambda: [next(CronSim(text, moment)) for text in CRON for moment in few]),
            "cron by croniter": asked(
                lambda: [next_by_croniter(engine, moment) for engine in engines for moment in few]
            ),
            "interval": asked(lambda: [rule.next_after(instant) for rule in intervals for instant in instants]),
            "recurrence rule": asked(
                lambda: [rule.next_after(instant) for rule in recurrences for instant in instants]
            ),
        },
    )
    ratios("cron", taken, "cron by cronsim", "cron by croniter")

    def hundred_by_cronsim() -> int:
        engines = [CronSim(text, NOW) for text in CRON]
        return len([next(engine) for engine in engines for _ in range(100)]) // 100

    def hundred_by_croniter() -> int:
        engines = [croniter(text, NOW) for text in CRON]
        return len([engine.get_next(datetime) for engine in engines for _ in range(100)]) // 100

    taken = medians(
        "a hundred due times",
        {
            "cron": asked(lambda: [rule.upcoming(instant, 100) for rule in crons for instant in instants[:20]]),
            "cron by cronsim": hundred_by_cronsim,
            "cron by croniter": hundred_by_croniter,
            "ten years of them counted": asked(
                lambda: [
                    rule.count_between(instant - 3653 * DAY, instant, 10**9)
                    for rule in crons
                    for instant in instants[:5]
                ]
            ),
        },
    )
    ratios("cron", taken, "cron by cronsim", "cron by croniter")


def reading() -> None:
    from croniter import croniter
    from cronsim import CronSim
    from dateparser import parse  # type: ignore[import-untyped]

    now = from_datetime(NOW)

    def compiled_afresh() -> int:
        cron_pattern.cache_clear()
        read_fields.cache_clear()
        return len([rule_of(CronTrigger(text)) for text in CRON])

    taken = medians(
        "compile",
        {
            "cron, new": compiled_afresh,
            "cron, known": asked(lambda: [rule_of(CronTrigger(text)) for text in CRON for _ in range(20)]),
            "cron by cronsim": asked(lambda: [CronSim(text, NOW) for text in CRON for _ in range(20)]),
            "cron by croniter": asked(lambda: [croniter(text, NOW) for text in CRON for _ in range(20)]),
            "recurrence rule": asked(lambda: [rule_of(RRuleTrigger(text)) for text in RRULES for _ in range(20)]),
        },
    )
    ratios("cron, known", taken, "cron by cronsim", "cron by croniter")
    settings = {"RELATIVE_BASE": NOW.replace(tzinfo=None), "PREFER_DATES_FROM": "future"}
    taken = medians(
        "reading",
        {
            "phrase": asked(lambda: [read(text, now=now, timezone="Europe/Berlin") for text in PHRASES]),
            "date": asked(lambda: [read(text, now=now, timezone="Europe/Berlin") for text in DATES]),
            "date by dateparser": asked(lambda: [parse(text, languages=["en"], settings=settings) for text in DATES]),
        },
    )
    ratios("date", taken, "date by dateparser")


async def asked_through_the_client(folder: Path) -> Figures:
    """The whole way of a text that somebody types: the loop's CPU time of ``client.read_time``."""
    app = app_in(folder, limited())
    async with app.running():
        for text in PHRASES:  # the first of each kind loads what it needs
            await app.client.read_time(text, timezone="Europe/Berlin", guild_id="1", user_id="2")
        spent = thread_cpu()
        for _ in range(TIMES):
            for text in PHRASES:
                await app.client.read_time(text, timezone="Europe/Berlin", guild_id="1", user_id="2")
        spent = thread_cpu() - spent
    return {"client.read_time: loop CPU ms": spent * 1e3 / TIMES / len(PHRASES)}


def ratios(ours: str, taken: dict[str, float], *theirs: str) -> None:
    for other in theirs:
        print(f"  {other} takes {taken[other] / taken[ours]:.1f} times as long")


def main() -> None:
    due_times()
    reading()
    median_of("a text, asked through the client", asked_through_the_client)


if __name__ == "__main__":
    main()
