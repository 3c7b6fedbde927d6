"""Sync methods, each in a thread of its own.

Not the loop's default executor: that has few threads, so that a few long methods would hold up everything else that
needs one, and it is waited for at the end of the process, which a method that never returns would keep for good.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

from schedule_zero.handler import Context, Method


async def in_thread(method: Method, context: Context, args: dict[str, Any]) -> Any:
    """Call a sync method; what it returns or raises.

    A thread cannot be stopped from outside. So the first cancellation only lets the method know (``context.cancelled``)
    and goes on waiting: what is still running must not be told of as ended. A second one leaves the thread behind.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()

    def tell(value: Any, error: BaseException | None) -> None:
        if not ended.done():
            ended.set_result((value, error))

    def work() -> None:
        value, raised = None, None
        try:
            value = method(context, args)
        except BaseException as error:  # noqa: BLE001 - it is raised where the method was called from
            raised = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, value, raised)

    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(work,), name=f"{method.info.name} {context.run_id}", daemon=True
    )
    thread.start()
    try:
        value, error = await asyncio.shield(ended)
    except asyncio.CancelledError:
        if not context.cancelled:
            raise
        value, error = await ended
    if error is not None:
        raise error
    return value
