from __future__ import annotations

import pytest

from inseam.formats.debian.package import DebianPackage
from inseam.formats.rootfs.metadata import PackageFacts
from inseam.sbom.bill import PackageUrl
from inseam.sbom.debian import (
    operating_system,
    package_components,
    package_requirements,
    split_version,
)

SSL = DebianPackage(
    "libssl3", "3.0.17-1~deb12u3", "amd64", "debian", "pool/main/o/openssl/libssl3.deb", 9, "a" * 64
)


def facts(name: str, depends: str = "", source: str = "", version: str = "1-1") -> PackageFacts:
    return PackageFacts(name, source or name, version, depends, 100, 2)


@pytest.mark.parametrize(
    "version, parts",
    [
        ("2.36-9+deb12u13", ("", "2.36", "9+deb12u13")),
        ("1:1.2.13.dfsg-1", ("1", "1.2.13.dfsg", "1")),
        ("12.4+deb12u15", ("", "12.4+deb12u15", "")),
        ("2:4.9-rc1-3", ("2", "4.9-rc1", "3")),
    ],
)
def test_a_version_is_split_where_policy_says(version: str, parts: tuple[str, str, str]) -> None:
    assert split_version(version) == parts


def test_a_package_is_listed_with_the_source_that_advisories_name() -> None:
    known = {"libssl3": facts("libssl3", source="openssl", version="1:3.0.17-1~deb12u3")}
    (component,) = package_components([SSL], known, "bookworm", "rootfs")
    assert component.purl == PackageUrl(
        "deb",
        "libssl3",
        "3.0.17-1~deb12u3",
        "debian",
        (("arch", "amd64"), ("distro", "debian-12"), ("upstream", "openssl")),
    )
    assert component.sha256 == SSL.sha256
    properties = dict(component.properties)
    assert properties["aquasecurity:trivy:SrcName"] == "openssl"
    assert properties["aquasecurity:trivy:SrcVersion"] == "3.0.17"
    assert properties["aquasecurity:trivy:SrcEpoch"] == "1"
    assert properties["inseam:layer"] == "rootfs"


def test_a_release_has_the_number_of_its_os_release() -> None:
    assert operating_system("trixie").version == "13"
    assert operating_system("sid").version == "sid"


def test_the_first_alternative_that_is_there_is_what_a_package_needs() -> None:
    found = package_requirements(
        [
            facts("a", "b (>= 1) | c, virtual, d"),
            facts("c", "a"),
            facts("d", "d"),
        ]
    )
    assert found == {"deb:a": ("deb:c", "deb:d"), "deb:c": ("deb:a",), "deb:d": ()}
