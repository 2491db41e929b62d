from __future__ import annotations

import re
from typing import Any

import pytest
from pants.core.goals.generate_lockfiles import KnownUserResolveNames, UserGenerateLockfiles
from pants.engine.addresses import Address
from pants.engine.internals.scheduler import ExecutionError
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.formats.debian.lock import lock_name
from inseam.formats.glibc import GlibcVersion
from inseam.plan.platform import PythonPlatform
from inseam.rules.base.base import Base, BaseRequest, DebianRootRequest
from inseam.rules.base.debian_lock import (
    GenerateDebianLock,
    KnownDebianLocksRequest,
    RequestedDebianLocks,
    lock_diff,
)
from inseam.rules.base.debian_root import UnpackedRoot
from inseam.rules.layers.rootfs import RootfsLayer
from inseam.rules.rule_testing import (
    BASE,
    DEBIAN_LIST,
    MINOR,
    PYTHON_VERSION,
    debian_lock_text,
    failure,
    rule_runner,
    set_options,
)

SERVICE = Address("src/shop", target_name="app")


def debian(
    name: str = "debian",
    lock: str = "locks/debian.json",
    packages: str = "packages.ini",
    **more: Any,
) -> str:
    fields = {"lock": lock, "packages": packages, "platform": "linux/arm64", **more}
    texts = (f"{field}={value!r}" for field, value in fields.items())
    return f"debian_base(name={name!r}, {', '.join(texts)})\n"


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    return rule_runner(
        QueryRule(Base, [BaseRequest]),
        QueryRule(RootfsLayer, [DebianRootRequest]),
        QueryRule(UnpackedRoot, [DebianRootRequest]),
        QueryRule(KnownUserResolveNames, [KnownDebianLocksRequest]),
        QueryRule(UserGenerateLockfiles, [RequestedDebianLocks]),
        layers=False,
    )


@pytest.fixture
def runner(module_runner: RuleRunner) -> RuleRunner:
    set_options(module_runner)
    module_runner.write_files(
        {
            "BUILD": BASE,
            "docker/BUILD": debian(),
            "docker/packages.ini": DEBIAN_LIST,
            "locks/debian.json": debian_lock_text(),
            "src/shop/BUILD": "",
        }
    )
    return module_runner


def find(runner: RuleRunner, spec: str) -> Base:
    return runner.request(Base, [BaseRequest(spec, SERVICE)])


@pytest.mark.parametrize("spec", ["//:base", ":base"])
def test_a_base_says_its_platform_and_its_interpreter(runner: RuleRunner, spec: str) -> None:
    runner.write_files({"src/shop/BUILD": BASE})
    base = find(runner, spec)
    assert base.platform == PythonPlatform("amd64", PYTHON_VERSION, GlibcVersion(2, 36))
    assert base.interpreter == f"/usr/local/bin/python{MINOR}"
    assert base.python_version == MINOR


def test_a_debian_base_is_what_its_lock_says(runner: RuleRunner) -> None:
    base = find(runner, "docker:debian")
    assert base.platform == PythonPlatform("arm64", "3.11.2", GlibcVersion(2, 36))
    assert base.interpreter == "/usr/bin/python3.11"
    assert base.has_init is False
    runner.write_files({"locks/debian.json": debian_lock_text(python="3.11.9-1")})
    assert find(runner, "docker:debian").platform.python_full_version == "3.11.9"


@pytest.mark.parametrize(
    "field, value, found",
    [("python_version", "3.11.99", "3.11.2"), ("glibc_version", "2.99", "2.36")],
)
def test_what_a_base_declares_must_be_what_its_lock_says(
    runner: RuleRunner, field: str, value: str, found: str
) -> None:
    runner.write_files({"docker/BUILD": debian(**{field: found})})
    assert find(runner, "docker:debian").python_version == "3.11"
    runner.write_files({"docker/BUILD": debian(**{field: value})})
    why = failure(runner, Base, BaseRequest("docker:debian", SERVICE))
    assert why.startswith(f"docker:debian: `{field}` is {value!r}, but the lock has {found!r}")


def test_errors_of_a_base_name_the_list_and_the_lock_in_use(runner: RuleRunner) -> None:
    runner.write_files({"docker/packages.ini": DEBIAN_LIST + "[debug]\nbusybox\n"})
    why = failure(runner, Base, BaseRequest("docker:debian", SERVICE))
    assert "does not match the list of packages" in why
    assert "(The list of packages is docker/packages.ini, its lock locks/debian.json." in why
    assert "./pants generate-lockfiles --resolve=debian)" in why


def test_what_is_no_base_is_refused_by_both_names(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": "file(name='x', source='BUILD')"})
    text = failure(runner, Base, BaseRequest(":x", SERVICE))
    assert text.startswith("The base src/shop:x of src/shop:app is a `file`. It must be a")


def test_an_image_cannot_start_from_a_builder_nor_a_build_from_what_is_none(
    runner: RuleRunner,
) -> None:
    runner.write_files({"docker/BUILD": debian().replace("debian_base", "debian_builder")})
    why = failure(runner, Base, BaseRequest("docker:debian", SERVICE))
    assert why.startswith("The base docker:debian of src/shop:app is a `debian_builder`, which")
    found = runner.request(Base, [BaseRequest("docker:debian", SERVICE, builder=True)])
    assert found.platform == PythonPlatform("arm64", "3.11.2", GlibcVersion(2, 36))
    why = failure(runner, Base, BaseRequest("//:base", SERVICE, builder=True))
    assert why.startswith("The `builder` //:base of src/shop:app is a `registry_base`.")


def test_a_base_without_its_lock_is_refused_with_the_command_that_makes_it(
    runner: RuleRunner,
) -> None:
    runner.write_files({"docker/BUILD": debian(lock="locks/none.json")})
    address = Address("docker", target_name="debian", generated_name="rootfs")
    assert failure(runner, RootfsLayer, DebianRootRequest(address)) == (
        "docker:debian: the lock locks/none.json does not exist. Run: ./pants"
        " generate-lockfiles --resolve=none"
    )


@pytest.mark.parametrize("text", ["", "{}", "[]", "not json"])
def test_a_lock_that_is_none_is_refused_by_base_and_path(runner: RuleRunner, text: str) -> None:
    runner.write_files({"docker/BUILD": debian(lock="locks/bad.json"), "locks/bad.json": text})
    address = Address("docker", target_name="debian", generated_name="rootfs")
    why = failure(runner, RootfsLayer, DebianRootRequest(address))
    assert why.startswith("docker:debian: ")
    assert "locks/bad.json" in why


# --- Locks of Debian packages -----------------------------------------------------------------


def test_the_lock_of_a_base_is_a_resolve(runner: RuleRunner) -> None:
    names = runner.request(KnownUserResolveNames, [KnownDebianLocksRequest()])
    assert names.names == ("debian",)
    (lock,) = runner.request(UserGenerateLockfiles, [RequestedDebianLocks(["debian"])])
    assert lock.lockfile_dest == "locks/debian.json"
    assert vars(lock)["packages"] == "docker/packages.ini"


def test_bases_may_share_a_lock(runner: RuleRunner) -> None:
    runner.write_files({"docker/BUILD": debian() + debian("other")})
    assert runner.request(KnownUserResolveNames, [KnownDebianLocksRequest()]).names == ("debian",)


@pytest.mark.parametrize(
    "other",
    [
        debian("other", lock="elsewhere/debian.json"),
        debian("other", packages="other.ini"),
    ],
)
def test_two_locks_of_one_name_are_refused(runner: RuleRunner, other: str) -> None:
    runner.write_files({"docker/BUILD": debian() + other})
    text = failure(runner, KnownUserResolveNames, KnownDebianLocksRequest())
    assert "locks/debian.json" in text
    assert "Rename one of the two files." in text


def test_the_name_of_a_lock_is_that_of_its_file() -> None:
    assert lock_name("lockfiles/debian-bookworm.json") == "debian-bookworm"
    assert lock_name("debian.json") == "debian"


def two_versions(libc: str, python: str = "3.11.2-6") -> bytes:
    """A lock whose libc6 has another version on arm64."""
    text = debian_lock_text(python=python)
    at = text.rindex("2.36-9+deb12u14")
    return (text[:at] + libc + text[at + len("2.36-9+deb12u14") :]).encode()


def test_locking_again_says_which_packages_changed() -> None:
    request = GenerateDebianLock("debian", "locks/debian.json", False, "packages.ini")
    same = debian_lock_text(python="3.11.2-6").encode()
    diff = lock_diff(request, same, two_versions("2.36-9+deb12u15", python="3.11.10-1"))
    assert diff is not None
    assert (diff.path, diff.resolve_name) == ("locks/debian.json", "debian")
    assert {name: tuple(map(str, change)) for name, change in diff.upgraded.items()} == {
        "python3.11-minimal": ("3.11.2-6", "3.11.10-1")
    }
    assert not diff.downgraded
    assert sorted(diff.removed) == ["libc6"]
    assert {name: str(version) for name, version in diff.added.items()} == {
        "libc6:amd64": "2.36-9+deb12u14",
        "libc6:arm64": "2.36-9+deb12u15",
    }
    again = lock_diff(request, same, same)
    assert again is not None
    assert not {*again.added, *again.removed, *again.upgraded, *again.downgraded}
    assert lock_diff(request, None, same) is lock_diff(request, b"{}", same) is None


SHA256 = "0" * 64
LIBC_LIST = DEBIAN_LIST.replace("python3.11-minimal", "libc6")


def archives(runner: RuleRunner, **fields: Any) -> str:
    """Declares a base whose CPython is an archive; gives its address."""
    named = {"linux/amd64": f"vendor/cpython.tar.gz#sha256={SHA256}"}
    fields = {"python_archives": named, "python_version": "3.12.8", **fields}
    runner.write_files(
        {
            "docker/BUILD": debian(**{"platform": "linux/amd64", **fields}),
            "docker/packages.ini": LIBC_LIST,
            "locks/debian.json": debian_lock_text(python="", text=LIBC_LIST),
        }
    )
    return "//docker:debian"


def test_the_python_of_a_base_without_one_is_that_of_an_archive(runner: RuleRunner) -> None:
    base = find(runner, archives(runner))
    assert base.platform == PythonPlatform("amd64", "3.12.8", GlibcVersion(2, 36))
    assert base.interpreter == "/usr/local/bin/python3.12"
    # It has what Debian has in packages of their own, and not what no image gets.
    assert {"asyncore", "distutils", "tkinter"} <= set(base.missing_modules)
    assert not {"curses", "readline"} & set(base.missing_modules)


def test_the_name_of_an_interpreter_says_whether_it_is_free_threaded(runner: RuleRunner) -> None:
    base = find(runner, archives(runner, interpreter="/usr/local/bin/python3.13t"))
    assert base.platform.free_threaded
    assert not find(runner, archives(runner)).platform.free_threaded


@pytest.mark.parametrize(
    "fields, error",
    [
        ({"python_version": None}, "set `python_version` to the full version of the CPython in"),
        ({"platform": "linux/arm64"}, "has no archive for linux/arm64, only for linux/amd64"),
        ({"python_archives": {}}, "no locked package has a CPython"),
    ],
)
def test_a_base_with_an_archive_says_what_it_has(
    runner: RuleRunner, fields: dict[str, Any], error: str
) -> None:
    spec = archives(runner, **{"platform": "linux/amd64", **fields})
    why = failure(runner, Base, BaseRequest(spec, SERVICE))
    assert why.startswith("docker:debian: ")
    assert error in why


def test_an_archive_that_is_not_in_the_repository_is_named(runner: RuleRunner) -> None:
    archives(runner)
    address = Address("docker", target_name="debian", generated_name="rootfs")
    why = failure(runner, UnpackedRoot, DebianRootRequest(address, "linux/amd64"))
    assert "docker:debian: the archive vendor/cpython.tar.gz of `python_archives` does not" in why


@pytest.mark.parametrize(
    "value, error",
    [
        ({"linux/amd64": "vendor/cpython.tar.gz"}, "ends in `#sha256=`"),
        ({"linux/amd64": f"ftp://x.example/a.tar.gz#sha256={SHA256}"}, "one of the kinds"),
        ({"linux/mips": f"vendor/cpython.tar.gz#sha256={SHA256}"}, "'linux/mips' is not one of"),
    ],
)
def test_an_archive_is_named_by_platform_with_its_hash(
    runner: RuleRunner, value: dict[str, str], error: str
) -> None:
    spec = archives(runner, python_archives=value)
    with pytest.raises(ExecutionError, match=re.escape(error)):
        find(runner, spec)
