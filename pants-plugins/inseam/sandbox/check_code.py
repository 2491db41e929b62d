"""Checks that a service's code and the wheels below it do not hide each other.

Usage: python programs check_code --sources DIR [--entry-point FIELD=MODULE:FUNCTION]... [LAYER...]

DIR holds the service's first-party sources as they are imported. LAYER... are folders that `join`
wrote, of the layers below; of these, only `paths.txt` is read. Fails where first-party code and a
wheel give different content to one import path, where a wheel has the place of a launcher, and for
an entry point whose module is in neither.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from inseam.sandbox.bytecode import minor_version
from inseam.sandbox.code import LAUNCHERS, files_below, modules_of
from inseam.sandbox.command import Failure
from inseam.sandbox.installed import InstalledFiles, first_name, module_stem
from inseam.sandbox.venv import site_packages

# The ways for a package to say that its modules may lie in several places of the path.
_NAMESPACE = re.compile(rb"extend_path|declare_namespace")


def check_code(sources: Path, entry_points: Mapping[str, str], below: list[Path]) -> None:
    """Raises Failure as the program fails."""
    installed = InstalledFiles(below, site_packages(minor_version()))
    files = dict(files_below(sources))
    _check_collisions(files, installed)
    for field, spec in entry_points.items():
        _check_launcher(field, spec, files, installed)


def _check_collisions(files: dict[str, Path], installed: InstalledFiles) -> None:
    """site-packages comes before /app on sys.path: a wheel's file would win over ours."""
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
                f"the first-party file {name} has the import path of a file that"
                f" {wheel.owner} installs (/{site}/{name}), with different content. Rename the"
                " module, or drop the requirement."
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
            f"the first-party file {name} could not be imported, because"
            f" {installed.files[path].owner} installs /{path}, which comes before it. Rename"
            f" {stem.replace('/', '.')}, or drop the requirement."
        )


def _check_launcher(
    field: str, spec: str, files: Mapping[str, Path], installed: InstalledFiles
) -> None:
    path = LAUNCHERS[field]
    wheel = installed.find(path)
    if wheel is not None:
        raise Failure(
            f"{wheel.owner} installs /{path}, which is the place of the launcher for `{field}`."
            " Drop that requirement."
        )
    module = spec.partition(":")[0]
    if not any(name in files for name in modules_of(spec)) and (
        module.replace(".", "/") not in installed.modules
    ):
        raise Failure(
            f"the module {module!r} of `{field}={spec!r}` is neither in the service's first-party"
            " code nor in its wheels. Check the spelling, and that the module's `python_sources`"
            " target is among the service's dependencies."
        )


def main(argv: list[str]) -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="check_code", description=__doc__)
    parser.add_argument("--sources", required=True, type=Path)
    parser.add_argument("--entry-point", action="append", default=[])
    parser.add_argument("layers", nargs="*", type=Path)
    options = parser.parse_args(argv)
    entry_points = dict(item.split("=", 1) for item in options.entry_point)
    check_code(options.sources, entry_points, options.layers)
