from __future__ import annotations

import itertools
import json
import re
from typing import Any, Iterable

import pytest
from packaging.utils import canonicalize_name

from inseam.formats.failure import Failure
from inseam.formats.glibc import GlibcVersion
from inseam.formats.names import FileName
from inseam.plan.artifacts import (
    Locked,
    LockedArchive,
    LockedCheckout,
    LockedDirectory,
    LockedWheel,
)
from inseam.plan.lock import (
    WheelClosure,
    closure,
    is_index_neutral,
    matching,
    reachable,
    resolve_url,
)
from inseam.plan.lock_file import parse_lock
from inseam.plan.lock_place import LockPlace
from inseam.plan.pex_lock import read_pex_lock
from inseam.plan.platform import PythonPlatform
from inseam.plan.python_lock import Distribution, Part, PythonLock

PLATFORM = PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 36))
ARM = PythonPlatform("arm64", "3.11.2", GlibcVersion(2, 36))


def artifact(filename: str, *, algorithm: str = "sha256") -> dict[str, str]:
    return {
        "algorithm": algorithm,
        "hash": f"{sum(map(ord, filename)):064x}",
        "url": f"https:/${{INDEX}}/packages/ab/cd/{filename}",
    }


def item(
    name: str,
    *requires: str,
    version: str = "1.0",
    files: Iterable[str] | None = None,
    requires_python: str | None = None,
) -> dict[str, Any]:
    """A locked requirement as PEX writes it."""
    if files is None:
        files = [f"{name.replace('-', '_')}-{version}-py3-none-any.whl"]
    return {
        "artifacts": [artifact(file) for file in files],
        "project_name": name,
        "requires_dists": list(requires),
        "requires_python": requires_python,
        "version": version,
    }


def lock(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    part = {"locked_requirements": list(items), "marker": None, "platform_tag": None}
    return {"locked_resolves": [part], "pex_version": "2.69.0", **more}


def needed(
    locked: dict[str, Any], *roots: str, platform: PythonPlatform = PLATFORM
) -> tuple[Locked, ...]:
    return closure(read_pex_lock(locked, "x.lock", "services"), roots, platform).locked


def wheels(locked: dict[str, Any], *roots: str) -> tuple[LockedWheel, ...]:
    return tuple(item for item in needed(locked, *roots) if isinstance(item, LockedWheel))


def names(locked: dict[str, Any], *roots: str, platform: PythonPlatform = PLATFORM) -> str:
    return " ".join(wheel.name for wheel in needed(locked, *roots, platform=platform))


# --- Reading ----------------------------------------------------------------------------------

TEXT = json.dumps(lock(item("a"))).encode()


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        b"// A comment that Pants puts on top.\n//\n" + TEXT,
        b"  // indented\n" + json.dumps(lock(item("a")), indent=2).encode() + b"\n",
        b"// --- END PANTS LOCKFILE METADATA ---\r\n" + TEXT,
    ],
)
def test_a_lock_is_read_with_and_without_comments(text: bytes) -> None:
    found = parse_lock(text, LockPlace("lockfiles/x.lock", "x"))
    assert found == read_pex_lock(lock(item("a")), "lockfiles/x.lock", "x")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"// only a comment\n",
        b"[]",
        b"{}",
        b"3",
        b"nothing that is known\n",
        b"[tool.poetry]\n",
        b"a = [\n",
        b"null",
        b'{"locked_resolves": []}',
        b'{"locked_resolves": [{}]}',
        b'{"locked_resolves": [{"locked_requirements": []}',
        b"\xff\xfe",
        b"<<<<<<< HEAD\n" + TEXT,
    ],
)
def test_what_is_no_lock_is_refused_with_the_command_that_makes_one(text: bytes) -> None:
    with pytest.raises(Failure) as error:
        parse_lock(text, LockPlace("lockfiles/x.lock", "x"))
    assert re.match(
        r"lockfiles/x\.lock is not a (PEX lock file|lock of a known).*: ", str(error.value)
    )
    assert str(error.value).endswith("./pants generate-lockfiles --resolve=x")


# --- Closures ---------------------------------------------------------------------------------

CHAIN = lock(
    item("app", "lib>=1", 'win; sys_platform == "win32"', 'old; python_version < "3.9"'),
    item("lib", "Data_Files"),
    item("data-files"),
    item("lone"),
    item("win"),
)


@pytest.mark.parametrize(
    "roots, expected",
    [
        ([], ""),
        (["lone"], "lone"),
        (["app"], "app data-files lib"),
        (["APP", "Data.Files"], "app data-files lib"),
        (["lib", "lone"], "data-files lib lone"),
        (["app==1.0"], "app data-files lib"),
        (["app>=0.5,<2"], "app data-files lib"),
        (['lone; sys_platform == "linux"'], "lone"),
        (['lone; sys_platform == "darwin"', "win"], "win"),
        (['lone; extra == "x"'], ""),
        (["lone @ https://example.invalid/lone-1.0-py3-none-any.whl"], "lone"),
    ],
)
def test_closures(roots: list[str], expected: str) -> None:
    for order in itertools.permutations(roots):
        assert names(CHAIN, *order) == expected


def test_what_is_known_of_a_wheel() -> None:
    (wheel,) = wheels(lock(item("Data_Files", version="2.0")), "data-files")
    file = artifact("Data_Files-2.0-py3-none-any.whl")
    assert wheel == LockedWheel(
        "data-files",
        "2.0",
        FileName("Data_Files-2.0-py3-none-any.whl"),
        file["hash"],
        file["url"],
    )


EXTRAS = lock(
    item("app", "lib[fast]"),
    item("late", "lib[fast,tls]"),
    item(
        "lib",
        "core",
        'speed; extra == "fast"',
        'certs>=1; extra == "tls" and sys_platform == "linux"',
        'certs-win; extra == "tls" and sys_platform == "win32"',
        'lib[fast,tls]; extra == "all"',
        'odd; extra == "some_extra"',
    ),
    item("core"),
    item("speed", "late2"),
    item("late2", "lib[tls]"),
    item("certs"),
    item("odd"),
)


@pytest.mark.parametrize(
    "roots, expected",
    [
        (["lib"], "core lib"),
        (["lib[tls]"], "certs core lib"),
        (["lib[nonsense]"], "core lib"),
        # `lib` is there before someone further down wants it with another extra.
        (["lib", "app"], "app certs core late2 lib speed"),
        (["lib[fast]"], "certs core late2 lib speed"),
        (["lib[all]"], "certs core late2 lib speed"),
        # PEP 685: extras are compared like names.
        (["lib[some-extra]"], "core lib odd"),
        (["lib[Some_Extra]"], "core lib odd"),
        (["lib[some.extra]"], "core lib odd"),
    ],
)
def test_extras(roots: list[str], expected: str) -> None:
    for order in itertools.permutations(roots):
        assert names(EXTRAS, *order) == expected


def test_requirements_may_go_in_circles() -> None:
    assert names(lock(item("a", "b"), item("b", "a[x]")), "a") == "a b"


@pytest.mark.parametrize(
    "marker, applies",
    [
        ('python_version == "3.11"', True),
        ('python_full_version >= "3.11.2"', True),
        ('python_full_version >= "3.11.3"', False),
        ('platform_machine == "x86_64"', True),
        ('platform_machine == "aarch64"', False),
        ('platform_system == "Linux" and os_name == "posix"', True),
        ('implementation_name == "pypy" or platform_python_implementation == "PyPy"', False),
    ],
)
def test_markers_are_those_of_the_base_not_of_this_machine(marker: str, applies: bool) -> None:
    locked = lock(item("a", f"b; {marker}"), item("b"))
    assert names(locked, "a") == ("a b" if applies else "a")


def test_a_lock_of_several_parts_is_read_where_it_is_for_the_platform() -> None:
    locked = lock(item("a", version="1.0"))
    locked["locked_resolves"][0]["marker"] = 'platform_machine == "aarch64"'
    second = lock(item("a", version="2.0"))["locked_resolves"][0]
    second["marker"] = 'platform_machine == "x86_64"'
    locked["locked_resolves"].append(second)
    assert needed(locked, "a")[0].version == "2.0"
    assert needed(locked, "a", platform=ARM)[0].version == "1.0"
    del locked["locked_resolves"][1]
    with pytest.raises(Failure, match="not for linux/amd64 with CPython 3.11.2"):
        needed(locked, "a")


def test_an_unrelated_distribution_of_the_lock_changes_nothing() -> None:
    before = needed(lock(item("a", "b"), item("b"), item("c")), "a")
    after = needed(lock(item("a", "b"), item("b"), item("c", "d", version="2.0"), item("d")), "a")
    assert before == after


@pytest.mark.parametrize(
    "locked, root, why",
    [
        (lock(), "gone", r"does not contain gone, which the service requires"),
        (lock(item("a", "gone>=1")), "a", r"does not contain gone, which a 1.0 requires"),
        (lock(item("a")), "a>=2", r"contains a 1.0, but the service requires a>=2"),
        (lock(item("a", "b<1"), item("b")), "a", r"contains b 1.0, but a 1.0 requires b<1"),
        (
            lock(item("a", "b"), item("c", "b==3"), item("b")),
            "c",
            r"contains b 1.0, but c 1.0 requires b==3",
        ),
    ],
)
def test_a_lock_that_is_not_up_to_date_is_refused_with_the_next_step(
    locked: dict[str, Any], root: str, why: str
) -> None:
    with pytest.raises(Failure, match=why) as error:
        needed(locked, root)
    assert "the lock of resolve 'services'" in str(error.value)
    assert str(error.value).endswith("./pants generate-lockfiles --resolve=services")


def test_a_prerelease_is_fine_if_it_is_what_is_locked() -> None:
    assert names(lock(item("a", version="2.0b1")), "a>=1") == "a"


def test_a_local_version_satisfies_its_public_one() -> None:
    assert names(lock(item("a", version="2.0+cpu")), "a==2.0") == "a"


def test_what_is_no_requirement_is_refused() -> None:
    with pytest.raises(Failure, match="'a b' is not a requirement"):
        needed(lock(item("a")), "a b")


# --- Wheels -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "files, expected",
    [
        # The more specific the tag, the better.
        (["a-1-py3-none-any.whl", "a-1-cp311-cp311-manylinux_2_17_x86_64.whl"], 1),
        (
            [
                "a-1-cp39-abi3-manylinux_2_17_x86_64.whl",
                "a-1-cp311-cp311-manylinux_2_17_x86_64.whl",
            ],
            1,
        ),
        (["a-1-py3-none-any.whl", "a-1-cp37-abi3-manylinux_2_17_x86_64.whl"], 1),
        (
            [
                "a-1-cp37-abi3-manylinux_2_17_x86_64.whl",
                "a-1-cp310-abi3-manylinux_2_17_x86_64.whl",
            ],
            1,
        ),
        (["a-1-py3-none-any.whl", "a-1-py311-none-any.whl", "a-1-py2.py3-none-any.whl"], 1),
        # The newest manylinux that the base's glibc has.
        (
            [
                "a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
                "a-1-cp311-cp311-manylinux_2_28_x86_64.whl",
                "a-1-cp311-cp311-manylinux_2_39_x86_64.whl",
            ],
            1,
        ),
        (
            [
                "a-1-cp311-cp311-manylinux1_x86_64.whl",
                "a-1-cp311-cp311-manylinux2014_x86_64.whl",
                "a-1-cp311-cp311-manylinux2010_x86_64.whl",
            ],
            1,
        ),
        # What does not run here does not count.
        (
            [
                "a-1-cp312-cp312-manylinux_2_17_x86_64.whl",
                "a-1-cp311-cp311-musllinux_1_2_x86_64.whl",
                "a-1-cp311-cp311-macosx_11_0_arm64.whl",
                "a-1-cp311-cp311-win_amd64.whl",
                "a-1-cp311-cp311-manylinux_2_17_aarch64.whl",
                "a-1-cp312-abi3-manylinux_2_17_x86_64.whl",
                "a-1-pp39-pypy39_pp73-manylinux_2_17_x86_64.whl",
                "a-1-py3-none-any.whl",
                "a-1.tar.gz",
            ],
            7,
        ),
        # Build numbers are numbers.
        (["a-1-9-py3-none-any.whl", "a-1-10-py3-none-any.whl", "a-1-py3-none-any.whl"], 1),
        # Unreadable names are left out.
        (["a-1-py3.whl", "a-nonsense-py3-none-any.whl", "a-1-py3-none-any.whl"], 2),
    ],
)
def test_the_best_wheel_is_chosen(files: list[str], expected: int) -> None:
    for order in itertools.islice(itertools.permutations(files), 200):
        (wheel,) = wheels(lock(item("a", version="1", files=order)), "a")
        assert wheel.filename == files[expected]


def test_names_in_urls_are_decoded() -> None:
    file = "torch-2.0%2Bcpu-cp311-cp311-linux_x86_64.whl"
    (wheel,) = wheels(lock(item("torch", version="2.0+cpu", files=[file])), "torch")
    assert wheel.filename == "torch-2.0+cpu-cp311-cp311-linux_x86_64.whl"
    assert wheel.url.endswith(file)


def test_fragments_and_queries_of_urls_are_no_part_of_the_name() -> None:
    file = "a-1.0-py3-none-any.whl"
    (wheel,) = wheels(lock(item("a", files=[f"{file}?x=y/z#sha256=00"])), "a")
    assert wheel.filename == file


def test_a_distribution_without_a_wheel_or_source_is_named_with_the_tags_there_are() -> None:
    files = [
        "a-1.0-cp311-cp311-macosx_11_0_arm64.whl",
        "a-1.0-cp311-cp311-manylinux_2_40_x86_64.whl",
    ]
    with pytest.raises(Failure) as error:
        needed(lock(item("a", files=files)), "a")
    assert str(error.value) == (
        "a 1.0 has no wheel for linux/amd64 with CPython 3.11.2 and glibc 2.36, and the lock has no"
        " source to build one from. It has wheels for: cp311-cp311-macosx_11_0_arm64,"
        " cp311-cp311-manylinux_2_40_x86_64. Lock a version that has one, choose another base, or"
        " lock it with sources allowed."
    )
    with pytest.raises(Failure, match=r"a 1.0 has no wheel .* It has no wheel\."):
        needed(lock(item("a", files=["a-1.0-py3.11.egg"])), "a")


# --- Sources ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file", ["a-1.0.tar.gz", "a-1.0.zip", "a-1.0.tar.bz2", "a-1.0.tgz", "A-1.0.TAR.GZ"]
)
def test_where_no_wheel_fits_the_sources_are_taken(file: str) -> None:
    files = ["a-1.0-cp311-cp311-macosx_11_0_arm64.whl", file]
    for order in itertools.permutations(files):
        (source,) = needed(lock(item("a", "b; extra == 'x'", files=order)), "a")
        url = artifact(file)["url"]
        assert source == LockedArchive(
            "a", "1.0", artifact(file)["hash"], url, ("b; extra == 'x'",)
        )
        assert isinstance(source, LockedArchive)
        assert source.origin == f"{file}#sha256={artifact(file)['hash']}"


def test_a_wheel_is_better_than_sources() -> None:
    files = ["a-1.0.tar.gz", "a-1.0-py3-none-any.whl"]
    for order in itertools.permutations(files):
        assert isinstance(needed(lock(item("a", files=order)), "a")[0], LockedWheel)


def from_url(url: str, **more: Any) -> dict[str, Any]:
    return {
        **item("a"),
        "artifacts": [{"algorithm": "sha256", "hash": "0" * 64, "url": url, **more}],
    }


COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    "url, repository, revision, commit, subdirectory, origin",
    [
        (
            f"git+https://host.invalid/x/a.git@{COMMIT}",
            "https://host.invalid/x/a.git", COMMIT, COMMIT, "",
            f"git+https://host.invalid/x/a.git@{COMMIT}",
        ),
        (
            "git+ssh://git@host.invalid/x/a@release/1.0#egg=a&subdirectory=lib/a",
            "ssh://git@host.invalid/x/a", "release/1.0", "", "lib/a",
            "git+ssh://host.invalid/x/a@release/1.0#subdirectory=lib/a",
        ),
        (
            "git+ssh://git@host.invalid/x/a",
            "ssh://git@host.invalid/x/a", "", "", "",
            "git+ssh://host.invalid/x/a",
        ),
        ("git+file:/srv/a@v1", "file:///srv/a", "v1", "", "", "git+file:///srv/a@v1"),
        ("git+file:///srv/a@v1", "file:///srv/a", "v1", "", "", "git+file:///srv/a@v1"),
        (
            "git+https://me:secret@host.invalid/a@v1",
            "https://me:secret@host.invalid/a", "v1", "", "",
            "git+https://host.invalid/a@v1",
        ),
    ],
)  # fmt: skip
def test_a_revision_of_a_repository_is_a_source(
    url: str, repository: str, revision: str, commit: str, subdirectory: str, origin: str
) -> None:
    (source,) = needed(lock(from_url(url)), "a")
    assert isinstance(source, LockedCheckout)
    assert (source.system, *source.revision) == ("git", repository, revision, subdirectory)
    assert (source.revision.commit or "", source.origin) == (commit, origin)


@pytest.mark.parametrize("more", [{}, {"editable": False}, {"editable": True}])
def test_a_directory_is_a_source(more: dict[str, bool]) -> None:
    (source,) = needed(lock(from_url("file:///srv/repo/lib%20s/a", **more)), "a")
    assert isinstance(source, LockedDirectory)
    assert source.located(source.url) == "/srv/repo/lib s/a"
    assert source.origin == "a/"


def test_a_file_of_ones_own_is_a_wheel_like_any_other() -> None:
    (wheel,) = wheels(lock(from_url("file://${HOUSE}/a-1.0-py3-none-any.whl")), "a")
    assert wheel.url == "file://${HOUSE}/a-1.0-py3-none-any.whl"


def test_who_requires_a_source_is_known() -> None:
    locked = lock(
        item("top", "mid", "side"),
        item("mid", "a"),
        item("side", "more"),
        item("more", "mid"),
        item("a", files=["a-1.0.tar.gz"]),
        item("b", files=["b-1.0.tar.gz"]),
    )
    found = closure(read_pex_lock(locked, "x.lock", "services"), ["top", "b"], PLATFORM)
    assert isinstance(found, WheelClosure)
    assert [source.name for source in found.sources] == ["a", "b"]
    assert found.required_by["a"] == ("the service", "top 1.0", "mid 1.0")
    assert found.required_by["b"] == ("the service",)


def test_only_what_is_needed_must_have_a_wheel() -> None:
    assert names(lock(item("a"), item("b", files=["b-1.0.egg"])), "a") == "a"


def test_a_wheel_is_locked_by_sha256() -> None:
    locked = lock(item("a"))
    locked["locked_resolves"][0]["locked_requirements"][0]["artifacts"] = [
        artifact("a-1.0-py3-none-any.whl", algorithm="md5")
    ]
    with pytest.raises(Failure, match="a 1.0 is locked with md5, not with sha256"):
        needed(locked, "a")


def test_a_distribution_for_other_pythons_is_refused() -> None:
    assert names(lock(item("a", requires_python=">=3.8,!=3.10.*")), "a") == "a"
    with pytest.raises(Failure, match=r"a 1.0 requires Python >=3.12, but the base has 3.11.2"):
        needed(lock(item("a", requires_python=">=3.12")), "a")


# --- Globs ------------------------------------------------------------------------------------

NVIDIA = read_pex_lock(
    lock(item("nvidia-cublas-cu12"), item("nvidia_cuda_runtime"), item("numpy"), item("x-nvidia")),
    "x.lock",
    "services",
)


@pytest.mark.parametrize(
    "pattern, expected",
    [
        ("nvidia-*", "nvidia-cublas-cu12 nvidia-cuda-runtime"),
        ("NVIDIA_*", "nvidia-cublas-cu12 nvidia-cuda-runtime"),
        ("numpy", "numpy"),
        ("n*y", "numpy"),
    ],
)
def test_globs_match_names_in_the_lock(pattern: str, expected: str) -> None:
    found = matching(NVIDIA, pattern, PLATFORM)
    assert " ".join(canonicalize_name(item.name) for item in found) == expected


def test_a_glob_that_matches_nothing_is_refused() -> None:
    with pytest.raises(Failure, match=r"no distribution .* 'services' matches 'torch\*'"):
        matching(NVIDIA, "torch*", PLATFORM)


# --- URLs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url, mappings, expected",
    [
        ("https:/${INDEX}/packages/a.whl", ["INDEX|/host.invalid"], "https://host.invalid/packages/a.whl"),
        ("https:/${INDEX}/a.whl", ["OTHER|/x", "INDEX|/host.invalid/"], "https://host.invalid/a.whl"),
        ("https:/${INDEX}/a.whl", ["INDEX|/host.invalid|What it is."], "https://host.invalid/a.whl"),
        ("file://${WHEELS}/a.whl", ["WHEELS|/mnt/wheels"], "file:///mnt/wheels/a.whl"),
        ("https://host.invalid/a.whl", [], "https://host.invalid/a.whl"),
    ],
)  # fmt: skip
def test_path_mappings_say_where_wheels_are(url: str, mappings: list[str], expected: str) -> None:
    assert resolve_url(url, mappings) == expected


def test_a_name_that_nothing_maps_is_named() -> None:
    with pytest.raises(Failure, match=r"\$\{INDEX\} in the URLs of the lock has no value") as error:
        resolve_url("https:/${INDEX}/a.whl", ["OTHER|/x"])
    assert "[python-repos].path_mappings" in str(error.value)


def test_a_url_without_an_index_is_for_any_index() -> None:
    url = "https:/${INDEX}/packages/ab/cd/x-1-py3-none-any.whl"
    assert is_index_neutral(url, [])
    assert is_index_neutral(url, ["OTHER|/x"])
    assert not is_index_neutral(url, ["INDEX|/x"])
    assert not is_index_neutral("file://${WHEELS}/x-1-py3-none-any.whl", [])
    assert not is_index_neutral("https://host/packages/x.whl", [])


@pytest.mark.parametrize("url", ["https:/${INDEX", "}${", "a}b${X}"])
def test_a_name_without_a_value_is_shown_however_it_ends(url: str) -> None:
    with pytest.raises(Failure, match=r"^\$\{(INDEX|X|)\} in the URLs of the lock has no value"):
        resolve_url(url, [])


# --- What is left out -------------------------------------------------------------------------

STUBS = lock(
    item("django", "sqlparse"),
    item("django-stubs", "django", "mypy", "types-PyYAML", "django-stubs-ext"),
    item("django-stubs-ext", "typing-extensions"),
    item("mypy", "typing-extensions", "mypy-extensions"),
    item("mypy-extensions"),
    item("sqlparse"),
    item("types-PyYAML"),
    item("typing-extensions"),
    item("app", "typing-extensions"),
)
LEFT_OUT = ("types-*", "*-stubs")


@pytest.mark.parametrize(
    "patterns, expected, left_out",
    [
        (
            LEFT_OUT,
            "app django sqlparse typing-extensions",
            "django-stubs django-stubs-ext mypy mypy-extensions types-pyyaml",
        ),
        (
            ("types-*",),
            "app django django-stubs django-stubs-ext mypy mypy-extensions sqlparse"
            " typing-extensions",
            "types-pyyaml",
        ),
        (
            (*LEFT_OUT, "!Types_PyYAML"),
            "app django sqlparse types-pyyaml typing-extensions",
            "django-stubs django-stubs-ext mypy mypy-extensions",
        ),
    ],
)
def test_what_is_left_out_is_so_with_what_only_it_requires(
    patterns: tuple[str, ...], expected: str, left_out: str
) -> None:
    roots = ("app", "django", "django-stubs", "types-PyYAML")
    found = closure(read_pex_lock(STUBS, "x.lock", "services"), roots, PLATFORM, patterns)
    assert " ".join(wheel.name for wheel in found.locked) == expected
    assert " ".join(found.left_out) == left_out
    assert set(found.required_by) == set(expected.split())


def test_what_is_left_out_need_not_be_in_the_lock() -> None:
    locked = read_pex_lock(lock(item("app")), "x.lock", "services")
    found = closure(locked, ["app", "a-stubs"], PLATFORM, LEFT_OUT)
    assert found.left_out == ("a-stubs",)


def test_what_any_platform_may_need_is_reachable() -> None:
    """Also through extras and markers, and from requirements of other versions."""
    value = lock(
        item("Rope", "yarn>=9; sys_platform == 'win32'", "silk; extra == 'soft'"),
        item("yarn", "cotton"),
        item("cotton", "rope"),
        item("silk"),
        item("wool_en"),
        item("other"),
    )
    read = read_pex_lock(value, "the lock", "services")
    found = [one.name for one in reachable(read, ["rope[hard]==2"], ["WOOL*"])]
    assert found == ["cotton", "Rope", "silk", "wool_en", "yarn"]
    assert reachable(read, ["nothing-of-the-lock"]) == ()


def test_what_does_not_say_what_it_requires_may_need_anything() -> None:
    rope, yarn = (Distribution(name, "1.0", (), None) for name in ("rope", "yarn"))
    read = PythonLock("the lock", (Part((rope, yarn)),), "Run: it")
    assert reachable(read, ["rope"]) == (rope, yarn)
