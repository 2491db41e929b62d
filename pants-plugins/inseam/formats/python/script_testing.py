"""Runs console scripts for tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run_script(folder: Path, content: bytes, *argv: str, **env: str) -> tuple[int, str]:
    """Exit code and output of a console script with modules in the same folder."""
    script = folder / "program"
    script.write_bytes(content)
    result = subprocess.run(
        [sys.executable, "-B", str(script), *argv],
        env={"PYTHONPATH": str(folder), **env},
        check=False,
        capture_output=True,
        text=True,
    )
    return result.returncode, result.stdout + result.stderr
