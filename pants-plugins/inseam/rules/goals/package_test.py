from __future__ import annotations

import pytest
from pants.backend.docker.package_types import BuiltDockerImage
from pants.core.goals.package import OutputPathField
from pants.engine.addresses import Address
from pants.engine.target import InvalidFieldException

from inseam.compat import CALL_BY_NAME
from inseam.formats.failure import Failure
from inseam.rules.goals.package import LayoutArtifact, layout_path
from inseam.targets.image import LayoutImageField

ADDRESS = Address("src/shop", target_name="app", generated_name="oci")


def path(value: str | None) -> str:
    return layout_path(OutputPathField(value, ADDRESS))


def test_a_layout_lies_in_the_folder_of_artifacts() -> None:
    assert path("src.shop/app.oci") == "src.shop/app.oci"
    assert path("oci.d/app") == "oci.d/app"
    assert path(None).startswith("src.shop/")


@pytest.mark.parametrize(
    "value",
    [
        *("../../x", "/tmp/x", "a/../../x", ".", "..", "a\nb", "oci", "oci/blobs"),
        pytest.param(
            "a//b", marks=pytest.mark.skipif(CALL_BY_NAME, reason="newer Pants reads it as a/b")
        ),
    ],
)
def test_a_path_to_elsewhere_is_refused_by_field_and_target(value: str) -> None:
    with pytest.raises(Failure, match="^`output_path` of src/shop:app#oci "):
        path(value)


def test_an_image_that_no_engine_has_is_none_to_start_from() -> None:
    path, lines = "src.shop/app.oci/image.json", ("shop:latest",)
    artifact = LayoutArtifact(str(ADDRESS), path, lines)
    assert isinstance(artifact, BuiltDockerImage)
    assert (artifact.relpath, artifact.image_id) == (path, "")
    with pytest.raises(Failure, match="cannot start from src/shop:app#oci.* Use `#image`"):
        _ = artifact.tags
    assert artifact == LayoutArtifact(str(ADDRESS), path, lines)
    assert artifact != LayoutArtifact(str(ADDRESS), path, ("shop:1",))
    assert len({artifact, LayoutArtifact("", path, lines)}) == 1


def test_the_layout_of_an_image_is_the_address_of_one() -> None:
    assert LayoutImageField(":app#oci", ADDRESS).value == (":app#oci",)
    for value in ([], [":a", ":b"]):
        with pytest.raises(InvalidFieldException, match="must be the address of one image"):
            LayoutImageField(value, ADDRESS)
