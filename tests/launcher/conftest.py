"""A copy of the launcher on a machine of its own: home, PATH and package index are the test's."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

# What the launcher may expect of a machine, apart from Python, Docker and curl.
TOOLS = "bash cat env id ls mkdir mv readlink rm sed sha256sum shasum sleep true".split()

FAKE_NATIVE_CLIENT = """\
#!/usr/bin/env bash
printf 'native client: %s\\n' "$*"
printf 'server: %s\\n' "$_PANTS_SERVER_EXE"
if [[ -n ${PYTHONPATH+set} ]]; then printf 'path: %s\\n' "$PYTHONPATH"; fi
"""

PANTS_LOCK = "lockfiles/pants.txt"


def executable(path: Path, text: str) -> Path:
    """Writes a program."""
    path.write_text(text)
    path.chmod(0o755)
    return path


def find_python39() -> str:
    """A CPython 3.9 that runs."""
    if sys.version_info[:2] == (3, 9):
        return os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    folders = [Path(folder) for folder in os.get_exec_path()]
    folders += Path.home().glob(".pyenv/versions/3.9*/bin")
    for folder in folders:
        python = str(folder / "python3.9")
        if os.access(python, os.X_OK) and not subprocess.call(
            [python, "-V"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ):
            return python
    pytest.skip("there is no CPython 3.9 here")


def fake_pants_wheel(folder: Path, native_client: str = FAKE_NATIVE_CLIENT) -> str:
    """Makes a wheel that stands for Pants, and returns the lock file that pins it."""
    folder.mkdir(parents=True, exist_ok=True)
    info = "pantsbuild.pants-2.17.1.dist-info"
    wheel = folder / "pantsbuild.pants-2.17.1-py3-none-any.whl"
    files = {
        "pants/__init__.py": "import sys\ndef main(): print('Python client:', *sys.argv[1:])\n",
        "pants/bin/native_client": native_client,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: pantsbuild.pants\nVersion: 2.17.1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\npants = pants:main\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return f"pantsbuild-pants==2.17.1 \\\n    --hash=sha256:{digest}\n"


@dataclass(frozen=True)
class Machine:
    """A checkout with nothing but the launcher, and the environment in which it is called."""

    folder: Path
    env: dict[str, str]

    @property
    def checkout(self) -> Path:
        return self.folder / "checkout"

    @property
    def bin(self) -> Path:
        """The only folder on PATH."""
        return self.folder / "bin"

    @property
    def cache(self) -> Path:
        return self.folder / "home/.cache/inseam"

    def python_calls(self) -> str:
        """The arguments of every start of Python through PATH so far."""
        log = self.folder / "python.log"
        return log.read_text() if log.exists() else ""

    def add_python(self, name: str, python: str) -> None:
        """Puts a Python on PATH that logs its starts."""
        log = self.folder / "python.log"
        executable(self.bin / name, f'#!/usr/bin/env bash\necho "$*" >>{log}\nexec {python} "$@"\n')

    def popen(self, *command: str, cwd: Path | None = None, **env: str) -> subprocess.Popen[str]:
        """Starts a command as the leader of a process group."""
        return subprocess.Popen(
            command,
            cwd=cwd or self.checkout,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        process = self.popen(*command, **options)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def pants(self, *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return self.run(str(self.checkout / "pants"), *args, **options)

    def left_in_cache(self) -> set[str]:
        """The names under the cache's `pants` folder, apart from locks."""
        return {path.name for path in self.cache.glob("pants/*") if path.suffix != ".lock"}


def make_machine(folder: Path) -> Machine:
    """A machine whose only package is a fake Pants, with a CPython 3.9 and no Docker."""
    machine = Machine(
        folder,
        {
            "HOME": str(folder / "home"),
            "PATH": str(folder / "bin"),
            "TMPDIR": str(folder / "tmp"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(folder / "wheels"),
            # The parts of the bootstrap that a test of the installation doesn't need.
            "PANTS_PEX_CLI_VERSION": "given",
            "PANTS_PYTHON_REPOS_PATH_MAPPINGS": "['INDEX|/given']",
        },
    )
    for name in ("home", "bin", "tmp", "checkout"):
        (folder / name).mkdir(parents=True)
    for name in ("pants", ".pants.bootstrap"):
        shutil.copy(REPOSITORY / name, machine.checkout / name)
    for name in ("build-support", "lockfiles"):
        shutil.copytree(
            REPOSITORY / name,
            machine.checkout / name,
            ignore=shutil.ignore_patterns("__pycache__", "*.lock"),
        )
    pants = machine.checkout / "pants"
    pants.chmod(pants.stat().st_mode | stat.S_IXUSR)
    for name in TOOLS:
        tool = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/bin:/bin")
        if tool:
            (machine.bin / name).symlink_to(tool)
    (machine.checkout / PANTS_LOCK).write_text(fake_pants_wheel(folder / "wheels"))
    machine.add_python("python3.9", find_python39())
    return machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which nothing has been installed yet."""
    return make_machine(tmp_path / "machine")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine on which ./pants has run before. Tests don't change it."""
    machine = make_machine(tmp_path_factory.mktemp("installed") / "machine")
    first = machine.pants("--version")
    assert first.returncode == 0, first.stderr
    return machine
