"""The values that connect what a repository declares to what `tailor` proposes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Optional, Tuple

from inseam.plan.tailor.starting import Start


class Kind(IntEnum):
    """What declares a program, the most specific source first."""

    IMAGE = 0
    PROCFILE = 1
    BINARY = 2
    SCRIPT = 3
    MODULE = 4


class Binary(NamedTuple):
    """A target that names a program."""

    address: str
    alias: str
    """Its target type, such as `pex_binary`."""
    entry_point: Optional[str] = None
    """As written in the field: `job.py`, or `shop.job:main`."""
    script: Optional[str] = None
    args: Tuple[str, ...] = ()
    env: Tuple[Tuple[str, str], ...] = ()
    dependencies: Tuple[str, ...] = ()
    output: str = ""
    """The path of its artifact, below `dist` and in the build contexts of Dockerfiles."""
    has_sources: bool = True

    @property
    def folder(self) -> str:
        return self.address.partition(":")[0].strip("/")

    @property
    def name(self) -> str:
        return self.address.partition(":")[2]


class Image(NamedTuple):
    """A Dockerfile, or the instructions of a target."""

    where: str
    """The path of the file, or the address of the target."""
    folder: str
    text: str


class File(NamedTuple):
    """Another file that names programs: a Procfile or a shell script."""

    path: str
    text: str


class Script(NamedTuple):
    """A console script of a distribution of the repository."""

    where: str
    folder: str
    name: str
    entry_point: str


@dataclass(frozen=True)
class Declared:
    """A program of the repository."""

    kind: Kind
    where: str
    """The path of the file, or the address of the target, that declares it."""
    path: str
    """Path of its module; "" for a distribution's script that loads no module by name."""
    start: Start
    folder: str
    """The folder of the declaration."""
    name: str = ""
    """Its name there, if it has one."""
    target: str = ""
    """The address of the target that names the program, if one does."""
    dependencies: Tuple[str, ...] = ()
    env: Tuple[Tuple[str, str], ...] = ()
    workers: Optional[int] = None

    @property
    def home(self) -> str:
        """The folder for its service: that of its target, or that of its module."""
        return self.folder if self.target or not self.path else os.path.dirname(self.path)

    @property
    def runs(self) -> tuple[object, ...]:
        """What distinguishes two programs of one module."""
        return self.start.function, self.start.server, self.start.script, self.start.args


@dataclass(frozen=True)
class LeftOut:
    """Something that names a program for which nothing is proposed."""

    where: str
    why: str
    write: str = ""
    """What a person can write instead; "" if nothing is needed."""
