from __future__ import annotations

from pants.testutil.rule_runner import RuleRunner

from inseam.rules.rule_testing import tar_files
from inseam.rules.service_testing import app, fixtures, write_service

module_runner, runner = fixtures


def test_a_package_is_run_as_python_does_and_takes_its_main_module_along(
    runner: RuleRunner,
) -> None:
    write_service(
        runner,
        "entry_point='shop.tool'",
        **{
            "src/shop/tool/BUILD": "python_sources()",
            "src/shop/tool/__init__.py": "",
            "src/shop/tool/__main__.py": "from shop import steps\n",
            "src/shop/steps.py": "print('ran')\n",
        },
    )
    files = tar_files(app(runner))
    assert b"run_module('shop.tool'" in files["opt/venv/bin/entrypoint"]
    assert {"app/shop/tool/__main__.py", "app/shop/steps.py"} <= set(files)
