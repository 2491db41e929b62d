from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.python.build_environment import make_environment
from inseam.formats.python.wheel_testing import build_wheel

SCRIPT = "import json, sys, demo; print(json.dumps([sys.prefix, demo.__file__, demo.WHERE]))"


def test_what_builds_require_is_there_and_nothing_else(tmp_path: Path) -> None:
    """As PEP 405 has it: the environment may be anywhere."""
    wheel = build_wheel(
        tmp_path,
        files={"demo/__init__.py": b"WHERE = 'wheel'\ndef main(): print('started')\n"},
        entry_points="[console_scripts]\ndemo = demo:main\n",
    )
    folder = tmp_path / "env"
    make_environment(folder, sys.executable, [wheel], place=str(folder))
    python = folder / "bin/python"
    found = subprocess.run([python, "-Ic", SCRIPT], capture_output=True, text=True, check=True)
    prefix, file, where = json.loads(found.stdout)
    assert prefix == str(folder)
    assert file.startswith(f"{folder}/lib/")
    assert where == "wheel"
    script = subprocess.run([folder / "bin/demo"], capture_output=True, text=True, check=True)
    assert script.stdout == "started\n"
    for name in ("pip", "pytest"):
        assert (
            subprocess.run([python, "-Ic", f"import {name}"], capture_output=True).returncode == 1
        )


def test_scripts_start_where_the_backend_sees_them(tmp_path: Path) -> None:
    wheel = build_wheel(
        tmp_path,
        files={"demo.py": b"def main(): pass\n"},
        entry_points="[console_scripts]\ndemo = demo:main\n",
    )
    make_environment(tmp_path / "env", "/usr/bin/python3", [wheel], place="/build/env")
    lines = (tmp_path / "env/bin/demo").read_text().splitlines()
    assert lines[0] == "#!/build/env/bin/python"
    assert (tmp_path / "env/pyvenv.cfg").read_text().startswith("home = /usr/bin\n")


def test_what_is_no_wheel_is_refused_by_its_name(tmp_path: Path) -> None:
    bad = tmp_path / "bad-1.0-py3-none-any.whl"
    bad.write_bytes(b"PK nothing")
    with pytest.raises(Failure, match="bad-1.0-py3-none-any.whl cannot be installed to build with"):
        make_environment(tmp_path / "env", sys.executable, [bad], place="/build/env")


@pytest.mark.parametrize("name", ["../../../escaped", "/tmp/inseam-escaped", "demo/../../../../x"])
def test_a_wheel_writes_nothing_outside_of_the_environment(tmp_path: Path, name: str) -> None:
    """Neither by the names of its members nor by those of its entry points."""
    by_member = build_wheel(tmp_path / "one", files={name: b""})
    by_script = build_wheel(
        tmp_path / "two",
        files={"demo.py": b"def main(): pass\n"},
        entry_points=f"[console_scripts]\n{name} = demo:main\n",
    )
    for wheel in (by_member, by_script):
        folder = tmp_path / "a/b/c/env"
        with pytest.raises(
            Failure, match="cannot be installed to build with it: .*(leads out|unusable path)"
        ):
            make_environment(folder, sys.executable, [wheel], place="/build/env")
        assert {path.name for path in (tmp_path / "a/b/c").iterdir()} == {"env"}
        assert not Path("/tmp/inseam-escaped").exists()
        shutil.rmtree(folder)
