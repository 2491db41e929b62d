from __future__ import annotations

from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.oci.descriptor import BLOBS
from inseam.formats.oci.metadata import read_metadata
from inseam.formats.oci.oci_testing import RUNTIME, make_base, make_image, make_index, make_layer
from inseam.formats.oci.rebase import rebase
from inseam.programs.program_testing import tree


def build(folder: Path, base: Path) -> Path:
    """A whole build of a service with two layers."""
    layers = [
        make_layer(folder / "deps", "deps", {"opt/venv/x.py": b"1"}),
        make_layer(folder / "app", "app", {"app/y.py": b"2"}),
    ]
    make_image(folder / "image", base=base, layers=layers, references=["host/app:1"])
    return folder / "image"


def test_a_rebased_image_is_the_one_that_a_build_on_the_new_base_gives(tmp_path: Path) -> None:
    make_base(tmp_path / "old", content=b"12.1")
    make_base(tmp_path / "new", content=b"12.2", runtime=RUNTIME._replace(python="3.11.4"))
    image = build(tmp_path / "before", tmp_path / "old")
    rebased = rebase(image, tmp_path / "new", tmp_path / "rebased")
    built = build(tmp_path / "after", tmp_path / "new")
    assert rebased.metadata.digest == read_metadata(built).digest
    assert rebased.metadata.digest != read_metadata(image).digest
    assert tree(tmp_path / "rebased") == tree(built)


def test_back_on_the_old_base_it_is_what_it_was(tmp_path: Path) -> None:
    make_base(tmp_path / "old", content=b"12.1")
    make_base(tmp_path / "new", content=b"12.2")
    image = build(tmp_path / "before", tmp_path / "old")
    rebase(image, tmp_path / "new", tmp_path / "there")
    rebase(tmp_path / "there", tmp_path / "old", tmp_path / "back")
    assert tree(tmp_path / "back") == tree(image)


def test_metadata_is_enough(tmp_path: Path) -> None:
    make_base(tmp_path / "old", content=b"12.1")
    make_base(tmp_path / "new", content=b"12.2")
    image = build(tmp_path / "before", tmp_path / "old")
    documents = {read_metadata(tmp_path / "new").config_digest[7:]}
    for blob in (tmp_path / "new" / BLOBS).iterdir():
        if blob.name not in documents:
            blob.unlink()
    rebase(image, tmp_path / "new", tmp_path / "rebased")
    assert len(list((tmp_path / "rebased" / BLOBS).iterdir())) == 2


@pytest.mark.parametrize(
    ("runtime", "complaint"),
    [
        ({"python": "3.12.1"}, "Python version: 3.11.2, not 3.12.1"),
        ({"interpreter": "/usr/local/bin/python3.11"}, "path of the interpreter"),
        ({"libc": "musl 1.2"}, "C library: glibc 2.36, not musl 1.2"),
        ({"libc": "glibc 2.31"}, "C library: glibc 2.36, not glibc 2.31"),
        ({"libc": ""}, "C library: docker/base:debian does not tell it"),
    ],
)
def test_a_base_that_the_layers_cannot_run_on_is_refused(
    tmp_path: Path, runtime: dict[str, str], complaint: str
) -> None:
    make_base(tmp_path / "old")
    make_base(tmp_path / "new", runtime=RUNTIME._replace(**runtime))
    image = build(tmp_path / "before", tmp_path / "old")
    with pytest.raises(Failure, match=complaint):
        rebase(image, tmp_path / "new", tmp_path / "rebased")
    assert not (tmp_path / "rebased").exists()


def test_a_newer_glibc_will_do(tmp_path: Path) -> None:
    make_base(tmp_path / "old")
    make_base(tmp_path / "new", runtime=RUNTIME._replace(libc="glibc 2.100"))
    rebase(build(tmp_path / "before", tmp_path / "old"), tmp_path / "new", tmp_path / "rebased")


def test_another_platform_is_refused(tmp_path: Path) -> None:
    make_base(tmp_path / "old")
    make_base(tmp_path / "new", platform="linux/arm64")
    image = build(tmp_path / "before", tmp_path / "old")
    with pytest.raises(Failure, match="platform: linux/amd64, not linux/arm64"):
        rebase(image, tmp_path / "new", tmp_path / "rebased")


def test_an_image_without_a_base_cannot_be_rebased(tmp_path: Path) -> None:
    make_base(tmp_path / "old")
    make_base(tmp_path / "new", content=b"new")
    with pytest.raises(Failure, match="does not say what it added to its base"):
        rebase(tmp_path / "old", tmp_path / "new", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_index_is_refused(tmp_path: Path) -> None:
    make_base(tmp_path / "old")
    image = build(tmp_path / "before", tmp_path / "old")
    make_index("//:app", [image], tmp_path / "index")
    with pytest.raises(Failure, match="an image index, which cannot be rebased"):
        rebase(tmp_path / "index", tmp_path / "old", tmp_path / "rebased")
