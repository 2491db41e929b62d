"""What `--changed-since` finds in a monorepo, for each kind of input of an image and each goal.

One daemon serves all edits. Each is committed, compared with the commit before, and undone.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nested.checkout import Checkout
from nested.report import PLUGINS

CHANGED = ("--changed-since=HEAD~1", "--changed-dependents=transitive")
PANTS_TOML = """\
[GLOBAL]
pants_version = "2.17.1"
pythonpath = ["{inseam}", "{plugins}"]
plugins = ["installer==0.7.0", "tomli==2.5.0"]
backend_packages = ["pants.backend.docker", "pants.backend.python", "inseam", "selected_targets"]
pants_ignore = ["!/lockfiles/"]
[anonymous-telemetry]
enabled = false
[source]
root_patterns = ["/src", "/tests"]
[inseam]
base = "//docker/base:debian"
package = ["oci", "image"]
[python]
interpreter_constraints = ["CPython==3.11.*"]
enable_resolves = true
default_resolve = "services"
[python.resolves]
services = "lockfiles/services.lock"
other = "lockfiles/other.lock"
[python-infer]
use_rust_parser = true
"""
WHEEL = "python_requirement(name={0!r}, requirements=['{0}==1.0'])\n"
BASE = """\
debian_base(name="debian", lock="lockfiles/debian-bookworm.json")
registry_base(
    name="slim",
    image="registry.invalid/python:3.11.9@sha256:{digest}",
    interpreter="/usr/local/bin/python3.11",
    python_version="3.11.9",
    glibc_version="2.36",
)
"""
SERVICE = """\
python_sources()
python_service(name="app", entry_point="{name}.server:main", repository="{name}"{more})
"""
TESTS = """\
python_tests(
    name="shop", sources=["shop_test.py"], runtime_package_dependencies=["src/shop:app#oci"]
)
python_tests(
    name="plain", sources=["plain_test.py"], runtime_package_dependencies=["src/plain:app#image"]
)
image_structure(name="structure", image="src/report:app#image", config="report.yaml")
"""
PACKAGES = "[release]\nname = bookworm\narchitectures = amd64\n[base]\npython3.11-minimal\n"
FILES = {
    ".gitignore": ".pants.d\n.pids\ndist\n.pants.workdir*\n",
    "README.md": "",
    "docker/base/packages.ini": PACKAGES,
    "docker/base/BUILD": BASE.format(digest="0" * 64),
    "lockfiles/debian-bookworm.json": "{}\n",
    "docker/builder/packages.ini": PACKAGES,
    "docker/builder/BUILD": "debian_builder(name='debian', lock='lockfiles/debian-builder.json')\n",
    "lockfiles/debian-builder.json": "{}\n",
    "lockfiles/other.lock": "{}\n",
    "3rdparty/BUILD": "".join(WHEEL.format(name) for name in ("numpy", "words", "unused")),
    "3rdparty/layers/BUILD": "venv_layer(name='numbers', requirements=['3rdparty:numpy'])\n",
    # What the lock has sources of only, and is compiled.
    "3rdparty/words/BUILD": (
        "wheel_from_source(name='words', distribution='words', builder='docker/builder:debian',"
        " patches=['words.patch'])\n"
    ),
    "3rdparty/words/words.patch": "",
    "src/kit/BUILD": "python_sources()\n",
    "src/kit/http.py": "x = 1\n",
    # With a library, a shared layer and a healthcheck.
    "src/shop/BUILD": SERVICE.format(
        name="shop", more=", layers=['3rdparty/layers:numbers'], healthcheck='health.shop:main'"
    ),
    "src/shop/server.py": "import kit.http\nimport numpy\ndef main(): ...\n",
    "src/health/BUILD": "python_sources()\n",
    "src/health/shop.py": "def main(): ...\n",
    # With a wheel of its own and a resource.
    "src/report/BUILD": SERVICE.format(name="report", more="").replace(
        "python_sources()", "python_sources(dependencies=[':data'])"
    )
    + "resources(name='data', sources=['*.txt'])\n",
    "src/report/server.py": "import words\ndef main(): ...\n",
    "src/report/names.txt": "a\n",
    # On another base, without wheels.
    "src/plain/BUILD": SERVICE.format(name="plain", more=", base='//docker/base:slim'"),
    "src/plain/server.py": "def main(): ...\n",
    "tests/BUILD": TESTS,
    "tests/shop_test.py": "def test_shop(): ...\n",
    "tests/plain_test.py": "def test_plain(): ...\n",
    "tests/report.yaml": "schemaVersion: 2.0.0\n",
}
TEST_OF = {
    "shop": "tests/shop_test.py:shop",
    "plain": "tests/plain_test.py:plain",
    "report": "tests:structure",
}


def lock(numpy: str = "1.0", unused: str = "1.0") -> str:
    """The text of a lock."""
    versions = {"numpy": numpy, "unused": unused, "words": "1.0"}
    items = [
        {
            "project_name": name,
            "version": text,
            "artifacts": [
                {
                    "url": f"https:/${{INDEX}}/packages/{name}-{text}.tar.gz",
                    "algorithm": "sha256",
                    "hash": "0" * 64,
                }
            ],
            "requires_dists": [],
        }
        for name, text in versions.items()
    ]
    return json.dumps({"locked_resolves": [{"locked_requirements": items}]}, indent=1)


def appended(text: str) -> Callable[[str], str]:
    return lambda before: before + text


def replaced(old: str, new: str) -> Callable[[str], str]:
    def edit(before: str) -> str:
        assert old in before
        return before.replace(old, new)

    return edit


@dataclass(frozen=True)
class Edit:
    """An edit of one file, and the services whose images it changes; tests: that it changes without
    an image."""

    of: str
    path: str
    edit: Callable[[str], str]
    services: frozenset[str]
    tests: frozenset[str] = frozenset()


def edit(of: str, path: str, how: Callable[[str], str], services: str = "", tests: str = "") -> Any:
    row = Edit(of, path, how, frozenset(services.split()), frozenset(tests.split()))
    return pytest.param(row, id=of.replace(" ", "-"))


COMMENT = appended("# edited\n")
EDITS = [
    edit("a library", "src/kit/http.py", COMMENT, "shop"),
    edit("a service", "src/shop/server.py", COMMENT, "shop"),
    edit("a healthcheck", "src/health/shop.py", COMMENT, "shop"),
    edit("a resource", "src/report/names.txt", appended("b\n"), "report"),
    edit("a service's BUILD file", "src/plain/BUILD", COMMENT, "plain"),
    edit("a requirement", "3rdparty/BUILD", replaced("words==1.0", "words==1.1"), "shop report"),
    edit("the lock", "lockfiles/services.lock", lambda _: lock(numpy="1.1"), "shop report"),
    edit("a locked distribution that no service needs", "lockfiles/services.lock",
         lambda _: lock(unused="1.1"), "shop report"),
    edit("the lock of another resolve", "lockfiles/other.lock", appended("\n")),
    edit("a venv_layer", "3rdparty/layers/BUILD", COMMENT, "shop"),
    edit("the bases", "docker/base/BUILD", replaced("0" * 64, "1" * 64), "shop report plain"),
    edit("the list of packages", "docker/base/packages.ini", appended("tini\n"), "shop report"),
    edit("the Debian lock", "lockfiles/debian-bookworm.json", appended("\n"), "shop report"),
    edit("a patch of a wheel", "3rdparty/words/words.patch", appended("--- a\n"), "report"),
    edit("how a wheel is built", "3rdparty/words/BUILD", COMMENT, "report"),
    edit("the lock of a builder", "lockfiles/debian-builder.json", appended("\n"), "report"),
    edit("a test of an image", "tests/shop_test.py", COMMENT, tests="shop"),
    edit("a structure test", "tests/report.yaml", COMMENT, tests="report"),
    edit("the BUILD file of tests", "tests/BUILD", COMMENT, tests="shop plain report"),
    edit("a page", "README.md", appended("x\n")),
]  # fmt: skip


class Monorepo:
    """A repository under git, with a daemon of Pants."""

    def __init__(self, root: Path) -> None:
        self.checkout = Checkout(root)
        origin = Path.cwd()
        for path, text in FILES.items():
            self.write(path, text)
        self.write("lockfiles/services.lock", lock())
        toml = PANTS_TOML.format(inseam=origin / "pants-plugins", plugins=PLUGINS)
        self.write("pants.toml", toml)
        for name in ("pants", ".pants.bootstrap", "lockfiles/pants.txt", "lockfiles/pex.txt"):
            shutil.copy(origin / name, root / name)
        ignored = shutil.ignore_patterns("__pycache__", "BUILD")
        shutil.copytree(origin / "build-support", root / "build-support", ignore=ignored)
        self.git("init", "-q")
        self.commit("All")

    def write(self, path: str, text: str) -> None:
        place = self.checkout.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def git(self, *args: str) -> None:
        person = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
        subprocess.run(["git", *person, *args], cwd=self.checkout.root, check=True)

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def selected(self, row: Edit) -> dict[str, set[str]]:
        """The targets that each goal takes after an edit."""
        path = self.checkout.root / row.path
        before = path.read_text()
        path.write_text(row.edit(before))
        try:
            self.commit(row.of)
            found = json.loads(self.checkout.pants(*CHANGED, "selected").stdout)
        finally:
            path.write_text(before)
            self.commit(f"Undo {row.of}")
        return {goal: set(addresses) for goal, addresses in found.items()}


@pytest.fixture(scope="module")
def monorepo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monorepo]:
    root = tmp_path_factory.mktemp("changed") / "repo"
    root.mkdir()
    made = Monorepo(root)
    yield made
    made.checkout.remove()


@pytest.mark.parametrize("row", EDITS)
def test_each_goal_takes_what_an_edit_affects_and_nothing_else(
    monorepo: Monorepo, row: Edit
) -> None:
    found = monorepo.selected(row)
    images = {f"src/{name}:app#{kind}" for name in row.services for kind in ("oci", "image")}
    tests = {TEST_OF[name] for name in (*row.services, *row.tests)}
    assert found["publish"] == images
    assert found["test"] == tests
    assert {one for one in found["package"] if one.endswith(("#oci", "app#image"))} == images
    ours = {f"src/{name}:app" for name in TEST_OF}
    listed = {one for one in found["list"] if one.startswith("src/") and "#" in one}
    assert {one.partition("#")[0] for one in listed} & ours == {
        f"src/{name}:app" for name in row.services
    }
    assert images | tests <= found["list"]


def test_the_list_goal_prints_the_same(monorepo: Monorepo) -> None:
    path = "src/kit/http.py"
    monorepo.write(path, "x = 2\n")
    monorepo.commit("Edit")
    listed = monorepo.checkout.pants(*CHANGED, "list").stdout.split()
    assert {"src/kit/http.py", "src/shop:app#oci", "src/shop:app#image"} <= set(listed)
    assert "tests/shop_test.py:shop" in listed
    assert not [one for one in listed if one.startswith(("src/plain", "src/report", "docker/"))]
    printed = monorepo.checkout.pants(*CHANGED, "--filter-target-type=oci_image", "list").stdout
    assert printed.split() == ["src/shop:app#oci"]
    monorepo.write(path, FILES[path])
    monorepo.commit("Undo")
