"""``schedule-zero handlers``: handlers of a running core."""

from __future__ import annotations

from typing import Any

from core.commands.output import say_card, say_json, say_table
from core.commands.remote import Remote
from schedule_zero.instant import say_duration
from schedule_zero.views import BreakerView, HandlerView, InstanceView, MethodView, RecordView

_TITLES = ("name", "health", "processes", "in flight", "methods", "succeeded", "p50", "p95")


class Handlers(Remote):
    """The commands over one core."""

    def show_list(self) -> None:
        """Print every handler, a line each."""
        page = self._ask(lambda client: client.list_handlers())
        if self._as_json:
            say_json(page)
        else:
            say_table(_TITLES, (_row(each) for each in page.items), "no handlers")

    def show(self, name: str) -> None:
        """Print one handler."""
        self._say(self._ask(lambda client: client.get_handler(name)))

    def drain(self, name: str, instance: str | None) -> None:
        """Drain a handler, or one process of it, and print it."""
        self._say(self._ask(lambda client: client.drain_handler(name, instance=instance)))

    def resume(self, name: str) -> None:
        """Give a drained handler work again, and print it."""
        self._say(self._ask(lambda client: client.resume_handler(name)))

    def _say(self, handler: HandlerView) -> None:
        if self._as_json:
            say_json(handler)
        else:
            say_card(_facts(handler))


def _row(handler: HandlerView) -> tuple[str, ...]:
    record = handler.record
    return (
        handler.name, handler.standing, str(len(handler.instances)), f"{handler.in_flight} of {handler.credit}",
        ", ".join(method.name for method in handler.methods) or "-", _rate(record), _time(record.p50), _time(record.p95),
    )  # fmt: skip


def _time(duration: str | None) -> str:
    return "-" if duration is None else say_duration(duration)


def _rate(record: RecordView) -> str:
    return "-" if record.success_rate is None else f"{record.success_rate:.1%}"


def _record(record: RecordView) -> str:
    if record.success_rate is None:
        return f"nothing within {say_duration(record.window)}"
    times = f", p50 {_time(record.p50)}, p95 {_time(record.p95)}" if record.p50 else ""
    counts = f"{record.succeeded} succeeded, {record.failed} failed, {record.lost} lost"
    return f"{_rate(record)} within {say_duration(record.window)}: {counts}{times}"


def _facts(handler: HandlerView) -> list[tuple[str, Any]]:
    return [
        ("name", handler.name),
        ("health", handler.standing),
        ("in flight", f"{handler.in_flight} of {handler.credit}"),
        ("went", _record(handler.record)),
        *(("processes" if place == 0 else "", _process(each)) for place, each in enumerate(handler.instances)),
        *(("methods" if place == 0 else "", _method(each)) for place, each in enumerate(handler.methods)),
    ]


def _process(instance: InstanceView) -> str:
    notes = [
        instance.software or "inside the core",
        f"since {instance.connected_since}",
        f"{instance.in_flight} of {instance.credit}",
    ]
    notes += [f"last beat {say_duration(instance.last_beat)} ago"] if instance.last_beat else []
    notes += [f"version {instance.version}"] if instance.version else []
    notes += [f"has {', '.join(instance.capabilities)}"] if instance.capabilities else []
    notes += ["draining"] if instance.draining else []
    notes += [] if instance.available else ["not able to work"]
    notes += [f"unhealthy: {instance.trouble}"] if instance.trouble else []
    return f"{instance.id}, {', '.join(notes)}"


def _method(method: MethodView) -> str:
    notes = [f"time-out {say_duration(method.timeout)}"] if method.timeout else []
    notes += ["at most once"] if method.at_most_once else []
    arguments = ", ".join(_arguments(method.schema))
    notes += [_held_back(each) for each in method.breakers]
    notes += [f"bears {method.adaptive.limit} at once for now"] if method.adaptive else []
    return f"{method.name}({arguments}){''.join(f', {note}' for note in notes)}; {_record(method.record)}"


def _held_back(breaker: BreakerView) -> str:
    whose = "" if breaker.guild_id is None else f" of server {breaker.guild_id}"
    when = "one is tried now" if breaker.until is None else f"one is tried at {breaker.until}"
    return f"failed {breaker.failures} times, so its runs{whose} wait; {when}"


def _arguments(schema: Any) -> list[str]:
    """The names a schema gives its arguments; one that may be left out with a question mark."""
    target = schema
    if isinstance(schema, dict) and isinstance(reference := schema.get("$ref"), str):
        target = (schema.get("$defs") or {}).get(reference.rpartition("/")[2], {})
    if not isinstance(target, dict) or not isinstance(target.get("properties"), dict):
        return []
    needed = target.get("required") or []
    return [name if name in needed else f"{name}?" for name in target["properties"]]
