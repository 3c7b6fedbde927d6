"""Virtual time: an event loop whose clock jumps to the next timer, and that can stop dead at any await."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Generator, Mapping
from typing import Any

from anyio._backends._asyncio import _task_states

START = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z


class Deadlock(Exception):
    """Nothing is ready, and no timer is set: a task waits for something that never comes."""


class _TimeJump(selectors.BaseSelector):
    """Waiting costs no time: ``select`` moves the loop's clock instead."""

    def __init__(self) -> None:
        self.now = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = self._keys[fileobj] = selectors.SelectorKey(fileobj, 0, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock
        if timeout > 0:
            self.now += timeout
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def close(self) -> None:
        self._keys.clear()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time. ``stop_at``: the step (resumption of any task) at which everything freezes."""

    def __init__(self, now: float, stop_at: int | None = None) -> None:
        self._jump = _TimeJump()
        self._jump.now = now
        super().__init__(self._jump)
        self.steps = 0
        self.stop_at = stop_at
        self.frozen = False
        self.corpses: list[Any] = []
        self.set_task_factory(_stepping_task)

    def time(self) -> float:
        return self._jump.now

    def freeze(self) -> None:
        """Stop dead: no task goes on from here, no ``finally`` runs, as after kill -9."""
        self.frozen = True
        self.corpses = list(asyncio.all_tasks(self))
        self.stop()

    def bury(self) -> None:
        """Let go of everything, so that it can be collected: not before the day is over, for it is unwound then."""
        for task in [task for task in _task_states if task.get_loop() is self]:
            del _task_states[task]  # anyio keeps a scope for every task, and each scope its task
        self.corpses.clear()
        self.close()


class _Stepper(Coroutine[Any, Any, Any]):
    """A coroutine that counts each of its steps, and stops taking them once the loop is frozen."""

    def __init__(self, inner: Coroutine[Any, Any, Any], loop: VirtualLoop) -> None:
        self._inner = inner
        self._loop = loop

    def send(self, value: Any) -> Any:
        loop = self._loop
        loop.steps += 1
        if loop.stop_at is not None and loop.steps >= loop.stop_at:
            loop.freeze()
        if loop.frozen:
            return _forever(loop)
        return self._inner.send(value)

    def throw(self, *exception: Any) -> Any:
        if self._loop.frozen:
            return _forever(self._loop)
        return self._inner.throw(*exception)

    def close(self) -> None:
        """Nothing: a frozen coroutine is not unwound."""

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._inner.__await__()

    def __getattr__(self, name: str) -> Any:
        """anyio looks at a task's coroutine (``cr_frame`` …) to tell whether it has started."""
        return getattr(self._inner, name)


def _forever(loop: VirtualLoop) -> asyncio.Future[None]:
    future: asyncio.Future[None] = loop.create_future()
    future._asyncio_future_blocking = True
    return future


def _stepping_task(loop: Any, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    return asyncio.Task(_Stepper(coroutine, loop), loop=loop, **options)


class VirtualClock:
    """The engine's clock on a virtual loop. ``skew`` is how far the wall clock was set."""

    def __init__(self, loop: VirtualLoop, skew: int = 0) -> None:
        self._loop = loop
        self.skew = skew

    def now(self) -> int:
        return START + int(self._loop.time() * 1e6) + self.skew

    def monotonic(self) -> float:
        return self._loop.time()
