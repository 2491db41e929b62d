from __future__ import annotations

import pytest

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.facts import Facts, facts_of
from inseam.formats.debian.package import DebianPackage
from inseam.formats.glibc import GlibcVersion


def packages(**versions: str) -> list[DebianPackage]:
    """Keyword `name="version"`, with `_` for `-` and for the dot of a Python."""
    return [
        DebianPackage(
            key.replace("python3_", "python3.").replace("_", "-"),
            version,
            "amd64",
            "debian",
            "pool/x",
            1,
            "0" * 64,
        )
        for key, version in versions.items()
    ]


GLIBC = {"libc6": "2.41-12"}


def test_python_and_glibc_are_those_of_the_lock() -> None:
    facts = Facts("/usr/bin/python3.14", "3.14.2", GlibcVersion(2, 41))
    assert facts_of(packages(python3_14_minimal="3.14.2-1", **GLIBC)) == facts
    assert facts_of(packages(python3_14_minimal="1:3.14.2~rc1-1", **GLIBC)) == facts


def test_of_two_interpreters_one_is_named() -> None:
    both = packages(python3_13_minimal="3.13.5-2", python3_14_minimal="3.14.0-1", **GLIBC)
    assert facts_of(both, "/usr/bin/python3.13").python_version == "3.13.5"
    with pytest.raises(DebianError, match=r"one of /usr/bin/python3.13, /usr/bin/python3.14"):
        facts_of(both)


def test_a_link_to_the_only_interpreter_may_be_named() -> None:
    found = facts_of(packages(python3_13_minimal="3.13.5-2", **GLIBC), "/usr/local/bin/py")
    assert (found.interpreter, found.python_version) == ("/usr/local/bin/py", "3.13.5")


@pytest.mark.parametrize(
    "versions, why",
    [
        (GLIBC, "no locked package contains CPython"),
        ({"python3_13_minimal": "3.13.5-2"}, "no locked package is libc6"),
        ({"python3_13_minimal": "sid-2", **GLIBC}, "cannot tell the version of the software in"),
    ],
)
def test_what_a_lock_lacks_is_named(versions: dict[str, str], why: str) -> None:
    with pytest.raises(DebianError, match=why):
        facts_of(packages(**versions))
