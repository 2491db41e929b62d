from __future__ import annotations

import json
from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.oci.layout import read_blob
from inseam.formats.oci.metadata import read_metadata
from inseam.formats.oci.oci_testing import make_base, make_image, make_index, make_layer
from inseam.programs.program_testing import tree
from inseam.tools.store import blobs_of, export, missing

PLATFORMS = {"amd64": "linux/amd64", "arm64": "linux/arm64/v8"}


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    for name, platform in PLATFORMS.items():
        make_base(tmp_path / f"base-{name}", platform=platform, content=name.encode())
        app = make_layer(tmp_path / f"app-{name}", "app", {"app/x.py": b"x"})
        make_image(tmp_path / name, base=tmp_path / f"base-{name}", layers=[app])
    return [tmp_path / name for name in PLATFORMS]


def test_an_index_has_an_image_for_each_platform(tmp_path: Path, folders: list[Path]) -> None:
    made = make_index("//:app", folders, tmp_path / "index", references=["a:1"])
    value = json.loads(read_blob(tmp_path / "index", made.digest))
    assert [entry["platform"] for entry in value["manifests"]] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm64", "os": "linux", "variant": "v8"},
    ]
    images = [read_metadata(folder) for folder in folders]
    assert [entry["digest"] for entry in value["manifests"]] == [one.digest for one in images]
    assert [entry["size"] for entry in value["manifests"]] == [one.size for one in images]
    assert read_metadata(tmp_path / "index") == made
    assert made.images == tuple(images)


def test_the_layout_s_only_entry_is_the_index(tmp_path: Path, folders: list[Path]) -> None:
    made = make_index("//:app", folders, tmp_path / "index")
    (entry,) = json.loads((tmp_path / "index/index.json").read_bytes())["manifests"]
    assert entry == made.descriptor.value()
    assert (tmp_path / "index/container.yaml").is_file()


def test_the_order_of_the_images_does_not_matter(tmp_path: Path, folders: list[Path]) -> None:
    make_index("//:app", folders, tmp_path / "one")
    make_index("//:app", folders[::-1], tmp_path / "other")
    assert tree(tmp_path / "one") == tree(tmp_path / "other")


def test_all_images_of_an_index_are_exported(tmp_path: Path, folders: list[Path]) -> None:
    make_index("//:app", folders, tmp_path / "index")
    sources = [tmp_path / f"{kind}-{name}" for kind in ("base", "app") for name in PLATFORMS]
    copied = export(tmp_path / "index", sources, tmp_path / "store", tmp_path / "dist")
    assert len(copied) == 1 + 2 * 2 + 2 + 1  # the app layer is the same for both
    assert not missing(tmp_path / "dist", blobs_of(read_metadata(tmp_path / "dist")).items())


def test_two_images_for_one_platform_are_refused(tmp_path: Path, folders: list[Path]) -> None:
    with pytest.raises(Failure, match="are both for linux/amd64"):
        make_index("//:app", [folders[0], folders[0]], tmp_path / "index")
    assert not (tmp_path / "index").exists()


def test_an_index_of_indexes_is_refused(tmp_path: Path, folders: list[Path]) -> None:
    make_index("//:app", folders, tmp_path / "index")
    with pytest.raises(Failure, match="is an image index"):
        make_index("//:app", [tmp_path / "index"], tmp_path / "two")
