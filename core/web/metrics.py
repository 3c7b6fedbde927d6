"""``/metrics`` in the text format of Prometheus: how the core stands, and how this door is used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec.structs import astuple
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from schedule_zero.instant import SECOND, parse, parse_duration
from schedule_zero.views import Counts, HandlerView, Status

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
# Names come from handlers; a series each for all of them would be theirs to multiply.
MOST_HANDLERS: Final = 50
MOST_METHODS: Final = 200
OTHER: Final = "other"
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class RequestMetrics:
    """Counts requests by method, address template and status, and how long they took to begin answering."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._count = Counter(
            "schedule_zero_http_requests", "HTTP requests answered.", ("method", "path", "status"), registry=registry
        )
        self._seconds = Histogram(
            "schedule_zero_http_request_seconds",
            "Time until an HTTP answer began.",
            ("method", "path"),
            buckets=_BUCKETS,
            registry=registry,
        )
        # Looking a label up costs more than counting it.
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def note(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count one answer."""
        known = self._known.get((method, path, status))
        if known is None:
            known = self._known[method, path, status] = (
                self._count.labels(method, path, str(status)),
                self._seconds.labels(method, path),
            )
        known[0].inc()
        known[1].observe(seconds)


def exposition(registries: Sequence[CollectorRegistry], status: Status, handlers: Sequence[HandlerView] = ()) -> bytes:
    """Everything the registries hold, and how the core and its handlers are, as gauges and counters."""
    account = CollectorRegistry(auto_describe=False)
    account.register(_StatusMetrics(status))
    account.register(_HandlerMetrics(handlers))
    return b"".join(generate_latest(registry) for registry in (*registries, account))


class _StatusMetrics(Collector):
    """The core's own account of itself, as Prometheus reads it."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status
        yield _gauge("running", "1 while the core accepts and fires.", float(status.running))
        yield _gauge("schedules", "Active schedules.", status.schedules)
        yield _gauge("due", "Schedules that are due and not fired yet.", status.due)
        yield _gauge("waiting_runs", "Runs that wait for their turn.", status.waiting)
        yield _gauge("lag_seconds", "How late the newest firing was.", parse_duration(status.lag) / SECOND)
        if status.last_tick is not None:
            yield _gauge(
                "last_tick_timestamp_seconds", "When the scheduler last looked.", parse(status.last_tick) / SECOND
            )
        executed = CounterMetricFamily("schedule_zero_runs_executed", "Runs brought to an end.")
        executed.add_metric([], status.runs_executed)
        yield executed
        missed = CounterMetricFamily(
            "schedule_zero_due_times_missed", "Due times that came to nothing, being too late."
        )
        missed.add_metric([], status.due_times_missed)
        yield missed
        parts = GaugeMetricFamily("schedule_zero_part_up", "1 while that part works.", labels=["part"])
        for name, part in status.parts.items():
            parts.add_metric([name], float(part.ok))
        yield parts


class _HandlerMetrics(Collector):
    """The handlers, as Prometheus reads them: the busiest by name, and what is too many of them together."""

    def __init__(self, handlers: Sequence[HandlerView]) -> None:
        self._handlers = sorted(handlers, key=lambda handler: (-_attempts(handler), handler.name))

    def collect(self) -> Iterator[Metric]:
        named, others = self._handlers[:MOST_HANDLERS], self._handlers[MOST_HANDLERS:]
        yield from _of_handlers(named)
        yield _attempts_of(named, others)
        yield from _held_back(named)


def _of_handlers(handlers: Sequence[HandlerView]) -> Iterator[Metric]:
    for name, words, values in (
        ("healthy", "1 while one of its processes takes work.", [float(each.healthy) for each in handlers]),
        ("instances", "Processes that serve it.", [len(each.instances) for each in handlers]),
        ("in_flight", "Attempts it holds.", [each.in_flight for each in handlers]),
        ("credit", "Attempts it takes at once.", [each.credit for each in handlers]),
    ):
        family = GaugeMetricFamily(f"schedule_zero_handler_{name}", words, labels=["handler"])
        for handler, value in zip(handlers, values, strict=True):
            family.add_metric([handler.name], value)
        yield family
    seconds = GaugeMetricFamily(
        "schedule_zero_handler_run_seconds", "Run time of its attempts lately.", labels=["handler", "quantile"]
    )
    for handler in handlers:
        for quantile, time in (("0.5", handler.record.p50), ("0.95", handler.record.p95)):
            if time is not None:
                seconds.add_metric([handler.name, quantile], parse_duration(time) / SECOND)
    yield seconds


def _held_back(handlers: Sequence[HandlerView]) -> Iterator[Metric]:
    """Which methods are held back by a breaker, and how many runs those bear whose limit adapts."""
    open_ = GaugeMetricFamily(
        "schedule_zero_handler_breakers_open", "Breakers that hold runs back.", labels=["handler", "method"]
    )
    limits = GaugeMetricFamily(
        "schedule_zero_handler_adaptive_limit", "Runs at once, as found out.", labels=["handler", "method"]
    )
    named = [(handler.name, method) for handler in handlers for method in handler.methods]
    for handler, method in [each for each in named if each[1].breakers][:MOST_METHODS]:
        open_.add_metric([handler, method.name], len(method.breakers))
    for handler, method in named[:MOST_METHODS]:
        if method.adaptive is not None:
            limits.add_metric([handler, method.name], method.adaptive.limit)
    yield open_
    yield limits


def _attempts_of(named: Sequence[HandlerView], others: Sequence[HandlerView]) -> Metric:
    """Attempts by handler, method and how they ended; a series for each of the busiest methods, one for all the rest."""
    counts = [(handler.name, method.name, method.total) for handler in named for method in handler.methods]
    counts.sort(key=lambda each: (-sum(astuple(each[2])), each[0], each[1]))
    rest = [total for _, _, total in counts[MOST_METHODS:]]
    rest += [method.total for handler in others for method in handler.methods]
    if rest:
        sums = [sum(each) for each in zip(*map(astuple, rest), strict=True)]
        counts = [*counts[:MOST_METHODS], (OTHER, OTHER, Counts(succeeded=sums[0], failed=sums[1], lost=sums[2]))]
    family = CounterMetricFamily(
        "schedule_zero_handler_attempts", "Attempts that ended.", labels=["handler", "method", "outcome"]
    )
    for handler_name, method_name, total in counts:
        for outcome in Counts.__struct_fields__:
            family.add_metric([handler_name, method_name, outcome], getattr(total, outcome))
    return family


def _attempts(handler: HandlerView) -> int:
    return sum(sum(astuple(method.total)) for method in handler.methods)


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"schedule_zero_{name}", words, value=value)
