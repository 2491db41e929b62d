"""Builds hostile projects with the program, as any user, with and without namespaces, and compares
the host before and after.
"""

from __future__ import annotations

import contextlib
import ctypes
import encodings.cp437
import encodings.unicode_escape  # noqa: F401
import hashlib
import io
import json
import os
import shutil
import socket
import stat
import struct
import sys
import sysconfig
import tarfile
import tempfile
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Sequence

from inseam.formats.debian.lock import parse_lock
from inseam.formats.debian.package import package_args
from inseam.formats.elf import needed
from inseam.formats.rootfs.start import TOOLS_TAR
from inseam.formats.rootfs.tree import compile_modules
from inseam.formats.rootfs.tree_testing import shared_libraries
from inseam.programs import build_tools, build_wheel, fetch_deb  # noqa: F401
from inseam.programs.__main__ import run
from inseam.programs.attacks_testing import Target
from inseam.tools import system_calls
from inseam.tools.processes import descendants

NOBODY = 65534
# Of linux/sched.h and linux/mount.h.
_NEWNS, _NEWIPC, _REC, _PRIVATE = 0x00020000, 0x08000000, 1 << 14, 1 << 18
MINOR = ".".join(map(str, sys.version_info[:2]))
_LOCK = Path(__file__).parents[1] / "default_base/build-tools.json"
_ATTACKS = Path(__file__).with_name("attacks_testing.py")
_PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = """\
import os, sys, zipfile
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "x-1-py3-none-any.whl"
    def good(path=os.path.join(directory, name)):
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr("x.py", "")
            wheel.writestr("x-1.dist-info/METADATA", "Name: x\\nVersion: 1\\n")
            wheel.writestr("x-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
            wheel.writestr("x-1.dist-info/RECORD", "")
    def leave(file, text):
        with open(os.path.join(directory, file), "w") as out:
            out.write(text)
    {code}
    return name
"""


@dataclass(frozen=True)
class Form:
    """How a build runs."""

    user: int
    """The user that runs it; only root can choose another one."""
    builder: bool
    """Whether it runs in the root filesystem of a builder."""
    namespaces: bool
    """Whether the kernel provides namespaces."""
    allowed: bool = True
    """Whether builds without namespaces are allowed."""

    def __str__(self) -> str:
        return "-".join(
            (
                "root" if self.user == 0 else "user",
                "builder" if self.builder else "bare",
                "namespaces" if self.namespaces else "none",
            )
        )


@dataclass(frozen=True)
class Built:
    """The result of a build: exit code, the program's messages, and the files in its output."""

    code: int
    text: str
    files: tuple[str, ...]


class Machine:
    """A folder that every user can reach, with what builds need."""

    def __init__(self) -> None:
        _enter_own_namespaces()
        self.folder = Path(tempfile.mkdtemp(prefix="inseam-hostile-"))
        self.folder.chmod(0o755)
        self.token = f"hostile-{uuid.uuid4().hex}"
        self.tools = _tools()
        self.python = _python_tree(self.folder / "tree")
        self.builder = _builder(self.tools, self.python, self.folder / "builder.tar")
        self.frontend = self.folder / "frontend"
        _write_frontend(self.frontend)
        self.host = Host(self.folder / "canary", self.token)
        self._number = 0
        ordinary = self.build(Form(os.geteuid(), False, namespaces=True, allowed=False), "good()")
        self.has_namespaces = "there are none here" not in ordinary.text

    def close(self) -> None:
        self.host.close()
        shutil.rmtree(self.folder)

    def build(self, form: Form, code: str, *arguments: str) -> Built:
        """Builds a project whose backend runs `code`."""
        self._number += 1
        sandbox = self.folder / f"{self._number}"
        sandbox.mkdir(mode=0o700)
        files = {
            "pyproject.toml": _PYPROJECT,
            "backend.py": BACKEND.replace("{code}", code.replace("\n", "\n    ")),
            "attacks.py": _ATTACKS.read_text(),
            "target.json": json.dumps(asdict(self.host.target)),
        }
        with tarfile.open(sandbox / "x-1.tar", "w") as tar:
            for name, text in files.items():
                info = tarfile.TarInfo(f"x-1/{name}")
                info.size = len(text.encode())
                tar.addfile(info, io.BytesIO(text.encode()))
        argv = [
            *("build_wheel", "--source=x-1.tar", f"--frontend={self.frontend}", "--out=out"),
            *(f"--tools={self.tools}", "--timeout=120", *arguments),
        ]
        if form.builder:
            python = f"/opt/python/bin/python{MINOR}"
            argv += [f"--root={self.builder}", f"--interpreter={python}", "--architecture"]
            argv += ["amd64" if os.uname().machine == "x86_64" else "arm64"]
        if form.allowed:
            argv.append("--allow-unconfined")
        cache = self.folder / f"roots-{form.user}"
        cache.mkdir(mode=0o700, exist_ok=True)
        argv.append(f"--cache={cache}")
        if os.geteuid() == 0:
            for path in (sandbox, sandbox / "x-1.tar", cache):
                os.chown(path, form.user, form.user)
        child = os.fork()
        if child == 0:
            self._run(form, sandbox, argv)
        status = os.waitpid(child, 0)[1]
        text = (sandbox / "said").read_text(errors="replace")
        found = tuple(
            path.relative_to(sandbox / "out").as_posix()
            for path in sorted((sandbox / "out").rglob("*"))
            if path.is_file()
        )
        shutil.rmtree(sandbox)
        return Built(os.WEXITSTATUS(status), text, found)

    def _run(self, form: Form, sandbox: Path, argv: Sequence[str]) -> None:
        """Runs the program in this process, because another user may not reach the interpreter."""
        code = 99
        try:
            os.chdir(sandbox)
            said = os.open("said", os.O_WRONLY | os.O_CREAT, 0o666)
            os.dup2(said, 1)
            os.dup2(said, 2)
            os.setsid()
            if form.user != os.geteuid():
                os.setgroups([])
                os.setgid(form.user)
                os.setuid(form.user)
            if not form.namespaces:
                system_calls.apply(_no_namespaces())
            sys.executable = str(self.python / "bin/python")
            sys.stdout, sys.stderr = (os.fdopen(fd, "w", closefd=False) for fd in (1, 2))
            code = run(list(argv))
            sys.stderr.flush()
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(code)


class Host:
    """The state of the host that no build may change."""

    def __init__(self, canary: Path, token: str) -> None:
        self._canary = canary
        (canary / "deep/er").mkdir(parents=True)
        for path, mode in (("file", 0o644), ("deep/run", 0o755), ("deep/er/empty", 0o600)):
            (canary / path).write_text(path)
            (canary / path).chmod(mode)
        (canary / "link").symlink_to("file")
        self._unix = socket.socket(socket.AF_UNIX)
        self._unix.bind(str(canary / "docker.sock"))
        (canary / "docker.sock").chmod(0o777)
        self._abstract = socket.socket(socket.AF_UNIX)
        self._abstract.bind(f"\0{token}")
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self._sockets = (self._unix, self._abstract, self._tcp)
        for one in self._sockets:
            one.listen()
            one.setblocking(False)
        port = self._tcp.getsockname()[1]
        self.target = Target(str(canary), port, os.getpid(), token)

    def close(self) -> None:
        for one in self._sockets:
            one.close()

    def state(self) -> dict[str, object]:
        """Everything that is compared."""
        return {
            "files": _tree(self._canary),
            "system": {
                path: _shallow(path) for path in ("/", "/etc", "/usr", "/dev", "/dev/shm", "/root")
            },
            "mounts": _lines("/proc/self/mountinfo"),
            "kernel": {
                name: _lines(f"/proc/sys/{name}")
                for name in ("kernel/panic", "kernel/core_pattern", "kernel/hostname")
            },
            "shared": _lines("/proc/sysvipc/shm"),
            "processes": self._processes(),
            "connections": [one.getsockname() for one in self._sockets if self._reached(one)],
        }

    def _processes(self) -> list[str]:
        """The processes that a build left, found by its token, and all children of this process."""
        found = [f"child {process.pid}" for process in descendants(os.getpid())]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/cmdline").read_bytes()
                if self.target.token.encode() in text:
                    found.append(f"left {pid}")
        return found

    def _reached(self, one: socket.socket) -> bool:
        try:
            one.accept()
        except BlockingIOError:
            return False
        return True


def _enter_own_namespaces() -> None:
    """Gives this process its own mounts and shared memory, if it may have them, so that containers
    and programs next to it do not look like changes that a build made."""
    libc = ctypes.CDLL(None)
    if libc.unshare(_NEWNS | _NEWIPC) == 0:
        assert libc.mount(b"none", b"/", None, ctypes.c_ulong(_REC | _PRIVATE), None) == 0
        if os.path.isdir("/dev/shm"):
            assert libc.mount(b"tmpfs", b"/dev/shm", b"tmpfs", ctypes.c_ulong(0), None) == 0


def _tree(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        known = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(known.st_mode) else b""
        link = os.readlink(path) if path.is_symlink() else ""
        digest = hashlib.sha256(content).hexdigest()
        found[str(path)] = (known.st_mode, known.st_uid, known.st_mtime_ns, link, digest)
    return found


def _shallow(path: str) -> list[tuple[str, int, int]]:
    with contextlib.suppress(FileNotFoundError), os.scandir(path) as entries:
        return sorted(
            (entry.name, entry.stat(follow_symlinks=False).st_mode, entry.inode())
            for entry in entries
        )
    return []


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _no_namespaces() -> bytes:
    """A filter with which the kernel provides no namespaces, but everything else."""
    known = system_calls._MACHINES[os.uname().machine]
    unshare = system_calls._REFUSED["unshare"][0 if os.uname().machine == "x86_64" else 1]
    assert unshare is not None
    machine = known._replace(refused=(unshare,), ioctl=9999, socket=9999)
    return b"".join(
        struct.pack("=HBBI", *step) for step in system_calls._instructions(machine, offline=False)
    )


def _tools() -> Path:
    """The root filesystem with bubblewrap, from the packages that Inseam ships. It is cached."""
    text = _LOCK.read_text()
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    kept = Path(tempfile.gettempdir()) / f"inseam-build-tools-{os.getuid()}-{name}"
    if (kept / TOOLS_TAR).is_file():
        return kept / TOOLS_TAR
    lock = parse_lock(text, _LOCK.name)
    architecture = "amd64" if os.uname().machine == "x86_64" else "arm64"
    with tempfile.TemporaryDirectory() as debs:
        paths = []
        for package in lock.select(architecture, ()):
            argv = [*package_args(package), "--release", lock.request.release]
            fetch_deb.main([*argv, "--out", debs])
            paths.append(f"{debs}/{package.file_name}")
        build_tools.main(["--architecture", architecture, "--out", str(kept), *paths])
    kept.chmod(0o755)
    return kept / TOOLS_TAR


def _python_tree(folder: Path) -> Path:
    """The running CPython, in the layout of one that was extracted from a base."""
    program = Path(os.path.realpath(sys.executable))
    stdlib = Path(sysconfig.get_paths()["stdlib"])
    loader = next(name for name in needed(program.read_bytes()) if name.startswith("/"))
    for name in ("bin", "libraries", "lib"):
        (folder / name).mkdir(parents=True)
    shutil.copy(program, folder / "bin/python")
    shutil.copy(loader, folder / "ld.so")
    extensions = sorted((stdlib / "lib-dynload").glob("*.so"))
    for name, path in shared_libraries([program, *extensions]).items():
        shutil.copy(path, folder / "libraries" / name)
    left_out = shutil.ignore_patterns(
        *("__pycache__", "site-packages", "test", "idlelib", "tkinter", "config-*", "lib2to3"),
        *("ensurepip", "turtledemo", "pydoc_data", "_test*.so"),
    )
    shutil.copytree(stdlib, folder / f"lib/python{MINOR}", ignore=left_out)
    compile_modules(str(folder / f"lib/python{MINOR}"))
    return folder


def _builder(tools: Path, tree: Path, out: Path) -> Path:
    """A root filesystem with the tools, and with a CPython that is started by a script."""
    with tarfile.open(out, "w") as tar:
        with tarfile.open(tools) as other:
            for member in other:
                if not member.name.startswith(("usr/share", "var")):
                    tar.addfile(member, other.extractfile(member) if member.isreg() else None)
        tar.add(tree, "opt/python")
        start = "/opt/python/ld.so --inhibit-cache --library-path /opt/python/libraries"
        script = f'#!/bin/sh\nexec {start} --argv0 "$0" /opt/python/bin/python "$@"\n'
        info = tarfile.TarInfo(f"opt/python/bin/python{MINOR}")
        info.size, info.mode = len(script), 0o755
        tar.addfile(info, io.BytesIO(script.encode()))
    return out


# The part of `build` that calls the attacking hook; the frontend itself is not tested here.
_BUILD = """\
import os, subprocess, sys


class BuildException(Exception):
    pass


class BuildBackendException(Exception):
    pass


class ProjectBuilder:
    build_system_requires = ()

    def __init__(self, source, python_executable):
        self._source, self._python = source, python_executable

    def get_requires_for_build(self, kind, settings):
        return set()

    def build(self, kind, out, settings):
        code = "import sys; sys.path[:0] = ['.']; import backend; backend.build_wheel(sys.argv[1])"
        done = subprocess.run([self._python, "-c", code, out], cwd=self._source, check=False)
        if done.returncode:
            raise BuildBackendException(f"the backend ended with {done.returncode}")
"""


def _write_frontend(folder: Path) -> None:
    folder.mkdir()
    (folder / "build.py").write_text(_BUILD)
