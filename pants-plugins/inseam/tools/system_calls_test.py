from __future__ import annotations

import errno
import os
import platform
import socket
import struct
import subprocess
import sys

import pytest

from inseam.formats.failure import Failure
from inseam.tools import system_calls
from inseam.tools.system_calls import filter_program

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# From asm/unistd.h, apart from the table that is tested.
NUMBERS = {
    "x86_64": dict(
        read=0, ioctl=16, socket=41, socketpair=53, clone=56, execve=59, mount=165, clone3=435
    ),
    "aarch64": dict(
        read=63, ioctl=29, socket=198, socketpair=199, clone=220, execve=221, mount=40, clone3=435
    ),
}
ALLOWED = 0


def answer(program: bytes, machine: str, number: int, *arguments: int, other: int = 0) -> int:
    """What a filter answers to a call: an errno, or ALLOWED. It is run as the kernel does."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number, other or ARCHITECTURES[machine], 0, *padded)
    instructions = list(struct.iter_unpack("=HBBI", program))
    at, loaded = 0, 0
    while True:
        code, yes, no, value = instructions[at]
        at += 1
        if code == 0x20:
            (loaded,) = struct.unpack_from("<I", data, value)
        elif code == 0x06:
            return ALLOWED if value == 0x7FFF0000 else int(value & 0xFFFF)
        else:
            holds = {0x15: loaded == value, 0x35: loaded >= value, 0x45: loaded & value != 0}[code]
            at += yes if holds else no


@pytest.mark.parametrize("offline", [True, False])
@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_the_filter_refuses_what_builds_do_not_need(machine: str, offline: bool) -> None:
    program = filter_program(offline=offline, machine=machine)
    numbers = NUMBERS[machine]

    def call(name: str, *arguments: int) -> int:
        return answer(program, machine, numbers[name], *arguments)

    assert call("read", 3) == call("execve") == call("socketpair", socket.AF_UNIX) == ALLOWED
    assert call("mount") == errno.EPERM
    assert call("clone3") == errno.ENOSYS
    assert call("clone", 17) == call("clone", 0x3D0F00) == ALLOWED
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert call("clone", flag | 17) == errno.EPERM
    assert call("ioctl", 0, 0x5401) == ALLOWED
    assert call("ioctl", 0, 0x5412) == call("ioctl", 0, 0x541C) == errno.EPERM
    for family in (1, 15, 16, 17, 31, 38, 40):
        assert call("socket", family) == errno.EAFNOSUPPORT
    for family in (socket.AF_INET, socket.AF_INET6):
        assert call("socket", family) == (errno.ENETUNREACH if offline else ALLOWED)
    for table in system_calls._REFUSED.values():
        number = table[0 if machine == "x86_64" else 1]
        assert number is None or answer(program, machine, number) == errno.EPERM
    refused = system_calls._MACHINES[machine].refused
    assert len(set(refused)) == len(refused)
    allowed = set(range(470)) - set(refused) - {numbers["socket"], 435}
    assert {answer(program, machine, number) for number in allowed} == {ALLOWED}


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_calls_of_other_architectures_are_refused(machine: str) -> None:
    program = filter_program(offline=False, machine=machine)
    assert answer(program, machine, 0, other=0x40000003) == errno.ENOSYS
    assert answer(program, machine, 0x40000000 + 39) == errno.ENOSYS


def test_a_machine_that_is_not_known_is_refused() -> None:
    with pytest.raises(Failure, match="on Linux on x86_64 and aarch64 only, and this is .* pdp11"):
        filter_program(offline=True, machine="pdp11")


def test_the_kernel_takes_it_and_what_the_process_starts_keeps_it() -> None:
    if platform.machine() not in ARCHITECTURES or sys.platform != "linux":
        pytest.skip("this machine has no such filter")
    script = """
import os, socket, subprocess, sys
from inseam.tools.system_calls import apply, filter_program
apply(filter_program(offline=True))
try:
    socket.socket(socket.AF_INET)
except OSError as error:
    print(error.strerror, flush=True)
socket.socketpair()
sys.exit(subprocess.run([sys.executable, "-c", "import os; os.chroot('.')"]).returncode)
"""
    found = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    assert found.stdout == "Network is unreachable\n"
    assert "Operation not permitted" in found.stderr
