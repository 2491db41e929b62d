from __future__ import annotations

from pathlib import Path

import pytest

from inseam.formats.oci.metadata import ImageMetadata, read_metadata
from inseam.formats.oci.oci_testing import RUNTIME, make_base, make_service
from inseam.programs.program_testing import run_program, tree
from inseam.tools.store import blobs_of, export, missing


@pytest.fixture
def new(tmp_path: Path) -> ImageMetadata:
    """A base in the folder `new`; the layout `app` has an image on another one."""
    export(make_service(tmp_path / "service"), [], tmp_path / "store", tmp_path / "app")
    return make_base(tmp_path / "new", content=b"12.2")


def report(before: ImageMetadata, after: ImageMetadata) -> str:
    assert before.base is not None
    assert after.base is not None
    size = after.layers[0].descriptor.size
    return (
        f"  image: {before.digest} -> {after.digest}\n"
        f"  base:  base.example/debian:12@{before.base.digest}"
        f" -> base.example/debian:12@{after.base.digest}\n"
        f"  2 of 3 layers stay, 1 are new ({size:,} bytes)\n"
    )


def test_a_layout_becomes_that_of_the_image_on_the_new_base(
    tmp_path: Path, new: ImageMetadata
) -> None:
    before = read_metadata(tmp_path / "app")
    result = run_program("rebase", "--base=new", "app", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "")
    after = read_metadata(tmp_path / "app")
    assert result.stderr == f"app is now\n{report(before, after)}"
    assert after.base is not None
    assert after.base.digest == new.digest
    assert after.layers == (*new.layers, *before.layers[1:])
    assert after.references == before.references
    assert not missing(tmp_path / "app", blobs_of(after).items())


def test_another_layout_can_be_written(tmp_path: Path, new: ImageMetadata) -> None:
    before = tree(tmp_path / "app")
    result = run_program("rebase", "--base=new", "app", "rebased", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr.startswith("rebased is now\n")
    image = read_metadata(tmp_path / "rebased")
    assert image.base is not None
    assert image.base.digest == new.digest
    assert not missing(tmp_path / "store", blobs_of(image).items())
    assert tree(tmp_path / "app") == before


def test_a_dry_run_reports_and_writes_nothing(tmp_path: Path, new: ImageMetadata) -> None:
    before = tree(tmp_path)
    said = run_program("rebase", "--base=new", "--dry-run", "app", cwd=tmp_path)
    assert (said.returncode, said.stdout) == (0, "")
    assert tree(tmp_path) == before
    image = read_metadata(tmp_path / "app")
    assert run_program("rebase", "--base=new", "app", cwd=tmp_path).returncode == 0
    after = read_metadata(tmp_path / "app")
    assert said.stderr == f"app would become\n{report(image, after)}"


def test_a_base_that_the_layers_cannot_run_on_leaves_the_layout_alone(
    tmp_path: Path, new: ImageMetadata
) -> None:
    make_base(tmp_path / "other", runtime=RUNTIME._replace(python="3.12.1"))
    before = tree(tmp_path)
    result = run_program("rebase", "--base=other", "app", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert "Python version: 3.11.2, not 3.12.1" in result.stderr
    assert tree(tmp_path) == before


def test_an_image_without_a_base_cannot_be_rebased(tmp_path: Path, new: ImageMetadata) -> None:
    export(tmp_path / "new", [], tmp_path / "store", tmp_path / "base")
    result = run_program("rebase", "--base=new", "base", "out", cwd=tmp_path)
    assert result.returncode == 1
    assert "does not say what it added to its base" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_a_layout_of_ours_is_named(tmp_path: Path, new: ImageMetadata) -> None:
    result = run_program("rebase", "--base=new", "service", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("service is not an image layout written by Inseam.")
