"""Finds files in one image that hide each other, in wheels and in first-party code."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from inseam.formats.failure import Failure
from inseam.formats.python.bytecode import minor_version
from inseam.formats.python.entry_point import EntryPoint
from inseam.formats.python.installed import (
    PATHS,
    InstalledFiles,
    first_name,
    module_stem,
    read_paths,
)
from inseam.formats.python.shared_path import Preference, SharedPath, layers_shared
from inseam.formats.python.sources import files_below
from inseam.formats.python.venv import site_packages

# The ways in which a package says that its modules are in several places on the path.
_NAMESPACE = re.compile(rb"extend_path|declare_namespace")


def check_code(sources: Path, entry_points: Iterable[EntryPoint], below: Iterable[Path]) -> None:
    """Checks first-party code against the layers of wheels below it.

    sources: the folder of the code, as it is imported. below: folders of layers, of which only
    `paths.txt` is read.

    Raises Failure if code and a wheel have different content at the same import path, if a wheel
    has a file at the path of a console script, and for an entry point whose module is in neither.
    """
    installed = InstalledFiles(below, site_packages(minor_version()))
    files = dict(files_below(sources))
    _check_collisions(files, installed)
    for entry_point in entry_points:
        _check_entry_point(entry_point, files, installed)


def compare_layers(
    layers: Iterable[Path], preferences: Iterable[Preference] = ()
) -> list[SharedPath]:
    """The paths that layers of wheels, in these folders and lowest first, have in common.

    Raises Failure, naming both wheels, for a file in one that is a folder in another.
    """
    held = [read_paths(folder / PATHS) for folder in layers]
    files = {path: file for layer in held for path, file in layer.items()}
    seen: set[str] = set()
    for path, file in files.items():
        above = path.rpartition("/")[0]
        while above and above not in seen:
            seen.add(above)
            other = files.get(above)
            if other is not None:
                raise Failure(
                    f"{file.owner} has /{path}, but {other.owner}, in another layer, has a file at"
                    f" /{above}. Remove one of the two distributions from the service's"
                    " dependencies."
                )
            above = above.rpartition("/")[0]
    return layers_shared(held, preferences)


def _check_collisions(files: dict[str, Path], installed: InstalledFiles) -> None:
    """site-packages comes before /app on sys.path, so a wheel's file would take precedence."""
    site = site_packages(minor_version())
    shared = installed.top_level()
    for name, path in sorted(files.items()):
        if first_name(name) not in shared:
            continue
        wheel = installed.find(f"{site}/{name}")
        if wheel is None:
            if name.endswith(".py"):
                _check_shadow(name, files, installed)
        elif hashlib.sha256(path.read_bytes()).hexdigest() != wheel.digest:
            raise Failure(
                f"the first-party file {name} has the same import path as a file that"
                f" {wheel.owner} installs (/{site}/{name}), with different content. Rename the"
                " module, or remove the requirement."
            )


def _check_shadow(
    name: str,
    files: dict[str, Path],
    installed: InstalledFiles,
) -> None:
    """Raises Failure if a wheel's module, or a package of a wheel around it, comes before the
    first-party module in the file `name`."""
    parts = module_stem(name).split("/")
    for length in range(1, len(parts) + 1):
        stem = "/".join(parts[:length])
        path = installed.modules.get(stem)
        ours = files.get(f"{stem}/__init__.py")
        if path is None or (ours and _NAMESPACE.search(ours.read_bytes())):
            continue
        raise Failure(
            f"the first-party file {name} cannot be imported, because"
            f" {installed.files[path].owner} installs /{path}, which comes first on sys.path."
            f" Rename {stem.replace('/', '.')}, or remove the requirement."
        )


def _check_entry_point(
    entry_point: EntryPoint, files: Mapping[str, Path], installed: InstalledFiles
) -> None:
    wheel = installed.find(entry_point.console_script)
    if wheel is not None:
        raise Failure(
            f"{wheel.owner} installs /{entry_point.console_script}, which is the path of the"
            f" console script for {entry_point.described}. Remove that requirement, or rename"
            " the program."
        )
    if entry_point.is_probe or any(name in files for name in entry_point.files):
        return
    stem = entry_point.module.replace(".", "/")
    wanted = (stem,) if entry_point.attribute else (f"{stem}/__main__", stem)
    if f"{stem}/__init__.py" in files:
        raise Failure(
            f"{entry_point.described} names a package, which is run by its module `__main__`, but"
            f" no {stem}/__main__.py is among the service's dependencies. Add it, or name a module"
            " or a function."
        )
    if not any(one in installed.modules for one in wanted):
        raise Failure(
            f"the module {entry_point.module!r} of {entry_point.described} is neither in the"
            " service's first-party code nor in its wheels. Check the spelling, and that the"
            " module's `python_sources` target is among the service's dependencies."
        )
