from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pants.engine.fs import EMPTY_DIGEST, Digest
from pants.testutil.rule_runner import QueryRule, RuleRunner
from pants.util.frozendict import FrozenDict

from inseam.compat import environment_vars_subset, path_globs_to_digest
from inseam.formats.debian.package import DebianPackage
from inseam.formats.debian.sources import vendored_path
from inseam.formats.debian.suite import Suite
from inseam.formats.failure import Failure
from inseam.rules.base.debs import Deb, DebRequest, deb, snapshot_args, trust_args, vendor_folder
from inseam.rules.debs_testing import DEBS, HELLO, OTHER, TIMESTAMP, Archive
from inseam.rules.programs.host import (
    HostProgramRequest,
    Program,
    ProgramResult,
    executed_on_host,
)
from inseam.rules.rule_testing import failure, files_of, rule_runner, run_mocked, set_options


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    return rule_runner(QueryRule(Deb, [DebRequest]), layers=False)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    made = Archive(tmp_path)
    made.serve(HELLO, OTHER)
    return made


def fetched(runner: RuleRunner) -> bytes:
    deb = runner.request(Deb, [DebRequest("bookworm", (), HELLO, TIMESTAMP)])
    return files_of(runner, deb.digest)[HELLO.file_name]


@pytest.mark.parametrize("absolute", [False, True])
def test_a_base_is_made_of_vendored_packages_once_mirrors_dropped_them(
    runner: RuleRunner, archive: Archive, absolute: bool
) -> None:
    archive.serve()
    runner.write_files({f"vendor/debian/{vendored_path(HELLO)}": DEBS["hello"]})
    place = "vendor/debian"
    location = str(Path(runner.build_root, place)) if absolute else place
    set_options(runner, f"--inseam-debian-vendor={location}", env=archive.env)
    assert fetched(runner) == DEBS["hello"]


def test_a_base_is_made_of_a_snapshot_once_mirrors_dropped_its_packages(
    runner: RuleRunner, archive: Archive
) -> None:
    archive.serve()
    archive.write(f"archive/debian/{TIMESTAMP}/{HELLO.path}", DEBS["hello"])
    set_options(runner, f"--inseam-debian-snapshot={archive.snapshot}", env=archive.env)
    assert fetched(runner) == DEBS["hello"]


def test_without_either_the_error_names_both(runner: RuleRunner, archive: Archive) -> None:
    archive.serve()
    set_options(runner, env=archive.env)
    why = failure(runner, Deb, DebRequest("bookworm", (), OTHER, ""))
    assert "Debian package other 1.0-1 (amd64) is no longer on any mirror" in why
    assert "[inseam].debian_snapshot" in why


PACKAGE = DebianPackage("libc6", "2.36-9", "amd64", "debian", "pool/x.deb", 1, "0" * 64)
SUITES = (Suite("bookworm", "debian", "2026-11-01T00:00:00Z"),)
VENDORED, DEB = Digest("1" * 64, 1), Digest("2" * 64, 2)


def options(**changes: Any) -> Any:
    given = {
        "debian_vendor": "",
        "snapshot": "",
        "debian_allow_newer": False,
        "debian_allow_expired": False,
        **changes,
    }
    return SimpleNamespace(**given)


def fetching(in_repository: bool = False, **changes: Any) -> tuple[Program, list[str], list[str]]:
    """The program that fetches the package, the variables that it sees, and the globs that the
    repository was searched for."""
    ran: list[Program] = []
    names: list[str] = []
    globs: list[str] = []

    def run(request: HostProgramRequest) -> ProgramResult:
        ran.append(request.program)
        return ProgramResult(DEB, "newer")

    def env(request: Any, *_: Any) -> FrozenDict[str, str]:
        names.extend(request.requested)
        return FrozenDict({"https_proxy": "p"})

    def find(request: Any) -> Digest:
        globs.extend(request.globs)
        return VENDORED if in_repository else EMPTY_DIGEST

    mocks: dict[Any, Any] = {
        environment_vars_subset: env,
        path_globs_to_digest: find,
        executed_on_host: run,
    }
    request = DebRequest("bookworm", SUITES, PACKAGE, "20261101T000000Z")
    found = run_mocked(deb, [request, options(**changes)], mocks)
    assert (found.digest, found.messages) == (DEB, "newer")
    return ran[0], names, globs


def test_a_package_is_fetched_once_and_kept() -> None:
    program, names, globs = fetching()
    assert program.argv[0] == "fetch_deb"
    assert program.cacheable
    assert program.input == EMPTY_DIGEST
    assert program.env == (("https_proxy", "p"),)
    assert not globs
    assert "PATH" not in names
    for option in ("--vendor", "--snapshot", "--allow-newer"):
        assert not [one for one in program.argv if one.startswith(option)]


def test_a_newer_package_may_be_another_one_tomorrow() -> None:
    program, names, _ = fetching(debian_allow_newer=True, debian_allow_expired=True)
    assert not program.cacheable
    assert "PATH" in names  # for gpgv
    assert program.argv[-3:] == (
        "--allow-newer",
        "--allow-expired",
        "--known=bookworm=2026-11-01T00:00:00Z",
    )


def test_a_vendored_package_is_an_input_of_its_process() -> None:
    program, _, globs = fetching(in_repository=True, debian_vendor="vendor/debs")
    assert globs == [f"vendor/debs/sha256/{'0' * 64}"]
    assert program.input == VENDORED
    assert "--vendor=vendor/debs" in program.argv
    # What the repository lacks is fetched as if there were no such folder.
    program, _, _ = fetching(debian_vendor="vendor/debs")
    assert not [one for one in program.argv if one.startswith("--vendor")]


def test_packages_vendored_elsewhere_are_found_by_the_program() -> None:
    program, _, globs = fetching(debian_vendor="https://vendor.invalid/debs")
    assert not globs
    assert "--vendor=https://vendor.invalid/debs" in program.argv


@pytest.mark.parametrize(
    ("location", "folder"),
    [("", ""), (None, ""), ("vendor/debs", "vendor/debs"), ("/srv/debs", ""), ("s3://a/b", "")],
)
def test_a_relative_path_is_a_folder_of_the_repository(location: Any, folder: str) -> None:
    assert vendor_folder(options(debian_vendor=location)) == folder


def test_a_folder_of_vendored_packages_does_not_lead_out_of_the_repository() -> None:
    with pytest.raises(Failure, match="debian_vendor"):
        vendor_folder(options(debian_vendor="../debs"))


def test_a_snapshot_is_asked_only_if_the_lock_has_its_time() -> None:
    inseam = options(snapshot="https://s.invalid")
    assert snapshot_args("T", inseam) == ("--snapshot=https://s.invalid", "--timestamp=T")
    assert snapshot_args("", inseam) == snapshot_args("T", options()) == ()


def test_expired_indexes_are_refused_unless_the_option_allows_them() -> None:
    assert trust_args(options()) == ()
    assert trust_args(options(debian_allow_expired=True)) == ("--allow-expired",)
