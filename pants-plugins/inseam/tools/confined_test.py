from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.tools import confined
from inseam.tools.confined import PLACE, Command, TimedOut, run

needs_namespaces = pytest.mark.skipif(
    not confined._namespaces_work(), reason="this kernel gives no namespaces"
)
PYTHON = os.path.realpath(sys.executable)
PATH = {"PATH": "/usr/bin:/bin"}


def shell(script: str, folder: Path, **more: object) -> tuple[int, str]:
    return run(Command(["/bin/sh", "-c", script], folder, PATH, **more))  # type: ignore[arg-type]


def test_the_exit_code_and_what_was_said_come_back(tmp_path: Path) -> None:
    assert shell("echo out; echo err >&2; exit 3", tmp_path) == (3, "out\nerr\n")


@needs_namespaces
def test_only_the_folder_can_be_written_to(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    inside = tmp_path / "inside"
    inside.mkdir()
    script = (
        f"pwd; touch here; touch {outside}/x || echo hidden; touch /usr/inseam || echo refused;"
        " touch /tmp/anywhere; echo x > /dev/null"
    )
    code, output = shell(script, inside)
    assert code == 0
    assert output.startswith("{build}\n")
    assert "hidden" in output
    assert "refused" in output
    assert [path.name for path in inside.iterdir()] == ["here"]
    assert not list(outside.iterdir())
    assert not os.path.exists("/tmp/anywhere")
    assert (inside / "here").stat().st_uid == os.getuid()


@needs_namespaces
def test_nothing_is_imported_once_folders_are_covered(tmp_path: Path) -> None:
    """The standard library may lie below /tmp, as it does for the CPython of a base."""
    script = """
import sys
from pathlib import Path
from inseam.tools import confined

def enter(folder, root, before=confined._enter):
    known = set(sys.modules)
    before(folder, root)
    if set(sys.modules) - known:
        sys.exit(f"imported: {sorted(set(sys.modules) - known)}")

confined._enter = enter
print(confined.run(confined.Command(["/bin/echo", "there"], Path(sys.argv[1]))))
"""
    argv = [PYTHON, "-c", script, str(tmp_path)]
    env = {"PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(argv, capture_output=True, text=True, env=env, check=False)
    assert result.stdout == "(0, 'there\\n')\n", result.stderr


@pytest.mark.parametrize(
    ("written", "path"),
    [("/a", "/a"), (r"/a\040b\134c", r"/a b\c"), (r"/\011", "/\t"), ("/é", "/é")],
)
def test_paths_of_mounts_are_read(written: str, path: str) -> None:
    assert confined._unescaped(written) == path


@needs_namespaces
def test_devices_can_be_used_but_neither_changed_nor_removed(tmp_path: Path) -> None:
    """For root they are those of the machine: an output `-o /dev/null` got the modes of one."""
    mode = os.stat("/dev/full").st_mode
    script = (
        "chmod 600 /dev/full || echo kept; rm -f /dev/full || echo there; echo x > /dev/null;"
        " head -c 3 /dev/zero | wc -c; echo x > /dev/shm/x && echo shared; "
        " echo 1 > /proc/sys/kernel/panic || echo kernel kept"
    )
    try:
        _, output = shell(script, tmp_path)
        assert os.stat("/dev/full").st_mode == mode
    finally:
        if os.geteuid() == 0 and os.path.exists("/dev/full"):
            os.chmod("/dev/full", mode & 0o777)
    said = [line for line in output.splitlines() if not line.startswith(("chmod", "rm", "/bin/sh"))]
    assert said == ["kept", "there", "3", "shared", "kernel kept"]
    assert not os.path.exists("/dev/shm/x")


@needs_namespaces
def test_there_is_no_network_and_no_name(tmp_path: Path) -> None:
    code, output = shell("cat /proc/net/dev; cat /proc/sys/kernel/hostname", tmp_path)
    lines = output.splitlines()
    assert lines[-1] == "builder"
    assert [line.split(":")[0].strip() for line in lines if ":" in line] == ["lo"]


@needs_namespaces
def test_the_folder_has_one_name_wherever_it_is(tmp_path: Path) -> None:
    script = "cd {here}; echo $X; pwd | rev"
    command = Command(["/bin/sh", "-c", script], tmp_path, {**PATH, "X": "{here}"})
    assert confined.place_of(command) == PLACE
    assert run(command) == (0, f"{{build}}\n{PLACE[::-1]}\n")


def test_what_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(TimedOut, match="begun"):
        shell("(sleep 3; touch late) & echo begun; sleep 300", tmp_path, timeout=1)
    assert time.monotonic() - start < 60
    time.sleep(2.5)
    assert not (tmp_path / "late").exists()


def test_what_is_left_in_the_background_ends(tmp_path: Path) -> None:
    assert shell("(sleep 1; touch late) >/dev/null 2>&1 & exit 0", tmp_path)[0] == 0
    time.sleep(1.5)
    assert not (tmp_path / "late").exists()


def test_without_namespaces_a_command_still_runs(tmp_path: Path) -> None:
    command = Command(
        [PYTHON, "-c", "import os; print(os.getcwd())"], tmp_path, PATH, confine=False
    )
    assert confined.place_of(command) == str(tmp_path)
    assert run(command) == (0, "{build}\n")


def test_without_namespaces_only_root_enters_another_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confined, "_namespaces_work", lambda: False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Failure, match="Allow them .* or build as root"):
        shell("true", tmp_path, root=tmp_path)


def small_root(folder: Path) -> Path:
    """A root file system with a shell and its libraries, of this machine."""
    found = subprocess.run(["ldd", "/bin/sh"], capture_output=True, text=True, check=True).stdout
    for path in ["/bin/sh", *(word for word in found.split() if word.startswith("/"))]:
        copy = folder / path[1:]
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return folder


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ldd"), reason="needs root and ldd")
@pytest.mark.parametrize("namespaces", [True, False])
def test_another_root_is_entered_and_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, namespaces: bool
) -> None:
    if not namespaces:
        monkeypatch.setattr(confined, "_namespaces_work", lambda: False)
    elif not confined._namespaces_work():
        pytest.skip("this kernel gives no namespaces")
    root = small_root(tmp_path / "root")
    tmp_path.chmod(0o755)
    folder = tmp_path / "folder"
    folder.mkdir()
    script = "pwd; : > here; echo > /outside || echo refused; echo > /dev/null && echo devices"
    for _ in range(2):
        code, output = shell(script, folder, root=root)
        assert code == 0, output
        assert output.startswith("{build}\n")
        assert "refused" in output
        assert output.endswith("devices\n")
        assert [path.name for path in folder.iterdir()] == ["here"]
    assert not (root / "outside").exists()
    assert not (root / "tmp/build").exists()
    assert not os.path.ismount(root / "proc")
