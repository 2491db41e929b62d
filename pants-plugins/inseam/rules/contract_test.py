"""A service sees the same in its PEX and in its image, except for what docs/layers.md lists."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from pants.backend.python.goals.package_pex_binary import PexBinaryFieldSet
from pants.backend.python.macros.python_artifact import PythonArtifact
from pants.backend.python.subsystems.setuptools import PythonDistributionFieldSet
from pants.core.goals.package import BuiltPackage
from pants.engine.addresses import Address
from pants.engine.target import GeneratedSources
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.formats.python.wheel_testing import build_wheel
from inseam.rules.goals.export_codegen import GenerateLayers
from inseam.rules.rule_testing import MINOR, PYTHON_VERSION, files_of, rule_runner, set_options

DOCS = Path(__file__).parents[3] / "docs/layers.md"

# Prints what the service sees. Each kind of `sys.path` entry counts where it first occurs.
LOOK = """
import importlib, importlib.metadata, json, os, pkgutil, re, sys

MODULES = [
    "look", "solo", "shop", "shop.server", "shop.conf", "acme.first", "acme.second", "plug.impl",
    "greet_cli",
]
RESOURCES = [("shop", "page.html"), ("shop", "deep/page.txt"), ("greet", "data.txt")]
FILES = ["conf/a.txt", "src/shop/conf/b.txt"]


def importable(name):
    try:
        return bool(importlib.import_module(name))
    except ImportError:
        return False


def resource(package, path):
    try:
        return pkgutil.get_data(package, path).decode()
    except (ImportError, OSError, AttributeError):
        return None


def kind(entry):
    if os.path.exists(os.path.join(entry, "json", "__init__.py")):
        return "standard library"
    kinds = (("code", "look.py"), ("wheels", "greet"))
    return next((name for name, member in kinds if holds(entry, member)), None)


def holds(entry, member):
    if os.path.exists(os.path.join(entry, member)):
        return True
    return entry.endswith(".pex") and member == "look.py" and importable("look")


def first_of_kinds():
    kinds = []
    for entry in sys.path:
        if entry and kind(entry) not in (None, *kinds):
            kinds.append(kind(entry))
    return kinds


def seen():
    distributions = list(importlib.metadata.distributions())
    names = {re.sub("[-_.]+", "-", one.metadata["Name"]).lower(): one for one in distributions}
    points = {
        (one.metadata["Name"].lower(), point.group, point.name, point.value)
        for one in distributions for point in one.entry_points
        if point.group == "acme.plugins"
    }
    return {
        "modules": [name for name in MODULES if importable(name)],
        "distributions": {name: names[name].version for name in sorted(names)},
        "entry points": sorted(points),
        "loaded": sorted(
            point.load()() for one in distributions for point in one.entry_points
            if point.group == "acme.plugins"
        ),
        "resources": [resource(*one) for one in RESOURCES],
        "files": [os.path.exists(name) for name in FILES],
        "order of sys.path": first_of_kinds(),
        "requires": {
            name: sorted(re.sub('[ ()]', '', text) for text in one.requires or ())
            for name, one in names.items()
            if name.startswith("acme")
        },
        "data of wheels": [
            importable("greet.moved"), os.path.exists(os.path.join(sys.prefix, "share/greet/x"))
        ],
    }


def main():
    print(json.dumps(seen()))
"""

FILES = {
    "BUILD": f"""
registry_base(
    name="base",
    image="registry.invalid/python:{PYTHON_VERSION}",
    interpreter={os.path.realpath(sys.executable)!r},
    python_version={PYTHON_VERSION!r},
    glibc_version="2.36",
)
""",
    "3rdparty/BUILD": """
python_requirement(name="greet", requirements=["greet==1.0"], modules=["greet", "greet_cli"])
python_requirement(name="second", requirements=["acme-second==1.0"], modules=["acme.second"])
python_requirement(name="stubs", requirements=["types-greet==1.0"], modules=["nothing"])
""",
    "src/BUILD": "python_sources()",
    "src/look.py": LOOK,
    "src/solo.py": "import greet\nimport look\nmain = look.main\n",
    "src/solo_app/BUILD": "python_service(name='app', entry_point='solo:main', repository='solo')",
    # A package with resources and files, which shares a namespace package with a wheel.
    "src/shop/BUILD": """
python_sources(dependencies=[":pages"])
resources(name="pages", sources=["**/*.html", "deep/*.txt"])
files(name="loose", sources=["conf/*"])
relocated_files(name="moved", files_targets=[":loose"], src="src/shop/conf", dest="conf")
python_service(
    name="app",
    entry_point="shop.server:main",
    dependencies=[":loose", ":moved", "3rdparty:stubs"],
)
""",
    "src/shop/__init__.py": "",
    "src/shop/server.py": (
        "import acme.first\nimport acme.second\nimport greet\nimport look\nimport shop.conf\n"
        "main = look.main\n"
    ),
    "src/shop/conf.py": "",
    "src/shop/page.html": "<p>",
    "src/shop/deep/page.txt": "deep",
    "src/shop/conf/b.txt": "b",
    "src/shop/conf/a.txt": "a",
    "src/acme/first/BUILD": "python_sources()",
    "src/acme/first/__init__.py": "",
    # A script with a dash in its name and in that of its folder.
    "src/my-tool/BUILD": """
python_sources()
python_service(name="app", entry_point="run-it.py", repository="tool")
""",
    "src/my-tool/run-it.py": (
        "import greet\nimport look\nif __name__ == '__main__':\n    look.main()\n"
    ),
    # A distribution with entry points, one of which is what the service starts.
    "src/plug/BUILD": """
python_sources()
python_distribution(
    name="dist",
    dependencies=[":plug"],
    provides=python_artifact(name="acme.Plug", version="2.0"),
    entry_points={
        "acme.plugins": {"hello": "plug.impl:hello"},
        "console_scripts": {"plugctl": "plug.impl:main"},
    },
    sdist=False,
)
python_service(name="app", script="plugctl", dependencies=[":dist", "src/look.py"])
""",
    "src/plug/__init__.py": "",
    "src/plug/impl.py": (
        # Not an import, as `look` would have to belong to a distribution, too.
        "import greet\nimport importlib\nmain = importlib.import_module('look').main\n"
        "def hello():\n    return 'hello'\n"
    ),
    # A console script of a wheel, which loads code by name.
    "src/by_name/BUILD": """
python_service(name="app", script="greetctl", dependencies=["3rdparty:greet", "src/look.py"])
""",
}
# Its folder, by service, and what it has otherwise than its PEX, by row of the table.
ALL = {"order of `sys.path`", "what a wheel has in `.data`"}
SERVICES = {
    "plain module": ("src/solo_app", ALL),
    "package": ("src/shop", {*ALL, "`files` and `relocated_files`", "type stubs"}),
    "script with a dash": ("src/my-tool", ALL),
    "distribution": ("src/plug", ALL),
    "script of a wheel": ("src/by_name", ALL),
}
ROWS = {
    "order of sys.path": "order of `sys.path`",
    "data of wheels": "what a wheel has in `.data`",
    "files": "`files` and `relocated_files`",
    "distributions": "type stubs",
}


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> RuleRunner:
    runner = rule_runner(
        QueryRule(GeneratedSources, [GenerateLayers]),
        QueryRule(BuiltPackage, [PexBinaryFieldSet]),
        packages=[PythonDistributionFieldSet],
        objects={"python_artifact": PythonArtifact},
    )
    wheels = Path(runner.build_root, "wheels")
    build_wheel(
        wheels,
        "greet",
        files={
            "greet/__init__.py": b"hello = str\n",
            "greet/data.txt": b"data",
            "greet_cli.py": b"import importlib\nmain = importlib.import_module('look').main\n",
            "greet-1.0.data/purelib/greet/moved.py": b"",
            "greet-1.0.data/data/share/greet/x": b"x",
            "greet-1.0.data/scripts/greet-old": b"#!python\nprint(1)\n",
        },
        entry_points="[console_scripts]\ngreetctl = greet_cli:main\n",
    )
    build_wheel(wheels, "acme_second", files={"acme/second/__init__.py": b""})
    build_wheel(wheels, "types_greet", files={"greet-stubs/__init__.pyi": b""})
    # Without resolves, for a lock that Pants and Inseam both make.
    set_options(
        runner,
        "--no-python-enable-resolves",
        f"--python-repos-find-links=['file://{wheels}']",
    )
    runner.write_files(FILES)
    return runner


def printed(argv: list[str], folder: Path, **env: str) -> dict[str, Any]:
    found = subprocess.run(
        argv, cwd=folder, env={"PATH": os.environ["PATH"], **env}, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr[-3000:]
    value: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return value


def in_pex(runner: RuleRunner, folder: str, tmp_path: Path) -> dict[str, Any]:
    target = runner.get_target(Address(folder, target_name="app", generated_name="pex"))
    built = runner.request(BuiltPackage, [PexBinaryFieldSet.create(target)])
    ((_, content),) = files_of(runner, built.digest).items()
    pex = tmp_path / "app.pex"
    pex.write_bytes(content)
    return printed([sys.executable, str(pex)], tmp_path, PEX_ROOT=str(tmp_path / "root"))


def in_image(runner: RuleRunner, folder: str, tmp_path: Path) -> dict[str, Any]:
    """The unpacked layers. The venv's interpreter is the base's, which is the running one. In an
    image, the folders are at the root, so two absolute paths are changed.
    """
    target = runner.get_target(Address(folder, target_name="app", generated_name="layers"))
    made = runner.request(GeneratedSources, [GenerateLayers(runner.make_snapshot({}), target)])
    root = tmp_path / "image"
    for path, content in files_of(runner, made.snapshot.digest).items():
        if path.endswith(".tar"):
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                # CPython 3.14 refuses the link to the base's interpreter, unless it is told not to.
                archive.extraction_filter = lambda member, _: member  # type: ignore[assignment]
                archive.extractall(root)
    site = root / f"opt/venv/lib/python{MINOR}/site-packages"
    (link,) = (path for path in site.glob("*.pth") if path.read_text().strip() == "/app")
    link.write_text(f"{root}/app\n")
    (service,) = re.findall(r"(?:script='?\"?)(\w+)", FILES[f"{folder}/BUILD"]) or ["entrypoint"]
    script = root / f"opt/venv/bin/{service}"
    assert script.read_text().startswith("#!/opt/venv/bin/python\n")
    return printed([str(root / "opt/venv/bin/python"), str(script)], root / "app")


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_holds_what_the_pex_holds(runner: RuleRunner, tmp_path: Path, name: str) -> None:
    folder, expected = SERVICES[name]
    pex, image = in_pex(runner, folder, tmp_path), in_image(runner, folder, tmp_path)
    print(json.dumps({"pex": pex, "image": image}, indent=1))
    assert {ROWS[key] for key in pex if pex[key] != image[key]} == expected
    # It has seen something.
    assert {"look", "greet_cli"} <= {*image["modules"]}
    assert image["distributions"]["greet"] == "1.0"
    assert image["order of sys.path"] == ["standard library", "wheels", "code"]
    assert pex["order of sys.path"] == ["code", "standard library", "wheels"]
    assert (pex["data of wheels"], image["data of wheels"]) == ([False] * 2, [True] * 2)
    if folder == "src/plug":
        assert image["entry points"] == [["acme.plug", "acme.plugins", "hello", "plug.impl:hello"]]
        assert image["loaded"] == ["hello"]
    if folder == "src/shop":
        assert image["resources"] == ["<p>", "deep", "data"]
        assert {"acme.first", "acme.second", "shop.conf"} <= {*image["modules"]}
        assert image["files"] == [True, True]
        assert pex["files"] == [False, False]
        assert {*pex["distributions"]} - {*image["distributions"]} == {"types-greet"}


def test_each_difference_is_a_row_of_the_table() -> None:
    lines = DOCS.read_text().partition("## Image and PEX")[2].partition("\n## ")[0].splitlines()
    rows = [line.split("|")[1].strip() for line in lines if line.startswith("| ")]
    for row in ROWS.values():
        assert any(one.startswith(row) for one in rows), row
