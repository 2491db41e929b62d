from __future__ import annotations

import os
import sys
from typing import Iterable

import pytest
from packaging import tags
from packaging.markers import default_environment

from inseam.formats.glibc import GlibcVersion
from inseam.plan.platform import PythonPlatform


def test_a_platform_reads_as_people_say_it() -> None:
    text = str(PythonPlatform("arm64", "3.11.2", GlibcVersion(2, 36)))
    assert text == "linux/arm64, CPython 3.11.2, glibc 2.36"


def test_wheels_for_one_interpreter_come_first_and_newer_manylinux_before_older() -> None:
    found = PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 18)).tags()
    assert found[:5] == (
        "cp311-cp311-manylinux_2_18_x86_64",
        "cp311-cp311-manylinux_2_17_x86_64",
        "cp311-cp311-manylinux2014_x86_64",
        "cp311-cp311-manylinux_2_16_x86_64",
        "cp311-cp311-manylinux_2_15_x86_64",
    )
    assert found[-1] == "py30-none-any"


@pytest.mark.parametrize(
    "earlier, later",
    [
        ("cp311-cp311-linux_x86_64", "cp311-abi3-manylinux_2_36_x86_64"),
        ("cp311-abi3-linux_x86_64", "cp311-none-manylinux_2_36_x86_64"),
        ("cp311-none-linux_x86_64", "cp310-abi3-manylinux_2_36_x86_64"),
        ("cp310-abi3-linux_x86_64", "cp39-abi3-manylinux_2_36_x86_64"),
        ("cp32-abi3-linux_x86_64", "py311-none-manylinux_2_36_x86_64"),
        ("py311-none-linux_x86_64", "py3-none-manylinux_2_36_x86_64"),
        ("py30-none-linux_x86_64", "cp311-none-any"),
        ("cp311-none-any", "py311-none-any"),
        ("py311-none-any", "py3-none-any"),
        ("py3-none-any", "py310-none-any"),
    ],
)
def test_the_order_of_pep_425(earlier: str, later: str) -> None:
    found = PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 36)).tags()
    assert found.index(earlier) < found.index(later)


@pytest.mark.parametrize(
    "tag",
    [
        "cp311-cp311-manylinux_2_37_x86_64",
        "cp311-cp311-manylinux_2_4_x86_64",
        "cp311-cp311-manylinux_2_36_aarch64",
        "cp311-cp311-musllinux_1_1_x86_64",
        "cp311-cp311m-manylinux_2_17_x86_64",
        "cp312-abi3-manylinux_2_17_x86_64",
        "cp310-cp310-manylinux_2_17_x86_64",
        "py2-none-any",
        "cp311-cp311-any",
    ],
)
def test_what_does_not_run_has_no_tag(tag: str) -> None:
    assert tag not in PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 36)).tags()


def platforms(platform: PythonPlatform) -> list[str]:
    prefix = "cp311-cp311-"
    return [tag[len(prefix) :] for tag in platform.tags() if tag.startswith(prefix)]


def test_every_glibc_down_to_the_oldest_has_a_tag_and_some_have_two_names() -> None:
    found = platforms(PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 36)))
    assert [name for name in found if name.startswith("manylinux_")] == [
        f"manylinux_2_{minor}_x86_64" for minor in range(36, 4, -1)
    ]
    for legacy, name in (
        ("manylinux2014", "manylinux_2_17"),
        ("manylinux2010", "manylinux_2_12"),
        ("manylinux1", "manylinux_2_5"),
    ):
        assert found.index(f"{legacy}_x86_64") == found.index(f"{name}_x86_64") + 1
    assert found[-1] == "linux_x86_64"


def test_arm_begins_with_glibc_2_17() -> None:
    assert platforms(PythonPlatform("arm64", "3.11.2", GlibcVersion(2, 19))) == [
        "manylinux_2_19_aarch64",
        "manylinux_2_18_aarch64",
        "manylinux_2_17_aarch64",
        "manylinux2014_aarch64",
        "linux_aarch64",
    ]


def test_no_tag_is_there_twice() -> None:
    for architecture in ("amd64", "arm64"):
        found = PythonPlatform(architecture, "3.13.1", GlibcVersion(2, 41)).tags()
        assert len(set(found)) == len(found)


def here() -> PythonPlatform:
    """The platform that runs this test."""
    machine = os.uname().machine
    if sys.platform != "linux" or sys.implementation.name != "cpython":
        pytest.skip("needs CPython on Linux")
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine)
    try:
        libc, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (OSError, ValueError):
        libc = version = ""
    if architecture is None or libc != "glibc" or sys.maxsize < 2**32:
        pytest.skip("needs a 64-bit machine with glibc")
    major, minor = version.split(".")[:2]
    python = ".".join(map(str, sys.version_info[:3]))
    return PythonPlatform(architecture, python, GlibcVersion(int(major), int(minor)))


def test_tags_are_those_that_an_interpreter_has_on_such_a_machine() -> None:
    platform = here()
    major, minor = platform.minor
    # Old versions of `packaging` forget this one, and new ones put wheels for plain Linux, which
    # no index has, before the others.
    forgotten = f"cp{major}{minor}-none-any"

    def comparable(found: Iterable[str]) -> list[str]:
        return [tag for tag in found if tag != forgotten and "-linux_" not in tag]

    expected = [str(tag) for tag in tags.sys_tags()]
    assert comparable(platform.tags()) == comparable(expected)
    assert set(platform.tags()) == {*expected, forgotten}


def test_markers_are_those_that_an_interpreter_has_on_such_a_machine() -> None:
    # What is about one computer, and not about its kind, is left empty.
    expected = {**default_environment(), "platform_release": "", "platform_version": ""}
    assert here().markers() == expected


def test_names_of_machine_and_minor_version() -> None:
    platform = PythonPlatform("arm64", "3.11.2", GlibcVersion(2, 36))
    assert (platform.machine, platform.minor) == ("aarch64", (3, 11))
    assert platform.markers()["platform_machine"] == "aarch64"
    assert platform.markers()["python_version"] == "3.11"
    assert platform.markers()["python_full_version"] == "3.11.2"


def test_platforms_are_values() -> None:
    one, other = (PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 36)) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)


def test_a_free_threaded_python_has_an_abi_of_its_own_and_no_stable_one() -> None:
    platform = PythonPlatform("amd64", "3.13.5", GlibcVersion(2, 36), free_threaded=True)
    assert str(platform) == "linux/amd64, CPython 3.13.5, free-threaded, glibc 2.36"
    found = platform.tags()
    assert found[0] == "cp313-cp313t-manylinux_2_36_x86_64"
    assert "cp313-none-any" in found
    assert "py3-none-any" in found
    assert not [tag for tag in found if "-abi3-" in tag or "-cp313-" in tag]
