from __future__ import annotations

import pytest

from inseam.formats.debian.libraries import likely_package, package_names


@pytest.mark.parametrize(
    "library, package",
    [
        ("libtinfo.so.6", "libtinfo6"),
        ("libdb-5.3.so", "libdb5.3"),
        ("libreadline.so.8", "libreadline8t64"),
        ("libgomp.so.1", "libgomp1"),
        ("libnss3.so.1d", "libnss3-1d"),
        ("libicudata.so.72", "libicudata72"),
        ("libMagickCore-6.Q16.so.6", "libmagickcore-6.q16-6"),
        ("libstdc++.so.6", "libstdc++6"),
        ("libpango-1.0.so.0", "libpango-1.0-0"),
        ("libgeos_c.so.1", "libgeos-c1v5"),
        ("libharfbuzz.so.0", "libharfbuzz0b"),
        ("libgobject-2.0.so.0", "libglib2.0-0"),
        ("libgthread-2.0.so.0", "libglib2.0-0t64"),
        ("liblber-2.5.so.0", "libldap-2.5-0"),
        ("liblber.so.2", "libldap2"),
        ("libpython3.11.so.1.0", "libpython3.11"),
        ("libz.so.1", "zlib1g"),
    ],
)
def test_a_library_is_in_the_package_of_its_name(library: str, package: str) -> None:
    assert likely_package(library, ["libc6", package, "other"]) == package


def test_other_names_say_nothing() -> None:
    assert package_names("plug-in.so") == package_names("libodd.so") == ()
    assert likely_package("libtinfo.so.6", ["libtinfo5", "ncurses-base"]) is None
