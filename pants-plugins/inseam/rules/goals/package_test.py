from __future__ import annotations

import pytest
from pants.core.goals.package import OutputPathField
from pants.engine.addresses import Address

from inseam.compat import CALL_BY_NAME
from inseam.formats.failure import Failure
from inseam.rules.goals.package import layout_path

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
