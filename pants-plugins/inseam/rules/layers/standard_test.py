from __future__ import annotations

import sys

import pytest
from pants.testutil.rule_runner import RuleRunner

from inseam.rules.service_testing import app, debian_base, prepared, refused, service_runner


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    return service_runner()


@pytest.fixture
def runner(module_runner: RuleRunner) -> RuleRunner:
    return prepared(module_runner)


def test_code_of_ones_own_may_have_the_name_of_a_module_that_the_base_lacks(
    runner: RuleRunner,
) -> None:
    debian_base(runner)
    runner.write_files(
        {
            "src/lib2to3/BUILD": "python_sources()",
            "src/lib2to3/__init__.py": "",
            "src/shop/server.py": "import lib2to3\ndef main(): ...\n",
        }
    )
    if sys.version_info >= (3, 13):
        app(runner)
    else:
        refused(runner, "lib2to3/__init__.py could not be imported")
