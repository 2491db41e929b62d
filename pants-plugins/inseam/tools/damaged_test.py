"""What lies in a folder of artifacts: an export replaces it, and what reads it refuses it by its
name, soon."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Callable

import pytest

from inseam.formats.failure import Failure
from inseam.formats.oci.metadata import read_metadata
from inseam.formats.oci.oci_testing import make_service
from inseam.formats.oci.rebase import rebase
from inseam.tools.load import load
from inseam.tools.prune import prune
from inseam.tools.push import _check_complete, push
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


def folder(path: Path) -> None:
    path.mkdir()


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(path.parent, os.O_RDONLY)
        try:
            server.bind(f"/proc/self/fd/{here}/{path.name}")
        finally:
            os.close(here)


def full_folder(path: Path) -> None:
    path.mkdir()
    (path / "thesis.txt").write_text("mine")


KINDS = (pipe, device, unix_socket, folder, null, nested)


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


@pytest.mark.parametrize("put", [pipe, device, unix_socket, folder])
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


def in_layout(name: str) -> Callable[[Path], Path]:
    return lambda layout: layout / name


def in_store(name: str) -> Callable[[Path], Path]:
    return lambda layout: layout.parent / "oci" / name


def config_of(layout: Path) -> Path:
    return (layout / "blobs/sha256").resolve() / read_metadata(layout).config_digest[7:]


PLACES: dict[str, Callable[[Path], Path]] = {
    **{
        name: in_layout(name)
        for name in ("index.json", "image.json", "oci-layout", "container.yaml", "blobs")
    },
    **{name: in_store(name) for name in (".inseam", ".lock")},
    "a blob": config_of,
}


@pytest.mark.parametrize("place", PLACES)
def test_an_export_names_a_folder_that_is_not_empty(image: Path, layout: Path, place: str) -> None:
    path = PLACES[place](layout)
    path.unlink()
    full_folder(path)
    with pytest.raises(Failure, match=f"{path} is a folder that is not empty.* Move or remove it"):
        export(image, [], layout.parent / "oci", layout)
    assert (path / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("put", [pipe, device, unix_socket, folder])
@pytest.mark.parametrize("place", ["blobs", ".inseam", ".lock"])
def test_an_export_replaces_other_files_of_its_own(
    image: Path, layout: Path, place: str, put: Callable[[Path], None]
) -> None:
    path = PLACES[place](layout)
    path.unlink()
    put(path)
    export(image, [], layout.parent / "oci", layout)
    assert path.is_file() or (path.is_symlink() and place == "blobs")
    assert read_metadata(layout) == read_metadata(image)


@pytest.mark.parametrize("put", [pipe, unix_socket, null])
def test_an_export_names_what_is_in_the_place_of_the_store(
    tmp_path: Path, image: Path, put: Callable[[Path], None]
) -> None:
    (tmp_path / "dist").mkdir()
    put(tmp_path / "dist/oci")
    with pytest.raises(Failure, match="dist/oci is not a folder.* Move or remove it"):
        export(image, [], tmp_path / "dist/oci", tmp_path / "dist/app.oci")


@pytest.mark.parametrize("put", [pipe, device, unix_socket, folder, full_folder])
@pytest.mark.parametrize("place", ["index.json", "oci-layout", "blobs", "a blob"])
def test_a_push_refuses_other_things_by_name(
    layout: Path, put: Callable[[Path], None], place: str
) -> None:
    path = PLACES[place](layout)
    path.unlink()
    put(path)
    with pytest.raises(Failure, match=f"{layout}(.|\\n)*ackage"):
        _check_complete(layout, read_metadata(layout))


@pytest.mark.parametrize("put", [pipe, device, unix_socket, folder, full_folder, null])
def test_pruning_goes_on_whatever_the_list_of_unused_blobs_is(
    layout: Path, put: Callable[[Path], None]
) -> None:
    """It removes nothing that it should not, and never what is in a folder."""
    store = layout.parent / "oci"
    put(store / "unused.json")
    blobs = sorted(path.name for path in (store / "blobs/sha256").iterdir())
    assert prune(store, 0, now=2e9).blobs == 0
    assert sorted(path.name for path in (store / "blobs/sha256").iterdir()) == blobs
    assert (store / "unused.json").is_file() == (put != full_folder)


@pytest.mark.parametrize("put", [*KINDS, full_folder])
@pytest.mark.parametrize("read", [push, load])
def test_what_reads_a_layout_says_what_to_type(
    layout: Path, put: Callable[[Path], None], read: Callable[[Path], object]
) -> None:
    (layout / "image.json").unlink()
    put(layout / "image.json")
    with pytest.raises(Failure, match=f"{layout}/image.json(.|\\n)*Package the image again"):
        read(layout)


@pytest.mark.parametrize("put", [*KINDS, full_folder])
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
