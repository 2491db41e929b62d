from __future__ import annotations

import platform
import socket
import subprocess
import sys

import pytest

from inseam.tools import offline

needs_filters = pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.machine() not in offline._CALLS,
    reason="this kernel has no filters that are known here",
)

# Not `go_offline` itself: it would hold for all tests after it.
SCRIPT = """\
import errno, socket, sys
from inseam.tools.offline import go_offline
assert go_offline()
for family in (socket.AF_INET, socket.AF_INET6):
    try:
        socket.socket(family)
        print("open")
    except OSError as error:
        print(errno.errorcode[error.errno])
print(socket.socketpair()[0].family.name)
"""


@needs_filters
def test_only_local_sockets_can_be_opened() -> None:
    with socket.socket(socket.AF_INET):
        pass  # This machine could.
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout.split() == ["ENETUNREACH", "ENETUNREACH", "AF_UNIX"], found.stderr


@needs_filters
def test_it_holds_for_what_the_process_starts() -> None:
    script = (
        "import subprocess, sys; from inseam.tools.offline import go_offline; go_offline();"
        " sys.exit(subprocess.run([sys.executable, '-c',"
        " 'import socket; socket.socket()']).returncode)"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    found = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, check=False
    )
    assert found.returncode == 1
    assert b"Network is unreachable" in found.stderr


def test_an_unknown_machine_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    assert not offline.go_offline()
