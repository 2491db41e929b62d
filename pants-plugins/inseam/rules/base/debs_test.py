from __future__ import annotations

from pathlib import Path

import pytest
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.formats.debian.sources import vendored_path
from inseam.rules.base.debs import Deb, DebRequest
from inseam.rules.debs_testing import DEBS, HELLO, OTHER, TIMESTAMP, Archive
from inseam.rules.rule_testing import failure, files_of, rule_runner, set_options


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
