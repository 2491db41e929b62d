"""What a scrape reads."""

import re

from servicekit.metrics import Metrics


def sample(text: str, name: str) -> float:
    return float(next(line for line in text.splitlines() if line.startswith(name + " ")).split()[1])


def test_requests_are_counted_by_method_and_status() -> None:
    metrics = Metrics()
    for _ in range(2):
        metrics.count("GET", 200, 0.002)
    metrics.count("BREW", 405, 0.0)
    text = metrics.text()
    assert sample(text, 'http_requests_total{method="GET",status="200"}') == 2
    assert sample(text, 'http_requests_total{method="other",status="405"}') == 1


def test_durations_fall_in_cumulative_buckets() -> None:
    metrics = Metrics()
    for seconds in (0.001, 0.002, 7.0, 70.0):
        metrics.count("GET", 200, seconds)
    text, name = metrics.text(), "http_request_duration_seconds"
    bounds = re.findall(rf'{name}_bucket{{le="([^"]+)"}} (\d+)', text)
    assert bounds[:2] == [("0.001", "1"), ("0.005", "2")]
    assert bounds[-2:] == [("10.0", "3"), ("+Inf", "4")]
    assert sample(text, f"{name}_count") == 4
    assert sample(text, f"{name}_sum") == 77.003


def test_the_text_is_well_formed() -> None:
    metrics = Metrics()
    metrics.count("GET", 200, 0.1)
    text = metrics.text(connections=1)
    assert text.endswith("\n")
    comment = r"# TYPE [a-z_]+ (counter|gauge|histogram)"
    value = r'[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [0-9.e+-]+'
    for line in text.splitlines():
        assert re.fullmatch(f"{comment}|{value}", line)
    assert sample(text, "http_connections") == 1
    assert sample(text, "process_resident_memory_bytes") > 1 << 20
