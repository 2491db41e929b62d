from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Iterator

import pytest

from inseam.formats import download
from inseam.formats.debian.control import DebianError
from inseam.formats.debian.deb_testing import (
    IN_RELEASE,
    IN_RELEASE_TEXT,
    KEYRING,
    Mirror,
    locked,
    packages_text,
    publish,
    serving,
    verify_nothing,
)
from inseam.formats.debian.index import (
    InvalidSignature,
    newest,
    parse_packages,
    read_release,
    verify_inrelease,
)
from inseam.formats.debian.mirror import Mirrors, find_mirrors

HELLO = locked(b"hello")
FIXED = replace(locked(b"fixed", version="1.0-1+deb12u1"), archive="debian-security")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "FIRST_DELAY", 0.0)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with serving() as found:
        publish(found.files, [HELLO, FIXED], "bookworm")
        yield found


def mirrors_at(*urls: str) -> Mirrors:
    return find_mirrors({"DEBIAN_MIRROR": " ".join(urls)})


def test_a_release_is_its_suites_together(mirror: Mirror) -> None:
    index = read_release(mirrors_at(mirror.url), "bookworm", ["amd64"], verify_nothing)
    assert [(e.version, e.archive) for e in index["amd64"]] == [
        ("1.0-1", "debian"),
        ("1.0-1+deb12u1", "debian-security"),
    ]
    assert newest(index["amd64"])["hello"].version == "1.0-1+deb12u1"


def test_entries_have_all_that_a_lock_needs() -> None:
    text = packages_text([HELLO], "Pre-Depends: libc6\nDepends: a,\n b\nProvides: v\n")
    (entry,) = parse_packages(text, "debian")
    assert (entry.path, entry.size, entry.sha256) == (HELLO.path, HELLO.size, HELLO.sha256)
    assert (entry.depends, entry.provides) == ("libc6, a,\nb", "v")


def test_indexes_are_taken_by_hash_where_the_mirror_has_them(mirror: Mirror) -> None:
    name = "debian/dists/bookworm/main/binary-amd64/Packages.xz"
    data = mirror.files.pop(name)
    digest = hashlib.sha256(data).hexdigest()
    mirror.files[f"{name.rpartition('/')[0]}/by-hash/SHA256/{digest}"] = data
    assert read_release(mirrors_at(mirror.url), "bookworm", ["amd64"], verify_nothing)


def test_an_index_that_was_not_signed_is_refused(mirror: Mirror) -> None:
    name = "debian/dists/bookworm/main/binary-amd64/Packages.xz"
    mirror.files[name] = mirror.files[name][:-1] + b"?"
    with pytest.raises(DebianError, match="no mirror serves the suite bookworm") as caught:
        read_release(mirrors_at(mirror.url), "bookworm", ["amd64"], verify_nothing)
    assert "expected sha256" in str(caught.value)


def test_the_index_of_another_suite_is_refused(mirror: Mirror) -> None:
    mirror.files["debian/dists/bookworm/InRelease"] = b"Codename: trixie\nSHA256:\n"
    with pytest.raises(DebianError, match="is of 'trixie'"):
        read_release(mirrors_at(mirror.url), "bookworm", ["amd64"], verify_nothing)


def test_a_bad_mirror_is_passed_over(mirror: Mirror) -> None:
    def verify(signed: bytes, name: str) -> str:
        if "/bad/" in name:
            raise InvalidSignature(f"{name} is not signed")
        return signed.decode()

    for path in list(mirror.files):
        mirror.files[f"bad/{path}"] = mirror.files[path]
    index = read_release(
        mirrors_at(f"{mirror.url}/bad", f"{mirror.url}/missing", mirror.url),
        "bookworm",
        ["amd64"],
        verify,
    )
    assert len(index["amd64"]) == 2


def test_an_unknown_architecture_is_named(mirror: Mirror) -> None:
    with pytest.raises(DebianError, match="no packages for 'riscv64'"):
        read_release(mirrors_at(mirror.url), "bookworm", ["riscv64"], verify_nothing)


def test_a_bad_entry_is_refused() -> None:
    with pytest.raises(DebianError, match="bad entry"):
        parse_packages("Package: hello\n", "debian")


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if not shutil.which("gpgv"):
        pytest.skip("no gpgv on this machine")
    path = tmp_path / "keyring.gpg"
    path.write_bytes(KEYRING)
    monkeypatch.setenv("DEBIAN_KEYRING", str(path))
    return path


def test_a_good_signature_is_good(keyring: Path) -> None:
    assert verify_inrelease(IN_RELEASE, "InRelease") == IN_RELEASE_TEXT


@pytest.mark.parametrize(
    "signed",
    [
        IN_RELEASE.replace(b"bookworm", b"bookwork"),
        IN_RELEASE_TEXT.encode(),
        b"",
        IN_RELEASE[: len(IN_RELEASE) // 2],
    ],
)
def test_a_bad_signature_is_bad(keyring: Path, signed: bytes) -> None:
    with pytest.raises(InvalidSignature, match="InRelease is not signed"):
        verify_inrelease(signed, "InRelease")


def test_what_is_around_the_signed_text_is_not_read(keyring: Path) -> None:
    wrapped = b"Codename: sid\n\n" + IN_RELEASE + b"\nCodename: sid\n"
    assert verify_inrelease(wrapped, "InRelease") == IN_RELEASE_TEXT


def test_another_key_is_not_enough(keyring: Path) -> None:
    keyring.write_bytes(b"")
    with pytest.raises(InvalidSignature):
        verify_inrelease(IN_RELEASE, "InRelease")


def test_a_machine_without_keyring_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBIAN_KEYRING", str(tmp_path / "none"))
    with pytest.raises(DebianError, match="install debian-archive-keyring"):
        verify_inrelease(IN_RELEASE, "InRelease")


def test_a_machine_without_gpgv_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keyring.gpg").write_bytes(KEYRING)
    monkeypatch.setenv("DEBIAN_KEYRING", str(tmp_path / "keyring.gpg"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DebianError, match="install gpgv"):
        verify_inrelease(IN_RELEASE, "InRelease")
