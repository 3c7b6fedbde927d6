"""The named windows of a firing over the wire: how the core is brought to one and killed there, and what proves it.

Most windows are made wide from outside: the store's write lock is taken, or the way back from the core goes silent. What
counts is decided afterwards, by witnesses that know nothing of each other: the log of the killed core, the ledger that
it left, the journals of the handlers, and what the follower had heard.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum

import msgspec

from core.engine.ports import ADOPTION_S
from schedule_zero.event import EventKind
from tests.faults.asked import Single
from tests.faults.effects import Effects
from tests.faults.left import Left
from tests.faults.load import Load, now
from tests.faults.stage import Stage, until

LEAD = 800_000
"""Microseconds from the making of a target to its due time."""
WORK_S = 1.5
"""Seconds a target works."""
TRIES = 4
"""So many tries there may be for each kill that has to be proven."""
LATE = re.compile(r'"outcomes committed".*"late":[1-9]|"late":[1-9].*"outcomes committed"')
PATIENCE = 20.0
OVERDUE = 5.0
"""Seconds after which a kill that was armed is given up."""
STRIKES_IN_A_ROW = 5
"""After so many, a core lives until long work of its own has come to an end: what goes down with its core twenty times in
a row fails for good, as it should."""
LONGEST_S = 2.0
"""Seconds the longest work takes that the load gives to the core itself."""


class Window(StrEnum):
    """Between two steps of a firing."""

    TICK_TO_COMMIT = "tick → commit"
    COMMIT_TO_SENT = "commit → sent"
    SENT_TO_ANSWER = "begun → answer"
    ANSWER_TO_OUTCOME = "answer → outcome"
    OUTCOME_TO_TOLD = "outcome → told"
    COMMIT_TO_ACKNOWLEDGED = "commit → RESULT_ACK"


class Scene(msgspec.Struct):
    """One core that shall be killed while the target's firing is under way.

    Attributes:
        place: how much its log held when the target was made.
        silent: since when nothing that it said has reached a handler, wall microseconds; 0: it was heard.
        died: when it was killed, wall microseconds.
        told: how far the follower had heard before the next core was started.
    """

    stage: Stage
    load: Load
    target: Single
    place: int
    silent: int = 0
    died: int = 0
    told: int = 0

    async def heard(self, kind: EventKind) -> None:
        """Wait until the follower has heard this of the target."""
        follower, told = self.stage.follower, (kind, self.target.schedule_id)
        await follower.until(lambda: told in follower.told_of, PATIENCE, kind)

    async def did(self, what: str) -> None:
        """Wait until a handler has noted this of the target."""
        runs, effects = self.stage.follower.first_run, self.stage.effects

        def done() -> bool:
            run_id = runs.get(self.target.schedule_id, "")
            return any(one.what == what for one in effects.look().by_run[run_id])

        await until(done, f"no handler has {what} the target", PATIENCE)

    async def near_due(self, before: float) -> None:
        """Wait until so many seconds before the target is due."""
        await asyncio.sleep(max(0.0, (self.target.due - now()) / 1e6 - before))

    def kill(self) -> None:
        """`kill -9` now."""
        self.died = now()
        self.stage.core.kill()

    def silence(self) -> None:
        """What the core says reaches no handler any more."""
        for hands in self.stage.hands:
            assert hands.proxy is not None
            hands.proxy.to_handler.cut()
        self.silent = now()


Aim = Callable[[Scene], Awaitable[None]]


# ── the proof ──────────────────────────────────────────────────────────────────────────────────────────────────


def window_of(scene: Scene, log: Sequence[str], left: Left, effects: Effects) -> Window | None:
    """The window that the target's firing was in; None when the witnesses do not prove any.

    Args:
        log: of the core that was killed, from when the target was made.
        left: the ledger as it stood between the two cores.
        effects: what handlers did.
    """
    run = next((run for run in left.runs if run.schedule_id == scene.target.schedule_id), None)
    if run is None:
        committing = _last(log, '"tick commits"') > _last(log, '"tick committed"')
        return Window.TICK_TO_COMMIT if committing and scene.died > scene.target.due else None
    mine = sorted(effects.by_run[run.id], key=lambda effect: effect.at)
    did = [effect.what for effect in mine if effect.at <= scene.died]
    if not run.ended:
        if not did:
            return Window.COMMIT_TO_SENT if _last(log, '"tick committed"') >= 0 else None
        return Window.ANSWER_TO_OUTCOME if did[-1] == "done" else Window.SENT_TO_ANSWER
    if _last(log, '"outcomes committed"') < 0 or "done" not in did:
        return None
    end = max(event.seq for event in left.told if event.run_id == run.id)
    if end > scene.told:
        return Window.OUTCOME_TO_TOLD
    done = next(effect.at for effect in mine if effect.what == "done")
    return Window.COMMIT_TO_ACKNOWLEDGED if 0 < scene.silent < done else None


def _last(log: Sequence[str], words: str) -> int:
    return max((number for number, line in enumerate(log) if words in line), default=-1)


# ── the aims ───────────────────────────────────────────────────────────────────────────────────────────────────


async def while_the_tick_waits_to_commit(scene: Scene) -> None:
    await scene.near_due(0.05)
    async with scene.stage.store.latch():
        await scene.near_due(0.0)
        await scene.stage.core.says('"tick commits"', after=scene.place)
        await asyncio.sleep(scene.stage.random.uniform(0.02, 0.1))
        scene.kill()


async def after_the_tick(scene: Scene) -> None:
    """Between the run's commit and its attempt's, or soon after."""
    await scene.near_due(0.01)
    scene.stage.core.kill_when_it_says('"tick committed"', delay=scene.stage.random.uniform(0, 0.002))
    try:
        await scene.stage.core.end(patience=OVERDUE)
    except TimeoutError:
        scene.kill()  # its moment never came; the try proves nothing
    scene.died = now()


async def while_the_order_is_on_its_way(scene: Scene) -> None:
    scene.silence()
    await scene.heard(EventKind.RUN_DISPATCHED)
    await asyncio.sleep(scene.stage.random.uniform(0, 0.1))
    scene.kill()


async def while_the_handler_works(scene: Scene) -> None:
    await scene.did("begun")
    await asyncio.sleep(scene.stage.random.uniform(0, WORK_S / 4))
    scene.kill()


async def while_the_outcome_waits_to_commit(scene: Scene) -> None:
    await scene.did("begun")
    async with scene.stage.store.latch():
        await scene.did("done")
        await asyncio.sleep(scene.stage.random.uniform(0.02, 0.1))
        scene.kill()


async def while_nobody_is_told(scene: Scene) -> None:
    await scene.did("begun")
    assert scene.stage.hearing is not None
    scene.stage.hearing.to_handler.cut()
    await scene.did("done")
    await scene.stage.core.says('"outcomes committed"', after=scene.stage.core.place)
    await asyncio.sleep(scene.stage.random.uniform(0.05, 0.15))
    scene.kill()


async def while_the_acknowledgement_is_on_its_way(scene: Scene) -> None:
    await scene.did("begun")
    scene.silence()
    await scene.heard(EventKind.RUN_SUCCEEDED)
    scene.kill()


AIMS: dict[Window, tuple[Aim, ...]] = {
    Window.TICK_TO_COMMIT: (while_the_tick_waits_to_commit,),
    Window.COMMIT_TO_SENT: (after_the_tick, while_the_order_is_on_its_way),
    Window.SENT_TO_ANSWER: (while_the_handler_works,),
    Window.ANSWER_TO_OUTCOME: (while_the_outcome_waits_to_commit,),
    Window.OUTCOME_TO_TOLD: (while_nobody_is_told,),
    Window.COMMIT_TO_ACKNOWLEDGED: (while_the_acknowledgement_is_on_its_way,),
}


# ── the act ────────────────────────────────────────────────────────────────────────────────────────────────────


async def kill_in_windows(stage: Stage, load: Load, times: int) -> None:
    """`kill -9` of the core until so many kills in every window are proven."""
    proven: Counter[Window] = Counter()
    for window in AIMS:
        await kill_in(window, stage, load, times, proven)


async def kill_in(window: Window, stage: Stage, load: Load, times: int, proven: Counter[Window] | None = None) -> None:
    """The same for one window. ``proven``: kills so far, in whichever window."""
    proven = Counter() if proven is None else proven
    for tries, aim in enumerate(itertools.cycle(AIMS[window])):
        if tries and tries % STRIKES_IN_A_ROW == 0:
            await _breathe(stage, load)
        if proven[window] >= times:
            stage.notes.append(f"{proven[window]} kills proven in {window}, in {tries} tries")
            return
        if tries == times * TRIES:
            stage.wrong.append(f"{proven[window]} of {times} kills in {window} proven in {tries} tries")
            return
        struck = await _strike(stage, load, aim)
        if struck is not None:
            proven[struck] += 1


async def _strike(stage: Stage, load: Load, aim: Aim) -> Window | None:
    """One kill; the window that it is proven to have been in."""
    await stage.core_works()
    target = await load.single("work", now() + LEAD, WORK_S, watched=True)
    scene = Scene(stage, load, target, stage.core.place)
    core = stage.core
    with stage.episode("core killed in a window", ADOPTION_S):
        await aim(scene)
        await core.end()
        left = await asyncio.to_thread(stage.store.left, stage.folder / f"window-{target.schedule_id}")
        events = stage.follower.events
        scene.told = events[-1].seq if events else 0
        for proxy in stage.proxies():
            await proxy.drop()
        await stage.start_core()
    window = window_of(scene, core.log[scene.place :], left, stage.effects.look())
    if window is Window.COMMIT_TO_ACKNOWLEDGED:
        await _repeated(stage)
    return window


async def _breathe(stage: Stage, load: Load) -> None:
    """Until this core has done work as long as any that went down with those before it."""
    await stage.core_works()
    breath = await load.single("echo", now() + LEAD, LONGEST_S, watched=True)
    end = (EventKind.RUN_SUCCEEDED, breath.schedule_id)
    await stage.follower.until(lambda: end in stage.follower.told_of, PATIENCE, "the long work of a core ended")


async def _repeated(stage: Stage) -> None:
    """Until the next core is told again of a result that it has: the proof that nobody had heard the acknowledgement."""
    core = stage.core
    await until(lambda: any(LATE.search(line) for line in core.log), "no result was repeated", PATIENCE)
