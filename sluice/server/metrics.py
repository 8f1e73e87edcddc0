"""Metrics of a server, for Prometheus."""

from collections.abc import Callable
from typing import Any

LATENCY_BUCKETS_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
BATCH_SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters, gauges and histograms of one server, in a registry of their own."""

    def __init__(self) -> None:
        """Start all metrics at zero."""
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._registry = CollectorRegistry()
        options: dict[str, Any] = {"registry": self._registry, "namespace": "sluice"}
        labels = ["endpoint", "status"]
        self._requests = Counter("requests", "Requests answered", labels, **options)
        self._latency = Histogram(
            "request_seconds",
            "Time from the headers of a request to the end of its response",
            ["endpoint"],
            buckets=LATENCY_BUCKETS_SECONDS,
            **options,
        )
        self._audio = Counter("audio_seconds", "Seconds of audio received", ["endpoint"], **options)
        self._queue_length = Gauge("queue_length", "Requests that wait for the models", **options)
        self._open = Gauge("requests_open", "Requests that hold a place in the queue", **options)
        self._batch_size = Histogram(
            "batch_size", "Requests per batch", buckets=BATCH_SIZE_BUCKETS, **options
        )

    def watch(self, queue_length: Callable[[], int], requests_open: Callable[[], int]) -> None:
        """Read the two gauges from functions whenever the metrics are requested."""
        self._queue_length.set_function(queue_length)
        self._open.set_function(requests_open)

    def count_request(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a request and its latency in seconds."""
        self._requests.labels(endpoint, str(status)).inc()
        self._latency.labels(endpoint).observe(seconds)

    def count_audio(self, endpoint: str, seconds: float) -> None:
        """Count seconds of audio."""
        self._audio.labels(endpoint).inc(seconds)

    def count_batch(self, size: int) -> None:
        """Count a batch by its number of requests."""
        self._batch_size.observe(size)

    def exposition(self) -> tuple[bytes, str]:
        """Return all metrics in the text format of Prometheus, and its media type."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self._registry), CONTENT_TYPE_LATEST
