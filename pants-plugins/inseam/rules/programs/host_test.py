from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from pants.engine.fs import EMPTY_DIGEST, CreateDigest, Digest, FileContent
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.formats.python.wheel_testing import build_wheel
from inseam.rules.programs.host import HostProgramRequest, Program, ProgramResult
from inseam.rules.rule_testing import MINOR, failure, files_of, rule_runner, set_options


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    return rule_runner(
        QueryRule(ProgramResult, [HostProgramRequest]),
        QueryRule(Digest, [CreateDigest]),
        layers=False,
    )


@pytest.fixture
def runner(module_runner: RuleRunner) -> RuleRunner:
    set_options(module_runner)
    return module_runner


def request(runner: RuleRunner, wheel: Path, minor: str = MINOR) -> HostProgramRequest:
    file = FileContent(wheel.name, wheel.read_bytes())
    program = Program(
        argv=("install_wheel", wheel.name, "trees/demo"),
        input=runner.request(Digest, [CreateDigest([file])]),
        output="trees",
        description=f"Install {wheel.name}",
    )
    return HostProgramRequest(program, minor)


def test_the_result_is_the_content_of_the_output_folder(runner: RuleRunner, tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, files={"a.py": b""})
    result = runner.request(ProgramResult, [request(runner, wheel)])
    assert set(files_of(runner, result.digest)) == {
        "demo/tree.json",
        "demo/tree.tar",
        "demo/wheel.json",
    }
    assert result.messages == ""


def refused(runner: RuleRunner, wanted: HostProgramRequest) -> str:
    return failure(runner, ProgramResult, wanted)


def test_a_failure_is_the_text_that_the_program_gave(runner: RuleRunner, tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, omit={"METADATA"})
    assert refused(runner, request(runner, wheel)) == (
        "demo-1.0-py3-none-any.whl: the wheel has no demo-1.0.dist-info/METADATA"
    )


def test_an_interpreter_that_is_not_there_is_an_error_with_the_next_step(
    runner: RuleRunner, tmp_path: Path
) -> None:
    text = refused(runner, request(runner, build_wheel(tmp_path), minor="3.97"))
    assert text.startswith("CPython 3.97, which is to make the layers, was not found")
    assert "apt-get install python3.97" in text
    assert "pyenv install 3.97" in text
    assert "[python-bootstrap].search_path" in text


def test_requests_that_differ_only_in_their_description_are_one() -> None:
    one, other = (Program(("a",), EMPTY_DIGEST, "out", description) for description in "xy")
    assert one == other
    assert hash(one) == hash(other)


def test_the_programs_run_without_the_environment_of_this_process(
    runner: RuleRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A module that would break the program if the sandbox saw it.
    (tmp_path / "zipfile.py").write_text("raise SystemExit('from the environment')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "zipfile.py"))
    wheel = build_wheel(tmp_path, "isolated", files={"b.py": b"b = 2\n"})
    assert runner.request(ProgramResult, [request(runner, wheel)]).messages == ""
