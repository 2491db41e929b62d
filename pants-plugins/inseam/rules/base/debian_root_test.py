from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.engine.fs import Digest, MergeDigests
from pants.testutil.rule_runner import RuleRunner
from pants.util.frozendict import FrozenDict

from inseam.compat import environment_vars_subset, merge_digests, path_globs_to_digest
from inseam.formats.debian.facts import Facts
from inseam.formats.debian.package import DebianPackage
from inseam.formats.debian.suite import Suite
from inseam.formats.failure import Failure
from inseam.formats.glibc import GlibcVersion
from inseam.formats.python.archive import ArchiveLocation
from inseam.rules.base.base import DebianRootRequest, LockedBase, locked_base
from inseam.rules.base.base_testing import archives, debian, fixtures
from inseam.rules.base.debian_root import UnpackedRoot, unpacked_root
from inseam.rules.base.debs import Deb, DebRequest, deb
from inseam.rules.layers.rootfs import RootfsLayer
from inseam.rules.programs.host import HostProgramRequest, ProgramResult, executed_on_host
from inseam.rules.rule_testing import failure, run_mocked

module_runner, runner = fixtures


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


def test_an_archive_that_is_not_in_the_repository_is_named(runner: RuleRunner) -> None:
    archives(runner)
    address = Address("docker", target_name="debian", generated_name="rootfs")
    why = failure(runner, UnpackedRoot, DebianRootRequest(address, "linux/amd64"))
    assert "docker:debian: the archive vendor/cpython.tar.gz of `python_archives` does not" in why


ADDRESS = Address("docker", target_name="debian")
SUITES = (Suite("bookworm", "debian", "2026-11-01T00:00:00Z"),)
PACKAGES = tuple(
    DebianPackage(name, "1", "amd64", "debian", f"pool/{name}.deb", 1, "0" * 64)
    for name in ("libc6", "tini")
)
ROOT, FETCHED, OWN = Digest("1" * 64, 1), Digest("2" * 64, 2), Digest("3" * 64, 3)
SHA256 = "a" * 64


def locked(archive: ArchiveLocation | None = None) -> LockedBase:
    facts = Facts("/usr/bin/python3.11", "3.11.2", GlibcVersion(2, 36))
    users = ("app:1000",)
    names = ("packages.ini", "debian.json", "bookworm")
    return LockedBase(ADDRESS, *names, SUITES, "T", "amd64", PACKAGES, (), facts, users, archive)


class Unpacking:
    """One unpacking of the base, with what it asked for."""

    def __init__(self, base: LockedBase, **options: Any) -> None:
        self.ran: list[tuple[str, ...]] = []
        self.debs: list[DebRequest] = []
        self.merged: list[MergeDigests] = []
        self.options = {"debian_allow_newer": False, "snapshot": "", **options}
        self.in_repository = OWN
        self.base = base

    def _run(self, request: HostProgramRequest) -> ProgramResult:
        self.ran.append(request.program.argv)
        return ProgramResult(ROOT, "")

    def _deb(self, request: DebRequest) -> Deb:
        self.debs.append(request)
        return Deb(FETCHED, f" {request.package.name} is newer\n" if len(self.debs) > 1 else "\n")

    def _merge(self, request: MergeDigests) -> Digest:
        self.merged.append(request)
        return ROOT

    def result(self) -> Any:
        mocks: dict[Any, Any] = {
            locked_base: lambda _: self.base,
            deb: self._deb,
            merge_digests: self._merge,
            executed_on_host: self._run,
            path_globs_to_digest: lambda _: self.in_repository,
            environment_vars_subset: lambda *_: FrozenDict(),
        }
        options = SimpleNamespace(**self.options)
        return run_mocked(unpacked_root, [DebianRootRequest(ADDRESS), options], mocks)


def test_all_packages_are_unpacked_in_one_process() -> None:
    unpacking = Unpacking(locked())
    found = unpacking.result()
    assert found.digest == ROOT
    assert found.messages == ("tini is newer",)
    assert unpacking.ran == [
        (
            "rootfs",
            "--architecture=amd64",
            "--interpreter=/usr/bin/python3.11",
            "--out=out",
            "--user=app:1000",
            *(package.file_name for package in PACKAGES),
        )
    ]


def test_only_what_is_allowed_decides_how_packages_are_fetched() -> None:
    """Otherwise each new lock would fetch all packages again."""
    unpacking = Unpacking(locked())
    unpacking.result()
    assert unpacking.debs == [DebRequest("bookworm", (), one, "") for one in PACKAGES]
    unpacking = Unpacking(locked(), debian_allow_newer=True, snapshot="https://s.invalid")
    unpacking.result()
    assert unpacking.debs == [DebRequest("bookworm", SUITES, one, "T") for one in PACKAGES]


def test_an_archive_of_the_repository_is_unpacked_too() -> None:
    unpacking = Unpacking(locked(ArchiveLocation("vendor/py.tar.gz", SHA256)))
    unpacking.result()
    (argv,) = unpacking.ran
    assert argv[5:9] == ("--python", "vendor/py.tar.gz", SHA256, "3.11.2")
    assert unpacking.merged == [MergeDigests([FETCHED, FETCHED, OWN])]


def test_an_archive_elsewhere_is_fetched_first() -> None:
    url = "https://x.invalid/py.tar.gz"
    unpacking = Unpacking(locked(ArchiveLocation(url, SHA256)))
    unpacking.result()
    fetch, unpack = unpacking.ran
    assert fetch == ("fetch_archive", url, SHA256, "out/py.tar.gz")
    assert unpack[5:9] == ("--python", "py.tar.gz", SHA256, "3.11.2")


def test_a_failure_says_how_to_lock_again() -> None:
    def fail(_: Any) -> Any:
        raise Failure("libc6 is gone.")

    unpacking = Unpacking(locked())
    unpacking._run = fail  # type: ignore[assignment, method-assign]
    with pytest.raises(
        Failure, match=r"^docker:debian: libc6 is gone\.\n\(The list of packages is"
    ):
        unpacking.result()
