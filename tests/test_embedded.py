"""The embedded mode: a scheduler inside somebody's own program, as the contract shows it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.app import App
from schedule_zero import Context, Handler, RetryAfter, ScheduleZero, method
from schedule_zero.errors import Invalid
from schedule_zero.run import RunState
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger, RRuleTrigger


def inside(**options: Any) -> ScheduleZero:
    """A scheduler that forgets everything at the end."""
    return ScheduleZero(store="memory", **options)


def shortly() -> DateTrigger:
    """A moment that comes before anybody gets impatient."""
    return DateTrigger(at=(datetime.now(UTC) + timedelta(seconds=0.05)).isoformat())


class Calls:
    """Counts calls, and waits for them."""

    def __init__(self) -> None:
        self.made: list[Any] = []
        self._loop = asyncio.get_running_loop()
        self._more = asyncio.Event()

    def note(self, what: Any) -> None:
        self.made.append(what)
        self._loop.call_soon_threadsafe(self._more.set)

    async def reach(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.made) < count:
                self._more.clear()
                await self._more.wait()


@pytest.mark.parametrize(
    ("when", "month_end"),
    [
        ("every month on the 31st", "clamp"), ("0 9 31 * *", "skip"), ("FREQ=MONTHLY;BYMONTHDAY=31", "skip"),
        (IntervalTrigger(every="P1M"), "clamp"), (CronTrigger(expression="0 9 31 * *"), "skip"),
        (RRuleTrigger(rule="FREQ=MONTHLY", start="2026-01-31T09:00:00"), "skip"),
    ],
)  # fmt: skip
async def test_a_day_that_a_month_lacks_means_here_what_it_means_elsewhere(when: Any, month_end: str) -> None:
    sz = inside()

    @sz.handler
    async def work() -> None: ...

    async with sz.running():
        assert (await sz.schedule("work", when)).policy.month_end == month_end


async def test_the_contracts_example_fires(tmp_path: Path) -> None:
    sz, calls = ScheduleZero(tmp_path), Calls()

    @sz.handler
    async def send_notification(message: str) -> None:
        calls.note(message)

    schedule = await sz.schedule(
        "send_notification", "every weekday at 9", timezone="Europe/Berlin", args={"message": "Good morning"}
    )
    assert (schedule.handler, schedule.method, schedule.timezone) == ("local", "send_notification", "Europe/Berlin")
    assert all("T09:00:00" in time for time in schedule.next_fire_times)
    soon = await sz.schedule("send_notification", shortly(), args={"message": "soon"})
    running = asyncio.create_task(sz.run())
    await calls.reach(1)
    assert calls.made == ["soon"]
    assert soon.state == "active"
    await sz.stop()
    async with asyncio.timeout(10):
        await running


async def test_plain_functions_run_in_a_thread_and_their_result_is_kept() -> None:
    sz, calls = inside(), Calls()

    @sz.handler
    def compute(a: int, b: int = 2) -> dict[str, int]:
        calls.note(threading.current_thread() is threading.main_thread())
        return {"sum": a + b}

    async with sz.running() as client:
        schedule = await sz.schedule("compute", "in 1 hour", args={"a": 40})
        run = await client.run_schedule(schedule.id)
        async with asyncio.timeout(10):
            await anext(client.events("0", kinds=("run.succeeded",)))
        assert (await client.get_run(run.id)).result == {"sum": 42}
    assert calls.made == [False]


async def test_a_function_may_ask_for_its_context_and_raise_what_handlers_raise() -> None:
    sz, calls = inside(), Calls()

    @sz.handler
    async def work(ctx: Context) -> None:
        calls.note((ctx.run_id, ctx.attempt))
        if ctx.attempt == 1:
            raise RetryAfter(0)

    async with sz.running() as client:
        run = await client.run_schedule((await sz.schedule("work", "in 1 hour")).id)
        await calls.reach(2)
    assert calls.made == [(run.id, 1), (run.id, 2)]


async def test_a_handlers_methods_are_named_with_a_dot_also_one_that_comes_later() -> None:
    class Reports(Handler):
        started = False

        async def start(self) -> None:
            await asyncio.sleep(0)
            self.started = True

        @method(timeout=5)
        async def build(self, rows: int = 1) -> None:
            calls.note((rows, self.started))

    class Later(Reports):
        name = "later"

    sz, calls = inside(), Calls()
    sz.serve(Reports())
    async with sz.running() as client:
        sz.serve(Later())
        for what, rows in (("reports.build", 3), ("later.build", 4)):
            schedule = await sz.schedule(what, IntervalTrigger(every="PT1H"), args={"rows": rows})
            await client.run_schedule(schedule.id)
        await calls.reach(2)
    assert sorted(calls.made) == [(3, True), (4, True)]


@pytest.mark.parametrize("error", [OSError("no printer"), SystemExit(2)])
async def test_a_handler_that_comes_later_and_does_not_start_leaves_the_others_alone(error: BaseException) -> None:
    class Broken(Handler):
        async def start(self) -> None:
            raise error

        @method()
        async def work(self) -> None:
            raise AssertionError("it never started")

    sz, calls = inside(), Calls()

    @sz.handler
    async def fine() -> None:
        calls.note("fine")

    async with sz.running() as client:
        sz.serve(Broken())
        waiting = await client.run_schedule((await sz.schedule("broken.work", "in 1 hour")).id)
        await client.run_schedule((await sz.schedule("fine", "in 1 hour")).id)
        await calls.reach(1)
        assert (await client.get_run(waiting.id)).state is RunState.WAITING


async def test_a_named_schedule_asked_for_twice_is_one(tmp_path: Path) -> None:
    sz = ScheduleZero(tmp_path)

    @sz.handler
    async def work() -> None: ...

    async with sz.running() as client:
        first = await sz.schedule("work", "every day at 9", name="daily")
        for number in range(60):
            await sz.schedule("work", "every day at 9", name=f"daily {number}")
        again = await sz.schedule("work", "every day at 9", name=" daily ")
        assert again.id == first.id
        at_once = await asyncio.gather(*(sz.schedule("work", "every day at 9", name="new") for _ in range(10)))
        assert len({schedule.id for schedule in at_once}) == 1
        assert len((await client.list_schedules(q="new")).items) == 1


async def test_a_restart_keeps_what_was_scheduled_and_repeats_nothing_that_is_over(tmp_path: Path) -> None:
    calls = Calls()
    ids: list[set[str]] = []
    for _ in range(2):
        sz = ScheduleZero(tmp_path)

        @sz.handler
        async def work(what: str) -> None:
            calls.note(what)

        async with sz.running():
            series = await sz.schedule("work", "every day at 9", name="series", args={"what": "series"})
            shot = await sz.schedule("work", shortly(), name="shot", args={"what": "shot"})
            await calls.reach(1)
            ids.append({series.id, shot.id})
    assert ids[0] == ids[1]
    assert calls.made == ["shot"]


async def test_arguments_are_checked_when_they_are_said() -> None:
    sz = inside()

    @sz.handler
    async def send(message: str, times: int = 1) -> None: ...

    async with sz.running():
        for what, args, words in (
            ("send", {}, "message"),
            ("send", {"message": 5}, "args.message"),
            ("send", {"message": "x", "colour": "red"}, "colour"),
            ("sned", {"message": "x"}, "send"),
            ("nobody.send", {"message": "x"}, "local"),
        ):
            with pytest.raises(Invalid, match=words):
                await sz.schedule(what, "every day at 9", args=args)
        with pytest.raises(Invalid, match="blue"):
            await sz.schedule("send", "blue", args={"message": "x"})


async def test_a_function_named_twice_is_refused_where_it_is_written() -> None:
    sz = inside()

    @sz.handler
    async def work() -> None: ...

    with pytest.raises(ValueError, match="served already"):
        sz.handler(work)
    with pytest.raises(TypeError, match="name each argument"):

        @sz.handler
        async def anything(**fields: Any) -> None: ...


async def test_a_function_added_while_it_runs_can_be_scheduled_at_once() -> None:
    sz, calls = inside(), Calls()
    async with sz.running() as client:

        @sz.handler
        async def late() -> None:
            calls.note("late")

        await client.run_schedule((await sz.schedule("late", "in 1 hour")).id)
        await calls.reach(1)


async def test_starting_at_once_from_two_places_opens_one_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[App] = []
    real = App.__init__

    def counted(self: App, **options: Any) -> None:
        opened.append(self)
        real(self, **options)

    monkeypatch.setattr(App, "__init__", counted)
    sz = ScheduleZero(tmp_path)

    @sz.handler
    async def work() -> None: ...

    first, second = await asyncio.gather(sz.schedule("work", "every day at 9"), sz.schedule("work", "every day at 10"))
    assert first.id != second.id
    assert len(opened) == 1
    await asyncio.gather(sz.stop(), sz.stop())
    await sz.stop()


async def test_stop_lets_running_work_end_and_frees_the_file_for_the_next(tmp_path: Path) -> None:
    sz, calls = ScheduleZero(tmp_path), Calls()
    ended = False

    @sz.handler
    async def work() -> None:
        nonlocal ended
        calls.note("begun")
        await asyncio.sleep(0.03)
        ended = True

    async with sz.running() as client:
        run = await client.run_schedule((await sz.schedule("work", "in 1 hour")).id)
        await calls.reach(1)
    assert ended
    assert [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
    again = ScheduleZero(tmp_path)
    again.handler(work)
    async with again.running() as client:
        assert (await client.get_run(run.id)).state is RunState.SUCCEEDED


@pytest.mark.parametrize(
    "error", [SystemExit(2), KeyboardInterrupt("2"), GeneratorExit(2)], ids=lambda each: type(each).__name__
)
async def test_a_function_that_leaves_has_failed_and_the_program_goes_on(error: BaseException) -> None:
    sz, calls = inside(), Calls()

    @sz.handler
    async def leave() -> None:
        calls.note("leave")
        raise error

    @sz.handler
    def leave_a_thread() -> None:
        calls.note("leave_a_thread")
        raise error

    once = {"retry": {"max_attempts": 1}}
    async with sz.running() as client:
        for name in ("leave", "leave_a_thread"):
            run = await client.run_schedule((await sz.schedule(name, "in 1 hour", policy=once)).id)
            async with asyncio.timeout(10):
                while (run := await client.get_run(run.id)).state is not RunState.FAILED:
                    await asyncio.sleep(0.001)
            assert run.error == f"{type(error).__name__}: 2"
    assert calls.made == ["leave", "leave_a_thread"]


async def test_run_ends_on_a_signal_and_leaves_the_programs_signals_as_they_were() -> None:
    sz = inside()
    before = signal.getsignal(signal.SIGTERM)
    running = asyncio.create_task(sz.run())
    async with asyncio.timeout(10):
        while sz._app is None or signal.getsignal(signal.SIGTERM) is before:
            await asyncio.sleep(0.001)
        signal.raise_signal(signal.SIGTERM)
        await running
    assert signal.getsignal(signal.SIGTERM) is before


async def test_a_store_in_use_is_said_in_a_sentence_and_the_next_try_may_succeed(tmp_path: Path) -> None:
    from core.ledger.port import StoreError

    one, other = ScheduleZero(tmp_path), ScheduleZero(tmp_path)
    await one.start()
    with pytest.raises(StoreError, match="in use by another"):
        await other.start()
    await one.stop()
    await other.start()
    await other.stop()


def test_importing_the_public_package_loads_nothing_heavy() -> None:
    script = (
        "import sys, schedule_zero\n"
        "from schedule_zero import Handler, method, Context, Client, RetryAfter, Reject\n"
        "heavy = {'apscheduler', 'sqlalchemy', 'aiosqlite', 'discord', 'zmq', 'litestar', 'anyio', 'core', 'structlog'}\n"
        "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_embedded_mode_needs_neither_discord_nor_zeromq_nor_a_web_server() -> None:
    script = (
        "import sys\n"
        "for name in ('discord', 'zmq', 'litestar', 'uvicorn', 'simcord'):\n"
        "    sys.modules[name] = None\n"
        "import asyncio\n"
        "from schedule_zero import ScheduleZero\n"
        "sz = ScheduleZero(store='memory')\n"
        "done = asyncio.Event()\n"
        "@sz.handler\n"
        "async def work(): done.set()\n"
        "async def main():\n"
        "    async with sz.running() as client:\n"
        "        await client.run_schedule((await sz.schedule('work', 'in 1 hour')).id)\n"
        "        await asyncio.wait_for(done.wait(), 20)\n"
        "    print('done')\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("done"), done.stderr
