"""Requests lost when a stop request arrives under load."""

import signal
import time

import load
import processes


def measure(name: str, clients: int, before: int) -> tuple[load.Outcome, int, float]:
    """Loads a server until `before` requests are answered, sends SIGTERM, goes on to the end.

    Returns what became of the requests, the exit code, and the seconds from SIGTERM to exit.
    """
    with processes.running(name) as (process, port):
        stopped = 0.0

        def progress(answered: int) -> None:
            nonlocal stopped
            if answered >= before and not stopped:
                stopped = time.monotonic()
                process.send_signal(signal.SIGTERM)

        outcome = load.run(port, clients, 120, progress)
        code = process.wait(30)
        return outcome, code, time.monotonic() - stopped
