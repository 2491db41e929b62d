# ruff: noqa: E501 (tables in one line cannot be broken)
from __future__ import annotations

import copy
from typing import Any

import pytest

from inseam.formats.failure import Failure
from inseam.formats.glibc import GlibcVersion
from inseam.plan.artifacts import LockedArchive, LockedCheckout, LockedDirectory, LockedWheel
from inseam.plan.lock import closure
from inseam.plan.lock_place import LockPlace
from inseam.plan.lock_testing import MISSING, changed
from inseam.plan.platform import PythonPlatform
from inseam.plan.python_lock import Artifact, PythonLock
from inseam.plan.toml import read_toml
from inseam.plan.uv_lock import read_uv_lock

PLATFORM = PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 36))
OLD = PythonPlatform("amd64", "3.9.2", GlibcVersion(2, 31))
INDEX = "https://index.invalid/simple"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
A, B, C = "a" * 64, "b" * 64, "c" * 64

# As uv 0.13 writes it, of a project with what locks have: forks, extras, groups, local sources.
TEXT = f"""\
version = 1
revision = 5
requires-python = ">=3.9"
resolution-markers = [
    "python_full_version >= '3.10'",
    "python_full_version < '3.10'",
]

[manifest]
members = ["inner", "outer"]

[[package]]
name = "fork"
version = "1.0"
source = {{ registry = "{INDEX}" }}
resolution-markers = ["python_full_version < '3.10'"]
wheels = [
    {{ url = "https://files.invalid/ab/fork-1.0-py3-none-any.whl", hash = "sha256:{A}", size = 1 }},
]

[[package]]
name = "fork"
version = "2.0"
source = {{ registry = "{INDEX}" }}
resolution-markers = ["python_full_version >= '3.10'"]
dependencies = [
    {{ name = "leaf", marker = "sys_platform == 'linux'" }},
]
sdist = {{ url = "https://files.invalid/ab/fork-2.0.tar.gz", hash = "sha256:{C}", size = 1 }}
wheels = [
    {{ url = "https://files.invalid/ab/fork-2.0-py3-none-any.whl", hash = "sha256:{B}", size = 1 }},
]

[package.optional-dependencies]
fast = [
    {{ name = "speed", marker = "python_full_version >= '3.10'" }},
]

[[package]]
name = "inner"
source = {{ editable = "libs/inner" }}

[[package]]
name = "leaf"
version = "0.1"
source = {{ registry = "{INDEX}" }}
sdist = {{ url = "https://files.invalid/leaf-0.1.tar.gz", hash = "sha256:{C}" }}

[[package]]
name = "local"
version = "1.0"
source = {{ path = "dist/local-1.0-py3-none-any.whl" }}
wheels = [
    {{ filename = "local-1.0-py3-none-any.whl", hash = "sha256:{A}" }},
]

[[package]]
name = "flat"
version = "1.0"
source = {{ registry = "wheels" }}
wheels = [
    {{ path = "flat-1.0-py3-none-any.whl" }},
]

[[package]]
name = "direct"
version = "1.0"
source = {{ url = "https://files.invalid/direct-1.0.tar.gz" }}
sdist = {{ hash = "sha256:{B}" }}

[[package]]
name = "gitted"
version = "1.0"
source = {{ git = "https://host.invalid/x/gitted.git?subdirectory=sub&rev=main#{COMMIT}" }}

[[package]]
name = "speed"
version = "1.0"
source = {{ registry = "https://index.invalid/simple/" }}
wheels = [
    {{ url = "https://files.invalid/speed-1.0-py3-none-any.whl", hash = "sha256:{A}" }},
]

[[package]]
name = "outer"
version = "0.1.0"
source = {{ virtual = "." }}
dependencies = [
    {{ name = "fork", version = "1.0", source = {{ registry = "{INDEX}" }}, marker = "python_full_version < '3.10'" }},
    {{ name = "fork", version = "2.0", source = {{ registry = "{INDEX}" }}, extra = ["fast"], marker = "python_full_version >= '3.10'" }},
]

[package.dev-dependencies]
dev = [
    {{ name = "inner" }},
]

[package.metadata]
requires-dist = [{{ name = "fork" }}]
"""
DOCUMENT = read_toml(TEXT.encode())
PLACE = LockPlace("app/uv.lock", "x", (INDEX,))


def read(document: dict[str, Any] = DOCUMENT, place: LockPlace = PLACE) -> PythonLock:
    return read_uv_lock(document, place)


def locked(*roots: str, platform: PythonPlatform = PLATFORM, place: LockPlace = PLACE) -> list[Any]:
    return list(closure(read(place=place), roots, platform).locked)


def test_the_fork_for_the_platform_is_taken() -> None:
    assert [f"{one.name} {one.version}" for one in locked("fork")] == ["fork 2.0", "leaf 0.1"]
    assert [f"{one.name} {one.version}" for one in locked("fork", platform=OLD)] == ["fork 1.0"]


def test_extras_are_those_that_somebody_asks_for() -> None:
    assert [one.name for one in locked("fork[fast]")] == ["fork", "leaf", "speed"]
    assert [one.name for one in locked("fork[fast]", platform=OLD)] == ["fork"]


def test_what_is_known_of_each_kind_of_source() -> None:
    found = {one.name: one for one in locked("fork", "local", "direct", "gitted", "inner")}
    assert found["fork"] == LockedWheel(
        "fork", "2.0", "fork-2.0-py3-none-any.whl", B,  # type: ignore[arg-type]
        "https://files.invalid/ab/fork-2.0-py3-none-any.whl",
    )  # fmt: skip
    leaf = "https://files.invalid/leaf-0.1.tar.gz"
    assert found["leaf"] == LockedArchive("leaf", "0.1", C, leaf, ())
    assert found["local"].url == "file:app/dist/local-1.0-py3-none-any.whl"
    direct = "https://files.invalid/direct-1.0.tar.gz"
    assert found["direct"] == LockedArchive("direct", "1.0", B, direct, ())
    gitted = found["gitted"]
    assert isinstance(gitted, LockedCheckout)
    assert gitted.revision == ("https://host.invalid/x/gitted.git", COMMIT, "sub")
    inner = found["inner"]
    assert isinstance(inner, LockedDirectory)
    assert inner.located(inner.url) == "app/libs/inner"


def test_files_without_a_hash_are_accepted_in_the_repository_alone() -> None:
    flat = [one for one in read().parts[0].distributions if one.name == "flat"]
    assert flat[0].artifacts == (Artifact("file:app/wheels/flat-1.0-py3-none-any.whl"),)


@pytest.mark.parametrize(
    "indexes, url",
    [
        ((INDEX,), "https://files.invalid/ab/fork-2.0-py3-none-any.whl"),
        (("https://user@INDEX.invalid/simple/",), "https://files.invalid/ab/fork-2.0-py3-none-any.whl"),
        ((f"ours={INDEX}/",), "https://files.invalid/ab/fork-2.0-py3-none-any.whl"),
        (("https://mirror.invalid/simple",), "index:fork/fork-2.0-py3-none-any.whl"),
        ((), "index:fork/fork-2.0-py3-none-any.whl"),
    ],
)  # fmt: skip
def test_files_of_another_index_than_the_configured_ones_are_looked_up_there(
    indexes: tuple[str, ...], url: str
) -> None:
    place = LockPlace("uv.lock", "x", indexes)
    assert next(one for one in locked("fork", place=place) if one.name == "fork").url == url


def test_a_path_mapping_in_a_url_stays() -> None:
    document = read_toml(TEXT.replace("https://files.invalid", "https:/${INDEX}").encode())
    lock = read(document, LockPlace("uv.lock", "x", ()))
    (wheel, *_) = closure(lock, ["fork"], PLATFORM).locked
    assert wheel.url == "https:/${INDEX}/ab/fork-2.0-py3-none-any.whl"


def test_what_pants_makes_is_refreshed_by_pants_and_relative_to_the_root() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["package"][-1]["name"] = "pants-lockfile-for-x"
    lock = read(document, LockPlace("lockfiles/x.lock", "x", (INDEX,)))
    assert lock.refresh == "Run: ./pants generate-lockfiles --resolve=x"
    assert [one.artifacts[0].url for one in lock.parts[0].distributions if one.name == "inner"] == [
        "file:libs/inner"
    ]
    assert read().refresh == "Run: uv lock --directory=app"


def test_a_lock_for_other_pythons_or_systems_is_refused() -> None:
    assert read().requires_python == (">=3.9",)
    document = {**DOCUMENT, "supported-markers": ["sys_platform == 'darwin'"]}
    with pytest.raises(Failure, match="the lock of resolve 'x' is not for linux/amd64"):
        closure(read(document), ["fork"], PLATFORM)


def test_two_of_one_name_for_one_platform_are_refused() -> None:
    document = copy.deepcopy(DOCUMENT)
    del document["package"][0]["resolution-markers"]
    with pytest.raises(Failure, match=r"has fork 1.0 and fork 2.0 for one platform.*\(none; pyth"):
        closure(read(document), ["fork"], PLATFORM)


FORK: tuple[Any, ...] = ("package", 1)
WHEEL = (*FORK, "wheels", 0)
EDGE = (*FORK, "dependencies", 0)
MUTATIONS: list[tuple[tuple[Any, ...], str, tuple[Any, ...]]] = [
    (("version",), "its `version` is 2, and only version 1 of the format is known", (2,)),
    (("version",), "its `version` is", (MISSING, 0, "1", 1.5, True, [])),
    (("conflicts",), "it has `conflicts`, extras or groups that exclude each other", ([[{}]],)),
    (("requires-python",), "it has no usable `requires-python`", (3, [], "x", "=3")),
    (("supported-markers",), "no usable `supported-markers`", (3, "x", [1], ["os =="])),
    (("package",), "no usable `package`, a list of packages", (1, {}, "x")),
    (FORK, "`package` 2 of it is not an object", (1, "x", [])),
    ((*FORK, "name"), "`package` 2 of it has no usable `name`", (MISSING, 1, "", "../x", "a\n")),
    ((*FORK, "version"), "package fork has no usable `version`", (1, "one", [])),
    ((*FORK, "resolution-markers"), "package fork 2.0 has no usable `resolution-m", ("x", [1], ["("])),
    ((*FORK, "source"), "`source` of package fork 2.0 is not an object", (MISSING, 1, "x")),
    ((*FORK, "source"), "is of an unknown kind", ({}, {"svn": "x"}, {"git": "x", "path": "y"})),
    ((*FORK, "source"), "has no usable `registry`", ({"registry": 1},)),
    ((*FORK, "source"), "has no usable `git`, a URL", ({"git": "x"}, {"git": "https://h.invalid/x#main"})),
    ((*FORK, "wheels"), "package fork 2.0 has no usable `wheels`", (1, {}, "x")),
    (WHEEL, "`wheels` 1 of package fork 2.0 is not an object", (1, "x")),
    ((*WHEEL, "url"), "`wheels` 1 of package fork 2.0 has no usable `path`", (MISSING,)),
    ((*WHEEL, "url"), "`wheels` 1 of package fork 2.0 has no usable `url`", (1, "x", "http://[")),
    ((*WHEEL, "url"), "a wheel of other 1.0", ("https://files.invalid/other-1.0-py3-none-any.whl",)),
    ((*WHEEL, "url"), "has a character that a file name must not have", ("https://files.invalid/..%2F",)),
    ((*WHEEL, "hash"), "`wheels` 1 of package fork 2.0 has no usable `hash`", (MISSING, 1, "", "sha256:x", A)),
    ((*FORK, "sdist"), "`sdist` of package fork 2.0 is not an object", (1, [])),
    ((*FORK, "dependencies"), "package fork 2.0 has no usable `dependencies`", (1, {})),
    (EDGE, "`dependencies` 1 of package fork 2.0 is not an object", (1, "leaf")),
    ((*EDGE, "name"), "`dependencies` 1 of package fork 2.0 has no usable `name`", (MISSING, "", "a b")),
    ((*EDGE, "version"), "has no usable `version`", ("x", 1)),
    ((*EDGE, "marker"), "has no usable `marker`", ("x", 1, "(" * 5000)),
    ((*EDGE, "extra"), "has no usable `extra`", ("x", [1], ["] @ x"])),
    ((*FORK, "optional-dependencies"), "`optional-dependencies` of package fork 2.0", (1, [], {"a'b": []})),
]  # fmt: skip


@pytest.mark.parametrize(
    "place, text, value",
    [(place, text, value) for place, text, values in MUTATIONS for value in values],
)
def test_what_no_lock_of_uv_holds_is_named_by_file_entry_and_field(
    place: tuple[Any, ...], text: str, value: Any
) -> None:
    with pytest.raises(Failure) as caught:
        read(changed(DOCUMENT, place, value), LockPlace("app/uv.lock", "x", ()))
    assert str(caught.value).startswith("app/uv.lock is not a usable uv.lock: ")
    assert text in str(caught.value)
    assert str(caught.value).endswith(". Run: uv lock --directory=app")
