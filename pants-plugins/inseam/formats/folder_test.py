from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Callable

import pytest

from inseam.formats.failure import Failure
from inseam.formats.folder import Bounds, Folder


def put(folder: Folder, path: str, content: bytes = b"x", size: int = 0) -> None:
    folder.add_file(path, io.BytesIO(content), executable=False, size=size)


def test_members_get_one_of_two_modes_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with Folder(tmp_path / "out") as folder:
            put(folder, "./a/b/file")
            folder.add_file("a/run", io.BytesIO(b""), executable=True)
            folder.add_folder("empty/")
    finally:
        os.umask(before)
    modes = {
        path.relative_to(tmp_path / "out").as_posix(): path.stat().st_mode & 0o7777
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert modes == {"a/b/file": 0o644, "a/run": 0o755}
    assert (tmp_path / "out/empty").is_dir()


@pytest.mark.parametrize(
    "path", ["/x", "../x", "a/../../x", "..", "", ".", "a\0b", "n" * 256, "n/" * 2000 + "n"]
)
def test_what_is_not_a_path_below_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    with Folder(tmp_path / "out") as folder, pytest.raises(Failure):
        put(folder, path)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("target", ["../victim", "/victim", ".", "gone"])
def test_nothing_is_written_through_a_link(tmp_path: Path, target: str) -> None:
    (tmp_path / "victim").mkdir()
    with Folder(tmp_path / "out") as folder:
        folder.add_link("link", target)
        writes: tuple[Callable[[], None], ...] = (
            lambda: put(folder, "link/x"),
            lambda: put(folder, "link"),
            lambda: folder.add_folder("link"),
            lambda: folder.add_folder("link/x"),
            lambda: folder.add_link("link/x", "y"),
            lambda: folder.add_copy("copy", "link/x"),
        )
        for write in writes:
            with pytest.raises(Failure, match="'(link|link/x)' (goes through|is there twice)"):
                write()
        with pytest.raises(Failure, match="'link' is not a regular file"):
            folder.add_copy("copy", "link")
    assert not list((tmp_path / "victim").iterdir())
    assert os.listdir(tmp_path / "out") == ["link"]


def test_a_link_that_was_there_before_is_not_followed_either(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/link").symlink_to("../victim")
    with Folder(tmp_path / "out") as folder, pytest.raises(Failure, match="goes through a link"):
        put(folder, "link/x")
    (tmp_path / "top").symlink_to("victim")
    with pytest.raises(OSError, match="top"):
        Folder(tmp_path / "top")


@pytest.mark.parametrize(
    "links",
    [
        {"a/b/up": "../..", "q": "a/b/up/../.."},
        {"a/b/up": "../..", "c/q": "../a/b/up/.."},
        {"q": "/etc"},
        {"q": "a//../.."},
        {"one": "two", "two": "one"},
        {"self": "self"},
        {**{f"l{n}": f"l{n + 1}" for n in range(50)}},
    ],
)
def test_a_link_that_leads_out_by_any_way_is_named(tmp_path: Path, links: dict[str, str]) -> None:
    with Folder(tmp_path / "out") as folder:
        for path, target in links.items():
            folder.add_link(path, target)
        with pytest.raises(Failure, match="it has the link '.*, which leads out of it"):
            folder.check_links()


def test_links_inside_may_be_cyclic_or_lead_to_nothing(tmp_path: Path) -> None:
    with Folder(tmp_path / "out") as folder:
        folder.add_link("here", ".")
        folder.add_link("a/b/up", "../..")
        folder.add_link("q", "a/b/up/a/../gone")
        folder.check_links()


def test_a_copy_is_a_file_of_its_own(tmp_path: Path) -> None:
    with Folder(tmp_path / "out") as folder:
        put(folder, "file", b"content")
        folder.add_copy("a/copy", "file")
        with pytest.raises(Failure, match="'gone' is a hard link to a file that does not exist"):
            folder.add_copy("b", "gone")
        with pytest.raises(Failure, match="'a' is not a regular file"):
            folder.add_copy("b", "a")
    assert (tmp_path / "out/a/copy").read_bytes() == b"content"
    assert (tmp_path / "out/file").stat().st_nlink == 1


def test_bounds_hold_and_say_where_to_raise_them(tmp_path: Path) -> None:
    with Folder(tmp_path / "out", Bounds(10, 4, " (an option)")) as folder:
        put(folder, "a", b"x" * 6)
        writes: tuple[Callable[[], None], ...] = (
            lambda: put(folder, "b", b"x" * 5),
            lambda: put(folder, "c", b"", size=5),
            lambda: folder.add_copy("d", "a"),
        )
        for write in writes:
            with pytest.raises(Failure, match=r"unpacks to more than 10 bytes \(an option\)"):
                write()
        with pytest.raises(Failure, match=r"more than 4 members \(an option\)"):
            folder.add_folder("e")


def test_a_member_that_is_there_twice_is_named(tmp_path: Path) -> None:
    with Folder(tmp_path / "out") as folder:
        put(folder, "a/\x1bx")
        with pytest.raises(Failure, match=r"its member 'a/\\x1bx' is there twice"):
            put(folder, "a/\x1bx")
        with pytest.raises(Failure, match="goes through a link or a file"):
            put(folder, "a/\x1bx/y")


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with Folder(tmp_path / "out") as folder:
        for number in range(20):
            put(folder, f"{number % 3}/{number}/x")
            with pytest.raises(Failure):
                put(folder, f"{number % 3}/{number}/x/y/z")
    assert len(os.listdir("/proc/self/fd")) == before
