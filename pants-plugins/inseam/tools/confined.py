"""Runs a command cut off from the network and from all files but one folder.

Namespaces of Linux do it (user_namespaces(7)), for root and for ordinary users alike. Where the
kernel forbids them, a command that needs no other root still runs, without the network, but other
files are as open to it as to its user; for one that does, root can use chroot(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Callable, Mapping, Sequence

from inseam.formats.failure import Failure
from inseam.tools.offline import go_offline

# Where the command sees its folder, whatever that is called outside. /tmp is there on every system.
PLACE = "/tmp/build"
_OUTPUT_TAIL = 40  # lines

_NEWNS, _NEWUTS, _NEWIPC = 0x00020000, 0x04000000, 0x08000000
_NEWUSER, _NEWPID, _NEWNET = 0x10000000, 0x20000000, 0x40000000
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT = 1, 2, 4, 8, 32
_NOATIME, _NODIRATIME, _BIND, _REC, _PRIVATE, _RELATIME = 1024, 2048, 4096, 16384, 1 << 18, 1 << 21
_FLAGS = {
    "nosuid": _NOSUID,
    "nodev": _NODEV,
    "noexec": _NOEXEC,
    "noatime": _NOATIME,
    "nodiratime": _NODIRATIME,
    "relatime": _RELATIME,
}
_WRITABLE = ("/dev/shm", "/proc", "/tmp")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_NUMBERS = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}  # minor ones of 1
_NOBODY = 65534
_DETACH = 2  # MNT_DETACH


@dataclass(frozen=True)
class Command:
    """A command for a folder.

    argv, env: with `{here}` for the folder's path as the command sees it. folder: what it may
    write to, and where it starts. root: the root file system that it sees; None for this machine's.
    timeout: seconds. confine: false to run it without namespaces.
    """

    argv: Sequence[str]
    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)
    root: Path | None = None
    timeout: float = 600.0
    confine: bool = True


class TimedOut(Exception):
    """A command took longer than it may; its text is what the command last said."""


def place_of(command: Command) -> str:
    """The path by which a command sees its folder."""
    if command.root is not None or (command.confine and _namespaces_work()):
        return PLACE
    return str(command.folder.resolve())


def run(command: Command) -> tuple[int, str]:
    """Runs a command and all that it starts to the end, and returns its exit code and what it said.

    Raises TimedOut, and Failure if there is no way to enter its root.
    """
    place = place_of(command)
    enter: Callable[[], object] = go_offline
    if command.confine and _namespaces_work():
        enter = partial(_enter, command.folder, command.root)
    elif command.root is not None:
        if os.geteuid() != 0:
            raise Failure(
                "the builder's root file system cannot be entered: this kernel gives an ordinary"
                " user no namespaces. Allow them (sysctl kernel.unprivileged_userns_clone=1, or"
                " kernel.apparmor_restrict_unprivileged_userns=0), or build as root."
            )
        return _in_other_root(command, command.root)
    return _run(command, place, enter)


def _in_other_root(command: Command, root: Path) -> tuple[int, str]:
    """Runs a command by chroot(2), as a user who owns its folder only: that is inside meanwhile."""

    def enter() -> None:
        os.chroot(root)
        os.chdir(PLACE)
        go_offline()
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)

    inside = root / PLACE[1:]
    here = os.open(root, os.O_RDONLY)
    try:
        # One command after the other: they all have their folder at the same place.
        fcntl.flock(here, fcntl.LOCK_EX)
        mounted = _prepare(root)
        shutil.rmtree(inside, ignore_errors=True)
        shutil.move(str(command.folder), str(inside))
        for folder, folders, files in os.walk(inside):
            for name in (folder, *(os.path.join(folder, name) for name in [*folders, *files])):
                os.chown(name, _NOBODY, _NOBODY, follow_symlinks=False)
        try:
            return _run(command, PLACE, enter, cwd=inside)
        finally:
            if mounted:
                _libc.umount2(str(root / "proc").encode(), _DETACH)
            shutil.move(str(inside), str(command.folder))
    finally:
        os.close(here)


def _prepare(root: Path) -> bool:
    """Puts into a root file system what the kernel or the init system gives any other, as far as
    this user may. Returns whether /proc was mounted."""
    (root / PLACE[1:]).parent.mkdir(exist_ok=True)
    for name in ("dev", "proc"):
        (root / name).mkdir(exist_ok=True)
    for name, minor in _DEVICE_NUMBERS.items():
        with contextlib.suppress(OSError):
            os.mknod(root / "dev" / name, stat.S_IFCHR | 0o666, os.makedev(1, minor))
            (root / "dev" / name).chmod(0o666)
    try:
        _mount("proc", str(root / "proc"), "proc", _NOSUID | _NODEV | _NOEXEC)
    except OSError:
        return False
    return True


def _run(
    command: Command, place: str, enter: Callable[[], object], cwd: Path | None = None
) -> tuple[int, str]:
    # Programs have one thread, so running Python between fork and exec is safe.
    process = subprocess.Popen(
        [part.replace("{here}", place) for part in command.argv],
        cwd=cwd or command.folder,
        env={name: value.replace("{here}", place) for name, value in command.env.items()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=enter,  # noqa: PLW1509
    )
    try:
        output, _ = process.communicate(timeout=command.timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        raise TimedOut(tail(output.decode(errors="replace"))) from None
    finally:
        # What it left behind in the background.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, output.decode(errors="replace").replace(place, "{build}")


def tail(output: str) -> str:
    """The last lines of what a command said."""
    return "\n".join(output.rstrip().splitlines()[-_OUTPUT_TAIL:])


@cache
def _namespaces_work() -> bool:
    """Whether a process of this user gets the namespaces, found out by one that does nothing."""
    if not sys.platform.startswith("linux"):
        return False
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _unshare()
            _mount("none", "/", None, _REC | _PRIVATE)
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    _check(
        _libc.mount(
            source.encode(),
            target.encode(),
            kind.encode() if kind else None,
            ctypes.c_ulong(flags),
            data.encode(),
        ),
        f"mount {target}",
    )


def _unshare() -> None:
    """Puts this process into namespaces of its own, where it is user 0."""
    user, group = os.geteuid(), os.getegid()
    flags = _NEWNS | _NEWUTS | _NEWIPC | _NEWPID | _NEWNET
    if _libc.unshare(flags | _NEWUSER) != 0:
        # Root needs no namespace of users for the others.
        _check(_libc.unshare(flags), "unshare")
        return
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def _enter(folder: Path, root: Path | None) -> None:
    """Leaves this process in a place where it can reach nothing but what it may."""
    _unshare()
    _fork()
    _mount("none", "/", None, _REC | _PRIVATE)
    name = b"builder"
    _libc.sethostname(name, len(name))
    here = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    top = "" if root is None else str(root)
    if root is not None:
        _mount(top, top, None, _BIND | _REC)
        for part in ("dev", "proc", "tmp"):
            (root / part).mkdir(exist_ok=True)
        _devices(f"{top}/dev")
    # In containers /proc is partly covered, and then the kernel allows no new one.
    try:
        _mount("proc", f"{top}/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    except OSError:
        if root is not None:
            _mount("/proc", f"{top}/proc", None, _BIND | _REC)
    # What is root's here is root's outside, too: its kernel must not be set from here.
    with contextlib.suppress(OSError):
        _mount(f"{top}/proc/sys", f"{top}/proc/sys", None, _BIND)
    if os.path.isdir(f"{top}/dev/shm"):
        _mount("tmpfs", f"{top}/dev/shm", "tmpfs", _NOSUID | _NODEV, "mode=1777")
    _mount("tmpfs", f"{top}/tmp", "tmpfs", _NOSUID | _NODEV, "mode=1777")
    os.mkdir(f"{top}{PLACE}")
    _mount(f"/proc/self/fd/{here}", f"{top}{PLACE}", None, _BIND)
    os.close(here)
    _read_only(top or "/")
    if root is not None:
        os.chroot(root)
    os.chdir(PLACE)


def _fork() -> None:
    """Goes on in a child, the first process of the new namespace: when it ends, the kernel ends all
    others there. The parent passes its exit code on."""
    child = os.fork()
    if child == 0:
        # PR_SET_PDEATHSIG: so that killing the parent ends the namespace.
        _libc.prctl(1, signal.SIGKILL, 0, 0, 0)
        return
    # The pipe by which `subprocess` learns of errors must not stay open here.
    os.closerange(3, 256)
    _, status = os.waitpid(child, 0)
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


def _devices(folder: str) -> None:
    _mount("tmpfs", folder, "tmpfs", _NOSUID, "mode=755")
    for name in _DEVICES:
        Path(f"{folder}/{name}").touch()
        _mount(f"/dev/{name}", f"{folder}/{name}", None, _BIND)
    os.mkdir(f"{folder}/shm")
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{target}", f"{folder}/{name}")


def _unescaped(path: str) -> str:
    """The path that proc(5) writes as `path`, with spaces as in `a\\040b`.

    Not by a codec, which would have to be imported: the standard library may lie below /tmp, and
    that is covered by then.
    """
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)


def _read_only(top: str) -> None:
    """Lets nothing be written below `top` but what is new. A device can be written to, but neither
    removed nor given another mode: gcc as root would do that to its output, /dev/null."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        path = _unescaped(fields[4])
        below = path == top or path.startswith(top.rstrip("/") + "/")
        inside = path[len(top.rstrip("/")) :] or "/"
        if not below or inside.startswith(_WRITABLE) and not inside.startswith("/proc/sys"):
            continue
        flags = sum(_FLAGS.get(option, 0) for option in fields[5].split(","))
        # A mount that another one covers cannot be reached, nor can what is below it.
        with contextlib.suppress(OSError):
            _mount("none", path, None, _BIND | _REMOUNT | _RDONLY | flags)
