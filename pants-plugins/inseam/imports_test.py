"""The folders of the rule set import each other only as the contracts in pyproject.toml say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = "from importlinter.cli import lint_imports_command; lint_imports_command()"

# Imports that break one contract each, as file and line. The file is a new one if it is not there.
VIOLATIONS = {
    "Imports point downwards": [
        ("formats/tar.py", "import inseam.plan.code"),
        ("formats/tar.py", "import inseam.tools.store"),
        ("rules/wheels/closures.py", "import inseam.wheels_from_source.build"),
        ("plan/code.py", "from inseam.targets import base"),
        ("rules/wheels/wheels.py", "from inseam.programs import merge"),
        ("rules/wheels/wheels.py", "import inseam.testing.image"),
        ("attic.py", "import os"),
    ],
    "Rooms import from rooms that come before them in the flow of data": [
        ("rules/wheels/wheels.py", "from inseam.rules.goals import package"),
        ("rules/base/debs.py", "import inseam.rules.wheels.files"),
        ("rules/docker/engine.py", "import inseam.rules.goals.run"),
        ("rules/attic.py", "import os"),
    ],
    "Programs know formats and tools, and plans nothing of Pants": [
        ("programs/merge.py", "from inseam.targets import base"),
        ("programs/merge.py", "import inseam.compat"),
        ("plan/code.py", "from pants.engine.rules import rule"),
    ],
    "What runs in a sandbox needs nothing of Pants' environment": [
        ("formats/oci/config.py", "from packaging.version import Version"),
        ("programs/merge.py", "def f():\n    import yaml"),
        ("programs/merge.py", "from inseam.plan import references"),
        ("tools/store.py", "import packaging"),
    ],
    "Testing is usable without the rest": [("testing/image.py", "import inseam.formats.failure")],
    "Formats do not import what combines them": [
        ("formats/oci/layer.py", "from inseam.formats.compression import compress"),
        ("formats/debian/deb.py", "from inseam.formats.python import venv"),
    ],
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The rule set, without its tests and their kits, which may import what they test."""
    tests = shutil.ignore_patterns("*_test.py", "*_testing.py", "__pycache__")
    shutil.copytree("pants-plugins/inseam", tmp_path / "inseam", ignore=tests)
    shutil.copy("pyproject.toml", tmp_path)
    return tmp_path


def contracts(checkout: Path) -> dict[str, str]:
    """KEPT or BROKEN, by the name of the contract; the linter's whole output is printed."""
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, "--no-cache"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(result.stdout)
    text = re.sub(r"\x1b\[\d*m", "", result.stdout)
    found = dict(re.findall(r"^(.+) (KEPT|BROKEN)$", text, re.MULTILINE))
    assert (result.returncode == 0) == (set(found.values()) == {"KEPT"})
    return found


def test_every_contract_is_kept(checkout: Path) -> None:
    assert contracts(checkout) == dict.fromkeys(VIOLATIONS, "KEPT")


@pytest.mark.parametrize(
    "contract, file, line",
    [(name, *violation) for name, violations in VIOLATIONS.items() for violation in violations],
)
def test_each_contract_notices_a_violation(
    checkout: Path, contract: str, file: str, line: str
) -> None:
    with (checkout / "inseam" / file).open("a") as source:
        source.write(f"\n{line}\n")
    found = contracts(checkout)
    assert found[contract] == "BROKEN"
