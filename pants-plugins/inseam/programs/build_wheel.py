"""Builds the wheel of one distribution from its sources, confined.

Usage: build_wheel --source ARCHIVE --frontend DIR --out OUT --timeout SECONDS [--tools TAR]
           [--subdirectory DIR] [--requirements DIR] [--declared REQUIREMENT]...
           [--env NAME=VALUE]... [--setting NAME=VALUE]... [--patch FILE]...
           [--limit NAME=NUMBER]... [--allow-unconfined]
           [--root TAR --architecture NAME --interpreter PATH] [--cache DIR]

Writes `OUT/wheel/<file name>`, and `OUT/built.json` with the wheel's metadata. If the backend needs
more than the declared requirements, it writes `OUT/requires.json` with all of them instead. The
folder `--requirements` must contain the wheels that the declared requirements need, and the folder
`--frontend` must contain `build`.

With `--root`, the build sees only that root filesystem, whose programs are for Debian's
architecture NAME. Otherwise it sees the one in `--tools`, as written by `build_tools`, and no
compiler. `--tools` also contains bubblewrap; without it, the machine's bubblewrap and shell are
used. Root filesystems are unpacked once, below CACHE.
"""

from __future__ import annotations

import hashlib
import json
import os
import pkgutil
import platform
import shutil
import sys
from argparse import Namespace
from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.elf import MACHINES
from inseam.formats.failure import Failure
from inseam.formats.files import write_whole
from inseam.formats.foreign_text import foreign_text
from inseam.formats.limits import Limits, parse_limits
from inseam.formats.python import frontend
from inseam.formats.python.build_environment import BuildFailed, make_environment
from inseam.formats.python.build_result import take_requirements, take_wheel
from inseam.formats.python.repack import repack
from inseam.formats.python.source import project_folder, set_times, unpack
from inseam.formats.rootfs.start import argv, copy_tree, tool, tree_of
from inseam.formats.rootfs.unpacked import unpacked
from inseam.tools.bubblewrap import installed
from inseam.tools.confined import Command, Place, Stopped, find_place, run
from inseam.tools.root import machine_root, root_in

BUILT = "built.json"
# 1 January 1980: zip archives know no earlier time.
EPOCH = 315532800
_ENV = {
    "CARGO_NET_OFFLINE": "true",
    "HOME": "{here}/home",
    "LC_ALL": "C.UTF-8",
    "PIP_NO_INDEX": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONNOUSERSITE": "1",
    "SOURCE_DATE_EPOCH": str(EPOCH),
    "TMPDIR": "{here}/tmp",
    "TZ": "UTC",
}
# Debian's links `cc` and `c++` are made by scripts that do not run here. Debug information would
# double the size of the result, and is not used.
_COMPILERS = {"CC": "gcc", "CXX": "g++", "CFLAGS": "-g0", "CXXFLAGS": "-g0"}


def main(arguments: list[str]) -> None:
    """See the module's docstring."""
    options = _parser().parse_args(arguments)
    if options.root:
        _check_machine(options.architecture)
    limits = parse_limits(item.partition("=")[::2] for item in options.limit)
    tree = None if options.root else tree_of(os.path.realpath(sys.executable))
    place = _place(options, tree)
    # Other users must not reach what the build makes, because they could execute it as this user.
    outer = Path("work").absolute()
    outer.mkdir(mode=0o700)
    work = outer / "build"
    for name in ("home", "tmp", "out"):
        (work / name).mkdir(parents=True)
    project = unpack(Path(options.source), work / "source", limits.bounds)
    if options.subdirectory:
        project = project_folder(project, options.subdirectory)
    set_times(work / "source", EPOCH)
    _write_environment(options, place, work, tree, limits)
    _write_request(options, place.of(work), work, project)
    command = Command(
        ["{here}/env/bin/python", "-I", "{here}/frontend.py", "{here}/request.json"],
        work,
        _environment(options.env, bool(options.root)),
        limits,
        options.timeout,
    )
    if place.why:
        print(f"The build is not confined: {foreign_text(place.why)}", file=sys.stderr)
    try:
        code, output = run(command, place)
    except Stopped as stopped:
        raise Failure(_said(f"the build {stopped} and was stopped", stopped.output)) from None
    if code != 0:
        raise BuildFailed(_said(f"the build failed with exit code {code}", output))
    _answer(work / "out", outer / "taken", options.out, limits, output)


def _said(what: str, output: bytes) -> str:
    shown = foreign_text(output)
    return f"{what}. Last output:\n{shown}" if shown else f"{what}, without any output"


def _place(options: Namespace, tree: Path | None) -> Place:
    """Where the build runs."""
    if options.tools:
        tools = root_in(unpacked(Path(options.tools), options.cache))
        assert tools.folder is not None
        bubblewrap = tool(tools.folder, "bwrap")
    else:
        tools, bubblewrap = machine_root(), installed()
    if options.root:
        root = root_in(unpacked(Path(options.root), options.cache))
    else:
        # An installed interpreter needs this machine's libraries.
        root = tools if tree is not None else machine_root()
    return find_place(root, tools, bubblewrap, allow_unconfined=options.allow_unconfined)


def _write_environment(
    options: Namespace, place: Place, work: Path, tree: Path | None, limits: Limits
) -> None:
    """Creates the build's environment, with the interpreter in its root filesystem."""
    start: tuple[str, ...] = ()
    interpreter = options.interpreter if options.root else os.path.realpath(sys.executable)
    if tree is not None:
        copy_tree(tree, work / "python")
        start = argv(f"{place.of(work)}/python")
        interpreter = start[-1]
    wheels = sorted(options.requirements.iterdir()) if options.requirements else []
    make_environment(
        work / "env",
        interpreter,
        wheels,
        place=f"{place.of(work)}/env",
        start=start,
        bounds=limits.bounds,
    )


def _write_request(options: Namespace, here: str, work: Path, project: Path) -> None:
    """Writes the frontend and its request. here: the path at which it sees the folder `work`."""
    shutil.copytree(options.frontend, work / "frontend")
    source = pkgutil.get_data(frontend.__package__ or "", "frontend.py")
    assert source is not None
    (work / "frontend.py").write_bytes(source)
    patches = [f"{number:03}-{Path(patch).name}" for number, patch in enumerate(options.patch)]
    for name, patch in zip(patches, options.patch):
        shutil.copy(patch, work / name)
    request = {
        "frontend": f"{here}/frontend",
        "source": f"{here}/{project.relative_to(work).as_posix()}",
        "out": f"{here}/out",
        "settings": _settings(options.setting),
        "declared": options.declared,
        "patches": [f"{here}/{name}" for name in patches],
    }
    (work / "request.json").write_text(json.dumps(request))


def _check_machine(architecture: str) -> None:
    """Raises Failure if this machine cannot run programs for that architecture."""
    here = f"{platform.system().lower()}/{platform.machine()}"
    if here != f"linux/{MACHINES[architecture]}":
        raise Failure(
            f"it is compiled, and this machine ({here}) cannot do that for linux/{architecture}."
            " Package it once on a machine of that kind which shares a remote cache with this one,"
            " or use a remote worker of that kind. Or put a wheel for it into a folder of the"
            " repository, name that in [python-repos].find_links, and lock again."
        )


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="build_wheel", description=__doc__)
    parser.add_argument("--source", required=True)
    parser.add_argument("--subdirectory", default="")
    parser.add_argument("--frontend", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--timeout", required=True, type=int)
    parser.add_argument("--requirements", type=Path)
    parser.add_argument("--tools")
    parser.add_argument("--root")
    parser.add_argument("--architecture", choices=sorted(MACHINES))
    parser.add_argument("--interpreter")
    parser.add_argument("--cache", type=Path, default=Path("roots"))
    parser.add_argument("--allow-unconfined", action="store_true")
    for name in ("--declared", "--env", "--setting", "--patch", "--limit"):
        parser.add_argument(name, action="append", default=[])
    return parser


def _environment(given: list[str], has_builder: bool) -> dict[str, str]:
    # Without a builder there must be no compiler: the result would depend on the machine.
    path = "{here}/env/bin" + (":/usr/bin:/usr/sbin" if has_builder else "")
    compilers = _COMPILERS if has_builder else {}
    own = dict(item.partition("=")[::2] for item in given)
    return {**_ENV, **compilers, "PATH": path, **own}


def _settings(given: list[str]) -> dict[str, str | list[str]]:
    """PEP 517 config settings; a name that is given several times has a list."""
    settings: dict[str, str | list[str]] = {}
    for item in given:
        name, _, value = item.partition("=")
        before = settings.get(name)
        if before is None:
            settings[name] = value
        else:
            settings[name] = [*([before] if isinstance(before, str) else before), value]
    return settings


def _answer(made: Path, taken: Path, out: Path, limits: Limits, output: bytes) -> None:
    try:
        requires = take_requirements(made, limits)
        if requires is not None:
            write_whole(out / frontend.REQUIRES, json.dumps(requires).encode())
            return
        found = take_wheel(made, taken, limits)
        wheel = out / "wheel" / found.name
        metadata = repack(found, wheel, limits)
    except Failure as error:
        raise Failure(_said(str(error), output)) from None
    digest = hashlib.sha256()
    with open(wheel, "rb") as content:
        while piece := content.read(1 << 20):
            digest.update(piece)
    built = {
        "filename": wheel.name,
        "sha256": digest.hexdigest(),
        "size": wheel.stat().st_size,
        "name": metadata.name,
        "version": metadata.version,
        "requires": metadata.requires,
    }
    write_whole(out / BUILT, (json.dumps(built, indent=2) + "\n").encode())
