"""Builds the wheel of one distribution from its sources, offline.

Usage: build_wheel --source ARCHIVE --frontend DIR --out OUT --timeout SECONDS
           [--subdirectory DIR] [--requirements DIR] [--declared REQUIREMENT]...
           [--env NAME=VALUE]... [--setting NAME=VALUE]... [--patch FILE]...
           [--root TAR --architecture NAME --interpreter PATH --cache DIR]

Writes `OUT/wheel/<file name>`, and `OUT/built.json` with what the wheel says of itself; or, if the
backend needs more than what is declared, `OUT/requires.json`, all its requirements. The wheels in
the folder REQUIREMENTS must be those that the declared requirements need. FRONTEND holds `build`.

Without a root file system the build sees this machine's, but no compiler. With one, it sees
nothing else; it is unpacked once, below CACHE. Its programs are for Debian's architecture NAME.
"""

from __future__ import annotations

import hashlib
import json
import os
import pkgutil
import platform
import shutil
import sys
from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.elf import MACHINES
from inseam.formats.failure import Failure
from inseam.formats.files import write_whole
from inseam.formats.python import frontend
from inseam.formats.python.build_environment import BuildFailed, make_environment
from inseam.formats.python.repack import repack
from inseam.formats.python.source import project_folder, set_times, unpack
from inseam.formats.rootfs.start import argv, copy_tree, tree_of
from inseam.formats.rootfs.unpacked import unpacked
from inseam.tools.confined import Command, TimedOut, place_of, run, tail

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
# double what is built, and nobody debugs it.
_COMPILERS = {"CC": "gcc", "CXX": "g++", "CFLAGS": "-g0", "CXXFLAGS": "-g0"}


def main(arguments: list[str]) -> None:
    """See the module's text."""
    options = _parser().parse_args(arguments)
    if options.root:
        _check_machine(options.architecture)
    work = Path("work").absolute()
    for name in ("home", "tmp", "out"):
        (work / name).mkdir(parents=True)
    project = unpack(Path(options.source), work / "source")
    if options.subdirectory:
        project = project_folder(project, options.subdirectory)
    set_times(work / "source", EPOCH)
    root = None
    interpreter = os.path.realpath(sys.executable)
    tree = tree_of(interpreter)
    if options.root:
        root, interpreter = unpacked(Path(options.root), options.cache), options.interpreter
        tree = None
    command = Command(
        ["{here}/env/bin/python", "-I", "{here}/frontend.py", "{here}/request.json"],
        work,
        _environment(options.env, root),
        root,
        options.timeout,
        # An interpreter in /tmp would be hidden, but for the base's own, which is copied.
        confine=root is not None or tree is not None or not interpreter.startswith("/tmp/"),
    )
    place = place_of(command)
    start: tuple[str, ...] = ()
    if tree is not None:
        copy_tree(tree, work / "python")
        start = argv(f"{place}/python")
        interpreter = start[-1]
    wheels = sorted(options.requirements.iterdir()) if options.requirements else []
    make_environment(work / "env", interpreter, wheels, place=f"{place}/env", start=start)
    shutil.copytree(options.frontend, work / "frontend")
    source = pkgutil.get_data(frontend.__package__ or "", "frontend.py")
    assert source is not None
    (work / "frontend.py").write_bytes(source)
    for number, patch in enumerate(options.patch):
        shutil.copy(patch, work / f"{number:03}-{Path(patch).name}")
    request = {
        "frontend": f"{place}/frontend",
        "source": f"{place}/{project.relative_to(work).as_posix()}",
        "out": f"{place}/out",
        "settings": _settings(options.setting),
        "declared": options.declared,
        "patches": [
            f"{place}/{number:03}-{Path(patch).name}" for number, patch in enumerate(options.patch)
        ],
    }
    (work / "request.json").write_text(json.dumps(request))
    try:
        code, output = run(command)
    except TimedOut as error:
        raise Failure(
            f"the build took longer than {options.timeout} seconds and was ended. Its last"
            f" words:\n{error}"
        ) from None
    if code != 0:
        raise BuildFailed(f"the build failed with exit code {code}:\n{tail(output)}")
    _answer(work / "out", options.out, output)


def _check_machine(architecture: str) -> None:
    """Raises Failure if this machine cannot run programs of that architecture."""
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
    parser.add_argument("--root")
    parser.add_argument("--architecture", choices=sorted(MACHINES))
    parser.add_argument("--interpreter")
    parser.add_argument("--cache", type=Path)
    for name in ("--declared", "--env", "--setting", "--patch"):
        parser.add_argument(name, action="append", default=[])
    return parser


def _environment(given: list[str], root: Path | None) -> dict[str, str]:
    # Without a builder there must be no compiler: the result would depend on the machine.
    path = "{here}/env/bin" + (":/usr/bin:/usr/sbin" if root is not None else "")
    compilers = _COMPILERS if root is not None else {}
    own = dict(item.partition("=")[::2] for item in given)
    return {**_ENV, **compilers, "PATH": path, **own}


def _settings(given: list[str]) -> dict[str, str | list[str]]:
    """PEP 517's config settings; a name that is given twice has a list."""
    settings: dict[str, str | list[str]] = {}
    for item in given:
        name, _, value = item.partition("=")
        before = settings.get(name)
        if before is None:
            settings[name] = value
        else:
            settings[name] = [*([before] if isinstance(before, str) else before), value]
    return settings


def _answer(made: Path, out: Path, output: str) -> None:
    requires = made / frontend.REQUIRES
    if requires.exists():
        write_whole(out / frontend.REQUIRES, requires.read_bytes())
        return
    found = sorted(made.glob("*.whl"))
    if len(found) != 1:
        raise Failure(f"the build made {len(found)} wheels, not one:\n{tail(output)}")
    wheel = out / "wheel" / found[0].name
    metadata = repack(found[0], wheel)
    content = wheel.read_bytes()
    built = {
        "filename": wheel.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "name": metadata.name,
        "version": metadata.version,
        "requires": metadata.requires,
    }
    write_whole(out / BUILT, (json.dumps(built, indent=2) + "\n").encode())
