"""Runs a container in the foreground, and ends it when the process that runs it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from inseam.formats.numbers import whole_number
from inseam.formats.oci.config import INIT

# `-d`, alone or among other options that take no value.
_DETACHED = re.compile(r"--detach(=true)?|-[Piqt]*d[Pdiqt]*")
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


def tmpfs_options(client: str, user: str, writable: Sequence[str]) -> dict[str, str]:
    """The mount options of a tmpfs at each path in `writable` and at /tmp, which Python's tempfile
    and multiprocessing need, by path.

    client: "docker" or "podman". user: of the image, as "UID" or "UID:GID".

    By default, a tmpfs belongs to root and is noexec. At the paths in `writable`, it belongs to the
    user and group 0, like the image's own directories there.
    """
    uid = whole_number(user.partition(":")[0])
    if uid is None:
        owned = "exec,mode=1777"  # a name, whose number only the image has
    elif client == "podman":
        owned = "exec,mode=0770,U"  # U: of the container's user; there is no uid=
    else:
        owned = f"exec,mode=0770,uid={uid},gid=0"
    return {**dict.fromkeys(writable, owned), "/tmp": "exec,mode=1777"}


def is_detached(options: Sequence[str]) -> bool:
    """Whether options of `docker run` leave the container in the background."""
    return any(map(_DETACHED.fullmatch, options))


def run_options(
    options: Sequence[str], entrypoint: Sequence[str], tmpfs: Mapping[str, str] = {}
) -> list[str]:
    """The options of `docker run`, including those that an image needs.

    There is an init process, unless the image has one. A read-only root filesystem gets each
    `tmpfs`, as from `tmpfs_options`, unless the options mount something at its path. A container in
    the foreground is removed when it ends. One in the background is kept, with its logs.
    """
    more = [] if is_detached(options) else ["--rm"]
    if tuple(entrypoint[:1]) != (INIT,):
        more.append("--init")
    if "--read-only" in options:
        mounted = {part for option in options for part in re.split("[=:,]", option)}
        for path in sorted(set(tmpfs) - mounted):
            more += ["--tmpfs", f"{path}:{tmpfs[path]}"]
    return [*more, *options]


def run(client: str, arguments: Sequence[str]) -> int:
    """Runs a container; returns its exit code, or the client's for one in the background.

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
            process = subprocess.Popen([client, "run", f"--cidfile={file}", *arguments])

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
