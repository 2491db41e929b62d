from __future__ import annotations

from typing import Any

import pytest
from pants.core.target_types import FileTarget
from pants.engine.addresses import Address
from pants.engine.internals.scheduler import ExecutionError
from pants.engine.target import Tags, Target
from pants.testutil.rule_runner import RuleRunner

from inseam.rules.generate.base import layers_folder, rootfs_folder
from inseam.rules.rule_testing import BASE, rule_runner, set_options


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    runner = rule_runner(layers=False)
    set_options(runner)
    runner.write_files({"BUILD": BASE})
    return runner


def values(target: Target) -> dict[str, Any]:
    return {field.alias: value.value for field, value in target.field_values.items()}


def test_a_builder_stands_for_a_root_filesystem_but_no_image(runner: RuleRunner) -> None:
    """`package ::` makes what has a field set of that goal: the image of a base, for example."""
    runner.write_files(
        {"docker/BUILD": "debian_builder(name='builder', lock='lockfiles/d.json')\n"}
    )
    address = Address("docker", target_name="builder")
    rootfs = values(runner.get_target(address.create_generated("rootfs")))
    assert rootfs["lock"] == "lockfiles/d.json"
    with pytest.raises(ExecutionError, match="image"):
        runner.get_target(address.create_generated("image"))


def test_a_debian_base_stands_for_a_root_filesystem_and_an_image(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "docker/BUILD": "debian_base(name='debian', lock='lockfiles/d.json', groups=['init'],"
            " interpreter='/usr/bin/python3.11', python_version='3.11.2', glibc_version='2.36',"
            " platform='linux/arm64', tags=['base'])"
        }
    )
    address = Address("docker", target_name="debian")
    rootfs = values(runner.get_target(address.create_generated("rootfs")))
    assert rootfs["lock"] == "lockfiles/d.json"
    assert rootfs["packages"] == "packages.ini"
    assert rootfs["groups"] == ("init",)
    assert rootfs["platform"] == "linux/arm64"
    image = runner.get_target(address.create_generated("image"))
    assert image[Tags].value == ("base",)


def test_a_registry_base_stands_for_its_image(runner: RuleRunner) -> None:
    image = runner.get_target(Address("", target_name="base", generated_name="image"))
    assert values(image)["image"].startswith("registry.invalid/python:")
    assert not isinstance(image, FileTarget)


def test_where_layers_lie_in_build_contexts() -> None:
    assert layers_folder(Address("src/shop", target_name="app")) == "src/shop/app.layers"
    assert layers_folder(Address("", target_name="app")) == "./app.layers"
    assert rootfs_folder(Address("docker", target_name="debian")) == "docker/debian.rootfs"
