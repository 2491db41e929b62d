"""Refuses system calls that a build does not need, with a filter in the kernel (seccomp(2)).

The filter is a BPF program, whose instructions are in linux/filter.h; it reads a call as struct
seccomp_data of linux/seccomp.h. It needs no privileges and cannot be removed.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from typing import Iterator, NamedTuple

from inseam.formats.failure import Failure

# Numbers of calls on x86_64 and on aarch64 (asm/unistd.h); None if there is no such call.
_REFUSED: dict[str, tuple[int | None, int]] = {
    # Namespaces, mounts and roots.
    "chroot": (161, 51),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "pivot_root": (155, 41),
    "setns": (308, 268),
    "umount2": (166, 39),
    "unshare": (272, 97),
    # Other processes.
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    # The kernel itself, and calls known for vulnerabilities.
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "perf_event_open": (298, 241),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}
_ONLY_X86_64 = {"ioperm": 173, "iopl": 172, "modify_ldt": 154, "uselib": 134}
# Its arguments are in memory, which filters cannot read. Callers fall back to `clone`.
_CLONE3 = 435


class _Machine(NamedTuple):
    """The system call numbers of an architecture."""

    architecture: int
    """The architecture's value in linux/audit.h."""
    clone: int
    ioctl: int
    socket: int
    refused: tuple[int, ...]
    """Other calls that are refused."""


_MACHINES = {
    "x86_64": _Machine(
        0xC000003E,
        *(56, 16, 41),
        (*(call[0] for call in _REFUSED.values() if call[0]), *_ONLY_X86_64.values()),
    ),
    "aarch64": _Machine(0xC00000B7, *(220, 29, 198), tuple(call[1] for call in _REFUSED.values())),
}
# From here on, x86_64's numbers are those of x32 (asm/unistd.h, __X32_SYSCALL_BIT).
_X32 = 0x40000000
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET of linux/sched.h.
_NEW_NAMESPACES = 0x7E020000
_PUT_INTO_TERMINAL = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
_AF_INET, _AF_INET6 = 2, 10

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24  # offsets in struct seccomp_data
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_SET_NO_NEW_PRIVS, _SET_SECCOMP, _MODE_FILTER = 38, 22, 2


def filter_program(*, offline: bool, machine: str = "") -> bytes:
    """The filter for a machine, by the name in `platform`; by default for this one.

    It only allows internet sockets to be opened, or none at all if `offline`; socketpair(2) works.
    Raises Failure for a machine whose calls are unknown.
    """
    name = machine or platform.machine()
    if name not in _MACHINES:
        raise Failure(
            f"Builds are confined on Linux on {' and '.join(_MACHINES)} only, and this is"
            f" {platform.system()} on {name}."
        )
    return b"".join(
        struct.pack("=HBBI", *instruction)
        for instruction in _instructions(_MACHINES[name], offline)
    )


def _instructions(machine: _Machine, offline: bool) -> Iterator[tuple[int, int, int, int]]:
    yield (_LOAD, 0, 0, _ARCHITECTURE)
    # 32-bit calls have other numbers.
    yield (_EQUAL, 1, 0, machine.architecture)
    yield _error(errno.ENOSYS)
    yield (_LOAD, 0, 0, _NUMBER)
    yield (_AT_LEAST, 0, 1, _X32)
    yield _error(errno.ENOSYS)
    for number in machine.refused:
        yield (_EQUAL, 0, 1, number)
        yield _error(errno.EPERM)
    yield (_EQUAL, 0, 1, _CLONE3)
    yield _error(errno.ENOSYS)
    yield from _if_called(
        machine.clone,
        [(_LOAD, 0, 0, _FIRST), (_ANY_BIT, 0, 1, _NEW_NAMESPACES), _error(errno.EPERM)],
    )
    refused = [
        step for call in _PUT_INTO_TERMINAL for step in ((_EQUAL, 0, 1, call), _error(errno.EPERM))
    ]
    yield from _if_called(machine.ioctl, [(_LOAD, 0, 0, _SECOND), *refused])
    if offline:
        sockets = [
            step
            for family in (_AF_INET, _AF_INET6)
            for step in ((_EQUAL, 0, 1, family), _error(errno.ENETUNREACH))
        ]
        sockets.append(_error(errno.EAFNOSUPPORT))
    else:
        sockets = [
            (_EQUAL, 2, 0, _AF_INET),
            (_EQUAL, 1, 0, _AF_INET6),
            _error(errno.EAFNOSUPPORT),
        ]
    yield from _if_called(machine.socket, [(_LOAD, 0, 0, _FIRST), *sockets])
    yield _allow()


def _if_called(
    number: int, steps: list[tuple[int, int, int, int]]
) -> Iterator[tuple[int, int, int, int]]:
    """The steps for one call, which is allowed if none of them returns."""
    yield (_EQUAL, 0, len(steps) + 1, number)
    yield from steps
    yield _allow()


def _error(number: int) -> tuple[int, int, int, int]:
    return (_RETURN, 0, 0, _ERROR | number)


def _allow() -> tuple[int, int, int, int]:
    return (_RETURN, 0, 0, _ALLOW)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


_libc = ctypes.CDLL(None, use_errno=True)


def apply(program: bytes) -> None:
    """Sets a filter for this process, which must have a single thread, and for its descendants;
    raises OSError if the kernel does not support filters.
    """
    given = _Program(len(program) // 8, program)
    if (
        _libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
        or _libc.prctl(_SET_SECCOMP, _MODE_FILTER, ctypes.byref(given), 0, 0) != 0
    ):
        raise OSError(ctypes.get_errno(), "no filter of system calls")
