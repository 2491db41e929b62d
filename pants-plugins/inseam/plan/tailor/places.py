"""Decides by its path alone whether a file of the repository can belong to a service.

Tests, scripts for people, examples and experiments are not services.
"""

from __future__ import annotations

import fnmatch
import re

_FOLDERS_OF_OTHERS = {
    *("bench", "benchmark", "benchmarks", "bin", "ci", "demo", "demos", "dist", "doc", "docs"),
    *("example", "examples", "experiment", "experimental", "experiments", "fixtures", "hack"),
    *("migrations", "node_modules", "notebook", "notebooks", "playground", "playgrounds", "poc"),
    *("prototype", "prototypes", "sample", "samples", "sandbox", "sandboxes", "scratch", "script"),
    *("scripts", "spike", "spikes", "test", "testdata", "testing", "tests", "tool", "tools"),
    *("tutorial", "tutorials", "venv"),
}
# The same at the end of a longer name, as in `tuning-experiments`.
_TRIALS = {
    *("benchmarks", "examples", "experiment", "experiments", "notebook", "notebooks", "playground"),
    *("prototype", "prototypes", "samples", "sandbox", "spike", "spikes", "tutorial", "tutorials"),
}
_FILES_OF_OTHERS = (
    *("test_*.py", "*_test.py", "tests.py", "conftest.py", "test_utils.py", "setup.py"),
    *("manage.py", "noxfile.py", "tasks.py", "fabfile.py", "conf.py", "*.pyi"),
)


def is_place(path: str) -> bool:
    """Whether a declaration at a path, from the root of the repository, can be a service."""
    return not any(
        part.startswith(".")
        or part.lower() in _FOLDERS_OF_OTHERS
        or re.split("[-_.]", part.lower())[-1] in _TRIALS
        for part in path.split("/")[:-1]
    )


def is_candidate(path: str) -> bool:
    """Whether the module at a path, from the root of the repository, may be a service."""
    name = path.rpartition("/")[2]
    if not is_place(path):
        return False
    return not any(fnmatch.fnmatchcase(name, pattern) for pattern in _FILES_OF_OTHERS)
