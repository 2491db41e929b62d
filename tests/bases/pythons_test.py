"""Services on several Pythons in one repository, each by its base and resolve: of Debian packages,
of an archive, and of an image in a registry.

It takes minutes, and the package index: INSEAM_SLOW_TESTS=1 runs it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nested.checkout import Checkout
from nested.report import Report
from oci.registry import running

pytestmark = [
    pytest.mark.skipif(
        "INSEAM_SLOW_TESTS" not in os.environ,
        reason="takes many minutes; INSEAM_SLOW_TESTS=1 runs it",
    ),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="it runs images for amd64"),
]

PANTS_TOML = """\
[GLOBAL]
pants_version = "2.17.1"
pythonpath = ["{root}/pants-plugins"]
plugins = ["installer==0.7.0", "tomli==2.5.0"]
backend_packages = ["pants.backend.python", "inseam"]
[anonymous-telemetry]
enabled = false
[source]
root_patterns = ["/src"]
[python]
interpreter_constraints = ["CPython>=3.11,<3.14"]
pip_version = "latest"
enable_resolves = true
default_resolve = "old"
[python.resolves]
old = "old.lock"
new = "new.lock"
[python.resolves_to_interpreter_constraints]
old = ["CPython>=3.11,<3.13"]
new = ["CPython==3.13.*"]
[python-infer]
use_rust_parser = true
[python-bootstrap]
search_path = ["<PATH>", "<PYENV>"]
"""
# `idna` and `anyio` are pure, so one wheel is for all; `MarkupSafe` is compiled for each Python.
REQUIREMENTS = "['anyio==4.12.0', 'MarkupSafe==3.0.3']"
BASES = {
    "bookworm": 'packages="inseam:bookworm.ini", lock="inseam:bookworm.json"',
    "trixie": 'packages="inseam:trixie.ini", lock="inseam:trixie.json"',
    # Its CPython was built on a machine with these libraries.
    "archive": 'packages="plain.ini", lock="plain.json", python_version="{version}",'
    ' python_archives={{"linux/amd64": "vendor/cpython.tar.gz#sha256={sha256}"}}',
}
SERVICE = """\
python_sources(resolve="{resolve}")
python_service(
    name="app",
    entry_point="{name}.server:main",
    repository="{name}",
    resolve="{resolve}",
    base="//:{base}",
)
"""
SERVER = """\
import json, sqlite3, ssl, sys
import anyio, markupsafe._speedups

def main():
    print(json.dumps([list(sys.version_info[:2]), anyio.__name__]))
    return 0
"""


def installed(minor: str) -> Path:
    """The prefix of an installed CPython, which is made an archive of."""
    folders = [*Path.home().glob(f".pyenv/versions/{minor}*/bin")]
    found = shutil.which(f"python{minor}", path=os.pathsep.join(map(str, folders)))
    if found is None:
        pytest.skip(f"no CPython {minor} is here to make an archive of")
    return Path(found).parents[1]


def archive(path: Path, minor: str) -> tuple[str, str]:
    """Writes an installed CPython with the layout of python-build-standalone; gives its version and
    sha256."""
    prefix = installed(minor)
    path.parent.mkdir()
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for place in (f"bin/python{minor}", f"lib/libpython{minor}.so.1.0"):
            if (prefix / place).exists():
                tar.add(os.path.realpath(prefix / place), f"python/{place}")
        tar.add(
            prefix / f"lib/python{minor}",
            f"python/lib/python{minor}",
            filter=lambda info: None if info.name.endswith(("/test", "-packages")) else info,
        )
    command = [
        str(prefix / f"bin/python{minor}"),
        "-c",
        "import sys; print(sys.version.split()[0])",
    ]
    version = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return version, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    root = tmp_path_factory.mktemp("pythons") / "repository"
    root.mkdir()
    for name in ("pants", ".pants.bootstrap"):
        shutil.copy(name, root)
    for name in ("build-support", "lockfiles"):
        shutil.copytree(name, root / name, ignore=shutil.ignore_patterns("BUILD"))
    inseam = root.parent / "inseam"
    shutil.copytree("pants-plugins", inseam / "pants-plugins", symlinks=False)
    version, sha256 = archive(root / "vendor/cpython.tar.gz", "3.12")
    plain = (inseam / "pants-plugins/inseam/default_base/trixie.ini").read_text()
    lines = [line for line in plain.splitlines() if "python3.13" not in line]
    lines = [
        line for line in lines if not line.startswith(("libdb", "libncu", "libread", "libtin"))
    ]
    libraries = ["libbz2-1.0", "libffi8", "liblzma5", "libsqlite3-0", "libssl3t64", "zlib1g"]
    at = lines.index("[base]") + 1
    (root / "plain.ini").write_text("\n".join([*lines[:at], *libraries, *lines[at:]]) + "\n")
    bases = "".join(
        f"debian_base(name={name!r}, groups=['init'],"
        f" {fields.format(version=version, sha256=sha256)})\n"
        for name, fields in BASES.items()
    )
    files = {
        "pants.toml": PANTS_TOML.format(root=inseam),
        "BUILD": bases,
        "3rdparty/BUILD": "".join(
            f"python_requirement(name={resolve!r}, requirements={REQUIREMENTS},"
            f" resolve={resolve!r})\n"
            for resolve in ("old", "new")
        ),
    }
    services = {"one": ("old", "bookworm"), "two": ("new", "trixie"), "three": ("old", "archive")}
    for name, (resolve, base) in services.items():
        files[f"src/{name}/BUILD"] = SERVICE.format(name=name, resolve=resolve, base=base)
        files[f"src/{name}/server.py"] = SERVER
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    made = Checkout(root, cold=True)
    made.pants("generate-lockfiles", "--resolve=old", "--resolve=new", "--resolve=plain")
    yield made
    made.remove()


@pytest.fixture(scope="module")
def report(repository: Checkout) -> Report:
    return repository.reported("package", "src::")


def test_a_wheel_is_fetched_once_and_installed_for_each_python(report: Report) -> None:
    fetched = [text for text in report.processes if text.startswith("Fetch ")]
    pure = [text for text in fetched if "-py3-none-any.whl" in text]
    assert pure
    assert len(pure) == len(set(pure))
    assert len([text for text in pure if "anyio" in text]) == 1
    # What is compiled is another wheel for each Python.
    compiled = [text for text in fetched if "markupsafe" in text.lower()]
    assert len(compiled) == len(set(compiled)) == 3
    installed = [text for text in report.processes if text.startswith("Install anyio")]
    assert len(installed) == 3


@pytest.mark.parametrize("name, minor", [("one", 11), ("two", 13), ("three", 12)])
def test_each_service_runs_on_its_python(
    repository: Checkout, report: Report, name: str, minor: int, tmp_path: Path
) -> None:
    assert _answer(repository.root / f"dist/src.{name}/app.oci", tmp_path) == [[3, minor], "anyio"]


def _answer(layout: Path, folder: Path) -> object:
    """What the program of an image prints: unpacked, and started by its own loader."""
    index = json.loads((layout / "index.json").read_text())

    def blob(descriptor: dict[str, str]) -> Path:
        return layout / "blobs" / descriptor["digest"].replace(":", "/")

    manifest = json.loads(blob(index["manifests"][0]).read_text())
    for layer in manifest["layers"]:
        with tarfile.open(blob(layer)) as archive:
            archive.extraction_filter = lambda member, _: member  # type: ignore[assignment]
            archive.extractall(folder)
    config = json.loads(blob(manifest["config"]).read_text())["config"]
    command = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    if os.getuid() != 0:
        pytest.skip("only root can start a program in another root directory")
    result = subprocess.run(
        ["chroot", str(folder), *command],
        env=dict(text.split("=", 1) for text in config.get("Env", [])),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_a_python_that_no_debian_has_comes_from_a_registry_too(
    repository: Checkout, report: Report, tmp_path: Path
) -> None:
    skopeo, program = shutil.which("skopeo"), shutil.which("docker-registry")
    if skopeo is None or program is None:
        pytest.skip("skopeo and docker-registry are not both on PATH")
    layout = repository.root / "dist/src.three/app.oci"
    image = json.loads((layout / "image.json").read_text())
    runtime = image["runtime"]
    (tmp_path / "registry").mkdir()
    with running(program, tmp_path / "registry") as registry:
        name = f"{registry.host}/python:3.12"
        copy = [skopeo, "copy", "--dest-tls-verify=false", f"oci:{layout}", f"docker://{name}"]
        subprocess.run(copy, check=True, capture_output=True)
        digest = registry.digest("python", "3.12")
        build = repository.root / "BUILD"
        version, interpreter, libc = (
            runtime[f"org.inseam.{key}"] for key in ("python", "interpreter", "libc")
        )
        build.write_text(
            f"{build.read_text()}registry_base(name='registry', image='{name}@{digest}',"
            f" interpreter={interpreter!r}, python_version={version!r},"
            f" glibc_version={libc.split()[1]!r})\n"
        )
        service = repository.root / "src/three/BUILD"
        service.write_text(service.read_text().replace("//:archive", "//:registry"))
        repository.pants("package", "src/three:app#oci")
    described = json.loads((layout / "image.json").read_text())
    assert described["runtime"] == runtime
    assert described["base"]["digest"] == digest
    assert _answer(layout, tmp_path / "root") == [[3, 12], "anyio"]
