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
        stopped = ended = 0.0

        def stop_once(answered: int) -> bool:
            nonlocal stopped, ended
            if answered >= before and not stopped:
                stopped = time.monotonic()
                process.send_signal(signal.SIGTERM)
            if stopped and not ended and process.poll() is not None:
                ended = time.monotonic()
            return False

        outcome = load.run(port, clients, 120, stop_once)
        code = process.wait(30)
        return outcome, code, (ended or time.monotonic()) - stopped
