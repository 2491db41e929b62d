"""How an image is found by the address of its target."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inseam.testing.image import Image, ImageNotFound, find


def describe(
    folder: Path,
    version: int = 1,
    tags: tuple[str, ...] = ("app:latest",),
    image_id: str = "sha256:1234",
) -> None:
    """What Pants writes for a docker_image (DockerInfoV1)."""
    registry: dict[str, object] = {"alias": None, "address": None, "repository": "app"}
    registry["tags"] = [{"template": tag, "tag": tag, "name": tag} for tag in tags]
    info = {"version": version, "image_id": image_id, "registries": [registry]}
    folder.mkdir(parents=True)
    (folder / "app.docker-info.json").write_text(json.dumps(info))


@pytest.mark.parametrize(
    "address", ["src/python/x:app", "//src/python/x:app", "src/python/x:app#image"]
)
def test_it_is_found_by_its_id_however_the_address_is_written(tmp_path: Path, address: str) -> None:
    describe(tmp_path / "src.python.x")
    assert find(address, [tmp_path]) == Image("sha256:1234", "app:latest")


def test_a_target_named_like_its_folder_needs_no_name(tmp_path: Path) -> None:
    describe(tmp_path / "src.app")
    assert find("src/app", [tmp_path]).reference == "sha256:1234"


def test_the_first_folder_counts(tmp_path: Path) -> None:
    describe(tmp_path / "first/x", tags=("first",))
    describe(tmp_path / "second/x", tags=("second",))
    assert str(find("x:app", [tmp_path / "first", tmp_path / "second"])) == "first"


def test_an_image_without_tags_goes_by_its_id(tmp_path: Path) -> None:
    describe(tmp_path / "x", tags=())
    assert str(find("x:app", [tmp_path])) == "sha256:1234"


def test_it_is_said_how_to_get_one_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ImageNotFound, match=r"add .* to .*`runtime_package_dependencies`") as e:
        find("src/x:app#image", [tmp_path])
    assert "./pants package src/x:app#image" in str(e.value)


def test_a_format_of_the_future_is_not_guessed_at(tmp_path: Path) -> None:
    describe(tmp_path / "x", version=2)
    with pytest.raises(ImageNotFound, match="has version 2"):
        find("x:app", [tmp_path])


def test_an_id_that_pants_did_not_find_is_said_to_be_missing(tmp_path: Path) -> None:
    describe(tmp_path / "x", image_id="<unknown>")
    with pytest.raises(ImageNotFound, match="--docker-build-verbose"):
        find("x:app", [tmp_path])
