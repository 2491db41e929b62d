"""Keeps a process and all that it starts from the network, where it gets no namespace of its own.

A filter of system calls (seccomp(2)) does it. It needs no rights, and cannot be taken back.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

_SET_NO_NEW_PRIVS, _SET_SECCOMP, _MODE_FILTER = 38, 22, 2
# Of linux/audit.h, and the numbers of socket(2): what a machine calls its system calls.
_CALLS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
# Instructions of BPF: load a word, jump if equal, return.
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
# Where struct seccomp_data has the number of the call, its architecture and the first argument.
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, 16
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_LOCAL = (1, 16)  # AF_UNIX, AF_NETLINK


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def go_offline() -> bool:
    """Lets this process, which has to have one thread, open no socket but local ones: others fail
    with ENETUNREACH. Returns false where the kernel has no such filter."""
    known = _CALLS.get(platform.machine())
    if known is None:
        return False
    architecture, socket = known
    refused = (_RETURN, 0, 0, _ERROR | errno.ENETUNREACH)
    allowed = (_RETURN, 0, 0, _ALLOW)
    instructions = (
        (_LOAD, 0, 0, _ARCHITECTURE),
        # System calls of another architecture, as of 32 bits, have other numbers.
        (_EQUAL, 0, 5, architecture),
        (_LOAD, 0, 0, _NUMBER),
        (_EQUAL, 0, 4, socket),
        (_LOAD, 0, 0, _ARGUMENT),
        (_EQUAL, 2, 0, _LOCAL[0]),
        (_EQUAL, 1, 0, _LOCAL[1]),
        refused,
        allowed,
    )
    text = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    program = _Program(len(instructions), text)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    set_filter = libc.prctl(_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0)
    return bool(set_filter == 0)
