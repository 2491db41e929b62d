"""Runs the programs that make layers on the CPython of the base that the layers are for.

If there are remote workers, they run there; a worker needs nothing but a kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.engine.process import Process
from pants.engine.rules import collect_rules
from pants.option.global_options import GlobalOptions
from pants.util.logging import LogLevel

from inseam.compat import execute_in, execute_process, implicitly, rule, this_machine
from inseam.formats.rootfs.start import argv
from inseam.rules.base.base import BasePython
from inseam.rules.base.interpreter import (
    ENVIRONMENT,
    PROGRAM_FOLDER,
    PYTHON_FOLDER,
    found_python,
)
from inseam.rules.programs.host import (
    CACHES,
    REMOTE_CACHE_HEAD_START_MILLIS,
    HostProgramRequest,
    Program,
    ProgramResult,
    executed_on_host,
    program_result,
)
from inseam.rules.programs.modules import MAIN


@dataclass(frozen=True)
class ProgramRequest:
    """A run of a program on the CPython of a base."""

    python: BasePython
    program: Program


@rule(level=LogLevel.DEBUG)
async def executed_program(request: ProgramRequest, global_options: GlobalOptions) -> ProgramResult:
    program = request.program
    found = await found_python(request.python, **implicitly())
    if found.python is None:
        version = request.python.platform.python_version
        installed: ProgramResult = await executed_on_host(
            HostProgramRequest(program, version), **implicitly()
        )
        return installed
    process = Process(
        [*argv(PYTHON_FOLDER), "-sSB", f"{PROGRAM_FOLDER}/{MAIN}", *program.argv],
        description=program.description,
        level=program.level,
        input_digest=program.input,
        immutable_input_digests={
            PYTHON_FOLDER: found.python.tree,
            PROGRAM_FOLDER: found.python.programs[program.argv[0]],
            **program.inputs,
        },
        output_directories=[program.output],
        append_only_caches=CACHES if program.keeps else {},
        env={**ENVIRONMENT, **program.environment},
        remote_cache_speculation_delay_millis=REMOTE_CACHE_HEAD_START_MILLIS,
        cache_scope=program.cache_scope,
    )
    if program.keeps:
        # What it keeps is in a named cache on this machine.
        result = await execute_in(process, this_machine(global_options))
    else:
        result = await execute_process(process, **implicitly())
    return await program_result(program, result)


async def run_on(python: BasePython, program: Program) -> ProgramResult:
    """Runs a program on the CPython of a base; raises Failure with its error message."""
    result: ProgramResult = await executed_program(ProgramRequest(python, program), **implicitly())
    return result


def rules() -> list[Any]:
    return [*collect_rules()]
