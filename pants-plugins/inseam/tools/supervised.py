"""Runs a command with limits, and ends all of its processes if it exceeds one."""

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

# Number of bytes at the end of its output that are kept.
_KEPT = 200_000
# Seconds between two checks of its processes, and the maximum share of time for checks.
_INTERVAL, _SHARE = 0.2, 0.02
_NICE = 10
# Seconds within which the output must be closed after all processes are ended.
_PATIENCE = 30


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Supervised:
    """A command to run."""

    argv: Sequence[str]
    env: Mapping[str, str]
    folder: Path
    """The only folder that it can write to, and its working directory."""
    limits: Limits
    timeout: float
    enter: Callable[[], object] = _nothing
    """Called in its process before the command is executed."""
    files: tuple[int, ...] = ()
    """File descriptors that it inherits."""
    reaps: bool = False
    """Whether this process adopts the processes that the command leaves behind."""


class Stopped(Exception):
    """A command exceeded a limit; the text says which. output: the end of its output."""

    def __init__(self, why: str, output: bytes) -> None:
        super().__init__(why)
        self.output = output


def supervise(command: Supervised) -> tuple[int, bytes]:
    """Runs a command, ends all processes that it leaves behind, and returns its exit code and the
    end of its output. Raises Stopped.
    """
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
        # The kernel ends a namespace after its first process, so others in it may still write.
        until = time.monotonic() + _PATIENCE
        while not output.closed and time.monotonic() < until:
            output.read(0.1)
        output.close()
    if why:
        raise Stopped(why, output.last)
    return process.returncode, output.last


def _watch(command: Supervised, process: subprocess.Popen[bytes], output: _Output) -> str:
    """Waits for a command; returns the limit that it exceeded, "" for none."""
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
    """The output of a command: its size, and its end."""

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
        """Reads the available output, or waits for a number of seconds."""
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
    """Periodically measures the resources that a command uses."""

    def __init__(self, root: int, folder: Path, limits: Limits) -> None:
        self._root, self._folder, self._limits = root, folder, limits
        self._used_before = self._used_on_disk()
        self._tasks_before = _tasks()
        self._next = self._next_walk = 0.0

    def passed(self) -> str:
        """The limit that is exceeded, "" for none."""
        now, tasks = time.monotonic(), _tasks()
        if tasks - self._tasks_before > self._limits.processes:
            # They may belong to others: then the command's own are counted.
            self._tasks_before = tasks
        elif now < self._next:
            return ""
        # Processor time, not wall time: a command that uses all cores must not be checked less.
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
        """Others also use the disk, so its folder is measured, but only if the disk has become
        fuller in the meantime.
        """
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
    """The size of a folder on disk in bytes; stops counting at `enough`."""
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
    """The number of processes and threads on the machine; 0 if that is unknown."""
    try:
        with open("/proc/loadavg") as file:
            return int(file.read().split()[3].partition("/")[2])
    except (OSError, ValueError, IndexError):
        return 0


def _tasks_of_user() -> int:
    """The number of processes and threads of the user who runs the command."""
    # Commands that root starts run as nobody.
    user, tasks = os.getuid() or NOBODY, 0
    for process in all_processes().values():
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{process.pid}").st_uid == user:
                tasks += process.threads
    return tasks


def _limit(limits: Limits, tasks: int) -> None:
    """Sets the kernel's limits for this process and its descendants."""
    wanted = {
        resource.RLIMIT_CORE: 0,
        # Not address space (RLIMIT_AS), because compilers reserve more than they use.
        resource.RLIMIT_DATA: limits.memory,
        resource.RLIMIT_FSIZE: limits.disk,
        resource.RLIMIT_NOFILE: limits.open_files,
        # The kernel counts all of the user's processes. Higher, so that the excess is reported.
        resource.RLIMIT_NPROC: tasks + limits.processes * 5 // 4 + 10,
    }
    for kind, most in wanted.items():
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    # Even if the command uses all cores, this program must notice and end it.
    os.nice(_NICE)
    # If the machine runs out of memory first, the kernel should end the command.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")
