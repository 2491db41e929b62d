# ruff: noqa: E501 (tables in one line cannot be broken)
from __future__ import annotations

import copy
from typing import Any

import pytest

from inseam.formats.failure import Failure
from inseam.formats.glibc import GlibcVersion
from inseam.plan.lock import chosen, closure
from inseam.plan.lock_place import LockPlace
from inseam.plan.lock_testing import MISSING, changed
from inseam.plan.platform import PythonPlatform
from inseam.plan.pylock import read_pylock
from inseam.plan.python_lock import Artifact, Distribution, PythonLock
from inseam.plan.toml import read_toml

PLATFORM = PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 36))
INDEX = "https://index.invalid/simple"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
A, B = "a" * 64, "b" * 64
TEXT = f"""\
lock-version = "1.0"
created-by = "uv"
requires-python = ">=3.9"
environments = ["sys_platform == 'linux'"]
extras = ["fast"]
dependency-groups = ["dev"]
default-groups = ["main"]

[[packages]]
name = "wheeled"
version = "1.0"
marker = "('fast' in extras or 'dev' in dependency_groups) and python_version >= '3.9'"
requires-python = ">=3.8"
index = "{INDEX}"
dependencies = [{{ name = "never" }}]
sdist = {{ url = "https://files.invalid/wheeled-1.0.tar.gz", upload-time = 2026-01-06T11:45:21Z, hashes = {{ sha256 = "{B}" }} }}
wheels = [{{ name = "wheeled-1.0-py3-none-any.whl", url = "https://files.invalid/wheeled-1.0-py3-none-any.whl", size = 1, hashes = {{ md5 = "00", sha256 = "{A}" }} }}]

[[packages]]
name = "archived"
version = "1.0"
archive = {{ path = "dist/archived-1.0.zip", subdirectory = "lib", hashes = {{ sha256 = "{A}" }} }}

[[packages]]
name = "gitted"
vcs = {{ type = "git", url = "https://host.invalid/x.git", commit-id = "{COMMIT}", subdirectory = "sub" }}

[[packages]]
name = "housed"
directory = {{ path = "libs/housed", editable = true }}
"""
DOCUMENT = read_toml(TEXT.encode())
PLACE = LockPlace("app/pylock.toml", "x", (INDEX,))


def read(document: dict[str, Any] = DOCUMENT, place: LockPlace = PLACE) -> PythonLock:
    return read_pylock(document, place)


def items(lock: PythonLock) -> dict[str, Distribution]:
    return {one.name: one for one in lock.parts[0].distributions}


def test_what_is_known_of_each_kind_of_package() -> None:
    found = items(read())
    assert found["wheeled"].artifacts == (
        Artifact("https://files.invalid/wheeled-1.0-py3-none-any.whl", "sha256", A),
        Artifact("https://files.invalid/wheeled-1.0.tar.gz", "sha256", B),
    )
    assert found["wheeled"].requires_python == ">=3.8"
    archive = chosen(found["archived"], PLATFORM)
    assert (archive.filename, archive.subdirectory) == ("archived-1.0.zip", "lib")  # type: ignore[union-attr]
    assert found["archived"].artifacts[0].url.startswith("file:app/dist/archived-1.0.zip#")
    assert found["gitted"].artifacts == (
        Artifact(f"git+https://host.invalid/x.git@{COMMIT}#subdirectory=sub"),
    )
    assert found["housed"].artifacts == (Artifact("file:app/libs/housed", directory=True),)


def test_what_packages_require_is_left_to_their_wheels() -> None:
    """PEP 751: `packages.dependencies` is not for installers."""
    found = closure(read(), ["wheeled"], PLATFORM)
    assert [one.name for one in found.unread] == ["wheeled"]
    assert found.locked == ()


@pytest.mark.parametrize(
    "marker, applies",
    [
        ("'fast' in extras", True),
        ("'slow' in extras", False),
        ("'slow' not in extras", True),
        ('"dev" in dependency_groups and "fast"  not  in extras', False),
        ("'main' in dependency_groups", True),
        ("python_full_version < '3.10'", False),
        ("'fast' in extras and python_full_version == '3.11.*'", True),
    ],
)
def test_markers_of_extras_groups_and_platforms(marker: str, applies: bool) -> None:
    document = copy.deepcopy(DOCUMENT)
    document["packages"][0]["marker"] = marker
    if applies:
        assert closure(read(document), ["wheeled"], PLATFORM).unread
        return
    with pytest.raises(
        Failure, match=r"not contain wheeled for this platform \(wheeled 1.0 is for"
    ):
        closure(read(document), ["wheeled"], PLATFORM)


def test_files_of_another_index_are_looked_up_in_the_configured_ones() -> None:
    lock = read(place=LockPlace("pylock.toml", "x", ("https://mirror.invalid/simple",)))
    assert [one.url for one in items(lock)["wheeled"].artifacts] == [
        "index:wheeled/wheeled-1.0-py3-none-any.whl",
        "index:wheeled/wheeled-1.0.tar.gz",
    ]


@pytest.mark.parametrize(
    "maker, refresh",
    [
        ("uv", "Run: uv export --format=pylock.toml --output-file=app/pylock.toml"),
        ("pip", "Run: pip lock --output=app/pylock.toml"),
        ("pdm", "Run: pdm export --format=pylock --output=app/pylock.toml"),
        ("nobody", "Generate it again with the tool that made it."),
    ],
)
def test_who_made_it_makes_it_again(maker: str, refresh: str) -> None:
    assert read({**DOCUMENT, "created-by": maker}).refresh == refresh


def test_later_minor_versions_are_read_and_other_systems_refused() -> None:
    assert read({**DOCUMENT, "lock-version": "1.7"}).requires_python == (">=3.9",)
    with pytest.raises(Failure, match="is not for linux/amd64 with CPython 3.11.2"):
        closure(read({**DOCUMENT, "environments": ["os_name == 'nt'"]}), ["wheeled"], PLATFORM)


def test_a_distribution_without_a_sha256_is_refused() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["packages"][0]["wheels"][0]["hashes"] = {"sha512": "ab"}
    with pytest.raises(Failure, match="wheeled 1.0 is locked with sha512, not with sha256"):
        chosen(items(read(document))["wheeled"], PLATFORM)


FIRST: tuple[Any, ...] = ("packages", 0)
WHEEL = (*FIRST, "wheels", 0)
MUTATIONS: list[tuple[tuple[Any, ...], str, tuple[Any, ...]]] = [
    (("lock-version",), "its `lock-version` is '2.0', and only version 1", ("2.0",)),
    (("lock-version",), "it has no usable `lock-version`", (MISSING, 1, 1.0, [])),
    (("extras",), "it has no usable `extras`", (1, "x", ["a b"], [1])),
    (("dependency-groups",), "it has no usable `dependency-groups`", (1, "x", [1])),
    (("default-groups",), "it has no usable `default-groups`", (1, "x", [1])),
    (("environments",), "it has no usable `environments`", (1, "x", ["x"])),
    (("requires-python",), "it has no usable `requires-python`", (3, "x")),
    (("packages",), "it has no usable `packages`", (1, {}, "x")),
    (FIRST, "`packages` 1 of it is not an object", (1, "x")),
    ((*FIRST, "name"), "`packages` 1 of it has no usable `name`", (MISSING, 1, "", "a/b")),
    ((*FIRST, "version"), "package wheeled has no usable `version`", (1, "x")),
    ((*FIRST, "marker"), "package wheeled 1.0 has no usable `marker`", (1, "x", "'a' in nothing", "(" * 5000)),
    ((*FIRST, "requires-python"), "package wheeled 1.0 has no usable `requires-python`", (1, "x")),
    ((*FIRST, "index"), "package wheeled 1.0 has no usable `index`", (1, "x")),
    ((*FIRST, "wheels"), "package wheeled 1.0 has no usable `wheels`", (1, {})),
    (WHEEL, "`wheels` 1 of package wheeled 1.0 is not an object", (1, "x")),
    ((*WHEEL, "url"), "`wheels` 1 of package wheeled 1.0 has no usable `path`", (MISSING,)),
    ((*WHEEL, "url"), "`wheels` 1 of package wheeled 1.0 has no usable `url`", (1, "x", "http://[")),
    ((*WHEEL, "url"), "has no usable `name`, the last part", ("https://files.invalid/x",)),
    ((*WHEEL, "hashes"), "`hashes` of `wheels` 1 of package wheeled 1.0 is not", (MISSING, 1)),
    ((*WHEEL, "hashes"), "`wheels` 1 of package wheeled 1.0 has no usable `sha256`", ({}, {"sha256": "x"})),
    ((*FIRST, "sdist"), "`sdist` of package wheeled 1.0 is not an object", (1, [])),
    (("packages", 1, "archive", "path"), "has no usable `path`", (MISSING, 1, "a\\b.zip")),
    (("packages", 1, "archive"), "package archived 1.0 has no usable `wheels`, `sdist`", (MISSING,)),
    (("packages", 2, "vcs", "type"), "`vcs` of package gitted has no usable `type`", (MISSING, "")),
    (("packages", 2, "vcs", "commit-id"), "`vcs` of package gitted has no usable `commit-id`", (MISSING, "main")),
    (("packages", 3, "directory"), "`directory` of package housed is not an object", (1, "x")),
    (("packages", 3, "directory", "path"), "has no usable `path`", (MISSING, 1)),
]  # fmt: skip


@pytest.mark.parametrize(
    "place, text, value",
    [(place, text, value) for place, text, values in MUTATIONS for value in values],
)
def test_what_no_pylock_holds_is_named_by_file_entry_and_field(
    place: tuple[Any, ...], text: str, value: Any
) -> None:
    with pytest.raises(Failure) as caught:
        read(changed(DOCUMENT, place, value))
    assert str(caught.value).startswith("app/pylock.toml is not a usable pylock.toml: ")
    assert text in str(caught.value)
    assert str(caught.value).endswith("--output-file=app/pylock.toml")
