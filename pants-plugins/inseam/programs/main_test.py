from __future__ import annotations

import hashlib
import importlib
import resource
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Callable

import pytest

from inseam.formats.failure import Failure
from inseam.formats.python.wheel_testing import build_wheel
from inseam.programs import __main__ as program_main
from inseam.programs.__main__ import run


def program(monkeypatch: pytest.MonkeyPatch, main: Callable[[list[str]], None]) -> None:
    module = ModuleType("inseam.programs.example")
    vars(module)["main"] = main
    monkeypatch.setitem(sys.modules, module.__name__, module)


def test_a_program_gets_the_arguments_after_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[str] = []
    program(monkeypatch, got.extend)
    assert run(["example", "a", "--b"]) == 0
    assert got == ["a", "--b"]


def test_a_failure_is_one_text_on_stderr_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def main(_: list[str]) -> None:
        raise Failure("demo.whl is broken")

    program(monkeypatch, main)
    assert run(["example"]) == 1
    assert capfd.readouterr() == ("", "demo.whl is broken\n")


def test_the_type_of_a_failure_is_told_by_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    class Special(Failure):
        exit_code = 7

    def main(_: list[str]) -> None:
        raise Special("no")

    program(monkeypatch, main)
    assert run(["example"]) == 7


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    program(monkeypatch, lambda argv: argv.remove("nothing"))
    with pytest.raises(ValueError):
        run(["example"])


def test_a_full_disk_is_told_from_a_bug(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def main(_: list[str]) -> None:
        Path("/dev/full").write_bytes(b"x")

    program(monkeypatch, main)
    assert run(["example"]) == 1
    printed = capfd.readouterr().err
    assert printed.startswith("There is no space for ")
    assert "No space left on device" in printed


@pytest.mark.parametrize("name", ["fetch_wheel", "install_wheel", "unpack"])
def test_a_full_disk_is_not_called_a_fault_of_the_wheel(
    name: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {"demo/data.bin": bytes(range(256)) * 1000}
    wheel = build_wheel(tmp_path, files=files, compression=zipfile.ZIP_STORED)
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    argv = {
        "fetch_wheel": [wheel.as_uri(), sha256, str(tmp_path / "out" / wheel.name)],
        "install_wheel": [str(wheel), str(tmp_path / "out")],
        "unpack": [str(tmp_path / "out"), str(wheel)],
    }
    # What is imported is imported before, and leaves no bytecode that the limit would cut off.
    importlib.import_module(f"inseam.programs.{name}")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        assert run([name, *argv[name]]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    printed = capfd.readouterr().err
    assert printed.startswith("There is no space for "), printed
    assert not [path for path in (tmp_path / "out").rglob("*.bin")]


@pytest.mark.parametrize("argv", [[], ["--out=x", "--sources=y", "--wrong"]])
def test_arguments_that_a_program_does_not_take_are_one_text(
    argv: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", *argv]) == 1
    printed = capfd.readouterr().err
    assert "usage:" not in printed
    assert printed.startswith("the program data was called wrongly: ")
    assert "please report it" in printed


def test_python_runs_a_program_by_name(tmp_path: Path) -> None:
    """Without an environment, as Pants starts processes: the folder of `inseam` is enough."""
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources/model.bin").write_bytes(b"1")
    argv = [sys.executable, "-sSBm", "inseam.programs", "data", f"--out={tmp_path / 'out'}"]
    result = subprocess.run(
        [*argv, f"--sources={tmp_path / 'sources'}"],
        env={"PYTHONPATH": str(Path(program_main.__file__).parents[2])},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["data.tar", "layer.json"]


def test_python_ends_with_the_exit_code_of_the_program(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-sSBm", "inseam.programs", "unpack", "out", "none.whl"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(program_main.__file__).parents[2])},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("none.whl is not a usable wheel: ")
    assert result.stderr.count("\n") == 1
