from __future__ import annotations

import sys
from types import ModuleType
from typing import Callable

import pytest

from inseam.sandbox.command import Failure, run


def program(monkeypatch: pytest.MonkeyPatch, main: Callable[[list[str]], None]) -> None:
    module = ModuleType("inseam.sandbox.example")
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


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    program(monkeypatch, lambda argv: argv.remove("nothing"))
    with pytest.raises(ValueError):
        run(["example"])
