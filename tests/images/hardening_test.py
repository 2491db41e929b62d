"""What a service can do, and what it can find to do it with."""

from __future__ import annotations

from collections.abc import Callable

from images.services import SERVICES, ask, python
from inseam.testing import HARDENED, Container


def test_it_runs_without_root_capabilities_or_new_privileges(container: Container) -> None:
    code = "print(open('/proc/1/status').read())"
    status = dict(line.split(":\t", 1) for line in python(container, code).splitlines() if line)
    assert status["Uid"].split() == ["65532"] * 4
    assert status["Gid"].split() == ["65532"] * 4
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"


def test_it_writes_nothing_although_it_could(start_image: Callable[..., Container]) -> None:
    containers = [start_image(f"src/python/{name}:app", read_only=False) for name in SERVICES]
    for container in containers:
        container.wait_healthy()
        ask(container, "/health")
        assert container.changes() == ()


def test_it_writes_nothing_hardened(container: Container) -> None:
    assert container.changes() == ()
    assert container.inspect()["HostConfig"]["ReadonlyRootfs"] is HARDENED.read_only


def test_there_is_nothing_to_run_but_python(container: Container) -> None:
    code = """
import os
for top, folders, files in os.walk("/"):
    if top == "/":
        folders[:] = sorted(set(folders) - {"dev", "proc", "sys"})
    for name in files:
        path = os.path.join(top, name)
        if os.path.islink(path) or not os.access(path, os.X_OK):
            continue
        start = open(path, "rb").read(256).partition(b"\\n")[0]
        if start.startswith(b"\\x7fELF"):
            if ".so" not in name:
                print(path)
        elif start.startswith(b"#!") and b"python" not in start:
            if os.path.exists(start[2:].split()[0]):
                print(path)
"""
    programs = [path.rpartition("/")[2] for path in python(container, code).split()]
    assert set(programs) - {"tini"} == {"python3.11"}  # an init, if the base has one


def test_nothing_can_install_or_compile(container: Container) -> None:
    code = """
import importlib.util, shutil
names = ("sh", "bash", "dash", "busybox", "cc", "gcc", "g++", "ld", "as", "make", "pip", "uv")
print([name for name in names if shutil.which(name)])
modules = ("pip", "setuptools", "wheel", "ensurepip", "installer", "pex")
print([name for name in modules if importlib.util.find_spec(name)])
"""
    assert python(container, code) == "[]\n[]\n"
