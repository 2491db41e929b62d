from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from inseam.rules.programs.modules import program_names, program_sources


def write(folder: Path, command: str) -> None:
    for file in program_sources(command):
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)


def test_the_programs_are_found_in_their_folder() -> None:
    assert {"code", "fetch_wheel", "merge", "rootfs", "install_wheel"} <= set(program_names())
    assert "sbom.programs.cyclonedx" in program_names()
    assert not [name for name in program_names() if name.endswith(("_test", "_testing", "__"))]


@pytest.mark.parametrize("command", program_names())
def test_a_program_brings_every_module_that_it_imports(command: str, tmp_path: Path) -> None:
    write(tmp_path, command)
    program = (
        "import sys; sys.path[0] = 'programs'; from inseam.programs.__main__ import"
        f" program_module; assert program_module('{command}').main"
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
