"""``/metrics`` in the text format of Prometheus: how the core stands, and how this door is used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from schedule_zero.instant import SECOND, parse, parse_duration
from schedule_zero.views import Status

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
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


def exposition(registries: Sequence[CollectorRegistry], status: Status) -> bytes:
    """Everything the registries hold, and the core's status as gauges."""
    account = CollectorRegistry(auto_describe=False)
    account.register(_StatusMetrics(status))
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
        parts = GaugeMetricFamily("schedule_zero_part_up", "1 while that part works.", labels=["part"])
        for name, part in status.parts.items():
            parts.add_metric([name], float(part.ok))
        yield parts


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"schedule_zero_{name}", words, value=value)
