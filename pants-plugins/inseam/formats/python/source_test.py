from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.folder import Bounds
from inseam.formats.python.source import project_folder, set_times, unpack
from inseam.formats.python.source_tree import fingerprint, pack


def tar(path: Path, *members: tuple[str, object]) -> Path:
    """A tar with regular files (bytes), or what a TarInfo says."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            data = content if isinstance(content, bytes) else b""
            if isinstance(content, bytes):
                info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def special(name: str, kind: bytes, target: str = "") -> tuple[str, tarfile.TarInfo]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return name, info


def test_the_project_is_the_one_folder_of_an_sdist(tmp_path: Path) -> None:
    script = tarfile.TarInfo("a-1/configure")
    script.mode = 0o4775
    path = tar(tmp_path / "a.tar.gz", ("a-1/setup.py", b"x"), ("a-1/configure", script))
    project = unpack(path, tmp_path / "out")
    assert project == tmp_path / "out/a-1"
    assert (project / "setup.py").read_bytes() == b"x"
    modes = {file.name: file.stat().st_mode & 0o7777 for file in project.iterdir()}
    assert modes == {"setup.py": 0o644, "configure": 0o755}


def test_an_archive_without_a_folder_is_a_project_itself(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("setup.py", b"x")
        archive.writestr("a/__init__.py", b"")
    assert unpack(tmp_path / "a.zip", tmp_path / "out") == tmp_path / "out"


def test_links_within_the_sources_stay(tmp_path: Path) -> None:
    path = tar(
        tmp_path / "a.tar.gz",
        special("a/lib/link", tarfile.SYMTYPE, "../file"),
        special("a/hard", tarfile.LNKTYPE, "a/file"),
        ("a/file", b"x"),
    )
    project = unpack(path, tmp_path / "out")
    assert (project / "lib/link").read_bytes() == (project / "hard").read_bytes() == b"x"


@pytest.mark.parametrize(
    "member",
    [
        ("../x", b""),
        ("/x", b""),
        ("a/../../x", b""),
        special("a/x", tarfile.SYMTYPE, "/etc/passwd"),
        special("a/x", tarfile.SYMTYPE, "../../x"),
        special("a/x", tarfile.LNKTYPE, "../x"),
        special("a/x", tarfile.CHRTYPE),
        special("a/x", tarfile.FIFOTYPE),
    ],
)
def test_what_leads_out_of_an_archive_is_refused(
    tmp_path: Path, member: tuple[str, object]
) -> None:
    path = tar(tmp_path / "a.tar.gz", ("a/setup.py", b"x"), member)
    with pytest.raises(Failure, match="a.tar.gz is not a usable archive of sources: it has the"):
        unpack(path, tmp_path / "deep/out")
    assert not (tmp_path / "x").exists()


def test_a_member_does_not_go_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    link = special("a/dir", tarfile.SYMTYPE, "../../victim")
    with pytest.raises(Failure):
        unpack(tar(tmp_path / "a.tar.gz", link, ("a/dir/x", b"")), tmp_path / "out")
    assert not list((tmp_path / "victim").iterdir())


@pytest.mark.parametrize("data", [b"", b"no archive", b"\x1f\x8b\x08garbage", b"PK\x03\x04"])
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(Failure, match="a.zip is not a usable archive of sources"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_all_times_are_one(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c").touch()
    set_times(tmp_path, 315532800)
    assert {path.stat().st_mtime for path in tmp_path.rglob("*")} == {315532800.0}


def test_the_fingerprint_is_that_of_pex(tmp_path: Path) -> None:
    """The hash is what PEX 2.69 wrote into a lock for a git repository with these files."""
    (tmp_path / "gp").mkdir()
    (tmp_path / "gp/__init__.py").write_text("x=1\n")
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires=["setuptools"]\nbuild-backend="setuptools.build_meta"\n'
        '[project]\nname="gitpkg"\nversion="1.0"\n'
    )
    expected = "026f08ae31533e34663321c1cf6e3854ce9ffc32dfc2e25124a8412717c10789"
    assert fingerprint(tmp_path) == expected
    for ignored in (".git/config", "gp/__pycache__/__init__.cpython-311.pyc", "x.pyc"):
        (tmp_path / ignored).parent.mkdir(exist_ok=True)
        (tmp_path / ignored).touch()
    assert fingerprint(tmp_path) == expected
    (tmp_path / "gp/more.py").touch()
    assert fingerprint(tmp_path) != expected


def test_the_fingerprint_is_that_of_the_archive_of_an_older_pex(tmp_path: Path) -> None:
    """PEX 2.32 has locked StackStorm's orquesta, a repository with a link to a folder, so."""
    (tmp_path / "gp").mkdir()
    (tmp_path / "gp/__init__.py").write_text("x=1\n")
    (tmp_path / "setup.py").write_text(
        'from setuptools import setup\nsetup(name="git-pkg", version="1.0", packages=["gp"])\n'
    )
    (tmp_path / "same").symlink_to("gp")
    (tmp_path / "copy.py").symlink_to("setup.py")
    paths = ["copy.py", "gp/__init__.py", "setup.py"]
    archived = "".join(f"git-pkg/{path}" for path in paths).encode()
    content = b"".join((tmp_path / path).read_bytes() for path in paths)
    locked = hashlib.sha256(archived + content).hexdigest()
    assert fingerprint(tmp_path, "git-pkg") == locked
    assert fingerprint(tmp_path) != locked


def test_equal_trees_are_packed_to_equal_bytes(tmp_path: Path) -> None:
    for name, order in (("one", "abc"), ("two", "cab")):
        for part in order:
            (tmp_path / name / part).mkdir(parents=True)
            (tmp_path / name / part / "file").write_text(part)
        (tmp_path / name / "link").symlink_to("a/file")
        (tmp_path / name / "run").touch(mode=0o755 if name == "one" else 0o700)
        pack(tmp_path / name, tmp_path / f"{name}.tar", "project")
        os.utime(tmp_path / name / "run", (1, 1))
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    project = unpack(tmp_path / "one.tar", tmp_path / "out")
    assert (project / "link").read_text() == "a"


def test_no_chain_of_links_leads_a_member_out(tmp_path: Path) -> None:
    """Each link is inside by its text, and the kernel follows them outside."""
    path = tar(
        tmp_path / "a.tar.gz",
        ("a/payload", b"x"),
        special("a/b/up", tarfile.SYMTYPE, "../.."),
        special("q", tarfile.SYMTYPE, "a/b/up/../.."),
        special("q/escaped", tarfile.LNKTYPE, "a/payload"),
    )
    with pytest.raises(Failure, match="its member 'q/escaped' goes through a link"):
        unpack(path, tmp_path / "x/out")
    links = tar(
        tmp_path / "b.tar.gz",
        special("a/b/up", tarfile.SYMTYPE, "../.."),
        special("q", tarfile.SYMTYPE, "a/b/up/../.."),
    )
    with pytest.raises(Failure, match="b.tar.gz .* the link 'q' to 'a/b/up/../..', which leads"):
        unpack(links, tmp_path / "y/out")
    assert not list(tmp_path.rglob("escaped"))


def test_what_unpacks_to_much_is_refused_before_it_is_written(tmp_path: Path) -> None:
    bounds = Bounds(size=1_000_000, members=3, option=" (the option)")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("a/sparse")
        info.pax_headers = {
            "GNU.sparse.map": "0,1",
            "GNU.sparse.size": "6000000000",
            "GNU.sparse.name": "a/sparse",
        }
        info.size = 1
        archive.format = tarfile.PAX_FORMAT
        archive.addfile(info, io.BytesIO(b"x"))
    with pytest.raises(Failure, match=r"more than 1000000 bytes \(the option\)"):
        unpack(tmp_path / "a.tar", tmp_path / "one", bounds)
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("zeros", b"\0" * 1_000_001)
    with pytest.raises(Failure, match="more than 1000000 bytes"):
        unpack(tmp_path / "b.zip", tmp_path / "two", bounds)
    with pytest.raises(Failure, match="more than 3 members"):
        unpack(tar(tmp_path / "c.tar", *((f"{n}", b"") for n in "abcd")), tmp_path / "3", bounds)
    assert sum(path.stat().st_size for path in tmp_path.glob("*/**/*") if path.is_file()) == 0


@pytest.mark.parametrize("subdirectory", ["/usr", "..", "out/../..", "gone", "file", "a\0b"])
def test_a_project_is_a_folder_of_its_sources(tmp_path: Path, subdirectory: str) -> None:
    (tmp_path / "out/sub").mkdir(parents=True)
    (tmp_path / "out/file").touch()
    with pytest.raises(Failure, match="the sources have no folder '"):
        project_folder(tmp_path / "out", subdirectory)
    assert project_folder(tmp_path / "out", "sub/") == tmp_path / "out/sub"


def test_a_fingerprint_reads_nothing_outside_and_ends(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for target in ("/dev/zero", "/etc/passwd", "../secret", "gone", "/proc/self/environ"):
        link = tmp_path / "folder/link"
        link.symlink_to(target)
        with pytest.raises(Failure, match="the link 'link' in the sources leads to nothing"):
            fingerprint(tmp_path / "folder")
        link.unlink()
    for target in (".", "..", "/etc"):
        link.symlink_to(target, target_is_directory=True)
        with pytest.raises(Failure, match="the link 'link' in the sources"):
            fingerprint(tmp_path / "folder")
        link.unlink()
    os.mkfifo(tmp_path / "folder/pipe")
    with pytest.raises(Failure, match="'pipe'"):
        fingerprint(tmp_path / "folder")
