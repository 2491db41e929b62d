from __future__ import annotations

import pytest
from pants.engine.addresses import Address
from pants.engine.target import GeneratedSources
from pants.testutil.rule_runner import RuleRunner

from inseam.rules.goals.export_codegen import GenerateAppLayer
from inseam.rules.rule_testing import failure, set_options
from inseam.rules.service_testing import SERVICE, empty, prepared, service_runner


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    return service_runner()


@pytest.fixture
def runner(module_runner: RuleRunner) -> RuleRunner:
    return prepared(module_runner)


@pytest.mark.parametrize("package", ["['oci', 'image']", "['image']"])
def test_images_with_one_name_are_refused_for_docker_too(runner: RuleRunner, package: str) -> None:
    other = "python_service(name='other', entry_point='shop.server:main')\n"
    runner.write_files({"src/shop/BUILD": SERVICE + other})
    set_options(runner, f"--inseam-package={package}")
    target = runner.get_target(Address("src/shop", target_name="app", generated_name="app"))
    error = failure(runner, GeneratedSources, GenerateAppLayer(empty(runner), target))
    assert "src/shop:app and src/shop:other both build the image shop:latest" in error
