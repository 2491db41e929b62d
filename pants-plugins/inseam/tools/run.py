"""Runs a container in the foreground, and ends it when the process that runs it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from inseam.formats.oci.config import INIT

_LOOK = 1.0  # seconds between two checks whether the parent still exists

# Waits until the other end of its stdin is closed, however that process ended, and stops the
# container. The client may be about to write the container's ID at that moment.
_WATCHER = """\
import subprocess
import sys
import time

client, path = sys.argv[1:]
sys.stdin.buffer.read()
for _ in range(600):
    try:
        with open(path) as file:
            container = file.read().strip()
    except OSError:
        container = ""
    if container:
        subprocess.run([client, "stop", container], check=False)
        break
    time.sleep(0.1)
"""


def run_options(
    options: Sequence[str], entrypoint: Sequence[str], writable: Sequence[str] = ()
) -> list[str]:
    """The options of `docker run`, including those that an image needs.

    There is an init process, unless the image has one. A read-only root filesystem gets a tmpfs at
    each path in `writable` and at /tmp, which Python's tempfile and multiprocessing need, unless
    the options mount something there.
    """
    more = [] if tuple(entrypoint[:1]) == (INIT,) else ["--init"]
    if "--read-only" in options:
        mounted = {part for option in options for part in re.split("[=:,]", option)}
        for path in sorted({"/tmp", *writable} - mounted):
            more += ["--tmpfs", path]
    return [*more, *options]


def run(client: str, arguments: Sequence[str]) -> int:
    """Runs a container that is removed when it ends; returns its exit code.

    arguments: options of `docker run`, the image, arguments. SIGTERM and SIGHUP stop the container,
    and so does the end of this process or of its parent, even by SIGKILL. (The parent is Pants,
    which ignores SIGTERM while a program is running.)
    """
    parent = os.getppid()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "container")
        closed, held = os.pipe()
        command = [sys.executable, "-sSB", "-c", _WATCHER, client, str(file)]
        with subprocess.Popen(
            command,
            stdin=closed,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as watcher:
            os.close(closed)
            process = subprocess.Popen([client, "run", "--rm", f"--cidfile={file}", *arguments])

            def stop(*_: object) -> None:
                nonlocal held
                if held >= 0:
                    os.close(held)
                    held = -1

            def interrupt(*_: object) -> None:
                # At a terminal, the client also gets it.
                if not os.isatty(0):
                    process.send_signal(signal.SIGINT)

            signal.signal(signal.SIGTERM, stop)
            signal.signal(signal.SIGHUP, stop)
            signal.signal(signal.SIGINT, interrupt)
            code = None
            while code is None:
                try:
                    code = process.wait(_LOOK)
                except subprocess.TimeoutExpired:
                    if os.getppid() != parent:
                        stop()
            watcher.kill()  # The container has ended.
            stop()
    return code
