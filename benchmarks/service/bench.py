"""Measures the services of src/python on this machine, over loopback, and prints tables."""

import argparse
import time
from collections.abc import Callable, Iterable

import drain
import load
import probe_cost
import processes
import slow_loris
import wrk

LABELS = {
    "service": "service (servicekit)",
    "reference": "ThreadingHTTPServer, reference handler",
    "catalog": "catalog (FastAPI, uvicorn)",
    "reports": "reports (servicekit, pandas)",
}


def throughput(options: argparse.Namespace) -> None:
    """Requests per second and latency under wrk."""
    rows = []
    for name in ("service", "reference", "catalog"):
        with processes.running(name) as (_, port):
            for path in ("/", "/health"):
                url = f"http://127.0.0.1:{port}{path}"
                wrk.run(url, options.connections, 1)
                result = wrk.run(url, options.connections, options.seconds)
                rows.append(
                    (
                        LABELS[name],
                        path,
                        f"{result.requests_per_second:.0f}",
                        f"{result.p50_ms:.2f}",
                        f"{result.p99_ms:.2f}",
                        result.errors,
                    )
                )
    show(("server", "path", "requests/s", "p50 ms", "p99 ms", "errors"), rows)


def drained(options: argparse.Namespace) -> None:
    """What becomes of requests when SIGTERM arrives under load."""
    rows = []
    for name in ("service", "catalog"):
        for before in (options.requests, *[2000] * options.rounds):
            outcome, code, seconds = drain.measure(name, options.clients, before)
            rows.append(
                (
                    LABELS[name],
                    outcome.answered,
                    outcome.lost,
                    outcome.refused,
                    code,
                    f"{seconds:.2f}",
                )
            )
    show(("server", "answered", "lost", "refused", "exit", "s to exit"), rows)


def slow(options: argparse.Namespace) -> None:
    """Latency of normal traffic without and with slow clients."""
    rows = []
    for name in ("service", "catalog"):
        with processes.running(name) as (_, port):
            url = f"http://127.0.0.1:{port}/"
            wrk.run(url, options.connections, 1)
            calm = wrk.run(url, options.connections, options.seconds)
            with slow_loris.attack(port, options.slow_clients):
                attacked = wrk.run(url, options.connections, options.seconds)
        for label, result in (("none", calm), (str(options.slow_clients), attacked)):
            rows.append(
                (
                    LABELS[name],
                    label,
                    f"{result.requests_per_second:.0f}",
                    f"{result.p50_ms:.2f}",
                    f"{result.p99_ms:.2f}",
                    result.errors,
                )
            )
    show(("server", "slow clients", "requests/s", "p50 ms", "p99 ms", "errors"), rows)


def probe(options: argparse.Namespace) -> None:
    """CPU time of the healthcheck against one that imports urllib.request."""
    costs = probe_cost.measure(options.probes)
    most = costs["urllib.request"]
    show(
        ("probe", "CPU ms", "of urllib's"),
        [(name, f"{cost:.1f}", f"{cost / most:.0%}") for name, cost in costs.items()],
    )


def memory(options: argparse.Namespace) -> None:
    """Memory at rest, then memory and descriptors after many requests."""
    rows = []
    for name in ("service", "catalog", "reports"):
        with processes.running(name) as (process, port):
            time.sleep(1)
            rss, pss = processes.memory_mib(process.pid)
            load.run(port, 50, 120, lambda answered: answered >= 1000)
            warm, descriptors = (
                processes.memory_mib(process.pid)[0],
                processes.open_files(process.pid),
            )
            load.run(port, 50, 600, lambda answered: answered >= options.requests)
            time.sleep(1.5)
            after, left = processes.memory_mib(process.pid)[0], processes.open_files(process.pid)
        figures = (f"{value:.1f}" for value in (rss, pss, warm, after))
        rows.append((LABELS[name], *figures, descriptors, left))
    show(
        ("server", "RSS MiB", "PSS MiB", "after 1k", f"after {options.requests}", "fds", "fds"),
        rows,
    )


def show(heads: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    """Prints columns: the first to the left, the others to the right."""
    table = [tuple(map(str, row)) for row in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for first, *others in table:
        cells = (text.rjust(width) for text, width in zip(others, widths[1:], strict=True))
        print("  ".join((first.ljust(widths[0]), *cells)), flush=True)


MEASUREMENTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "throughput": throughput,
    "drain": drained,
    "slow-loris": slow,
    "probe": probe,
    "memory": memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Run it with an interpreter that has the requirements of 3rdparty/python.",
    )
    parser.add_argument(
        "measurements", nargs="*", metavar="MEASUREMENT", help=", ".join(MEASUREMENTS)
    )
    add = parser.add_argument
    add("--seconds", type=int, default=5, help="of each wrk run (%(default)s)")
    add("--connections", type=int, default=50, help="of wrk (%(default)s)")
    add("--clients", type=int, default=200, help="of drain (%(default)s)")
    add("--requests", type=int, default=50_000, help="of drain and memory (%(default)s)")
    add("--rounds", type=int, default=3, help="more stops, after 2000 requests each (%(default)s)")
    add("--slow-clients", type=int, default=500, help="of slow-loris (%(default)s)")
    add("--probes", type=int, default=50, help="runs of each probe (%(default)s)")
    options = parser.parse_args()
    if unknown := set(options.measurements) - set(MEASUREMENTS):
        parser.error(f"no measurement {', '.join(sorted(unknown))}")
    for name in options.measurements or MEASUREMENTS:
        print(f"\n{name}: {MEASUREMENTS[name].__doc__}")
        MEASUREMENTS[name](options)


if __name__ == "__main__":
    main()
