"""Checks that layers of wheels, one on top of the other, agree on every path.

Usage: python programs check_layers LAYER...

LAYER... are folders that `join` wrote. Fails, with both names, where two wheels in different layers
have different content at one path; within one layer, `join` has seen to it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Iterable

from inseam.sandbox.command import Failure
from inseam.sandbox.installed import PATHS, Installed, read_paths


def check_layers(folders: Iterable[Path]) -> None:
    """Raises Failure where layers do not agree."""
    files: dict[str, Installed] = {}
    for folder in folders:
        for path, file in read_paths(folder / PATHS).items():
            known = files.setdefault(path, file)
            if known.digest != file.digest:
                raise Failure(
                    f"{known.owner} and {file.owner}, in different layers, both have /{path}, with"
                    " different content. Leave one of the two distributions out of the service's"
                    " dependencies."
                )


def main(argv: list[str]) -> None:
    """See the module's text."""
    check_layers(Path(folder) for folder in argv)
