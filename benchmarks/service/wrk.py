"""One run of wrk, the HTTP load generator (Debian package wrk), and what it measured."""

import re
import shutil
import subprocess
from dataclasses import dataclass

_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Result:
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    errors: int
    """Connections and reads that failed, timeouts, and answers other than 2xx and 3xx."""


def run(url: str, connections: int, seconds: int) -> Result:
    """One thread, so many kept connections; raises RuntimeError when wrk is missing or fails."""
    program = shutil.which("wrk")
    if program is None:
        raise RuntimeError("wrk is not installed: apt-get install wrk")
    command = [program, "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + 30, check=False
    )
    if done.returncode:
        raise RuntimeError(f"wrk failed: {done.stderr or done.stdout}")
    return parse(done.stdout)


def parse(text: str) -> Result:
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    percentiles = dict(re.findall(r"(50|99)%\s+([\d.]+(?:us|ms|s|m))\b", text))
    if rate is None or len(percentiles) != 2:
        raise RuntimeError(f"wrk measured nothing: {text}")
    socket_errors = re.search(r"Socket errors:(.*)", text)
    bad_answers = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = sum(map(int, re.findall(r"\d+", socket_errors[1]))) if socket_errors else 0
    errors += int(bad_answers[1]) if bad_answers else 0
    return Result(float(rate[1]), _ms(percentiles["50"]), _ms(percentiles["99"]), errors)


def _ms(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()  # type: ignore[union-attr]
    return float(number) * _MILLISECONDS[unit]
