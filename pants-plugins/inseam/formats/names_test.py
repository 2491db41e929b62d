from __future__ import annotations

import pytest

from inseam.formats.failure import Failure
from inseam.formats.names import file_name, relative_path

GOOD = ["a", "demo-1.0-py3-none-any.whl", "torch-2.0+cpu-cp311-cp311-linux_x86_64.whl", "ü" * 127]
BAD = [
    "",
    ".",
    "..",
    "a/b",
    "../a",
    "/a",
    "a\0b",
    "a\nb",
    "a\x1b[2Jb",
    "\udc80",
    "a\\b",
    "-rf",
    "*.whl",
    "a[0]",
    "{chroot}",
    "a" * 256,
    "ü" * 128,
]


@pytest.mark.parametrize("name", GOOD)
def test_a_name_of_a_file_is_kept(name: str) -> None:
    assert file_name(name, "the name") == name
    assert relative_path(f"x/{name}", "the path") == f"x/{name}"


@pytest.mark.parametrize("name", BAD)
def test_what_is_more_than_a_name_is_refused(name: str) -> None:
    with pytest.raises(Failure, match="^the file of the lock "):
        file_name(name, "the file of the lock")


@pytest.mark.parametrize("path", ["", "/a", "../a", "a/../b", "a//b", "a/", "./a", "a/-b", "a\nb"])
def test_a_path_stays_below_its_folder(path: str) -> None:
    with pytest.raises(Failure, match="^`output_path` "):
        relative_path(path, "`output_path`")


def test_a_path_that_no_engine_can_open_is_refused() -> None:
    assert relative_path("/".join(["a" * 100] * 38), "it")
    with pytest.raises(Failure, match="longer than 3840 bytes"):
        relative_path("/".join(["a" * 100] * 39), "it")
