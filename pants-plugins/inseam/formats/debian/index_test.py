from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, Iterator

import pytest

from inseam.formats import download
from inseam.formats.debian.control import DebianError
from inseam.formats.debian.deb_testing import (
    DATE,
    Mirror,
    locked,
    packages_text,
    publish,
    serving,
    verify_nothing,
)
from inseam.formats.debian.index import (
    Index,
    newest,
    parse_packages,
    read_release,
)
from inseam.formats.debian.mirror import Mirrors, find_mirrors
from inseam.formats.debian.release import Trust, Verifier
from inseam.formats.debian.signature import InvalidSignature

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


TRUST = Trust(verify_nothing)


def read(
    *urls: str, verify: Verifier = verify_nothing, architecture: str = "amd64", **trust: Any
) -> Index:
    return read_release(
        mirrors_at(*urls), "bookworm", [architecture], Trust(verify=verify, **trust)
    )


def test_a_release_is_its_suites_together(mirror: Mirror) -> None:
    index = read(mirror.url).packages
    assert [(e.version, e.package.archive) for e in index["amd64"]] == [
        ("1.0-1", "debian"),
        ("1.0-1+deb12u1", "debian-security"),
    ]
    assert newest(index["amd64"])["hello"].version == "1.0-1+deb12u1"


def test_entries_have_all_that_a_lock_needs() -> None:
    text = packages_text([HELLO], "Pre-Depends: libc6\nDepends: a,\n b\nProvides: v\n")
    (entry,) = parse_packages(text, "debian")
    assert entry.package == HELLO
    assert (entry.depends, entry.provides) == ("libc6, a,\nb", "v")


def test_indexes_are_taken_by_hash_where_the_mirror_has_them(mirror: Mirror) -> None:
    name = "debian/dists/bookworm/main/binary-amd64/Packages.xz"
    data = mirror.files.pop(name)
    digest = hashlib.sha256(data).hexdigest()
    mirror.files[f"{name.rpartition('/')[0]}/by-hash/SHA256/{digest}"] = data
    assert read(mirror.url)


def test_an_index_that_was_not_signed_is_refused(mirror: Mirror) -> None:
    name = "debian/dists/bookworm/main/binary-amd64/Packages.xz"
    mirror.files[name] = mirror.files[name][:-1] + b"?"
    with pytest.raises(DebianError, match="no mirror serves the suite bookworm") as caught:
        read(mirror.url)
    assert "expected sha256" in str(caught.value)


def test_the_index_of_another_suite_is_refused(mirror: Mirror) -> None:
    mirror.files["debian/dists/bookworm/InRelease"] = b"Codename: trixie\nSHA256:\n"
    with pytest.raises(DebianError, match="is for 'trixie'"):
        read(mirror.url)


def test_a_bad_mirror_is_passed_over(mirror: Mirror) -> None:
    def verify(signed: bytes, name: str) -> str:
        if "/bad/" in name:
            raise InvalidSignature(f"{name} is not signed")
        return signed.decode()

    for path in list(mirror.files):
        mirror.files[f"bad/{path}"] = mirror.files[path]
    index = read(f"{mirror.url}/bad", f"{mirror.url}/missing", mirror.url, verify=verify)
    assert len(index.packages["amd64"]) == 2


def test_an_unknown_architecture_is_named(mirror: Mirror) -> None:
    with pytest.raises(DebianError, match="no packages for 'riscv64'"):
        read(mirror.url, architecture="riscv64")


def test_a_bad_entry_is_refused() -> None:
    with pytest.raises(DebianError, match="bad entry"):
        parse_packages("Package: hello\n", "debian")


def test_an_index_that_is_malformed_is_refused(mirror: Mirror) -> None:
    name = "debian/dists/bookworm/main/binary-amd64/Packages.xz"
    mirror.files[name] = b"no xz"
    digest = hashlib.sha256(b"no xz").hexdigest()
    text = f"Codename: bookworm\nDate: {DATE}\nSHA256:\n {digest} 5 main/binary-amd64/Packages.xz\n"
    mirror.files["debian/dists/bookworm/InRelease"] = text.encode()
    with pytest.raises(DebianError, match="Packages.xz is signed, but malformed"):
        read(mirror.url)


def test_an_endless_index_is_not_read_to_its_end(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inseam.formats.debian.index.LARGEST_INRELEASE", 20)
    with pytest.raises(DebianError, match="at most 20 bytes, got more"):
        read(mirror.url)


def test_an_index_that_the_lock_knows_newer_is_refused(mirror: Mirror) -> None:
    dates = {suite.name: suite.date for suite in read(mirror.url).suites}
    assert dates["bookworm-security"] == "2024-01-01T00:00:00Z"
    assert read(mirror.url, known=dates)
    for allow_expired in (False, True):
        with pytest.raises(DebianError, match="this mirror is behind"):
            read(
                mirror.url,
                known={**dates, "bookworm-security": "2024-01-01T00:00:01Z"},
                allow_expired=allow_expired,
            )


def test_suites_that_are_not_known_to_exist_may_be_missing(
    mirror: Mirror, capfd: pytest.CaptureFixture[str]
) -> None:
    publish(mirror.files, [HELLO], "trixie")
    publish(mirror.files, [HELLO], "newest")
    for release in ("trixie", "newest"):
        del mirror.files[f"debian-security/dists/{release}-security/InRelease"]
    with pytest.raises(DebianError, match="no mirror serves the suite trixie-security"):
        read_release(mirrors_at(mirror.url), "trixie", ["amd64"], TRUST)
    index = read_release(mirrors_at(mirror.url), "newest", ["amd64"], TRUST)
    assert [suite.name for suite in index.suites] == ["newest", "newest-updates"]
    assert "no mirror has the suite newest-security" in capfd.readouterr().err
    known = Trust(verify_nothing, known={"newest-security": "2024-01-01T00:00:00Z"})
    with pytest.raises(DebianError, match="no mirror serves the suite newest-security"):
        read_release(mirrors_at(mirror.url), "newest", ["amd64"], known)


def test_sid_is_one_suite(mirror: Mirror) -> None:
    publish(mirror.files, [HELLO], "sid")
    mirror.asked.clear()
    index = read_release(mirrors_at(mirror.url), "sid", ["amd64"], TRUST)
    assert [suite.name for suite in index.suites] == ["sid"]
    assert not [path for path in mirror.asked if "-updates" in path or "-security" in path]
