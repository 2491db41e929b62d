from __future__ import annotations

import sys

from pants.testutil.rule_runner import RuleRunner

from inseam.rules.service_testing import app, debian_base, fixtures, refused

module_runner, runner = fixtures


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
