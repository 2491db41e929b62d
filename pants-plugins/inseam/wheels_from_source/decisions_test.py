from __future__ import annotations

import re
from typing import Any

import pytest

from inseam.formats.failure import Failure
from inseam.formats.glibc import GlibcVersion
from inseam.plan.artifacts import LockedArchive, LockedCheckout, LockedDirectory, LockedSource
from inseam.plan.platform import PythonPlatform
from inseam.wheels_from_source.decisions import (
    Built,
    check_built,
    missing_requirement,
    version_variables,
)

PLATFORM = PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 36))
HASH = "0" * 64


def archive(name: str = "rope", *requires: str, version: str = "1.0") -> LockedArchive:
    url = f"https:/${{INDEX}}/packages/{name}-{version}.tar.gz"
    return LockedArchive(name, version, HASH, url, requires)


def check(source: LockedSource, filename: str, *, native: bool = False, **more: Any) -> None:
    says = {"name": source.name, "version": source.version, "requires": (), **more}
    check_built(source, Built(filename, **says), PLATFORM, native=native)


@pytest.mark.parametrize(
    "filename, native",
    [
        ("rope-1.0-py3-none-any.whl", False),
        ("rope-1.0-py2.py3-none-any.whl", True),
        ("rope-1.0-cp311-cp311-linux_x86_64.whl", True),
        ("rope-1.0-cp37-abi3-linux_x86_64.whl", True),
    ],
)
def test_what_fits_is_taken(filename: str, native: bool) -> None:
    check(archive(), filename, native=native)


def test_names_and_versions_are_compared_as_packaging_does() -> None:
    source = archive("rope-yarn", version="1.0.0")
    check(source, "Rope_Yarn-1.0-py3-none-any.whl", name="Rope.Yarn", version="1.0")


@pytest.mark.parametrize(
    "filename, more, why",
    [
        ("rope-1.1-py3-none-any.whl", {"version": "1.1"}, "says that it is rope 1.1, but the lock"),
        ("string-1.0-py3-none-any.whl", {"name": "string"}, "says that it is string 1.0"),
        ("rope.whl", {}, "Invalid wheel filename"),
        ("rope-1.0-py3-none-any.whl", {"version": "of today"}, "Invalid version"),
        ("rope-1.0-py3-none-any.whl", {"requires": ("yarn>=2",)}, "requires 'yarn>=2', but by the"),
        ("rope-1.0-py3-none-any.whl", {"name": "\x1b[2J"}, r"it is \x1b[2J 1.0, but the lock"),
        ("rope-1.0-py3-none-any.whl", {"version": "1\n\x1b"}, r"\x1b'"),
        ("rope-1.0-py3-none-any.whl", {"requires": ("\x1b",)}, r"'\x1b' is not a requirement"),
        ("rope-1.0-py3-none-any.whl", {"requires": ("?",)}, "'?' is not a requirement"),
        (
            "rope-1.0-cp311-cp311-linux_x86_64.whl",
            {},
            "is for one platform only, though no compiler was there. If it needs a compiler",
        ),
        ("rope-1.0-cp311-cp311-linux_aarch64.whl", {"native": True}, "does not run on"),
        ("rope-1.0-cp312-cp312-linux_x86_64.whl", {"native": True}, "does not run on"),
    ],
)
def test_what_differs_from_the_lock_is_refused(
    filename: str, more: dict[str, Any], why: str
) -> None:
    with pytest.raises(Failure, match=re.escape(why)):
        check(archive(), filename, **more)


def test_requirements_of_other_platforms_and_extras_do_not_count() -> None:
    check(
        archive("rope", "yarn>=1"),
        "rope-1.0-py3-none-any.whl",
        requires=("Yarn>=2", "pywin32; sys_platform == 'win32'", "silk; extra == 'soft'"),
    )


def test_backends_are_told_the_version_of_what_has_none_in_a_file() -> None:
    url = f"git+https://git.invalid/rope@{'a' * 40}"
    for source in (
        LockedCheckout("rope", "1.2", HASH, url, ()),
        LockedDirectory("rope", "1.2", HASH, "file://${ROOT}/rope", ()),
    ):
        variables = version_variables(source)
        assert variables["SETUPTOOLS_SCM_PRETEND_VERSION"] == "1.2"
        assert set(variables.values()) == {"1.2"}
    assert version_variables(archive()) == {}


@pytest.mark.parametrize(
    "resolve, typed",
    [
        ("mine", '"mine", then run: ./pants generate-lockfiles --resolve=mine'),
        ("", "[inseam] build_resolve = \"build\", add the line 'odd>=1'"),
    ],
)
def test_a_missing_requirement_says_which_line_to_add(resolve: str, typed: str) -> None:
    text = missing_requirement(archive(), "odd>=1", "has no odd", resolve, "the lock")
    assert text.startswith("rope 1.0 needs 'odd>=1' to be built, but the lock has no odd.")
    assert "the line 'odd>=1'" in text
    assert typed in text
