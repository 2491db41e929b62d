"""Runs a command with limits, and ends all of it when it passes one of them."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping, Sequence

from inseam.formats.limits import Limits, named
from inseam.tools.nobody import NOBODY
from inseam.tools.processes import all_processes, descendants, end_all

# Bytes of what it printed last, which are kept.
_KEPT = 200_000
# Seconds between two looks at its processes, and how much of the time these may take at most.
_INTERVAL, _SHARE = 0.2, 0.02
_NICE = 10
# Seconds until its last process must have closed its output, once all are ended.
_PATIENCE = 30


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Supervised:
    """A command to run."""

    argv: Sequence[str]
    env: Mapping[str, str]
    folder: Path
    """The only one that it can write to, and where it starts."""
    limits: Limits
    timeout: float
    enter: Callable[[], object] = _nothing
    """What its process does first, before it becomes the command."""
    files: tuple[int, ...] = ()
    """Descriptors that it inherits."""
    reaps: bool = False
    """Whether this process gets what the command leaves behind."""


class Stopped(Exception):
    """A command passed a limit; its text says which. output: what it printed last."""

    def __init__(self, why: str, output: bytes) -> None:
        super().__init__(why)
        self.output = output


def supervise(command: Supervised) -> tuple[int, bytes]:
    """Runs a command to the end, ends what it leaves behind, and returns its exit code and what it
    printed last. Raises Stopped."""
    before = [process.pid for process in descendants(os.getpid())]
    tasks = _tasks_of_user()

    def enter() -> None:
        _limit(command.limits, tasks)
        command.enter()

    # The programs have one thread, so running Python between fork and exec is safe.
    process = subprocess.Popen(
        command.argv,
        cwd=command.folder,
        env=command.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=command.files,
        preexec_fn=enter,  # noqa: PLW1509
    )
    output = _Output(process)
    try:
        why = _watch(command, process, output)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if command.reaps:
            end_all(os.getpid(), before)
        # The kernel ends a namespace after its first process: what is in there may still write.
        until = time.monotonic() + _PATIENCE
        while not output.closed and time.monotonic() < until:
            output.read(0.1)
        output.close()
    if why:
        raise Stopped(why, output.last)
    return process.returncode, output.last


def _watch(command: Supervised, process: subprocess.Popen[bytes], output: _Output) -> str:
    """Waits for a command; says which limit it passed, "" for none."""
    limits, deadline = command.limits, time.monotonic() + command.timeout
    root = os.getpid() if command.reaps else process.pid
    usage = _Usage(root, command.folder, limits)
    while process.poll() is None:
        output.read(0.05)
        if output.size > limits.output:
            return f"printed more than {limits.output} bytes {named('output')}"
        why = usage.passed()
        if why:
            return why
        if time.monotonic() > deadline:
            return f"took longer than {command.timeout:g} seconds ([inseam].build_timeout)"
    return ""


class _Output:
    """What a command prints: its size, and the end of it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._pipe = process.stdout
        os.set_blocking(self._pipe.fileno(), False)
        self._kept = bytearray()
        self.size, self.closed = 0, False

    @property
    def last(self) -> bytes:
        return bytes(self._kept[-_KEPT:])

    def read(self, seconds: float) -> None:
        """Reads what there is, or waits for some time."""
        if self.closed:
            time.sleep(seconds)
            return
        if not select.select([self._pipe], [], [], seconds)[0]:
            return
        data = os.read(self._pipe.fileno(), 1 << 16)
        self.closed = not data
        self.size += len(data)
        self._kept += data
        if len(self._kept) > 2 * _KEPT:
            del self._kept[:-_KEPT]

    def close(self) -> None:
        self._pipe.close()


class _Usage:
    """Measures from time to time what a command uses."""

    def __init__(self, root: int, folder: Path, limits: Limits) -> None:
        self._root, self._folder, self._limits = root, folder, limits
        self._used_before = self._used_on_disk()
        self._tasks_before = _tasks()
        self._next = self._next_walk = 0.0

    def passed(self) -> str:
        """Says which limit is passed, "" for none."""
        now, tasks = time.monotonic(), _tasks()
        if tasks - self._tasks_before > self._limits.processes:
            # Perhaps of others: then this is how many there are.
            self._tasks_before = tasks
        elif now < self._next:
            return ""
        # Not how long it takes: what takes all of the machine would be looked at less often.
        start = time.process_time()
        why = self._by_processes() or self._by_disk()
        self._next = now + max(_INTERVAL, (time.process_time() - start) / _SHARE)
        return why

    def _by_processes(self) -> str:
        found = descendants(self._root)
        if sum(process.threads for process in found) > self._limits.processes:
            return f"had more than {self._limits.processes} processes {named('processes')}"
        if sum(process.memory for process in found) > self._limits.memory:
            return f"used more than {self._limits.memory} bytes of memory {named('memory')}"
        return ""

    def _by_disk(self) -> str:
        """Others use the disk, too: so its folder is measured, but only if the disk became fuller
        meanwhile."""
        grown = self._used_on_disk() - self._used_before
        if grown < self._limits.disk // 2 or time.monotonic() < self._next_walk:
            return ""
        start = time.process_time()
        size = _size_of(self._folder, self._limits.disk)
        self._next_walk = time.monotonic() + (time.process_time() - start) / _SHARE
        if size > self._limits.disk:
            return f"wrote more than {self._limits.disk} bytes {named('disk')}"
        return ""

    def _used_on_disk(self) -> int:
        found = os.statvfs(self._folder)
        return (found.f_blocks - found.f_bfree) * found.f_frsize


def _size_of(folder: Path, enough: int) -> int:
    """What a folder has on the disk, in bytes; not more exactly than that it is too much."""
    size, queue = 0, [os.fspath(folder)]
    while queue and size <= enough:
        with contextlib.suppress(OSError), os.scandir(queue.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    # The smallest file takes an inode.
                    size += max(4096, entry.stat(follow_symlinks=False).st_blocks * 512)
                    if entry.is_dir(follow_symlinks=False):
                        queue.append(entry.path)
    return size


def _tasks() -> int:
    """How many processes and threads the machine has; 0 where it does not say."""
    try:
        with open("/proc/loadavg") as file:
            return int(file.read().split()[3].partition("/")[2])
    except (OSError, ValueError, IndexError):
        return 0


def _tasks_of_user() -> int:
    """How many processes and threads the user has who runs the command."""
    # What root starts runs as nobody.
    user, tasks = os.getuid() or NOBODY, 0
    for process in all_processes().values():
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{process.pid}").st_uid == user:
                tasks += process.threads
    return tasks


def _limit(limits: Limits, tasks: int) -> None:
    """Sets what the kernel limits, for this process and all that it starts."""
    wanted = {
        resource.RLIMIT_CORE: 0,
        # Not addresses (RLIMIT_AS): compilers reserve more of them than they use.
        resource.RLIMIT_DATA: limits.memory,
        resource.RLIMIT_FSIZE: limits.disk,
        resource.RLIMIT_NOFILE: limits.open_files,
        # The kernel counts all of the user's. More, so that what is too much is seen and named.
        resource.RLIMIT_NPROC: tasks + limits.processes * 5 // 4 + 10,
    }
    for kind, most in wanted.items():
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    # Whatever takes all cores, this program must see it and end it.
    os.nice(_NICE)
    # If the machine runs out of memory before, this is what the kernel ends.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")
