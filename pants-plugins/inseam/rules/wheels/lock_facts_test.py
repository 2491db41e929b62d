from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.formats.glibc import GlibcVersion
from inseam.formats.python.wheel_testing import build_wheel
from inseam.plan.artifacts import LockedWheel
from inseam.plan.platform import PythonPlatform
from inseam.plan.python_lock import Artifact, Distribution
from inseam.rules.rule_testing import failure, rule_runner, set_options
from inseam.rules.wheels import lock_facts, wheels
from inseam.rules.wheels.lock_facts import ReadDistribution, UnreadRequest

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
