from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pants.engine.fs import Digest
from pants.testutil.rule_runner import QueryRule, RuleRunner
from pants.util.frozendict import FrozenDict

from inseam.compat import digest_subset_to_digest, environment_vars_subset, get_digest_contents
from inseam.formats.glibc import GlibcVersion
from inseam.formats.python.wheel_testing import build_wheel
from inseam.plan.artifacts import LockedArchive, LockedWheel
from inseam.plan.platform import PythonPlatform
from inseam.plan.python_lock import Artifact, Distribution
from inseam.rules.programs.host import HostProgramRequest, ProgramResult, executed_on_host
from inseam.rules.rule_testing import failure, rule_runner, run_mocked, set_options
from inseam.rules.wheels import lock_facts, wheels
from inseam.rules.wheels.lock_facts import (
    ReadDistribution,
    UnreadRequest,
    WheelRequires,
    distribution_read,
    wheel_requires,
)
from inseam.rules.wheels.wheels import FetchRequest

PLATFORM = PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 36))
METADATA = (
    b"Metadata-Version: 2.1\nName: greet\nVersion: 1.0\n"
    b"Requires-Dist: words>=1\nRequires-Dist: fast; extra == 'speed'\n"
)


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    more = [*lock_facts.rules(), *wheels.rules()]
    runner = rule_runner(QueryRule(ReadDistribution, [UnreadRequest]), layers=False, more=more)
    set_options(runner)
    return runner


def unread(wheel: Path) -> UnreadRequest:
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    artifact = Artifact(f"file:wheels/{wheel.name}", "sha256", sha256)
    return UnreadRequest(
        Distribution("greet", "1.0", (artifact,), requires=None), "services", PLATFORM
    )


def test_what_the_lock_does_not_say_is_read_from_the_wheel(runner: RuleRunner) -> None:
    files = {"greet.py": b"", "greet-1.0.dist-info/METADATA": METADATA}
    folder = Path(runner.build_root, "wheels")
    wheel = build_wheel(folder, "greet", files=files, omit=("METADATA",))
    read = runner.request(ReadDistribution, [unread(wheel)])
    assert read.distribution.needs == ("words>=1", "fast; extra == 'speed'")
    assert isinstance(read.locked, LockedWheel)
    assert read.locked.filename == wheel.name


def test_a_distribution_that_the_platform_cannot_take_is_named(runner: RuleRunner) -> None:
    wheel = build_wheel(Path(runner.build_root, "wheels"), "greet", tag="cp27-cp27m-win32")
    why = failure(runner, ReadDistribution, unread(wheel))
    assert "greet 1.0 has no wheel for linux/amd64" in why


PLATFORM = PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 36))
DIGEST = Digest("1" * 64, 1)
WHEEL = "greet-1.0-py3-none-any.whl"
A, B = "a" * 64, "b" * 64


def read(
    *artifacts: Artifact, names: dict[str, str] | None = None
) -> tuple[ReadDistribution, list[tuple[str, ...]], list[FetchRequest]]:
    """What is known of a distribution afterwards, and the programs and wheels that were asked.

    names: of files in the index, by their hash.
    """
    ran: list[tuple[str, ...]] = []
    asked: list[FetchRequest] = []

    def run(request: HostProgramRequest) -> ProgramResult:
        ran.append(request.program.argv)
        return ProgramResult(DIGEST, "")

    def requires(request: FetchRequest) -> WheelRequires:
        asked.append(request)
        return WheelRequires(("words>=1",))

    mocks: dict[Any, Any] = {
        environment_vars_subset: lambda *_: FrozenDict(),
        executed_on_host: run,
        digest_subset_to_digest: lambda _: DIGEST,
        get_digest_contents: lambda _: [SimpleNamespace(content=json.dumps(names or {}).encode())],
        wheel_requires: requires,
    }
    item = Distribution("Greet", "1.0", artifacts, requires=None)
    repos = SimpleNamespace(indexes=("https://i.invalid/s",))
    found = run_mocked(distribution_read, [UnreadRequest(item, "services", PLATFORM), repos], mocks)
    return found, ran, asked


def test_files_that_have_a_name_are_not_looked_for() -> None:
    found, ran, asked = read(Artifact(f"index:greet/{WHEEL}", "sha256", A))
    assert not ran
    assert [request.resolve for request in asked] == ["services"]
    assert found.distribution.needs == ("words>=1",)


def test_files_that_a_lock_has_only_hashes_of_are_looked_for_in_the_indexes() -> None:
    nameless = [Artifact("index:greet", "sha256", digest) for digest in (B, A)]
    found, ran, asked = read(*nameless, names={A: WHEEL, B: "greet-1.0.tar.gz"})
    assert ran == [("find_files", "greet", "out/found.json", "--index=https://i.invalid/s", A, B)]
    assert [(one.url, one.hash) for one in found.distribution.artifacts] == [
        (f"index:greet/{WHEEL}", A),
        ("index:greet/greet-1.0.tar.gz", B),
    ]
    assert found.locked.sha256 == asked[0].wheel.sha256 == A


def test_what_has_to_be_built_is_not_asked_what_it_requires() -> None:
    found, _, asked = read(Artifact("index:greet/greet-1.0.tar.gz", "sha256", A))
    assert not asked
    assert isinstance(found.locked, LockedArchive)
    assert found.distribution.needs is None
