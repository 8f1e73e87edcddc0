"""What a server counts, as Prometheus reads it."""

from collections.abc import Callable
from typing import Any

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one server, apart from those of any other in the process."""

    def __init__(self) -> None:
        """All at zero."""
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._registry = CollectorRegistry()
        what: dict[str, Any] = {"registry": self._registry, "namespace": "sluice"}
        labels = ["endpoint", "status"]
        self._requests = Counter("requests", "Requests answered", labels, **what)
        self._latency = Histogram(
            "request_seconds",
            "From a request's headers to its answer's end",
            ["endpoint"],
            buckets=SECONDS,
            **what,
        )
        self._audio = Counter("audio_seconds", "Seconds of audio taken", ["endpoint"], **what)
        self._queue = Gauge("queue_length", "Requests that wait for the models", **what)
        self._open = Gauge("requests_open", "Requests that hold a place in the queue", **what)
        self._batches = Histogram("batch_size", "Requests answered together", buckets=SIZES, **what)

    def watch(self, waiting: Callable[[], int], holding: Callable[[], int]) -> None:
        """Read the lengths of queues whenever they are asked for."""
        self._queue.set_function(waiting)
        self._open.set_function(holding)

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(endpoint, str(status)).inc()
        self._latency.labels(endpoint).observe(seconds)

    def heard(self, endpoint: str, seconds: float) -> None:
        """Count audio."""
        self._audio.labels(endpoint).inc(seconds)

    def batch(self, size: int) -> None:
        """Count a batch."""
        self._batches.observe(size)

    def text(self) -> tuple[bytes, str]:
        """All of it, and its media type."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self._registry), CONTENT_TYPE_LATEST
