"""Finds CPython and glibc in a root filesystem."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.deb import Deb
from inseam.formats.elf import MACHINES, machine
from inseam.formats.glibc import GlibcVersion, parse_glibc
from inseam.formats.rootfs.links import by_path, resolve
from inseam.formats.rootfs.system_files import merged
from inseam.formats.tar import Member


def check_interpreter(path: str, architecture: str, members: Sequence[Member]) -> Member:
    """The file that is the Python interpreter `path` (absolute, inside the image).

    Raises DebianError if it is missing, cannot be executed or is for another architecture.
    """
    files = by_path(members)
    target = resolve(path, files) if path.startswith("/") else None
    member = files.get(target or "")
    if member is None or member.directory or not isinstance(member.content, bytes):
        others = sorted(name for name in files if re.match(r"usr/bin/python\d[.\d]*\Z", name))
        there = ", ".join(f"/{name}" for name in others) or "none"
        raise DebianError(
            f"the base declares the interpreter {path}, but its packages have no such file"
            f" (interpreters in them: {there}); correct the `interpreter` of the base, or add the"
            " package that contains it"
        )
    if not member.mode & 0o111:
        raise DebianError(f"the interpreter {path} of the base is not executable")
    found = machine(member.content[:20])
    if found != MACHINES.get(architecture, architecture):
        what = f"a program for {found}" if found else "no ELF program"
        raise DebianError(
            f"the interpreter {path} of the base is {what}, not one for {architecture}; correct"
            " the architecture or the packages of the base"
        )
    return member


def python_version(interpreter: Member, debs: Iterable[Deb]) -> str:
    """X.Y.Z of the interpreter, from the version of the package that has it."""
    for deb in debs:
        if any(merged(member.path) == interpreter.path for member in deb.members):
            match = re.match(r"(?:\d+:)?(\d+\.\d+\.\d+)", deb.version)
            if match:
                return match[1]
    raise DebianError(f"cannot tell the Python version of /{interpreter.path} from its package")


def glibc_of(debs: Iterable[Deb]) -> GlibcVersion | None:
    """The version of glibc in the packages, if they contain it."""
    for deb in debs:
        match = re.match(r"(?:\d+:)?(\d+\.\d+)", deb.version)
        if deb.name == "libc6" and match:
            return parse_glibc(match[1])
    return None
