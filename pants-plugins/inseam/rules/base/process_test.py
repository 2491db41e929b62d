"""Where the programs that make layers run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, Digest
from pants.util.frozendict import FrozenDict

from inseam.compat import execute_in, remove_prefix, this_machine
from inseam.formats.glibc import GlibcVersion
from inseam.plan.platform import PythonPlatform
from inseam.rules.base.base import BasePython
from inseam.rules.base.interpreter import FoundPython, RunnablePython, found_python
from inseam.rules.base.process import ProgramRequest, executed_program
from inseam.rules.programs.host import (
    HostProgramRequest,
    Interpreter,
    Program,
    executed_on_host,
    prepared_interpreter,
)
from inseam.rules.rule_testing import run_mocked

PLATFORM = PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 36))
PYTHON = BasePython(Address("", target_name="base"), PLATFORM, "/usr/bin/python3.11", True)


def options(remote: bool) -> Any:
    return SimpleNamespace(
        remote_execution=remote,
        remote_execution_extra_platform_properties=["OSFamily=linux"],
        keep_sandboxes=SimpleNamespace(value="never"),
    )


def ran_in(rule: Any, request: Any, remote: bool) -> Any:
    """The execution environment that the rule gave the program of the request to; None if that is
    Pants' own."""
    given = []

    def run(process: Any, environment: Any = None) -> Any:
        given.append(environment)
        return SimpleNamespace(exit_code=0, output_digest=EMPTY_DIGEST, stderr=b"")

    programs = FrozenDict({request.program.argv[0]: EMPTY_DIGEST})
    runnable = RunnablePython(PLATFORM, EMPTY_DIGEST, programs)
    mocks: dict[Any, Any] = {
        found_python: lambda *_: FoundPython(runnable),
        prepared_interpreter: lambda *_: Interpreter("python"),
        execute_in: run,
        remove_prefix: lambda _: Digest("0" * 64, 0),
    }
    run_mocked(rule, [request, options(remote)], mocks)
    (environment,) = given
    return environment


@pytest.mark.parametrize("remote", [True, False])
def test_programs_run_where_pants_runs_processes(remote: bool) -> None:
    merge = Program(("merge",), EMPTY_DIGEST, "out", "Merge")
    assert ran_in(executed_program, ProgramRequest(PYTHON, merge), remote) is None


def test_what_keeps_things_for_other_runs_runs_here() -> None:
    build = Program(("build_wheel",), EMPTY_DIGEST, "out", "Build", keeps=True)
    environment = ran_in(executed_program, ProgramRequest(PYTHON, build), True)
    assert environment == this_machine(options(True))


def test_what_reaches_a_server_runs_here() -> None:
    fetch = Program(("fetch_deb",), EMPTY_DIGEST, "out", "Fetch")
    environment = ran_in(executed_on_host, HostProgramRequest(fetch), True)
    assert environment == this_machine(options(True))
