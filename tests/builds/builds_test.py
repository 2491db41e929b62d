"""A wheel with C, compiled in docker/builder and used in an image; and a wheel house.

The machine's own caches spare it the builder's packages, 328 MB, from the second time on. What is
compiled differs each time, so that it is compiled.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import subprocess
import sys
import tarfile
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from nested.checkout import Checkout

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="native wheels need Linux")

# From docs/wheels-from-source.md.
HOUSE = """
[python-repos]
find_links = ["file://%(buildroot)s/wheelhouse"]
path_mappings = ["WHEELHOUSE|%(buildroot)s/wheelhouse", "SOURCES|%(buildroot)s/sources"]
"""
PANTS_TOML = """\
[GLOBAL]
pants_version = "2.17.1"
pythonpath = ["{inseam}"]
plugins = ["installer==0.7.0", "tomli==2.5.0"]
backend_packages = ["pants.backend.python", "inseam"]
pants_ignore = ["!/lockfiles/"]
[anonymous-telemetry]
enabled = false
[source]
root_patterns = ["/src"]
[inseam]
base = "//docker/base:debian"
[python]
interpreter_constraints = ["CPython==3.11.*"]
pip_version = "latest"
enable_resolves = true
default_resolve = "services"
[python.resolves]
services = "lockfiles/services.lock"
house = "lockfiles/house.lock"
[python-bootstrap]
search_path = ["<PATH>", "<PYENV>"]
[python-infer]
use_rust_parser = true
"""
SPEED_C = """\
#include <Python.h>
#include <math.h>

static PyObject *root(PyObject *module, PyObject *number)
{{
    return PyFloat_FromDouble(sqrt(PyFloat_AsDouble(number)));
}}

static PyMethodDef methods[] = {{{{"root", root, METH_O, "A square root."}}, {{NULL}}}};
static struct PyModuleDef speed = {{PyModuleDef_HEAD_INIT, "speed", "{mark}", -1, methods}};

PyMODINIT_FUNC PyInit_speed(void)
{{
    return PyModule_Create(&speed);
}}
"""
SETUP = """\
from setuptools import Extension, setup

setup(name="speed", version="1.0", ext_modules=[Extension("speed", ["speed.c"], libraries=["m"])])
"""
THIRD = """\
python_requirement(name="speed", requirements=["speed==1.0"])
python_requirement(name="housed", requirements=["housed==1.0"], resolve="house")
wheel_from_source(
    name="speed-wheel",
    distribution="speed",
    builder="//docker/builder:debian",
    env={env},
)
"""
SERVICE = """\
python_sources(resolve="{resolve}")
python_service(
    name="app", entry_point="{name}.server:main", resolve="{resolve}", package=["oci", "layers"]
)
"""
FILES = {
    "pants.toml": PANTS_TOML.format(inseam=Path.cwd() / "pants-plugins") + HOUSE,
    "3rdparty/BUILD": THIRD.format(env={}),
    "src/fast/BUILD": SERVICE.format(name="fast", resolve="services"),
    "src/fast/server.py": "import speed\ndef main(): ...\n",
    "src/home/BUILD": SERVICE.format(name="home", resolve="house"),
    "src/home/server.py": "import housed\ndef main(): ...\n",
}
# What builds wheels, by the names of files.
COMPILERS = {
    *("as", "c++", "cargo", "cc", "cc1", "cc1plus", "collect2", "cpp", "g++", "gcc", "ld", "make"),
    *("pip", "pkg-config", "pkgconf", "rustc"),
}
LOADERS = {"x86_64": "ld-linux-x86-64.so.2", "aarch64": "ld-linux-aarch64.so.1"}


def write(root: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def sdist(folder: Path, name: str, files: Mapping[str, str]) -> str:
    """Makes an sdist of version 1.0 and returns its sha256."""
    folder.mkdir()
    path = folder / f"{name}-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for file, text in files.items():
            info = tarfile.TarInfo(f"{name}-1.0/{file}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def wheel(folder: Path, name: str) -> str:
    """Makes a wheel of version 1.0 and returns its sha256."""
    folder.mkdir()
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", "WHERE = 'in a house'\n")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        tags = "Root-Is-Purelib: true\nTag: py3-none-any\n"
        file.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: a test\n{tags}")
        file.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def lock(name: str, sha256: str) -> str:
    """The text of a lock of one sdist in the folder `sources`."""
    url = f"file://${{SOURCES}}/{name}-1.0.tar.gz"
    item = {
        "artifacts": [{"algorithm": "sha256", "hash": sha256, "url": url}],
        "project_name": name,
        "requires_dists": [],
        "requires_python": None,
        "version": "1.0",
    }
    part = {"locked_requirements": [item], "marker": None, "platform_tag": None}
    return json.dumps({"locked_resolves": [part], "pex_version": "2.69.0"})


@pytest.fixture(scope="module")
def monorepo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    root = tmp_path_factory.mktemp("builds") / "repo"
    write(root, FILES)
    hashed = sdist(
        root / "sources", "speed", {"speed.c": SPEED_C.format(mark=uuid.uuid4()), "setup.py": SETUP}
    )
    write(root, {"lockfiles/services.lock": lock("speed", hashed)})
    origin, ignored = Path.cwd(), shutil.ignore_patterns("__pycache__")
    for name in ("pants", ".pants.bootstrap"):
        shutil.copy(origin / name, root)
    for name in ("docker", "build-support"):
        shutil.copytree(origin / name, root / name, ignore=ignored)
    for path in (root / "build-support").rglob("BUILD"):
        path.unlink()
    for name in ("pants.txt", "pex.txt", "debian-bookworm.json", "debian-bookworm-builder.json"):
        shutil.copy(origin / "lockfiles" / name, root / "lockfiles")
    made = Checkout(root)
    yield made
    made.remove()


class Image:
    """An image in `dist`."""

    def __init__(self, monorepo: Checkout, service: str) -> None:
        self._dist = monorepo.root / "dist"
        layout = self._dist / f"src.{service}/app.oci"
        index = json.loads((layout / "index.json").read_text())
        self.digest = index["manifests"][0]["digest"]

    def _blob(self, digest: str) -> Path:
        return self._dist / "oci/blobs/sha256" / digest.partition(":")[2]

    def extract(self, root: Path) -> list[str]:
        """Unpacks its layers to a folder, and returns the paths of all members."""
        manifest: Any = json.loads(self._blob(self.digest).read_text())
        paths = []
        for layer in manifest["layers"]:
            with tarfile.open(self._blob(layer["digest"])) as tar:
                paths += [member.name for member in tar]
                tar.extractall(root)
        return paths


@pytest.fixture(scope="module")
def fast(monorepo: Checkout) -> Image:
    done = monorepo.pants("package", "src/fast:app")
    # What runs the builder is the CPython that makes the layers, too.
    assert "Take CPython out of docker/builder" not in done.stderr
    return Image(monorepo, "fast")


def run_python(root: Path, code: str) -> str:
    """What code prints that the interpreter of an image runs, without entering it."""
    machine = platform.machine()
    libraries = root / f"usr/lib/{machine}-linux-gnu"
    argv = [str(libraries / LOADERS[machine]), "--library-path", str(libraries)]
    env = {
        "PYTHONHOME": str(root / "usr"),
        "PYTHONPATH": str(root / "opt/venv/lib/python3.11/site-packages"),
    }
    argv += [str(root / "usr/bin/python3.11"), "-B", "-c", code]
    return subprocess.run(argv, env=env, check=True, capture_output=True, text=True).stdout.strip()


def test_a_compiled_wheel_runs_in_the_image_and_no_compiler_gets_there(
    fast: Image, tmp_path: Path
) -> None:
    paths = fast.extract(tmp_path)
    assert not COMPILERS & {path.rpartition("/")[2] for path in paths}
    assert not [path for path in paths if path.endswith((".a", ".c", ".h", ".o"))]
    assert not [path for path in paths if path.startswith(("usr/include/", "usr/lib/gcc"))]
    assert run_python(tmp_path, "import speed; print(speed.root(2.25))") == "1.5"


def test_the_layers_say_what_a_wheel_was_built_from(monorepo: Checkout, fast: Image) -> None:
    text = (monorepo.root / "dist/src.fast/app.layers/layers.json").read_text()
    source = monorepo.root / "sources/speed-1.0.tar.gz"
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    assert f'"source": "speed-1.0.tar.gz#sha256={sha256}"' in text


def test_a_wheel_that_is_built_again_has_the_same_bytes(monorepo: Checkout, fast: Image) -> None:
    write(monorepo.root, {"3rdparty/BUILD": THIRD.format(env={"NOBODY_READS": str(uuid.uuid4())})})
    done = monorepo.pants("package", "src/fast:app")
    assert "Completed: Build speed 1.0" in done.stderr
    assert Image(monorepo, "fast").digest == fast.digest


def test_a_wheel_of_ones_own_is_locked_by_the_name_of_its_folder(
    monorepo: Checkout, tmp_path: Path
) -> None:
    hashed = wheel(monorepo.root / "wheelhouse", "housed")
    monorepo.pants("generate-lockfiles", "--resolve=house")
    text = (monorepo.root / "lockfiles/house.lock").read_text()
    assert "file://${WHEELHOUSE}/housed-1.0-py3-none-any.whl" in text
    assert hashed in text
    assert str(monorepo.root) not in text
    monorepo.pants("package", "src/home:app")
    Image(monorepo, "home").extract(tmp_path)
    assert run_python(tmp_path, "import housed; print(housed.WHERE)") == "in a house"
