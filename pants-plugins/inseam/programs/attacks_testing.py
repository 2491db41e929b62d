"""The attacks that a hostile build tries. It runs inside a build, so it imports only the standard
library.

An attack raises OSError if it is refused; if it returns, it succeeded.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import platform
import resource
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Callable

# Where attacks may succeed without harming the host: INSIDE, everywhere, because the build only
# harms itself; USER, where the only confinement is to be another user.
NOWHERE, USER, INSIDE = "nowhere", "user", "inside"


@dataclass(frozen=True)
class Target:
    """The parts of the host that are attacked."""

    canary: str
    """A folder with files, and with a Unix socket that is listening."""
    port: int
    """A port of 127.0.0.1 that is listening."""
    pid: int
    """PID of the process that compares the host."""
    token: str
    """A name for everything that attacks create, so that it can be found."""


@dataclass(frozen=True)
class Attack:
    """An attack, and where it may succeed."""

    run: Callable[[Target], object]
    possible: str


ATTACKS: dict[str, Attack] = {}
_libc = ctypes.CDLL(None, use_errno=True)
_X86 = platform.machine() == "x86_64"


def attack(possible: str = NOWHERE) -> Callable[[Callable[[Target], object]], object]:
    def add(function: Callable[[Target], object]) -> object:
        ATTACKS[function.__name__] = Attack(function, possible)
        return function

    return add


def call(x86_64: int, aarch64: int, *arguments: object) -> int:
    """A system call by its number; raises OSError."""
    number = x86_64 if _X86 else aarch64
    result = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


def calls(name: str, x86_64: int, aarch64: int, *arguments: object) -> None:
    """Adds an attack that consists of one system call."""
    ATTACKS[name] = Attack(lambda _: call(x86_64, aarch64, *arguments), NOWHERE)


# Files.


@attack()
def write_to_the_canary(on: Target) -> None:
    with open(f"{on.canary}/new", "w") as file:
        file.write("escaped")


@attack()
def append_to_the_canary(on: Target) -> None:
    with open(f"{on.canary}/file", "a") as file:
        file.write("escaped")


@attack()
def remove_the_canary(on: Target) -> None:
    os.remove(f"{on.canary}/file")


@attack()
def rename_the_canary(on: Target) -> None:
    os.rename(f"{on.canary}/file", f"{on.canary}/{on.token}")


@attack()
def change_modes_of_the_canary(on: Target) -> None:
    os.chmod(f"{on.canary}/file", 0o4777)


@attack(USER)
def read_the_canary(on: Target) -> None:
    open(f"{on.canary}/file").close()


@attack()
def write_through_a_link(on: Target) -> None:
    os.symlink(on.canary, "link")
    open("link/new", "w").close()


@attack()
def write_by_dots(on: Target) -> None:
    _write(f"{'../' * 30}{on.canary}/new", "escaped")


@attack()
def link_to_the_canary(on: Target) -> None:
    os.link(f"{on.canary}/file", "hard")
    _write("hard", "escaped")


@attack()
def write_to_usr(on: Target) -> None:
    open(f"/usr/{on.token}", "w").close()


@attack()
def write_to_the_top(on: Target) -> None:
    open(f"/{on.token}", "w").close()


@attack()
def write_to_etc(on: Target) -> None:
    open("/etc/passwd", "a").close()


@attack()
def read_shadow(on: Target) -> None:
    open("/etc/shadow").close()


@attack(USER)
def read_the_name_of_the_host(on: Target) -> None:
    open("/etc/hostname").close()


@attack(INSIDE)
def write_to_shared_memory(on: Target) -> None:
    if not os.path.isdir("/dev/shm"):
        raise OSError("there is none")
    path = f"/dev/shm/{on.token}"
    open(path, "w").close()
    os.remove(path)


@attack()
def write_by_the_root_of_another_process(on: Target) -> None:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) not in (os.getpid(), os.getppid()):
            try:
                open(f"/proc/{pid}/root{on.canary}/new", "w").close()
                return
            except OSError:
                continue
    raise OSError("none")


@attack()
def write_to_files_of_another_process(on: Target) -> None:
    mine = {os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for name in names:
            path = f"/proc/{pid}/fd/{name}"
            try:
                if os.readlink(path).startswith(on.canary) and path not in mine:
                    open(path, "w").close()
                    return
            except OSError:
                continue
    raise OSError("none")


@attack()
def use_the_open_filter(on: Target) -> None:
    """No descriptor that the program has open may be open here."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and on.canary in os.readlink(f"/proc/self/fd/{name}"):
            return
    raise OSError("none")


@attack(INSIDE)
def make_a_program_that_runs_as_its_user(on: Target) -> None:
    open("suid", "w").close()
    os.chmod("suid", 0o4755)


# The kernel, by files.


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


for _number, _path in enumerate(
    (
        *("/proc/sys/kernel/panic", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/swappiness"),
        *("/proc/sys/kernel/hostname", "/proc/irq/default_smp_affinity", "/proc/mtrr"),
    )
):
    ATTACKS[f"set_the_kernel_{_number}"] = Attack(
        lambda _, path=_path: _write(path, "1\n"), NOWHERE  # type: ignore[misc]
    )


@attack()
def press_a_magic_key(on: Target) -> None:
    _write("/proc/sysrq-trigger", "h")


@attack()
def read_the_memory_of_the_kernel(on: Target) -> None:
    with open("/proc/kcore", "rb") as file:
        if not file.read(4):
            raise OSError("empty")


@attack()
def set_a_release_agent(on: Target) -> None:
    for path in ("/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/pids/release_agent"):
        if os.path.exists(path):
            _write(path, "/bin/false")
            return
    raise OSError("none")


@attack()
def write_to_sysfs(on: Target) -> None:
    _write("/sys/kernel/mm/transparent_hugepage/enabled", "always")


for _device in ("kvm", "loop0", "loop-control", "mem", "console", "kmsg", "fuse", "vda", "net/tun"):
    ATTACKS[f"open_the_device_{_device.replace('/', '_').replace('-', '_')}"] = Attack(
        lambda _, device=_device: os.close(  # type: ignore[misc]
            os.open(f"/dev/{device}", os.O_RDWR)
        ),
        NOWHERE,
    )


@attack()
def make_a_device(on: Target) -> None:
    os.mknod("device", stat.S_IFBLK | 0o666, os.makedev(254, 0))


@attack()
def make_a_harmless_device(on: Target) -> None:
    os.mknod("null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    open("null", "w").close()


@attack()
def change_a_device(on: Target) -> None:
    os.chmod("/dev/null", 0o600)


@attack()
def remove_a_device(on: Target) -> None:
    os.remove("/dev/full")


# Mounts, roots and namespaces.

_RDONLY, _REMOUNT, _BIND = 1, 32, 4096
_NEWNS, _NEWUSER, _NEWNET = 0x00020000, 0x10000000, 0x40000000
_USER_AND_MOUNTS = _NEWUSER | _NEWNS

calls("mount_a_file_system", 165, 40, b"tmpfs", b"/tmp", b"tmpfs", 0, b"")
calls("mount_proc", 165, 40, b"proc", b"/proc", b"proc", 0, b"")
calls("remount_the_root", 165, 40, None, b"/", None, _REMOUNT | _BIND, None)
calls("remount_the_root_by_its_file_system", 165, 40, None, b"/", None, _REMOUNT, None)
calls("remount_proc_sys", 165, 40, None, b"/proc/sys", None, _REMOUNT | _BIND, None)
calls("bind_a_folder", 165, 40, b"/tmp", b"/usr", None, _BIND, None)
calls("unmount_tmp", 166, 39, b"/tmp", 0)
calls("unmount_proc_sys", 166, 39, b"/proc/sys", 2)
calls("unmount_the_root", 166, 39, b"/", 2)
calls("change_the_root", 155, 41, b".", b".")
calls("open_a_file_system", 430, 430, b"tmpfs", 0)
calls("open_a_tree", 428, 428, -100, b"/", 1)
calls("move_a_mount", 429, 429, -100, b"/tmp", -100, b"/usr", 0)
calls("set_a_mount", 442, 442, -100, b"/", 0, None, 0)
calls("open_by_a_handle", 304, 265, -100, b"\0" * 64, 0)
calls("leave_namespaces", 272, 97, _USER_AND_MOUNTS)
calls("leave_the_network", 272, 97, _NEWNET)
calls("clone_into_a_namespace", 56, 220, _NEWUSER | signal.SIGCHLD, None, None, None, None)
calls("clone_into_a_namespace_by_clone3", 435, 435, struct.pack("=QQQQ56x", _NEWUSER, 0, 0, 0), 88)


@attack()
def enter_a_chroot(on: Target) -> None:
    os.chroot(".")


@attack()
def leave_a_chroot_by_another(on: Target) -> None:
    top = os.open("/", os.O_RDONLY)
    os.mkdir("jail")
    os.chroot("jail")
    os.fchdir(top)
    for _ in range(30):
        os.chdir("..")
    os.chroot(".")
    open(f"{on.canary}/new", "w").close()


@attack()
def enter_the_namespaces_of_another(on: Target) -> None:
    for pid in (1, on.pid):
        for kind in ("mnt", "user", "pid", "net"):
            try:
                file = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
            except OSError:
                continue
            call(308, 268, file, 0)
            return
    raise OSError("none")


# Processes and rights.


def _traced() -> int:
    child = os.fork()
    if child == 0:
        time.sleep(5)
        os._exit(0)
    return child


@attack()
def trace_a_process(on: Target) -> None:
    child = _traced()
    try:
        call(101, 117, 16, child, 0, 0)  # PTRACE_ATTACH
    finally:
        os.kill(child, signal.SIGKILL)


@attack()
def read_the_memory_of_a_process(on: Target) -> None:
    child = _traced()
    buffer = ctypes.create_string_buffer(8)
    vector = struct.pack("PN", ctypes.addressof(buffer), 8)
    try:
        call(310, 270, child, vector, 1, vector, 1, 0)
    finally:
        os.kill(child, signal.SIGKILL)


@attack()
def signal_the_host(on: Target) -> None:
    os.kill(on.pid, 0)
    if os.path.exists("/proc/1/root"):
        # The same number may be one of ours.
        with open(f"/proc/{on.pid}/cmdline") as file:
            if on.token not in file.read():
                raise OSError("another")


@attack()
def raise_a_limit(on: Target) -> None:
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1 << 19, 1 << 19))
    except ValueError as error:
        raise OSError(str(error)) from None


@attack()
def become_root(on: Target) -> None:
    os.setuid(0)


@attack()
def get_groups(on: Target) -> None:
    os.setgroups([0])


@attack()
def get_rights(on: Target) -> None:
    header, data = struct.pack("=Ii", 0x20080522, 0), struct.pack("=6I", *[0xFFFFFFFF] * 6)
    call(126, 91, header, data)


@attack(INSIDE)
def leave_a_daemon(on: Target) -> None:
    """Keeps the output's pipe open, whose end shows that a build has ended."""
    script = "import os, time; os.setsid(); os.fork() and os._exit(0); time.sleep(1000)"
    subprocess.Popen([sys.executable, "-c", script, on.token])


@attack(INSIDE)
def ignore_signals_in_the_background(on: Target) -> None:
    if os.fork():
        return
    for number in range(1, 32):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_IGN)
    os.setsid()
    os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(1000)", on.token])


# Sockets.

_AF_BLUETOOTH = 31  # Not every CPython has it.


@attack()
def connect_to_the_host(on: Target) -> None:
    socket.create_connection(("127.0.0.1", on.port), 2)


@attack()
def connect_to_the_world(on: Target) -> None:
    socket.create_connection(("192.0.2.1", 80), 2)


@attack()
def send_a_datagram(on: Target) -> None:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))


@attack()
def connect_to_a_unix_socket(on: Target) -> None:
    socket.socket(socket.AF_UNIX).connect(f"{on.canary}/docker.sock")


@attack()
def connect_to_an_abstract_socket(on: Target) -> None:
    socket.socket(socket.AF_UNIX).connect(f"\0{on.token}")


for _family, _kind in (
    *((socket.AF_UNIX, socket.SOCK_DGRAM), (socket.AF_NETLINK, socket.SOCK_RAW)),
    *((socket.AF_PACKET, socket.SOCK_RAW), (socket.AF_VSOCK, socket.SOCK_STREAM)),
    *((socket.AF_ALG, socket.SOCK_SEQPACKET), (_AF_BLUETOOTH, socket.SOCK_RAW)),
    (socket.AF_INET, socket.SOCK_RAW),
):
    ATTACKS[f"open_a_socket_{int(_family)}_{int(_kind)}"] = Attack(
        lambda _, family=_family, kind=_kind: socket.socket(family, kind),  # type: ignore[misc]
        NOWHERE,
    )

# System calls that a build does not need.

calls("load_a_filter_program", 321, 280, 0, b"\0" * 64, 64)
calls("watch_performance", 298, 241, b"\0" * 128, 0, -1, -1, 0)
calls("read_keys", 250, 219, 0, -3, 1)
calls("add_a_key", 248, 217, b"user", b"name", b"x", 1, -3)
calls("request_a_key", 249, 218, b"user", b"name", None, -3)
calls("make_a_ring", 425, 425, 8, b"\0" * 256)
calls("handle_page_faults", 323, 282, 1)
calls("load_a_kernel", 246, 104, 0, 0, None, 0)
calls("load_a_kernel_file", 320, 294, 0, 0, 0, None, 0)
calls("load_a_module", 175, 105, b"\0" * 64, 64, b"")
calls("load_a_module_file", 313, 273, 0, b"", 0)
calls("remove_a_module", 176, 106, b"loop", 0)
calls("swap", 167, 224, b"/dev/zero", 0)
calls("switch_a_key_off", 169, 142, 0xFEE1DEAD, 672274793, 0, None)
calls("set_the_clock", 227, 112, 0, struct.pack("=qq", 0, 0))
calls("set_the_name", 170, 161, b"x", 1)
calls("read_the_log", 103, 116, 3, ctypes.create_string_buffer(64), 64)
calls("account", 163, 89, None)
calls("set_a_quota", 179, 60, 0x800001 << 8, b"/dev/vda", 0, None)
calls("watch_all_files", 300, 262, 0, 0)
calls("compare_processes", 312, 272, os.getpid(), os.getpid(), 0, 0, 0)
calls("hang_up", 153, 58)
if _X86:
    calls("use_ports", 173, 0, 0x80, 1, 1)
    calls("use_all_ports", 172, 0, 3)
    calls("call_as_x32", 0x40000000 + 39, 0)


@attack()
def type_into_the_terminal(on: Target) -> None:
    fcntl.ioctl(1, 0x5412, b"x")


def run_all(target: Target) -> dict[str, str]:
    """Tries all attacks, each in its own process; the results are "done", "refused" or "died"."""
    found = {}
    for name, tried in ATTACKS.items():
        child = os.fork()
        if child == 0:
            code = 3
            try:
                signal.alarm(20)
                os.mkdir(f"tmp-{name}")
                os.chdir(f"tmp-{name}")
                tried.run(target)
                code = 4
            except OSError:
                code = 5
            finally:
                os._exit(code)
        status = os.waitpid(child, 0)[1]
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
        found[name] = {4: "done", 5: "refused"}.get(code, f"died ({status})")
    return found


def main(path: str) -> None:
    """Reads a Target from a file, and prints which attacks succeeded."""
    with open(path) as file:
        target = Target(**json.load(file))
    found = run_all(target)
    print(f"TRIED {len(found)}")
    for name, what in found.items():
        if what != "refused":
            print(f"CAME {name} {what}")
    sys.stdout.flush()
