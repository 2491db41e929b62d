from __future__ import annotations

import io
import itertools
import tarfile
from pathlib import Path

import pytest

from inseam.formats.tar import (
    Member,
    Slice,
    TarError,
    check_member,
    header,
    padding,
    parents,
    with_directories,
    write_tar,
)
from inseam.formats.tar_testing import DIRECTORY, FILE, LINK, TarEntry, pax_records, read_layer


def written(*members: Member) -> bytes:
    out = io.BytesIO()
    write_tar(members, out)
    return out.getvalue()


LONG = "d/" + "n" * 120
MEMBERS = (
    Member("opt/venv/lib/b.py", b"b", owner="b.whl"),
    Member("opt/venv/lib/a.py", b"a" * 513, owner="a.whl"),
    Member("opt/venv/bin/run", b"#!", 0o755),
    Member("opt/venv/bin/python", link="/usr/bin/python3.11"),
    Member("opt/venv/lib64", link="lib"),
    Member("opt-extra/x", b""),
    Member("var/empty", directory=True, mode=0o755),
    Member(LONG, b"long"),
    Member("d/ü.txt", "ü".encode()),
    Member("d/link", link="../" * 40 + "x"),
)


def test_every_header_keeps_the_rules_of_a_layer() -> None:
    layer = read_layer(written(*MEMBERS))
    assert layer["opt/venv/lib/a.py"] == TarEntry(
        "opt/venv/lib/a.py", FILE, 0o644, "", b"a" * 513, {}
    )
    assert layer["opt/venv/bin/run"].mode == 0o755
    assert layer["opt/venv/bin/python"].kind == LINK
    assert layer["opt/venv/bin/python"].link == "/usr/bin/python3.11"
    assert layer["var/empty"].kind == DIRECTORY


def test_parent_directories_are_made_once_each_and_nothing_else_is() -> None:
    layer = read_layer(written(*MEMBERS))
    made = set(layer) - {member.path for member in MEMBERS}
    assert made == {
        "opt", "opt/venv", "opt/venv/lib", "opt/venv/bin", "opt-extra", "var", "d",
    }  # fmt: skip


def test_only_values_that_do_not_fit_have_a_pax_header() -> None:
    layer = read_layer(written(*MEMBERS))
    assert {path: set(entry.pax) for path, entry in layer.items() if entry.pax} == {
        LONG: {"path"},
        "d/ü.txt": {"path"},
        "d/link": {"linkpath"},
    }
    assert not read_layer(written(Member("n" * 100)))["n" * 100].pax


def test_a_file_larger_than_ustar_can_say_has_its_size_in_a_pax_header() -> None:
    largest, larger = 8**11 - 1, 8**11
    assert len(header(Member("x", Slice("", 0, largest)))) == 512
    data = header(Member("x", Slice("", 0, larger)))
    assert pax_records(data[512:1024].rstrip(b"\0")) == {"size": str(larger)}


@pytest.mark.parametrize(
    "member",
    [
        *MEMBERS,
        Member("x" * 100, b"1", 0o4755),
        Member("x" * 101),
        Member("x" * 99, directory=True),
        Member("x" * 100, directory=True, mode=0o1777),
        Member("x/" * 40 + "y" * 87),
        Member("x" * 980 + "ü"),
        Member("l", link="x" * 100),
        Member("l", link="x" * 101),
        Member("l" * 500, link="ü"),
        Member("not-utf-8-\udcff"),
        Member("x", Slice("", 0, 8**11 - 1)),
        Member("ü" * 200, Slice("", 0, 8**11), 0o600),
    ],
    ids=lambda member: f"{member.path[:20]}-{len(member.path)}",
)
def test_a_header_is_what_the_standard_library_writes(member: Member) -> None:
    info = tarfile.TarInfo(member.path)
    info.mode = member.mode
    if member.link is not None:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, member.link, 0o777
    elif member.directory:
        info.type = tarfile.DIRTYPE
    else:
        info.size = member.size
    assert header(member) == info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def test_standard_tools_read_what_was_written(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(written(*MEMBERS))) as archive:
        assert {info.name for info in archive} >= {member.path for member in MEMBERS}
        file = archive.extractfile("d/ü.txt")
        assert file
        assert file.read() == "ü".encode()


def test_the_order_in_which_members_come_does_not_matter() -> None:
    some = MEMBERS[:5]
    assert len({written(*order) for order in itertools.permutations(some)}) == 1


def test_members_are_sorted_by_the_parts_of_their_paths() -> None:
    order = [
        member.path for member in with_directories([Member("a-b"), Member("a/b"), Member("a.b")])
    ]
    assert order == ["a", "a/b", "a-b", "a.b"]


def test_what_is_returned_describes_what_was_written() -> None:
    out = io.BytesIO()
    info = write_tar(MEMBERS, out)
    import hashlib

    assert info.size == len(out.getvalue())
    assert info.diff_id == "sha256:" + hashlib.sha256(out.getvalue()).hexdigest()


def test_no_members_are_a_valid_empty_tar() -> None:
    assert written() == bytes(1024)


def test_content_on_disk_is_written_from_its_offset_on(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"..content..")
    assert read_layer(written(Member("x", Slice(str(path), 2, 7))))["x"].content == b"content"


def test_content_that_became_shorter_meanwhile_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"short")
    with pytest.raises(TarError, match="is 5 bytes shorter than expected"):
        written(Member("x", Slice(str(path), 0, 10)))


@pytest.mark.parametrize(
    "path",
    ["", "/", "/etc/passwd", "..", "../x", "a/../b", "a/./b", "./a", "a//b", "a/", "a\0b", "a\nb"],
)
def test_what_is_no_plain_relative_path_is_refused_by_its_owners_name(path: str) -> None:
    with pytest.raises(TarError, match="demo.whl has the unusable path"):
        written(Member(path, owner="demo.whl"))


def test_a_path_may_have_dots_and_spaces_in_its_names() -> None:
    assert read_layer(written(Member("a..b/.c d/..."))).keys() >= {"a..b/.c d/..."}


def test_two_members_with_one_path_must_be_the_same() -> None:
    one, other = Member("p/x", b"1", owner="one.whl"), Member("p/x", b"2", owner="other.whl")
    assert written(one, one) == written(one)
    with pytest.raises(TarError, match="one.whl and other.whl both have /p/x"):
        written(one, other)


@pytest.mark.parametrize(
    "other",
    [
        Member("p/x", b"1", 0o755),
        Member("p/x", b"12"),
        Member("p/x", link="1"),
        Member("p/x", directory=True),
    ],
)
def test_mode_kind_and_size_are_part_of_sameness(other: Member) -> None:
    with pytest.raises(TarError, match="both have /p/x"):
        written(Member("p/x", b"1"), other)


def test_equal_content_in_memory_and_on_disk_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"1")
    disk = Member("x", Slice(str(tmp_path / "f"), 0, 1))
    assert written(Member("x", b"1"), disk) == written(disk) == written(Member("x", b"1"))


@pytest.mark.parametrize(
    "above", [Member("a/b", b"", owner="one"), Member("a/b", link="c", owner="one")]
)
def test_nothing_can_lie_below_a_file_or_a_link(above: Member) -> None:
    with pytest.raises(TarError, match="two has /a/b/c/d, but one has a file at /a/b"):
        written(above, Member("a/b/c/d", owner="two"))


def test_nothing_is_written_for_members_that_do_not_fit_together() -> None:
    out = io.BytesIO()
    with pytest.raises(TarError):
        write_tar([Member("a"), Member("b"), Member("a", b"1")], out)
    assert out.getvalue() == b""


def test_a_directory_has_no_content() -> None:
    with pytest.raises(TarError, match="has content"):
        written(Member("a", b"1", directory=True))


@pytest.mark.parametrize("size, expected", [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)])
def test_padding_fills_a_block(size: int, expected: int) -> None:
    assert padding(size) == bytes(expected)


def test_parents_are_all_directories_above() -> None:
    assert parents({"a/b/c": 1, "a/d": 2, "e": 3}) == ["a", "a/b"]


@pytest.mark.parametrize("path", ["a" * 255, "x/" + "\u00fc" * 127, "/".join(["a" * 100] * 38)])
def test_the_longest_paths_are_written(path: str) -> None:
    check_member(Member(path))


@pytest.mark.parametrize(
    "path", ["a" * 256, "x/" + "\u00fc" * 128, "\udc80" * 256, "/".join(["a" * 100] * 39)]
)
def test_a_path_that_no_engine_can_unpack_is_refused(path: str) -> None:
    with pytest.raises(TarError, match="^demo.whl has a path that no engine can unpack: "):
        check_member(Member(path, owner="demo.whl"))


@pytest.mark.parametrize("link", ["", "a\0b", "a" * 4096, "\u00fc" * 2048])
def test_a_link_that_no_engine_can_make_is_refused(link: str) -> None:
    with pytest.raises(TarError, match="^demo.whl: /x is a link to "):
        check_member(Member("x", link=link, owner="demo.whl"))


@pytest.mark.parametrize("path", [".wh.x", "a/.wh..wh..opq", "a/.wh.b/c"])
def test_a_layer_deletes_nothing(path: str) -> None:
    with pytest.raises(TarError, match="^the wheel has /.*for the deletion of a file of lower"):
        with_directories([Member(path, owner="the wheel")])
    assert with_directories([Member(path.replace(".wh.", ".w.h."))])


def test_deep_paths_cost_a_step_a_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted are the directories that are made, and looked up, for paths below each other."""
    depth = 1900
    deep = "/".join("d" * depth)
    members = [Member(f"{deep}/{number}") for number in range(50)]
    members += [Member(deep[: 2 * step + 1], directory=True) for step in range(0, depth, 2)]
    lookups = 0

    class Counted(str):
        def rpartition(self, separator: str) -> tuple[str, str, str]:  # type: ignore[override]
            nonlocal lookups
            lookups += 1
            above, found, rest = super().rpartition(separator)
            return Counted(above), found, rest

    counted = [member._replace(path=Counted(member.path)) for member in members]
    monkeypatch.setattr("inseam.formats.tar.check_member", lambda member: None)
    assert len(with_directories(counted)) == depth + 50
    assert lookups <= 2 * (depth + len(members))
