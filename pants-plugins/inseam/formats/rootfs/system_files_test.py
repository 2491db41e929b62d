from __future__ import annotations

from pathlib import Path

from inseam.formats.debian.deb import Deb, read_deb
from inseam.formats.debian.deb_testing import Entry, deb_bytes, write_debs
from inseam.formats.rootfs.system_files import (
    certificate_bundle,
    merged,
    parse_account,
    status_files,
    system_files,
)
from inseam.formats.tar import Member


def deb(tmp_path: Path, name: str, *entries: Entry) -> Deb:
    (path,) = write_debs(tmp_path, {f"{name}.deb": deb_bytes(name, entries)})
    return read_deb(path)


def files(*debs: Deb) -> dict[str, Member]:
    return {member.path: member for member in system_files(debs)}


def test_usr_is_merged() -> None:
    assert merged("lib/x86_64-linux-gnu/libc.so.6") == "usr/lib/x86_64-linux-gnu/libc.so.6"
    assert merged("lib64/ld.so") == "usr/lib64/ld.so"
    assert merged("library/x") == "library/x"
    assert merged("usr/lib/x") == "usr/lib/x"
    assert {name: files()[name].link for name in ("bin", "lib", "lib64", "sbin")} == {
        "bin": "usr/bin",
        "lib": "usr/lib",
        "lib64": "usr/lib64",
        "sbin": "usr/sbin",
    }


def test_accounts_are_numeric_and_cannot_log_in() -> None:
    passwd = files()["etc/passwd"].content
    assert isinstance(passwd, bytes)
    accounts = [line.split(":") for line in passwd.decode().splitlines()]
    assert [(account[0], account[2]) for account in accounts] == [
        ("root", "0"),
        ("nobody", "65534"),
        ("nonroot", "65532"),
    ]
    assert {account[6] for account in accounts} == {"/usr/sbin/nologin"}


def test_accounts_of_ones_own_have_a_name_a_group_and_a_home() -> None:
    accounts = map(parse_account, ("worker:1001:0", "shop:1000"))
    found = {member.path: member for member in system_files([], accounts)}
    before = files()
    passwd, group = (
        found[path].content.decode()[len(before[path].content) :]  # type: ignore[union-attr, arg-type]
        for path in ("etc/passwd", "etc/group")
    )
    assert passwd.splitlines() == [
        "shop:x:1000:1000:shop:/home/shop:/usr/sbin/nologin",
        "worker:x:1001:0:worker:/home/worker:/usr/sbin/nologin",
    ]
    assert group == "shop:x:1000:\n"
    assert found.keys() - before.keys() == {"home/shop", "home/worker"}
    assert found["home/shop"].mode == before["home/nonroot"].mode


def test_temporary_directories_are_for_all() -> None:
    assert files()["tmp"].mode == files()["var/tmp"].mode == 0o1777
    assert files()["root"].mode == 0o700


def test_certificates_are_bundled_in_the_order_of_their_names(tmp_path: Path) -> None:
    below = "./usr/share/ca-certificates/mozilla"
    certificates = deb(
        tmp_path,
        "ca-certificates",
        Entry(f"{below}/B.crt", b"bb\n"),
        Entry(f"{below}/A.crt", b"aa"),
        Entry(f"{below}/README", b"no"),
    )
    assert certificate_bundle([certificates]) == b"aa\nbb\n"
    found = files(certificates)
    assert found["etc/ssl/certs/ca-certificates.crt"].content == b"aa\nbb\n"
    assert found["usr/lib/ssl/cert.pem"].link == "/etc/ssl/certs/ca-certificates.crt"
    assert "usr/lib/ssl/cert.pem" not in files()


def test_a_shell_is_there_only_with_busybox(tmp_path: Path) -> None:
    assert "usr/bin/sh" not in files()
    assert files(deb(tmp_path, "busybox"))["usr/bin/sh"].link == "busybox"


def test_the_time_zone_is_utc_where_there_are_time_zones(tmp_path: Path) -> None:
    assert "etc/localtime" not in files()
    localtime = files(deb(tmp_path, "tzdata"))["etc/localtime"]
    assert localtime.link == "/usr/share/zoneinfo/Etc/UTC"


def test_scanners_see_the_package_and_the_files_that_are_there(tmp_path: Path) -> None:
    hello = deb(tmp_path, "hello", Entry("./a", b"aa"), Entry("./b", b"bb"))
    status, sums = status_files(hello, ["a"])
    assert status.path == "var/lib/dpkg/status.d/hello"
    assert status.content == b"Package: hello\nVersion: 1.0-1\nArchitecture: amd64\n"
    assert sums.path == "var/lib/dpkg/status.d/hello.md5sums"
    assert sums.content == b"4124bc0a9335c27f086f24ba207a4912  a\n"
