from __future__ import annotations

from pathlib import Path

import pytest
from pants.engine.addresses import Address
from pants.testutil.rule_runner import RuleRunner

from inseam.formats.python.wheel_testing import build_wheel
from inseam.rules.image.check_modules import ModulesRequest
from inseam.rules.image.checks import ImageFindings
from inseam.rules.rule_testing import MINOR, locked
from inseam.rules.service_testing import (
    app,
    debian_base,
    dependencies,
    prepared,
    refused,
    service_build,
    service_runner,
    write_lock,
)


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    return service_runner()


@pytest.fixture
def runner(module_runner: RuleRunner) -> RuleRunner:
    return prepared(module_runner)


def test_a_module_that_the_base_lacks_is_an_error_in_code_and_a_warning_in_wheels(
    runner: RuleRunner,
) -> None:
    debian_base(runner)
    wheels = Path(runner.build_root, "wheels")
    old = {"words/__init__.py": b"import distutils.util\n"}
    words = build_wheel(wheels, "words", "1.1", files=old)
    setuptools = build_wheel(wheels, "setuptools", files={"setuptools/__init__.py": b""})
    write_lock(runner, locked(setuptools), words=locked(words))
    runner.write_files(
        {"3rdparty/tools/BUILD": "python_requirement(requirements=['setuptools==1.0'])"}
    )
    made = dependencies(runner)
    assert "distutils" in made.missing_modules
    wanted = ModulesRequest(
        Address("src/shop", target_name="app"), made.wheel_layers, made.missing_modules, MINOR
    )
    (finding,) = runner.request(ImageFindings, [wanted]).findings
    assert finding.place == "distutils"
    assert (
        f"src/shop:app: the base's Python {MINOR} does not have distutils, which words/__init__.py"
        " of words-1.1-py3-none-any.whl imports. Add the distribution setuptools" in str(finding)
    )
    runner.write_files({"src/shop/server.py": "import greet, distutils.util\ndef main(): ...\n"})
    refused(runner, "shop/server.py, line 1, imports distutils.util", "setuptools")
    runner.write_files({"src/shop/BUILD": service_build(dependencies=["3rdparty/tools"])})
    assert "distutils" not in dependencies(runner).missing_modules
    app(runner)
