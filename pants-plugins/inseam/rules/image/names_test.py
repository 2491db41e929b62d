from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pants.backend.docker.target_types import DockerImageRepositoryField, DockerImageTagsField
from pants.engine.addresses import Address
from pants.engine.target import GeneratedSources, Target
from pants.testutil.rule_runner import RuleRunner

from inseam.formats.failure import Failure
from inseam.rules.goals.export_codegen import GenerateAppLayer
from inseam.rules.image.names import (
    ImageNames,
    check_image_names,
    find_image_names,
    image_references,
    label,
)
from inseam.rules.rule_testing import failure, run_mocked, set_options
from inseam.rules.service_testing import SERVICE, empty, fixtures
from inseam.targets.image import OciImageTarget
from inseam.targets.service import PublishedInsteadField, ServiceImageTarget

module_runner, runner = fixtures


@pytest.mark.parametrize("package", ["['oci', 'image']", "['image']"])
def test_images_with_one_name_are_refused_for_docker_too(runner: RuleRunner, package: str) -> None:
    other = "python_service(name='other', entry_point='shop.server:main')\n"
    runner.write_files({"src/shop/BUILD": SERVICE + other})
    set_options(runner, f"--inseam-package={package}")
    target = runner.get_target(Address("src/shop", target_name="app", generated_name="app"))
    error = failure(runner, GeneratedSources, GenerateAppLayer(empty(runner), target))
    assert "src/shop:app and src/shop:other both build the image shop:latest" in error


APP = Address("src/shop", target_name="app")
OCI, ENGINE = APP.create_generated("oci"), APP.create_generated("image")


class Registries:
    def get(self, *names: str) -> tuple[Any, ...]:
        return tuple(SimpleNamespace(address=f"{name}.invalid") for name in names if name[0] != "<")


OPTIONS: Any = SimpleNamespace(default_repository="{name}", registries=Registries)


def oci(address: Address, **fields: Any) -> Target:
    given = {"layers": ["//:layers"], "repository": "shop", "image_tags": ["1"], **fields}
    return OciImageTarget(given, address)


def engine(address: Address, repository: str = "shop") -> Target:
    return ServiceImageTarget(
        {
            DockerImageRepositoryField.alias: repository,
            DockerImageTagsField.alias: ["1"],
            PublishedInsteadField.alias: None,
            "instructions": ["FROM scratch"],
            "source": None,
        },
        address,
    )


def names(*targets: Target) -> ImageNames:
    found: ImageNames = run_mocked(find_image_names, [targets, OPTIONS], {})
    return found


def test_an_image_is_called_by_its_service_unless_that_has_others() -> None:
    assert label(OCI) == label(ENGINE) == "src/shop:app"
    assert label(APP.create_generated("worker")) == "src/shop:app#worker"
    assert label(Address("src", target_name="image")) == "src:image"


def test_an_image_has_each_tag_in_each_registry() -> None:
    target = oci(OCI, image_tags=["1", "2"], registries=["one", "two"])
    assert image_references(target, OPTIONS) == (
        *("one.invalid/shop:1", "one.invalid/shop:2"),
        *("two.invalid/shop:1", "two.invalid/shop:2"),
    )


@pytest.mark.parametrize("repository", ["Not a name", "{unknown}"])
def test_a_name_that_no_registry_accepts_is_an_error_of_the_service(repository: str) -> None:
    with pytest.raises(Failure, match="^src/shop:app: "):
        image_references(oci(OCI, repository=repository), OPTIONS)


def test_the_image_of_an_engine_counts_where_a_service_has_no_other() -> None:
    assert dict(names(engine(ENGINE)).addresses) == {"shop:1": (ENGINE,)}
    assert dict(names(engine(ENGINE), oci(OCI)).addresses) == {"shop:1": (OCI,)}
    # Pants' backend knows more placeholders, which it checks itself.
    assert not names(engine(ENGINE, "{build_args.NAME}")).addresses


def test_two_images_of_one_name_are_refused_for_either() -> None:
    other = Address("src/other", target_name="image")
    found = names(oci(OCI), oci(other))
    text = "^src/shop:app and src/other:image both build the image shop:1. Change the `repository`"
    with pytest.raises(Failure, match=text):
        check_image_names(OCI, found)
    with pytest.raises(Failure, match="^src/other:image and src/shop:app both"):
        check_image_names(other, found)
    check_image_names(Address("src/third", target_name="image"), found)
    check_image_names(OCI, names(oci(OCI), oci(other, image_tags=["2"])))
