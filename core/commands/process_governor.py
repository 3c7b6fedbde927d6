"""What ``schedule-zero processes start --foreground`` is: the governor's own process."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core.commands.process_plan import Plan, core_for_handlers, drain_of
from core.config import secrets_of
from core.logs import configure
from core.processes.foreground import Built, govern
from core.processes.governor import ProcessGovernor
from core.processes.running import ChildSpec
from schedule_zero.process.leaving import leave_at_once

if TYPE_CHECKING:
    from core.processes.threads import ThreadGovernor
    from schedule_zero.process.serving import Serving


def run(plan: Plan, *, threads: bool) -> None:
    """Be the governor, until a signal or an order stops it.

    Raises:
        ProcessError: it cannot start; the sentence says why.
    """
    configure(plan.config.log, secrets=secrets_of(plan.config))
    governors: list[ThreadGovernor] = []

    def build() -> Built:
        if not threads:
            governor = ProcessGovernor(
                plan.specs, plan.places, plan.limits, deployment=plan.deployment, specs_of=plan.specs_of,
                output=plan.config.processes.output, configuration=plan.marks,
            )  # fmt: skip
            return Built(governor, governor.sockets, governor.hurry)
        from core.processes.threads import ThreadGovernor

        of_threads = ThreadGovernor(
            plan.specs, plan.places, plan.limits, deployment=plan.deployment, specs_of=plan.specs_of, make=maker_of(plan),
            configuration=plan.marks,
        )  # fmt: skip
        governors.append(of_threads)
        return Built(of_threads, of_threads.sockets, of_threads.hurry)

    asyncio.run(govern(build, plan.places, plan.claim))
    if any(governor.left_behind for governor in governors):
        leave_at_once(0)  # the interpreter would wait for what those threads still do


def maker_of(plan: Plan) -> Callable[[ChildSpec], Serving]:
    """What makes the handlers that a ThreadGovernor keeps alive, each with its connection."""
    from schedule_zero.handler import Handler
    from schedule_zero.process import loading
    from schedule_zero.process.serving import Serving
    from schedule_zero.process.worker import Worker
    from schedule_zero.transport.curve import open_key_file

    used = weakref.WeakSet[Handler]()

    def make(spec: ChildSpec) -> Serving:
        entry = spec.handler
        assert entry is not None
        handler = loading.load(entry.module, name=entry.name)
        if entry.count > 1 and handler in used:
            raise loading.WrongInput(
                f"{entry.module} is one object, which several threads cannot serve; name its class instead"
            )
        used.add(handler)
        keys = None if entry.key is None else open_key_file(Path(entry.key).expanduser())
        worker = Worker(handler, core_for_handlers(plan.config), name=entry.name, keys=keys)
        return Serving(handler, [worker], drain_of(plan.config))

    return make
