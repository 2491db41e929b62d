from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.growth_testing import check_growth
from inseam.formats.oci.descriptor import blob_path
from inseam.formats.oci.flatten import NOT_WANTED, is_removed, read_files, removed
from inseam.formats.oci.layer import Layer
from inseam.formats.oci.oci_testing import foreign_layer, make_layer


@pytest.mark.parametrize(
    "whiteout, gone, stays",
    [
        ("a/.wh.b", ["a/b", "a/b/c"], ["a/bc", "a", "b"]),
        (".wh.a", ["a", "a/b"], ["ab"]),
        ("a/.wh..wh..opq", ["a/b", "a/b/c"], ["a", "ab"]),
        (".wh..wh..opq", ["a", "a/b"], []),
    ],
)
def test_a_whiteout_removes_a_path_and_what_is_below(
    whiteout: str, gone: list[str], stays: list[str]
) -> None:
    by = removed(whiteout)
    assert by is not None
    assert all(is_removed(path, {by}) for path in gone)
    assert not any(is_removed(path, {by}) for path in stays)


def test_other_names_remove_nothing() -> None:
    assert removed("a/b") is removed("a/wh.b") is None


def files(folder: Path, *layers: Layer, prefix: str = "") -> dict[str, bytes]:
    blobs = [blob_path(folder, layer.descriptor.digest) for layer in layers]
    return read_files(blobs, lambda path: 1000 if path.startswith(prefix) else NOT_WANTED)


def test_the_highest_layer_wins_and_whiteouts_count(tmp_path: Path) -> None:
    below = make_layer(tmp_path, "one", {"a/x": b"1", "a/y": b"1", "a/z": b"1", "b/x": b"1"})
    above = foreign_layer(tmp_path, "a/.wh.y", files={"a/x": b"2"})
    assert files(tmp_path, below, above, prefix="a/") == {"a/x": b"2", "a/z": b"1"}
    # What a layer puts into a folder that it makes opaque stays.
    opaque = foreign_layer(tmp_path, "a/.wh..wh..opq", files={"a/new": b"3"})
    assert files(tmp_path, below, opaque, prefix="a/") == {"a/new": b"3"}
    first = foreign_layer(tmp_path, files={"a/new": b"3", "a/.wh..wh..opq": b""})
    assert files(tmp_path, below, first, prefix="a/") == {"a/new": b"3"}


def test_hard_links_have_the_content_of_what_they_lead_to(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in ("b/x", "a/y"):
            info = tarfile.TarInfo(name)
            info.size = 3
            archive.addfile(info, io.BytesIO(name.encode()))
        for name, target in (("a/x", "b/x"), ("a/z", "a/y"), ("a/gone", "c")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.LNKTYPE, target
            archive.addfile(info)
    path = tmp_path / "layer"
    path.write_bytes(out.getvalue())
    found = read_files([path], lambda name: 1000 if name.startswith("a/") else NOT_WANTED)
    assert found == {"a/y": b"a/y", "a/x": b"b/x", "a/z": b"a/y"}


def test_whiteouts_and_paths_cost_no_more_than_their_number(tmp_path: Path) -> None:
    def layer(n: int) -> Path:
        path = tmp_path / "layer"
        with tarfile.open(path, "w") as archive:
            for number in range(n):
                archive.addfile(tarfile.TarInfo(f"a/{number}"))
                archive.addfile(tarfile.TarInfo(f"b/.wh.{number}"))
        return path

    check_growth(lambda path: read_files([path, path], lambda _: 1000), layer)


def test_a_path_that_no_container_can_have_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "layer", "w") as archive:
        archive.addfile(tarfile.TarInfo("a/" * 3000))
    with pytest.raises(Failure, match="a path of 5999 characters"):
        read_files([tmp_path / "layer"], lambda _: 1000)


def test_a_damaged_layer_is_refused(tmp_path: Path) -> None:
    layer = make_layer(tmp_path, "one", {"a": b"x" * 5000})
    path = blob_path(tmp_path, layer.descriptor.digest)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(Failure, match="cannot be read"):
        files(tmp_path, layer)
