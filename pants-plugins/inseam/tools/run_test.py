from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inseam.tools.run import is_detached, run_options, tmpfs_options

# A client that says what it is told, and whose container ends when it is stopped.
CLIENT = """\
#!{python} -sSB
import os
import sys
import time

folder = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(folder, "log"), "a") as log:
    print(*sys.argv[1:], file=log, flush=True)
end = os.path.join(folder, "end")
if sys.argv[1] == "stop":
    open(end, "w").close()
else:
    (path,) = (one.partition("=")[2] for one in sys.argv if one.startswith("--cidfile="))
    time.sleep(0.5)
    with open(path, "w") as file:
        file.write("container-1")
    for _ in range(200):
        if os.path.exists(end):
            sys.exit(7)
        time.sleep(0.05)
"""
RUN = "import sys; from inseam.tools.run import run; sys.exit(run(sys.argv[1], ['x:1']))"


TMPFS = {"/tmp": "exec,mode=1777", "/var/lib/shop": "exec,mode=0770,uid=7,gid=0"}


@pytest.mark.parametrize(
    "options, entrypoint, expected",
    [
        ([], ["/opt/venv/bin/entrypoint"], ["--rm", "--init"]),
        (["-d"], ["/usr/bin/tini", "--", "x"], ["-d"]),
        (
            ["--read-only"],
            ["x"],
            [
                "--rm",
                "--init",
                "--tmpfs",
                "/tmp:exec,mode=1777",
                "--tmpfs",
                "/var/lib/shop:exec,mode=0770,uid=7,gid=0",
                "--read-only",
            ],
        ),
    ],
)
def test_a_container_gets_what_its_image_lacks(
    options: list[str], entrypoint: list[str], expected: list[str]
) -> None:
    assert run_options(options, entrypoint, TMPFS) == expected


@pytest.mark.parametrize(
    "mounts",
    [
        ["-v", "data:/var/lib/shop:rw", "--mount=type=tmpfs,target=/tmp"],
        ["--tmpfs=/tmp:size=1m", "--tmpfs", "/var/lib/shop"],
    ],
)
def test_what_the_options_mount_is_not_mounted_twice(mounts: list[str]) -> None:
    options = ["--read-only", *mounts]
    assert run_options(options, ["x"], TMPFS) == ["--rm", "--init", *options]


@pytest.mark.parametrize(
    "client, user, expected",
    [
        ("docker", "7:5", "exec,mode=0770,uid=7,gid=0"),
        ("docker", "7", "exec,mode=0770,uid=7,gid=0"),
        ("podman", "7:5", "exec,mode=0770,U"),
        ("docker", "www-data", "exec,mode=1777"),
        ("docker", "", "exec,mode=1777"),
    ],
)
def test_a_tmpfs_belongs_to_the_user_as_the_folder_in_the_image_does(
    client: str, user: str, expected: str
) -> None:
    assert tmpfs_options(client, user, ["/tmp", "/data"]) == {
        "/tmp": "exec,mode=1777",
        "/data": expected,
    }


@pytest.mark.parametrize(
    "options, detached",
    [
        (["-d"], True),
        (["-p", "1:1", "--detach"], True),
        (["-itd"], True),
        (["--detach=true"], True),
        (["--detach=false"], False),
        (["-it", "--name=d", "-hdb", "-e", "d=1"], False),
        ([], False),
    ],
)
def test_a_container_in_the_background_is_kept_for_its_logs(
    options: list[str], detached: bool
) -> None:
    assert is_detached(options) is detached
    assert ("--rm" in run_options(options, ["x"])) is not detached


def log(folder: Path) -> list[str]:
    path = folder / "log"
    return path.read_text().splitlines() if path.exists() else []


def wait_for(folder: Path, lines: int) -> list[str]:
    end = time.monotonic() + 20
    while len(log(folder)) < lines and time.monotonic() < end:
        time.sleep(0.02)
    return log(folder)


def start(folder: Path) -> subprocess.Popen[bytes]:
    client = folder / "client"
    client.write_text(CLIENT.format(python=sys.executable))
    client.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(client)],
        stdin=subprocess.DEVNULL,
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    (line,) = wait_for(folder, 1)
    assert line.startswith("run --cidfile=")
    assert line.endswith(" x:1")
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_container(tmp_path: Path, number: int) -> None:
    with start(tmp_path) as process:
        process.send_signal(number)
        assert wait_for(tmp_path, 2)[1] == "stop container-1"
        assert process.wait(20) == 7


def test_a_container_does_not_outlive_a_process_that_is_killed(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        process.kill()
        assert wait_for(tmp_path, 2)[1] == "stop container-1"


def test_a_container_does_not_outlive_the_parent_of_the_process(tmp_path: Path) -> None:
    client = tmp_path / "client"
    client.write_text(CLIENT.format(python=sys.executable))
    client.chmod(0o755)
    parent = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"
    with subprocess.Popen(
        [sys.executable, "-c", parent, RUN, str(client)],
        stdin=subprocess.DEVNULL,
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    ) as process:
        wait_for(tmp_path, 1)
        process.kill()
        assert wait_for(tmp_path, 2)[1] == "stop container-1"


def test_a_container_that_ends_is_not_stopped(tmp_path: Path) -> None:
    with start(tmp_path) as process:
        (tmp_path / "end").touch()
        assert process.wait(20) == 7
    assert len(log(tmp_path)) == 1
