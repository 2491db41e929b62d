"""CPU time of probes, children and all, as the kernel accounts it (getrusage)."""

import os
import subprocess
import sys
from tempfile import TemporaryDirectory

import processes

ENTRY_POINT = "import sys; from service.healthcheck import main; sys.exit(main())"

URLLIB = """
import sys, urllib.request
try:
    with urllib.request.urlopen("http://127.0.0.1:%d/health", timeout=1) as r:
        sys.exit(0 if r.status == 200 else 1)
except Exception:
    sys.exit(1)
"""


def measure(times: int, python: str = sys.executable) -> dict[str, float]:
    """Milliseconds of CPU a run, for the bare interpreter and for each probe, taken in turns.

    Every run must exit with 0: an unhealthy service raises CalledProcessError.
    """
    with TemporaryDirectory() as cache, processes.running("service") as (_, port):
        commands = {
            "bare interpreter": [python, "-c", "pass"],
            "servicekit.healthcheck": [python, "-c", ENTRY_POINT, "--port", str(port)],
            "urllib.request": [python, "-c", URLLIB % port],
        }
        environment = os.environ | {
            "PYTHONPATH": str(processes.SOURCES),
            "PYTHONPYCACHEPREFIX": cache,  # an image has its modules compiled
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        totals = dict.fromkeys(commands, 0.0)
        for round_number in range(times + 1):
            for name, command in commands.items():
                used = _child_cpu_seconds(command, environment)
                if round_number:  # the first writes and reads caches
                    totals[name] += used
        return {name: total / times * 1000 for name, total in totals.items()}


def _child_cpu_seconds(command: list[str], environment: dict[str, str]) -> float:
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_utime + usage.ru_stime
