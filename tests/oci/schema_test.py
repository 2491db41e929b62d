"""Images are what the OCI image-spec says."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, Sequence

import pytest

from inseam.formats.files import write_files
from inseam.formats.oci.index import index_files
from inseam.formats.tar_testing import read_layer
from inseam.programs.program_testing import tree
from oci import tiny
from oci.programs import call, succeed
from oci.schemas import check_config, check_index, check_layout, check_manifest


def document(layout: Path, digest: str) -> Any:
    return json.loads((layout / "blobs/sha256" / digest[7:]).read_bytes())


def check_image(layout: Path, digest: str) -> None:
    manifest = document(layout, digest)
    check_manifest(manifest)
    config = document(layout, manifest["config"]["digest"])
    check_config(config)
    for blob in (manifest["config"], *manifest["layers"]):
        assert (layout / "blobs/sha256" / blob["digest"][7:]).stat().st_size == blob["size"]
    assert len(manifest["layers"]) == len(config["rootfs"]["diff_ids"])


@pytest.mark.parametrize("format", ["gzip", "zstd"])
def test_an_image_is_valid(folder: Path, format: str) -> None:
    layout = tiny.build(folder, format=format, references=["registry.example/app:1"])
    check_layout(json.loads((layout / "oci-layout").read_bytes()))
    index = json.loads((layout / "index.json").read_bytes())
    check_index(index)
    (entry,) = index["manifests"]
    assert entry["digest"] == tiny.metadata(layout).digest
    check_image(layout, entry["digest"])
    types = {layer["mediaType"] for layer in document(layout, entry["digest"])["layers"]}
    assert types == {f"application/vnd.oci.image.layer.v1.tar+{format}"}


def test_a_base_alone_is_valid(folder: Path) -> None:
    tiny.build(folder)
    succeed("export", "--store=dist/oci", "--layout=dist/base", "base", "rootfs", cwd=folder)
    check_image(folder / "dist/base", tiny.metadata(folder / "dist/base").digest)


def test_an_index_of_two_platforms_is_valid(folder: Path, tmp_path: Path, skopeo: str) -> None:
    layout = make_index(folder)
    index = tiny.metadata(layout)
    value = document(layout, index.digest)
    check_index(value)
    assert [entry["platform"]["architecture"] for entry in value["manifests"]] == ["amd64", "arm64"]
    for entry in value["manifests"]:
        check_image(layout, entry["digest"])
    (tmp_path / "link").symlink_to(layout)
    for architecture in ("amd64", "arm64"):
        options = ["inspect", f"--override-arch={architecture}", f"oci:{tmp_path / 'link'}"]
        assert json.loads(call([skopeo, *options]))["Architecture"] == architecture


def make_index(folder: Path, references: Sequence[str] = ("a:1",)) -> Path:
    """An exported index of an image for amd64 and one for arm64."""
    for architecture in ("amd64", "arm64"):
        (folder / architecture).mkdir()
        tiny.build(folder / architecture, architecture=architecture)
    images = [tree(folder / architecture / "image") for architecture in ("amd64", "arm64")]
    write_files(folder / "index", index_files("src:app", images, references=references))
    parts = [f"{name}/{part}" for name in ("amd64", "arm64") for part in ("rootfs", "deps", "app")]
    succeed("export", "--store=dist/oci", "--layout=dist/index", "index", *parts, cwd=folder)
    return folder / "dist/index"


def test_skopeo_reads_the_layout(folder: Path, tmp_path: Path, skopeo: str) -> None:
    layout = tiny.build(folder, references=["registry.example/app:1"])
    image = tiny.metadata(layout)
    (tmp_path / "link").symlink_to(layout)  # skopeo takes a colon for the end of a path
    for name in (f"oci:{tmp_path / 'link'}", f"oci:{tmp_path / 'link'}:1"):
        found = json.loads(call([skopeo, "inspect", name]))
        assert found["Digest"] == image.digest
        assert found["Layers"] == [layer.descriptor.digest for layer in image.layers]
        assert found["Labels"]["org.opencontainers.image.title"] == "tiny"


def test_every_header_of_every_layer_keeps_the_rules(folder: Path) -> None:
    layout = tiny.build(folder)
    for layer in tiny.metadata(layout).layers:
        blob = (layout / "blobs/sha256" / layer.descriptor.digest[7:]).read_bytes()
        assert read_layer(gzip.decompress(blob))
