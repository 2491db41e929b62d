"""The life of the process: it starts, is asked to stop, and ends with an honest exit code.

Import this module first and everything heavy inside the function given to `run`: signals are
handled from the first line of `run` on, so a stop request during a slow import is not lost.
"""

import os
import signal
import sys
import time
from contextlib import suppress

from servicekit import reaper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class StartupError(Exception):
    """A start-up failure that its message explains in full: it is shown without a traceback."""

    exit_code = 1


class Lifecycle:
    """Whether the process was asked to stop, and who has to hear of it."""

    def __init__(self) -> None:
        self.stopping = False
        self.why = ""
        self._wake: Callable[[], object] | None = None

    @property
    def serving(self) -> bool:
        return self._wake is not None

    def serve(self, wake: "Callable[[], object]") -> None:
        """Ends start-up: from here on a stop request calls `wake` instead of ending the process.

        `wake` runs inside a signal handler of the main thread, so it should only set or write
        something.
        """
        self._wake = wake
        if self.stopping:
            wake()

    def stop(self, why: str) -> None:
        self.why = why
        self.stopping = True
        if self._wake is not None:
            self._wake()

    def abort(self, message: str, exit_code: int) -> None:
        """Ends the process at once: no clean-up, no waiting for threads."""
        say("error", message)
        os._exit(exit_code)


def run(start: "Callable[[Lifecycle], int]") -> int:
    """Runs a service to its end and returns the exit code.

    `start` imports and builds the service, then serves until `lifecycle.stopping` and returns the
    exit code. The first SIGTERM, SIGINT or SIGQUIT stops the service gracefully (before it serves:
    ends it with 0); the second ends the process at once with 128 + the signal's number.
    """
    lifecycle = Lifecycle()

    def on_signal(number: int, frame: "FrameType | None") -> None:
        name = signal.Signals(number).name
        if lifecycle.stopping:
            lifecycle.abort(f"{name} while stopping: ending at once", 128 + number)
        lifecycle.stop(name)
        if not lifecycle.serving:
            raise SystemExit(0)

    for stop_signal in STOP_SIGNALS:
        signal.signal(stop_signal, on_signal)
    if os.getpid() == 1:
        reaper.split()
    try:
        return start(lifecycle)
    except BaseException as error:
        if lifecycle.stopping and not lifecycle.serving:
            return 0  # whatever an interrupted import made of the SystemExit
        if isinstance(error, SystemExit):
            raise
        if isinstance(error, StartupError):
            say("critical", str(error))
            return error.exit_code
        what = "while serving" if lifecycle.serving else "cannot start"
        say("critical", f"{what}: {type(error).__name__}: {error}", _traceback(error))
        return 1


def say(level: str, message: str, exception: str = "") -> None:
    """Writes one log line without the logging module, which may not be imported yet.

    Safe inside a signal handler: imports nothing for a plain ASCII message.
    """
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    line = (
        f'{{"time":"{stamp}.{int(now % 1 * 1000):03d}Z","level":"{level}",'
        f'"logger":"servicekit","message":{_quote(message)}'
    )
    if exception:
        line += f',"exception":{_quote(exception)}'
    with suppress(OSError):  # nobody reads the log: the exit code still tells
        os.write(1, line.encode() + b"}\n")


def _quote(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    import json

    return json.dumps(text)


def _traceback(error: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(error))


if sys.platform != "linux":
    raise ImportError("servicekit serves with epoll, which only Linux has")
