from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from inseam.formats.python.bytecode import minor_version
from inseam.formats.python.script_testing import run_script
from inseam.formats.python.venv import console_script, script_member, site_packages, skeleton
from inseam.formats.tar import Member, write_tar

VERSION = ".".join(map(str, sys.version_info[:3]))
MINOR = "{}.{}".format(*minor_version())


def by_path(interpreter: str, version: str) -> dict[str, Member]:
    return {member.path: member for member in skeleton(interpreter, version)}


def test_what_a_venv_consists_of() -> None:
    members = by_path("/usr/bin/python3.11", "3.11.2")
    assert {path: member.link or member.content for path, member in members.items()} == {
        "opt/venv/pyvenv.cfg": (
            b"home = /usr/bin\nimplementation = CPython\nversion = 3.11.2\n"
            b"include-system-site-packages = false\n"
        ),
        "opt/venv/lib/python3.11/site-packages/app.pth": b"/app\n",
        "opt/venv/bin/python": "/usr/bin/python3.11",
        "opt/venv/bin/python3": "python",
        "opt/venv/bin/python3.11": "python",
        "opt/venv/lib64": "lib",
    }


def test_where_packages_are_installed() -> None:
    assert site_packages((3, 9)) == "opt/venv/lib/python3.9/site-packages"


@pytest.mark.parametrize("attribute", ["main", "App.run"])
def test_a_console_script_calls_the_function_and_exits_with_its_result(
    tmp_path: Path, attribute: str
) -> None:
    (tmp_path / "example.py").write_text(
        "import sys\n"
        "def main(): print(sys.argv); return 3\n"
        "class App:\n    run = staticmethod(main)\n"
    )
    script = tmp_path / "run"
    script.write_bytes(console_script("example", attribute))
    assert script.read_text().startswith("#!/opt/venv/bin/python\n")
    result = subprocess.run(
        [sys.executable, str(script), "a b"],
        env={"PYTHONPATH": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout) == (3, f"['{script}', 'a b']\n")


def test_the_script_of_an_entry_point_is_an_executable_console_script() -> None:
    member = script_member("opt/venv/bin/entrypoint", console_script("a.b", "C.d"))
    assert member == Member("opt/venv/bin/entrypoint", console_script("a.b", "C.d"), 0o755)
    assert isinstance(member.content, bytes)
    assert b"from a.b import C\n" in member.content
    assert b"sys.exit(C.d())" in member.content


@pytest.mark.parametrize("module", ["my-service.main", "class.main", "v1.1st"])
def test_a_module_that_no_import_statement_can_name_is_started(tmp_path: Path, module: str) -> None:
    path = tmp_path.joinpath(*module.split(".")).with_suffix(".py")
    path.parent.mkdir()
    path.write_text("class App:\n    def run():\n        print(__name__)\n        return 4\n")
    assert run_script(tmp_path, console_script(module, "App.run")) == (4, f"{module}\n")


def test_a_module_is_run_as_by_python_m(tmp_path: Path) -> None:
    (tmp_path / "my-shop").mkdir()
    text = "import sys\nprint(__name__, __spec__.name, sys.argv[1:])\nsys.exit(5)\n"
    (tmp_path / "my-shop/__main__.py").write_text(text)
    code, output = run_script(tmp_path, console_script("my-shop", ""), "x")
    assert (code, output) == (5, "__main__ my-shop.__main__ ['x']\n")


def test_cpython_takes_it_for_a_venv(tmp_path: Path) -> None:
    base = Path(sys.executable).resolve()
    with open(tmp_path / "venv.tar", "wb") as out:
        write_tar(skeleton(str(base), VERSION), out)
    with tarfile.open(tmp_path / "venv.tar") as archive:
        archive.extractall(tmp_path)
    program = "import sys; print(sys.prefix, sys.base_prefix == sys.prefix, *sys.path, sep='\\n')"
    for name in ("python", "python3", f"python{MINOR}"):
        lines = subprocess.run(
            [str(tmp_path / "opt/venv/bin" / name), "-c", program],
            env={},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
        assert lines[:2] == [str(tmp_path / "opt/venv"), "False"]
        # The .pth file adds /app, if there is such a folder, after site-packages.
        site = str(tmp_path / site_packages(minor_version()))
        assert lines[-1] == ("/app" if os.path.isdir("/app") else site)


def test_a_free_threaded_python_finds_the_wheels_in_the_folder_of_its_name() -> None:
    found = by_path("/usr/local/bin/python3.13t", "3.13")
    assert found["opt/venv/lib/python3.13t"].link == "python3.13"
    assert found["opt/venv/bin/python"].link == "/usr/local/bin/python3.13t"
    assert "opt/venv/lib/python3.13/site-packages/app.pth" in found
    assert "opt/venv/lib/python3.13t" not in by_path("/usr/local/bin/python3.13", "3.13")
