"""Builds a wheel by `build`, PyPA's frontend (PEP 517), inside the environment of a builder.

It is run as a script, `frontend.py REQUEST`, by the environment's own interpreter, and imports
nothing else of ours. REQUEST is a JSON file: `frontend`, the folder with `build`; `source`; `out`;
`settings`, the config settings; `declared`, the requirements that the environment was made for;
`patches`, which are applied in order. It writes a wheel to `out`, or, if `declared` lacks some of
the requirements, `out/requires.json` with all of them.
"""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

REQUIRES = "requires.json"


def main(path: str) -> None:
    """See the module's docstring."""
    request = json.loads(Path(path).read_text())
    sys.path.insert(0, request["frontend"])
    source, out, settings = request["source"], request["out"], request["settings"]
    for patch in request["patches"]:
        _apply(patch, source)
    frontend: Any = importlib.import_module("build")
    try:
        builder = frontend.ProjectBuilder(source, python_executable=sys.executable)
        declared = set(request["declared"])
        wanted = set(builder.build_system_requires)
        if wanted <= declared:
            # Only now is the backend available, so that it can be asked for more.
            wanted |= set(builder.get_requires_for_build("wheel", settings))
        if wanted <= declared:
            builder.build("wheel", out, settings)
        else:
            Path(out, REQUIRES).write_text(json.dumps(sorted(wanted)))
    except frontend.BuildBackendException as error:
        sys.exit(f"{error}")
    except frontend.BuildException as error:
        sys.exit(f"{error}")


def _apply(patch: str, source: str) -> None:
    # Not through PATH: backends must not find this machine's programs there.
    program = shutil.which("patch", path="/usr/local/bin:/usr/bin:/bin")
    if program is None:
        sys.exit("There is no program `patch`: install it, or add it to the builder's packages.")
    argv = [program, "--strip=1", "--batch", "--forward", "--no-backup-if-mismatch"]
    result = subprocess.run([*argv, f"--input={patch}"], cwd=source, check=False)
    if result.returncode != 0:
        sys.exit(f"The patch {Path(patch).name} does not apply.")


if __name__ == "__main__":
    main(sys.argv[1])
