"""What lies in a folder of artifacts: an export replaces it, and what reads it refuses it by its
name, soon."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Callable

import pytest

from inseam.formats.failure import Failure
from inseam.formats.oci.metadata import read_metadata
from inseam.formats.oci.oci_testing import make_service
from inseam.formats.oci.rebase import rebase
from inseam.tools.load import load
from inseam.tools.push import push
from inseam.tools.store import export


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return make_service(tmp_path / "image")


@pytest.fixture
def layout(tmp_path: Path, image: Path) -> Path:
    path = tmp_path / "dist/app.oci"
    export(image, [], tmp_path / "dist/oci", path)
    return path


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def null(path: Path) -> None:
    path.write_text('{"manifests": null}')


def nested(path: Path) -> None:
    path.write_text("[" * 100_000)


KINDS = (pipe, device, null, nested)


@pytest.mark.parametrize("name", ["index.json", "image.json", "oci-layout", "container.yaml"])
@pytest.mark.parametrize("put", KINDS)
def test_an_export_replaces_what_it_finds(
    image: Path, layout: Path, name: str, put: Callable[[Path], None]
) -> None:
    content = (layout / name).read_bytes()
    (layout / name).unlink()
    put(layout / name)
    export(image, [], layout.parent / "oci", layout)
    assert (layout / name).read_bytes() == content
    assert not (layout / name).is_symlink()


@pytest.mark.parametrize("put", [pipe, device])
def test_an_export_replaces_a_blob_that_is_not_a_file(
    image: Path, layout: Path, put: Callable[[Path], None]
) -> None:
    blob = layout / "blobs/sha256" / read_metadata(image).config_digest[len("sha256:") :]
    content = blob.read_bytes()
    blob.unlink()
    put(blob)
    with pytest.raises(Failure):
        push(layout)
    export(image, [], layout.parent / "oci", layout)
    assert blob.read_bytes() == content


@pytest.mark.parametrize("put", KINDS)
@pytest.mark.parametrize("read", [push, load, read_metadata])
def test_what_reads_a_layout_refuses_it_by_name(
    layout: Path, put: Callable[[Path], None], read: Callable[[Path], object]
) -> None:
    (layout / "image.json").unlink()
    put(layout / "image.json")
    with pytest.raises(Failure, match="image.json"):
        read(layout)


@pytest.mark.parametrize("put", KINDS)
def test_a_rebase_refuses_a_manifest_by_name(
    tmp_path: Path, layout: Path, put: Callable[[Path], None]
) -> None:
    digest = read_metadata(layout).digest
    blob = layout / "blobs/sha256" / digest[len("sha256:") :]
    blob.unlink()
    put(blob)
    with pytest.raises(Failure, match=f"{digest[7:]}|not a regular file"):
        rebase(layout, layout, tmp_path / "out")


@pytest.mark.parametrize(
    "references",
    ["abc", {"abc": 1}, [1], [["a"]], None, ["-x"], ["a b"], ["x://y"], ["a@sha256:b"]],
)
def test_names_are_names_before_anything_is_pushed(layout: Path, references: object) -> None:
    document = json.loads((layout / "image.json").read_text())
    (layout / "image.json").write_text(json.dumps({**document, "references": references}))
    for read in (push, load):
        with pytest.raises(Failure, match="references|not an image name"):
            read(layout)
