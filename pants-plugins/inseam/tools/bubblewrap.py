"""Says how bubblewrap (bwrap(1)) starts a command that sees nothing but its root and its folder."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from functools import cache
from pathlib import Path
from typing import Mapping, Sequence

from inseam.tools.root import Root

# Where the command sees its folder, whatever that is called outside.
PLACE = "/tmp/build"
# Users and groups have no rights by these: the kernel knows only who runs this.
_USER = "1000"
_PASSWD = f"root:x:0:0::/root:/bin/false\nbuilder:x:{_USER}:{_USER}::{PLACE}/home:/bin/sh\n"
# Bytes of /tmp and of /dev/shm, which are in memory. What is large belongs into TMPDIR.
_IN_MEMORY = str(512 << 20)
_NAMESPACES = (
    *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
    *("--unshare-cgroup-try", "--cap-drop", "ALL", "--uid", _USER, "--gid", _USER),
    *("--die-with-parent", "--new-session", "--hostname", "builder"),
)
_INSTALLED = "/usr/local/bin:/usr/bin:/bin"


def installed() -> tuple[str, ...]:
    """This machine's bubblewrap, as the first part of a command; empty if it has none."""
    found = shutil.which("bwrap", path=_INSTALLED)
    return (found,) if found else ()


@cache
def why_not(bubblewrap: tuple[str, ...], root: Root) -> str:
    """Why it cannot confine a command here; "" if it can."""
    argv = [*bubblewrap, *_NAMESPACES, *_mounts(root), "--", "/bin/sh", "-c", ":"]
    try:
        result = subprocess.run(argv, env={}, capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not start: {error}"
    if result.returncode == 0:
        return ""
    text = result.stderr.decode(errors="replace").strip()
    return text or f"bubblewrap ended with exit code {result.returncode}"


def argv(
    bubblewrap: Sequence[str],
    root: Root,
    folder: Path,
    env: Mapping[str, str],
    filter_file: int,
) -> list[str]:
    """What stands before a command. folder: what it may write to, and where it starts. filter_file:
    a descriptor from which the filter of system calls is read."""
    users = folder.parent / "passwd"
    users.write_text(_PASSWD)
    return [
        *bubblewrap,
        *_NAMESPACES,
        *_mounts(root),
        *("--ro-bind", str(users), "/etc/passwd"),
        *("--bind", str(folder), PLACE, "--chdir", PLACE),
        *(part for name, value in env.items() for part in ("--setenv", name, value)),
        *("--remount-ro", "/"),
        *("--seccomp", str(filter_file), "--"),
    ]


def _mounts(root: Root) -> list[str]:
    arguments = ["--ro-bind", str(root.folder), "/"] if root.folder else []
    for path in root.shown:
        arguments += _shown(path)
    return [
        *arguments,
        *("--proc", "/proc", *_covers()),
        *("--dev", "/dev", "--size", _IN_MEMORY, "--tmpfs", "/dev/shm", "--remount-ro", "/dev"),
        *("--size", _IN_MEMORY, "--tmpfs", "/tmp"),
    ]


def _shown(path: Path) -> list[str]:
    """What shows a path of this machine, or a link to one, as it is."""
    if path.is_symlink():
        return ["--symlink", os.readlink(path), str(path)]
    return ["--ro-bind", str(path), str(path)]


def _covers() -> list[str]:
    """What hides files of /proc that belong to root, whose kernel must be neither read nor set by
    them: in its namespace root has no rights, but it owns these files still."""
    if os.geteuid() != 0:
        return []
    covers = []
    for name in sorted(os.listdir("/proc")):
        path = f"/proc/{name}"
        if name.isdecimal() or os.path.islink(path):
            continue
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode) or mode & 0o222:
            covers += ["--ro-bind", path, path]
        if not stat.S_ISDIR(mode) and not mode & 0o004:
            covers += ["--ro-bind", "/dev/null", path]
    return covers
