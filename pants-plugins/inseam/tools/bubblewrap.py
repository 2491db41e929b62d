"""Builds bubblewrap (bwrap(1)) command lines: a command sees only its root and its folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Callable, Mapping

from inseam.tools.nobody import viewed
from inseam.tools.root import Root

# Where the command sees its folder, whatever its path is outside.
PLACE = "/tmp/build"
# The names give no rights: the kernel only knows the user who runs this.
_USER = "1000"
_PASSWD = f"root:x:0:0::/root:/bin/false\nbuilder:x:{_USER}:{_USER}::{PLACE}/home:/bin/sh\n"
# Size in bytes of /tmp and of /dev/shm, which are in memory. Large files belong in TMPDIR.
_IN_MEMORY = str(512 << 20)
_NAMESPACES = (
    *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
    *("--unshare-cgroup-try", "--cap-drop", "ALL", "--uid", _USER, "--gid", _USER),
    *("--die-with-parent", "--new-session", "--hostname", "builder"),
)
_INSTALLED = "/usr/local/bin:/usr/bin:/bin"


def installed() -> tuple[str, ...]:
    """The command prefix for this machine's bubblewrap; empty if it has none."""
    found = shutil.which("bwrap", path=_INSTALLED)
    return (found,) if found else ()


@cache
def why_not(bubblewrap: tuple[str, ...], tools: Root) -> str:
    """Why bubblewrap cannot confine a command here; "" if it can. tools: a root with a shell."""
    try:
        with viewed(tools.paths) as view:
            argv = [*map(view.see, bubblewrap), *_NAMESPACES, *_mounts(tools, view.see)]
            result = subprocess.run(
                [*argv, "--", "/bin/sh", "-c", ":"],
                env={},
                capture_output=True,
                check=False,
                timeout=60,
                preexec_fn=view.enter,
            )
    except subprocess.SubprocessError as error:
        return f"bubblewrap does not start: {error} (as root, it needs the right to make mounts)"
    except OSError as error:
        return f"bubblewrap does not start: {error}"
    if result.returncode == 0:
        return ""
    text = result.stderr.decode(errors="replace").strip()
    return text or f"bubblewrap ended with exit code {result.returncode}"


def write_users(path: Path) -> None:
    """Writes the file with the user names that a command sees."""
    path.write_text(_PASSWD)
    path.chmod(0o644)


def argv(
    root: Root, folder: Path, users: Path, env: Mapping[str, str], see: Callable[[Path], str]
) -> list[str]:
    """The arguments of bubblewrap. folder: the only folder that the command can write to, and its
    working directory. users: a file from `write_users`. see: maps a path to the path at which the
    user who starts bubblewrap sees it.
    """
    return [
        *_NAMESPACES,
        *_mounts(root, see),
        *("--ro-bind", see(users), "/etc/passwd"),
        *("--bind", see(folder), PLACE, "--chdir", PLACE),
        *(part for name, value in env.items() for part in ("--setenv", name, value)),
        *("--remount-ro", "/"),
    ]


def _mounts(root: Root, see: Callable[[Path], str]) -> list[str]:
    arguments = ["--ro-bind", see(root.folder), "/"] if root.folder else []
    for path in root.shown:
        if path.is_symlink():
            arguments += ["--symlink", os.readlink(path), str(path)]
        else:
            arguments += ["--ro-bind", see(path), str(path)]
    return [
        *arguments,
        *("--proc", "/proc"),
        *("--dev", "/dev", "--size", _IN_MEMORY, "--tmpfs", "/dev/shm", "--remount-ro", "/dev"),
        *("--size", _IN_MEMORY, "--tmpfs", "/tmp"),
    ]
