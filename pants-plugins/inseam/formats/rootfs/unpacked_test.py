from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.rootfs.unpacked import unpacked


def root_tar(path: Path, content: bytes = b"hi") -> Path:
    with tarfile.open(path, "w") as tar:
        for name, kind, mode in (
            ("usr", tarfile.DIRTYPE, 0o755),
            ("usr/bin", tarfile.DIRTYPE, 0o755),
            ("usr/bin/gcc", tarfile.REGTYPE, 0o755),
            ("bin", tarfile.SYMTYPE, 0o777),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.linkname = kind, mode, "usr/bin"
            info.size = len(content) if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(content))
    return path


def test_a_root_is_unpacked_once(tmp_path: Path) -> None:
    tar = root_tar(tmp_path / "rootfs.tar")
    folder = unpacked(tar, tmp_path / "cache")
    assert (folder / "bin/gcc").read_bytes() == b"hi"
    assert os.access(folder / "usr/bin/gcc", os.X_OK)
    (folder / "mark").touch()
    assert unpacked(tar, tmp_path / "cache") == folder
    assert (folder / "mark").exists()
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_root_that_nobody_uses_makes_room_for_another(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    used, unused = (
        unpacked(root_tar(tmp_path / f"{name}.tar", name.encode()), cache)
        for name in ("used", "unused")
    )
    for folder in (used, unused):
        os.utime(folder, (1, 1))
    assert unpacked(tmp_path / "used.tar", cache) == used
    new = unpacked(root_tar(tmp_path / "new.tar", b"new"), cache)
    assert {path.name for path in cache.iterdir()} == {used.name, new.name}


def test_what_is_no_root_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "rootfs.tar").write_bytes(b"not a tar")
    with pytest.raises(Failure, match="rootfs.tar is not a root file system"):
        unpacked(tmp_path / "rootfs.tar", tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())
