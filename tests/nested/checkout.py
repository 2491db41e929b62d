"""Repositories that a test builds apart from each other and from the machine's own caches."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Mapping

from nested.report import Report, options, read_report


def launcher(path: str = "./pants") -> list[str]:
    """The command that runs Pants: what INSEAM_PANTS says, or the launcher at `path`."""
    return shlex.split(os.environ.get("INSEAM_PANTS", "")) or [path]


@dataclass(frozen=True)
class Checkout:
    """A repository, with an empty cache of Pants beside it.

    env, umask: what its builds run under. daemon: whether they use pantsd, which `stop` ends.
    """

    root: Path
    env: Mapping[str, str] = field(default_factory=dict)
    umask: int = 0o022
    daemon: bool = False

    @property
    def caches(self) -> Path:
        """The folder of what its builds cache."""
        return self.root.parent / f"{self.root.name}-caches"

    def environment(self) -> dict[str, str]:
        """What its builds find in the environment."""
        return {
            **os.environ,
            "INSEAM_DOCKER": "off",
            "PANTS_LOCAL_STORE_DIR": str(self.caches / "store"),
            "PANTS_NAMED_CACHES_DIR": str(self.caches / "named"),
            **self.env,
        }

    def pants(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs Pants."""
        pantsd = "--pantsd" if self.daemon else "--no-pantsd"
        result = subprocess.run(
            [*launcher(), pantsd, "--no-dynamic-ui", *args],
            cwd=self.root,
            env=self.environment(),
            umask=self.umask,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and result.returncode != 0:
            raise AssertionError(f"pants {' '.join(args)} failed:\n{result.stderr[-8000:]}")
        return result

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Sends a signal to the daemon, if there is one."""
        for path in (self.root / ".pids").glob("**/pid"):
            try:
                os.kill(int(path.read_text()), number)
            except (ProcessLookupError, ValueError):
                continue

    def remove(self) -> None:
        """Deletes it and its caches, which are large."""
        self.stop()
        for folder in (self.root, self.caches):
            shutil.rmtree(folder, ignore_errors=True)

    def reported(self, *args: str) -> Report:
        """Runs Pants and returns what it did."""
        path = self.caches / "report.json"
        path.unlink(missing_ok=True)
        result = self.pants(*options(path), *args)
        return read_report(path, result.stderr)

    def layers(self, *services: str) -> dict[str, Path]:
        """The folder of exported layers of each service."""
        self.pants("export-codegen", *(f"src/python/{name}:app#layers" for name in services))
        exported = self.root / "dist/codegen/src/python"
        return {name: exported / name / "app.layers" for name in services}


_BESIDE = shutil.ignore_patterns("__pycache__", "tests", "dist", ".git", ".*.d", "*.pex", "*.pex_*")


def _beside(folder: str, names: list[str]) -> set[str]:
    """What is no part of the repository: tests, their PEXes, and links to the caches of Pants."""
    return {*_BESIDE(folder, names), *(name for name in names if Path(folder, name).is_symlink())}


def machine_caches() -> dict[str, str]:
    """What lets a build use the machine's own caches instead of empty ones: for tests in which
    nothing depends on what is built already."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "pants")
    return {
        "PANTS_LOCAL_STORE_DIR": str(caches / "lmdb_store"),
        "PANTS_NAMED_CACHES_DIR": str(caches / "named_caches"),
    }


def checkout(root: Path, env: Mapping[str, str] | None = None, umask: int = 0o022) -> Checkout:
    """Copies the repository, which the test's sandbox holds, to `root`."""
    shutil.copytree(Path.cwd(), root, ignore=_beside)
    return Checkout(root, env or {}, umask)
