"""Repositories of other teams, into which the built distribution is installed."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from nested.checkout import Checkout

# What `package` made of the distribution.
_DIST = Path(tempfile.mkdtemp(prefix="inseam-dist-"))
atexit.register(shutil.rmtree, _DIST, ignore_errors=True)
with tarfile.open("inseam-dist.tar") as _archive:
    _archive.extractall(_DIST)
(WHEEL,) = _DIST.glob("inseam-*.whl")
(SDIST,) = _DIST.glob("inseam-*.tar.gz")
VERSION = WHEEL.name.split("-")[1]


def pants_toml(rest: str, *backends: str) -> str:
    """The configuration of a repository with the two lines. rest: what is below [GLOBAL]."""
    known = "".join(f'"{name}", ' for name in ("pants.backend.python", *backends))
    return f"""\
[GLOBAL]
pants_version = "2.17.1"
plugins = ["inseam=={VERSION}"]
backend_packages = [{known}"inseam"]

{rest}"""


class Repository:
    """A repository of another team. The launcher that this machine needs is next to it."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self.launcher = folder / "launcher"
        self.root = self.launcher / "repository"
        self.wheels = folder / "wheels"
        self.launcher.mkdir()
        for name in ("pants", ".pants.bootstrap"):
            shutil.copy(name, self.launcher)
        for name in ("build-support", "lockfiles"):
            shutil.copytree(name, self.launcher / name)
        self.wheels.mkdir()
        shutil.copy(WHEEL, self.wheels)
        self.write(files)

    def write(self, files: Mapping[str, str]) -> None:
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)

    @property
    def _checkout(self) -> Checkout:
        # Where the distribution is before it is in a package index.
        links = {"PANTS_PYTHON_REPOS_FIND_LINKS": f"['{self.wheels.as_uri()}']"}
        return Checkout(self.root, links, pants_at="../pants")

    def remove(self) -> None:
        self._checkout.remove()
        shutil.rmtree(self.launcher)

    def pants(self, *args: str) -> subprocess.CompletedProcess[str]:
        return self._checkout.pants(*args)

    def files(self) -> dict[str, str]:
        """The hash of each file of the repository, by path, but for what Pants' daemon changes."""
        ours = [path for path in self.root.iterdir() if not path.name.startswith(".p")]
        files = [path for top in ours for path in (top, *top.rglob("*")) if path.is_file()]
        return {
            path.relative_to(self.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
        }
