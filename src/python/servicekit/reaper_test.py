"""A service that is PID 1 of a container (here: of a PID namespace)."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from servicekit import lifecycle

PROGRAM = f"""
import os, subprocess, sys, time
from {lifecycle.__name__} import run

def start(life):
    BODY

sys.exit(run(start))
"""
UNSHARE = [
    "unshare",
    "--user",
    "--map-root-user",
    "--pid",
    "--fork",
    "--mount-proc",
    "--kill-child",
]


def can_unshare() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not can_unshare(), reason="cannot make a PID namespace here")


@contextmanager
def first_process(body: str) -> Iterator["subprocess.Popen[str]"]:
    """A program that runs as PID 1; its signals go to the child of unshare."""
    environment = os.environ | {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    command = [*UNSHARE, sys.executable, "-B", "-u", "-c", PROGRAM.replace("BODY", body)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def output(process: "subprocess.Popen[str]") -> list[str]:
    assert process.stdout is not None
    return process.stdout.read().splitlines()


def inner(process: "subprocess.Popen[str]") -> int:
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as children:
        return int(children.read().split()[0])


def test_the_exit_code_of_the_service_is_that_of_the_container() -> None:
    with first_process("print(os.getpid() > 1); return 7") as process:
        assert output(process) == ["True"]
        assert process.wait(60) == 7


def test_a_service_that_is_killed_counts_as_killed() -> None:
    with first_process("os.kill(os.getpid(), 9)") as process:
        assert process.wait(60) == 137


def test_orphans_are_reaped() -> None:
    body = """
    for _ in range(20):
        subprocess.run(["sh", "-c", "sleep 0.05 &"])
    end = time.monotonic() + 20
    while time.monotonic() < end:
        left = [p for p in os.listdir("/proc") if p.isdigit() and int(p) > 2]
        if not left: break
        time.sleep(0.05)
    print(left)"""
    with first_process(body) as process:
        assert output(process) == ["[]"]


def test_exit_codes_of_the_services_own_children_are_not_stolen() -> None:
    body = """
    children = [subprocess.Popen(["sh", "-c", f"exit {n}"]) for n in range(20)]
    killed = subprocess.Popen(["sleep", "60"])
    killed.kill()
    time.sleep(0.3)  # they are zombies now
    print(*(child.wait() for child in children), killed.wait())"""
    with first_process(body) as process:
        assert output(process) == [" ".join(map(str, [*range(20), -9]))]


def test_ctrl_c_on_a_terminal_reaches_the_service_once() -> None:
    # A terminal signals the whole group of PID 1, which forwards what it gets.
    with first_process("print(os.getpgid(0) == os.getpid() != os.getpgid(1))") as process:
        assert output(process) == ["True"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_request_reaches_the_service(number: int) -> None:
    body = """
    print("up")
    time.sleep(30)"""
    with first_process(body) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        os.kill(inner(process), number)
        assert process.wait(60) == 0


def test_a_second_signal_reaches_the_service() -> None:
    body = """
    life.serve(lambda: print("stopping"))
    print("up")
    time.sleep(30)"""
    with first_process(body) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        os.kill(inner(process), signal.SIGTERM)
        assert process.stdout.readline() == "stopping\n"
        time.sleep(0.1)
        os.kill(inner(process), signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
