from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pants.engine.fs import EMPTY_DIGEST, CreateDigest, Digest, FileContent
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.formats.python.wheel_testing import build_wheel
from inseam.rules.process import ProgramRequest, ProgramResult, program_names, program_sources
from inseam.rules.rule_testing import MINOR, failure, files_of, rule_runner, set_options


def write(folder: Path, command: str) -> None:
    for file in program_sources(command):
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)


def test_the_programs_are_found_in_their_folder() -> None:
    assert {"code", "fetch_wheel", "merge", "rootfs", "install_wheel"} <= set(program_names())
    assert not [name for name in program_names() if name.endswith(("_test", "_testing", "__"))]


@pytest.mark.parametrize("command", program_names())
def test_a_program_brings_every_module_that_it_imports(command: str, tmp_path: Path) -> None:
    write(tmp_path, command)
    program = (
        "import sys; sys.path[0] = 'programs'; import importlib;"
        f" importlib.import_module('inseam.programs.{command}')"
    )
    result = subprocess.run(
        # -S: no site-packages; -I would hide the programs too.
        [sys.executable, "-sSBc", program],
        cwd=tmp_path,
        env={},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("command", program_names())
def test_a_program_brings_nothing_of_pants_and_no_tests(command: str) -> None:
    for file in program_sources(command):
        assert not file.path.endswith(("_test.py", "_testing.py"))
        for node in ast.walk(ast.parse(file.content)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names.append(node.module or "")
            assert not [name for name in names if name.split(".")[0] in ("pants", "packaging")]


def test_only_programs_that_read_wheels_bring_the_installer() -> None:
    def brings(command: str) -> bool:
        return any("/installer/" in file.path for file in program_sources(command))

    assert brings("install_wheel")
    assert not brings("merge")
    assert not brings("code")


def test_the_sources_of_a_program_are_always_in_the_same_order() -> None:
    paths = [file.path for file in program_sources("install_wheel")]
    assert paths == sorted(set(paths))


def test_a_program_without_arguments_that_fit_does_not_start(tmp_path: Path) -> None:
    write(tmp_path, "merge")
    result = subprocess.run(
        [sys.executable, "-sSB", "programs", "merge"],
        cwd=tmp_path,
        env={},
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("the program merge was called wrongly: ")


# --- In a sandbox -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    return rule_runner(
        QueryRule(ProgramResult, [ProgramRequest]), QueryRule(Digest, [CreateDigest]), layers=False
    )


@pytest.fixture
def runner(module_runner: RuleRunner) -> RuleRunner:
    set_options(module_runner)
    return module_runner


def request(runner: RuleRunner, wheel: Path, minor: str = MINOR) -> ProgramRequest:
    file = FileContent(wheel.name, wheel.read_bytes())
    return ProgramRequest(
        argv=("install_wheel", wheel.name, "trees/demo"),
        input=runner.request(Digest, [CreateDigest([file])]),
        output="trees",
        python_version=minor,
        description=f"Install {wheel.name}",
    )


def test_the_result_is_the_content_of_the_output_folder(runner: RuleRunner, tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, files={"a.py": b""})
    result = runner.request(ProgramResult, [request(runner, wheel)])
    assert set(files_of(runner, result.digest)) == {"demo/tree.json", "demo/tree.tar"}
    assert result.messages == ""


def refused(runner: RuleRunner, wanted: ProgramRequest) -> str:
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
    assert text.startswith("CPython 3.97, which compiles the bytecode of images, was not found")
    assert "apt-get install python3.97" in text
    assert "pyenv install 3.97" in text
    assert "[python-bootstrap].search_path" in text


def test_requests_that_differ_only_in_their_description_are_one() -> None:
    one, other = (
        ProgramRequest(("a",), EMPTY_DIGEST, "out", MINOR, description) for description in "xy"
    )
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
