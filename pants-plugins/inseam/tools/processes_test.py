from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from inseam.tools.processes import all_processes, descendants, end_all

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc of Linux")


def test_what_a_process_started_is_found_and_ended_with_all_below() -> None:
    script = "sleep 100 & sh -c 'sleep 100 & wait' & echo; wait"
    process = subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    until = time.monotonic() + 20
    while len(descendants(process.pid)) < 3 and time.monotonic() < until:
        time.sleep(0.05)
    found = descendants(process.pid)
    assert len(found) >= 3
    assert all(one.threads == 1 for one in found)
    assert process.pid in {one.pid for one in descendants(os.getpid())}
    assert not descendants(os.getpid(), but=[process.pid])
    end_all(process.pid)
    assert not descendants(process.pid)
    process.wait(20)


def test_a_process_is_read_whatever_its_name() -> None:
    script = "import time; open('/proc/self/comm', 'w').write('a) (b 1'); print(); time.sleep(99)"
    process = subprocess.Popen([sys.executable, "-uc", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    found = all_processes()[process.pid]
    process.kill()
    process.wait()
    assert found.parent == os.getpid()
    assert found.memory > 1_000_000
