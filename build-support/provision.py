"""Fills the launcher's cache: `pants` and `.pants.bootstrap` run it if an entry is missing.

Usage: python3.9 provision.py pants|pex LOCK ENTRY
       python3.9 provision.py index ENTRY
"""

from __future__ import annotations

import sys
from pathlib import Path

from bootstrap import package_index, pants_venv, pex_tool


def main(what: str, *paths: str) -> None:
    if what == "index":
        package_index.main(*map(Path, paths))
    else:
        {"pants": pants_venv.main, "pex": pex_tool.main}[what](*map(Path, paths))


if __name__ == "__main__":
    main(*sys.argv[1:])
