from __future__ import annotations

from typing import Any

import pytest

from inseam.plan.references import references


def names(**fields: Any) -> tuple[str, ...]:
    """The names of src/python/shop:app."""
    given: dict[str, Any] = {
        "repository": "{directory}",
        "default_repository": "{name}",
        "registries": [],
        "tags": ["latest"],
        **fields,
    }
    return references("src/python/shop", "app", **given)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("shop:latest",)),
        ({"repository": "{parent_directory}/{name}"}, ("python/app:latest",)),
        ({"repository": "team/{default_repository}"}, ("team/app:latest",)),
        ({"repository": "Shop"}, ("shop:latest",)),
        (
            {"registries": ["a.example", "b.example:5000"], "tags": ["1", "2"]},
            (
                "a.example/shop:1",
                "a.example/shop:2",
                "b.example:5000/shop:1",
                "b.example:5000/shop:2",
            ),
        ),
    ],
)
def test_names(fields: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert names(**fields) == expected


def test_the_root_of_the_repository_is_called_as_the_target() -> None:
    given: dict[str, Any] = {
        "repository": "{directory}",
        "default_repository": "{directory}",
        "registries": [],
    }
    assert references("", "app", tags=["1"], **given) == ("app:1",)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"repository": "{nothing}"}, "an unknown placeholder. It may contain {directory}"),
        ({"repository": "a//b"}, "'a//b' is not a valid image name"),
        ({"repository": "-a"}, "'-a' is not a valid image name"),
        ({"tags": ["{build_args.X}"]}, "the tag '{build_args.X}' is not valid"),
        ({"tags": ["a" * 129]}, "is not valid"),
        ({"registries": ["http://x"]}, "the registry 'http://x' is not valid. Write a host"),
        ({"registries": ["https://x.example"]}, "without https:// in front"),
        ({"registries": ["a.example", "b c"]}, "the registry 'b c' is not valid"),
        ({"registries": ["a.example:5000/"]}, "is not valid"),
        ({"registries": ["a\nb"]}, "is not valid"),
        ({"registries": [""]}, "the registry '' is not valid"),
    ],
)
def test_a_name_that_no_registry_takes_is_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError) as caught:
        names(**fields)
    assert text in str(caught.value)
