"""Says which files of a repository can be those of a service, by their paths alone.

Tests, scripts for people, and what is there to be tried or shown are not services.
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
    """Whether what is declared at a path, from the root of the repository, can be a service."""
    return not any(
        part.startswith(".")
        or part.lower() in _FOLDERS_OF_OTHERS
        or re.split("[-_.]", part.lower())[-1] in _TRIALS
        for part in path.split("/")[:-1]
    )


def is_candidate(path: str) -> bool:
    """Whether a module may be a service's, by its path from the root of the repository."""
    name = path.rpartition("/")[2]
    if not is_place(path):
        return False
    return not any(fnmatch.fnmatchcase(name, pattern) for pattern in _FILES_OF_OTHERS)
