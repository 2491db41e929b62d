"""Programs on the CPython of a base: what it is taken from, and where it cannot run."""

from __future__ import annotations

import platform
from pathlib import Path
from types import SimpleNamespace

import pytest
from pants.engine.addresses import Address
from pants.engine.fs import CreateDigest, Digest, FileContent
from pants.engine.platform import Platform
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.formats.glibc import GlibcVersion, parse_glibc
from inseam.formats.python.wheel_testing import build_wheel
from inseam.formats.rootfs.tree_testing import INTERPRETER, python_layers
from inseam.plan.platform import PythonPlatform
from inseam.rules.base.base import BasePython
from inseam.rules.base.interpreter import FoundPython, found_python
from inseam.rules.base.process import ProgramRequest
from inseam.rules.image_testing import client_env
from inseam.rules.programs.host import Program, ProgramResult
from inseam.rules.rule_testing import (
    MINOR,
    PYTHON_VERSION,
    failure,
    files_of,
    rule_runner,
    run_mocked,
    set_options,
)
from inseam.subsystem import BuildPython
from inseam.tools.registry_testing import Registry, real_image

GLIBC = platform.libc_ver()[1]
BASE = Address("", target_name="base")


def declared(image: str) -> str:
    return (
        f"registry_base(name='base', image='registry.invalid/python@{image}',"
        f" interpreter={INTERPRETER!r}, python_version={PYTHON_VERSION!r},"
        f" glibc_version={GLIBC!r})\n"
    )


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(tmp_path_factory.mktemp("interpreter") / "registry")


@pytest.fixture(scope="module")
def image(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> str:
    return real_image(registry, python_layers(tmp_path_factory.mktemp("image")))


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    return rule_runner(
        QueryRule(ProgramResult, [ProgramRequest]), QueryRule(Digest, [CreateDigest]), layers=False
    )


def python(glibc: GlibcVersion = GlibcVersion(2, 36)) -> BasePython:
    return BasePython(BASE, PythonPlatform("amd64", PYTHON_VERSION, glibc), INTERPRETER, False)


def request(runner: RuleRunner, wheel: Path, glibc: GlibcVersion) -> ProgramRequest:
    file = FileContent(wheel.name, wheel.read_bytes())
    program = Program(
        argv=("install_wheel", wheel.name, "trees/demo"),
        input=runner.request(Digest, [CreateDigest([file])]),
        output="trees",
        description=f"Install {wheel.name}",
    )
    return ProgramRequest(python(glibc), program)


def here() -> GlibcVersion:
    return parse_glibc(GLIBC)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the image is for linux/amd64")
def test_the_python_in_an_image_does_what_an_installed_one_of_its_version_does(
    runner: RuleRunner, registry: Registry, image: str, tmp_path: Path
) -> None:
    runner.write_files({"BUILD": declared(image)})
    wheel = build_wheel(tmp_path, files={"a.py": b"x = {1, 2}\n"})
    made = []
    for where in ("base", "installed"):
        set_options(runner, f"--inseam-build-python={where}", env=client_env(registry))
        result = runner.request(ProgramResult, [request(runner, wheel, here())])
        assert result.messages == ""
        made.append(files_of(runner, result.digest))
    assert f"cpython-{MINOR.replace('.', '')}.pyc".encode() in made[0]["demo/tree.json"]
    assert made[0] == made[1]


def test_an_image_without_a_python_that_starts_is_named_with_the_way_out(
    runner: RuleRunner, registry: Registry, tmp_path: Path
) -> None:
    layers = python_layers(tmp_path)
    runner.write_files({"BUILD": declared(real_image(registry, layers[1:]))})
    set_options(runner, "--inseam-build-python=base", env=client_env(registry))
    wheel = build_wheel(tmp_path, files={"a.py": b""})
    why = failure(runner, ProgramResult, request(runner, wheel, here()))
    assert f"the base has not all libraries that {INTERPRETER} needs" in why
    assert "The CPython of //:base makes its layers." in why
    assert f"an installed CPython {MINOR} may: set [inseam].build_python to 'installed'." in why


def found(on: Platform, build_python: BuildPython = BuildPython.base) -> FoundPython:
    """The CPython of a base on that machine."""
    options = SimpleNamespace(build_python=build_python)
    result: FoundPython = run_mocked(found_python, [python(), on, options], {})
    return result


def test_on_macos_an_installed_one_stands_for_it() -> None:
    for machine in (Platform.macos_arm64, Platform.macos_x86_64):
        assert found(machine) == FoundPython(None, cannot_run=True)


def test_an_option_asks_for_an_installed_one() -> None:
    assert found(Platform.linux_x86_64, BuildPython.installed) == FoundPython(None)
