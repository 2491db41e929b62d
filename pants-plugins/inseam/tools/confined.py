"""Runs an untrusted command so that it can do nothing but write to its own folder.

bubblewrap confines it with the kernel's namespaces (namespaces(7)) and a system call filter. If the
kernel provides no namespaces, nothing runs unless an option explicitly allows it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Mapping, Sequence

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_text
from inseam.formats.limits import Limits
from inseam.tools import bubblewrap, unconfined
from inseam.tools.nobody import give_to_nobody, viewed
from inseam.tools.root import Root, machine_root
from inseam.tools.supervised import Stopped, Supervised, supervise
from inseam.tools.system_calls import filter_program

OPTION = "[inseam].allow_unconfined_builds"
_SETTINGS = (
    ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or install Debian's bubblewrap",
    ),
    ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"),
)
_CONTAINER = (
    "in a container, `docker run --cap-add=SYS_ADMIN --security-opt=seccomp=unconfined"
    " --security-opt=apparmor=unconfined --security-opt=systempaths=unconfined`"
)


@dataclass(frozen=True)
class Place:
    """How and where commands run on this machine."""

    root: Root
    tools: Root
    """A root with a shell, and perhaps with bubblewrap."""
    bubblewrap: tuple[str, ...]
    """The command prefix for bubblewrap; empty to run without namespaces."""
    why: str = ""
    """Why there are no namespaces; "" if there are."""

    def of(self, folder: Path) -> str:
        """The path at which a command sees its folder."""
        if self.bubblewrap:
            return bubblewrap.PLACE
        return unconfined.place_of(self.root, folder)


def find_place(root: Root, tools: Root, given: tuple[str, ...], *, allow_unconfined: bool) -> Place:
    """Finds out how commands with this root can run on this machine.

    tools: a root with a shell, for a trial run. given: a bubblewrap to try first; the machine's
    own, which may have special rights, is tried second. Raises Failure if there are no namespaces,
    unless running without them is allowed.
    """
    why = ""
    for found in dict.fromkeys((given, bubblewrap.installed())):
        if found and sys.platform == "linux":
            reason = bubblewrap.why_not(found, tools)
            if not reason:
                return Place(root, tools, found)
            why = why or reason
    if sys.platform != "linux":
        why = f"bubblewrap needs Linux, and this is {sys.platform}"
    why = why or "this machine has no bubblewrap"
    if not allow_unconfined:
        raise Failure(
            "builds of wheels run confined by namespaces of the kernel, and there are none here."
            f" Allow them: {_how_to_allow()}. Or accept that builds can read and write what their"
            f" user can: {OPTION} = true. It was tried by bubblewrap:\n{foreign_text(why)}"
        )
    if root == tools and os.geteuid() != 0:
        # Without namespaces, only root can enter another root.
        root = machine_root()
    return Place(root, tools, (), why)


def _how_to_allow() -> str:
    for name, closed, hint in _SETTINGS:
        try:
            if Path("/proc/sys", name).read_text().strip() == closed:
                return hint
        except OSError:
            continue
    return _CONTAINER


@dataclass(frozen=True)
class Command:
    """A command to run in a folder."""

    argv: Sequence[str]
    """`{here}` stands for the path at which the command sees the folder."""
    folder: Path
    """The only folder that it can write to, and its working directory. Only this user may enter the
    parent folder, which hides files that others could otherwise execute as this user.
    """
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment variables; `{here}` as in `argv`."""
    limits: Limits = field(default_factory=Limits)
    timeout: float = 600.0
    """Maximum run time in seconds."""


def run(command: Command, place: Place) -> tuple[int, bytes]:
    """Runs a command, ends all processes that it leaves behind, and returns its exit code and the
    end of its output. Raises Stopped if it exceeds a limit, Failure if its root cannot be entered.
    """
    here = place.of(command.folder)
    argv = [part.replace("{here}", here) for part in command.argv]
    env = {name: value.replace("{here}", here) for name, value in command.env.items()}
    on_linux = sys.platform == "linux"
    program = filter_program(offline=not place.bubblewrap) if on_linux else b""
    supervised = Supervised(argv, env, command.folder, command.limits, command.timeout)
    if not place.bubblewrap:
        return unconfined.run_unconfined(supervised, place.root, program)
    users = command.folder.parent / "passwd"
    bubblewrap.write_users(users)
    if os.geteuid() == 0:
        give_to_nobody(command.folder)
    file = os.memfd_create("filter")
    paths = (*place.tools.paths, *place.root.paths, command.folder, users)
    try:
        os.write(file, program)
        os.lseek(file, 0, os.SEEK_SET)
        with viewed(paths) as view:
            start = [
                *map(view.see, place.bubblewrap),
                *bubblewrap.argv(place.root, command.folder, users, env, view.see),
                *("--seccomp", str(file), "--"),
            ]
            return supervise(
                replace(supervised, argv=[*start, *argv], env={}, files=(file,), enter=view.enter)
            )
    finally:
        os.close(file)


__all__ = ["Command", "Place", "Root", "Stopped", "find_place", "run"]
