from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from pants.engine.fs import CreateDigest, Digest, FileContent
from pants.engine.rules import collect_rules
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.compat import rule
from inseam.formats.python.wheel_testing import build_wheel
from inseam.rules.rule_testing import failure, files_of, rule_runner, set_options
from inseam.rules.wheels.modules import shipped_python_lock, unpacked_modules


@dataclass(frozen=True)
class Wheels:
    digest: Digest


@dataclass(frozen=True)
class Modules:
    digest: Digest


@rule
async def unpack(wheels: Wheels) -> Modules:
    return Modules(await unpacked_modules(wheels.digest, "the wheels"))


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    more = collect_rules(globals())
    runner = rule_runner(QueryRule(Modules, [Wheels]), layers=False, more=more)
    set_options(runner)
    return runner


def wheels(runner: RuleRunner, *paths: Path) -> Wheels:
    files = [FileContent(path.name, path.read_bytes()) for path in paths]
    return Wheels(runner.request(Digest, [CreateDigest(files)]))


def test_the_modules_of_all_wheels_lie_beside_each_other(
    runner: RuleRunner, tmp_path: Path
) -> None:
    made = [
        build_wheel(tmp_path, name, files={f"{name}.py": name.encode()}) for name in ("one", "two")
    ]
    files = files_of(runner, runner.request(Modules, [wheels(runner, *made)]).digest)
    assert (files["one.py"], files["two.py"]) == (b"one", b"two")
    assert "two-1.0.dist-info/METADATA" in files


def test_a_wheel_that_is_not_one_is_named(runner: RuleRunner, tmp_path: Path) -> None:
    (tmp_path / "odd-1.0-py3-none-any.whl").write_bytes(b"odd")
    text = failure(runner, Modules, wheels(runner, tmp_path / "odd-1.0-py3-none-any.whl"))
    assert "odd-1.0-py3-none-any.whl is not a usable wheel" in text


@pytest.mark.parametrize("path", ["build.lock", "compressors.lock", "sbom/cyclonedx.lock"])
def test_a_lock_that_comes_with_inseam_has_a_hash_for_each_file(path: str) -> None:
    lock = shipped_python_lock(path)
    artifacts = [
        artifact for part in lock.parts for one in part.distributions for artifact in one.artifacts
    ]
    assert artifacts
    assert all(artifact.algorithm == "sha256" and artifact.hash for artifact in artifacts)
