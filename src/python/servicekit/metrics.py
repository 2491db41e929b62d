"""Metrics of a service, shown in the Prometheus text format (version 0.0.4)."""

import os
import time
from bisect import bisect_left
from collections import Counter
from threading import Lock

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_START = time.time()
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Metrics:
    """Counts of answered requests; every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets = [0] * (len(_BUCKETS) + 1)
        self._seconds = 0.0

    def count(self, method: str, status: int, seconds: float) -> None:
        """One more answered request, which took so many seconds."""
        with self._lock:
            self._requests[method if method in _METHODS else "other", status] += 1
            self._buckets[bisect_left(_BUCKETS, seconds)] += 1
            self._seconds += seconds

    def text(self, **gauges: int) -> str:
        """The whole exposition, ending with a newline; `open=3` shows `http_open 3`."""
        with self._lock:
            requests = sorted(self._requests.items())
            buckets, seconds = list(self._buckets), self._seconds
        lines = ["# TYPE http_requests_total counter"]
        for (method, status), times in requests:
            lines.append(f'http_requests_total{{method="{method}",status="{status}"}} {times}')
        lines.append("# TYPE http_request_duration_seconds histogram")
        total = 0
        for bound, times in zip((*_BUCKETS, "+Inf"), buckets, strict=True):
            total += times
            lines.append(f'http_request_duration_seconds_bucket{{le="{bound}"}} {total}')
        lines.append(f"http_request_duration_seconds_sum {seconds:.6f}")
        lines.append(f"http_request_duration_seconds_count {total}")
        with open("/proc/self/statm") as statm:
            resident = int(statm.read().split()[1]) * _PAGE
        for name, kind, value in (
            *((f"http_{name}", "gauge", value) for name, value in gauges.items()),
            ("process_resident_memory_bytes", "gauge", resident),
            ("process_open_fds", "gauge", len(os.listdir("/proc/self/fd"))),
            ("process_cpu_seconds_total", "counter", time.process_time()),
            ("process_start_time_seconds", "gauge", _START),
        ):
            lines.append(f"# TYPE {name} {kind}\n{name} {value}")
        return "\n".join(lines) + "\n"
