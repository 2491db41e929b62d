"""A repository for tests of layers: a service that needs two distributions of its lock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Sequence

import pytest
from pants.backend.python.macros.python_artifact import PythonArtifact
from pants.core.goals.package import BuiltPackage
from pants.engine.addresses import Address
from pants.engine.internals.parametrize import Parametrize
from pants.engine.target import GeneratedSources, InferredDependencies
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.formats.python.wheel_testing import build_wheel
from inseam.rules.docker.dockerfiles import InferDockerfileDependencies
from inseam.rules.goals.export_codegen import GenerateAppLayer, GenerateLayers
from inseam.rules.goals.package import LayersFieldSet
from inseam.rules.image.check_modules import ModulesRequest
from inseam.rules.image.checks import ImageFindings
from inseam.rules.layers.code import CodeLayers, CodeLayersRequest
from inseam.rules.layers.layer import StoredLayer
from inseam.rules.layers.service import DependencyLayers, ServiceRequest
from inseam.rules.layers.wheels import SharedLayer, SharedLayerRequest
from inseam.rules.rule_testing import (
    BASE,
    MINOR,
    PYTHON_VERSION,
    debian_lock_text,
    declared,
    failure,
    files_of,
    lock_text,
    locked,
    rule_runner,
    set_options,
)

SITE = f"opt/venv/lib/python{MINOR}/site-packages"


SHOP = Address("src/shop", target_name="app", generated_name="layers")


SERVER = "import greet\ndef main():\n    print(greet.hello())\n"


def service_build(*, sources: Sequence[str] = (), **fields: Any) -> str:
    """The BUILD file of `src/shop`: its code, and the service `app`, whose usual fields these
    replace or extend. sources: what the code depends on.
    """
    given = {"entry_point": "shop.server:main", "healthcheck": "probe.py:main", **fields}
    code = declared("python_sources", **({"dependencies": list(sources)} if sources else {}))
    return code + declared("python_service", name="app", **given)


SERVICE = service_build()


def queries() -> list[QueryRule]:
    return [
        QueryRule(DependencyLayers, [ServiceRequest]),
        QueryRule(CodeLayers, [CodeLayersRequest]),
        QueryRule(SharedLayer, [SharedLayerRequest]),
        QueryRule(ImageFindings, [ModulesRequest]),
        QueryRule(GeneratedSources, [GenerateLayers]),
        QueryRule(GeneratedSources, [GenerateAppLayer]),
        QueryRule(BuiltPackage, [LayersFieldSet]),
        QueryRule(InferredDependencies, [InferDockerfileDependencies]),
    ]


def wheels_of(runner: RuleRunner) -> dict[str, Path]:
    folder = Path(runner.build_root, "wheels")
    return {
        "greet": build_wheel(folder, "greet", files={"greet.py": b"import words\nhello = str\n"}),
        "words": build_wheel(folder, "words", files={"words/__init__.py": b"x = 1\n"}),
        "lone": build_wheel(folder, "lone", files={"lone.py": b""}),
        "big": build_wheel(folder, "big", files={"big/data.txt": b"0123456789" * 1000}),
    }


def write_lock(runner: RuleRunner, *more: dict[str, Any], **changes: dict[str, Any]) -> None:
    """Writes the lock. changes: items that replace those of the same name; {} removes one."""
    wheels = wheels_of(runner)
    items = {
        "greet": locked(wheels["greet"], "words>=1"),
        "words": locked(wheels["words"]),
        "lone": locked(wheels["lone"]),
        "big": locked(wheels["big"]),
        **changes,
    }
    text = lock_text([*(item for item in items.values() if item), *more])
    runner.write_files({"services.lock": text})


def write_repository(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "BUILD": BASE,
            "3rdparty/BUILD": "\n".join(
                f"python_requirement(name={name!r}, requirements=['{name}==1.0'])"
                for name in ("greet", "words", "lone", "big")
            ),
            "src/shop/BUILD": SERVICE,
            "src/shop/__init__.py": "",
            "src/shop/server.py": SERVER,
            "src/shop/probe.py": "from shop import server\ndef main(): ...\n",
        }
    )
    write_lock(runner)


def dependencies(runner: RuleRunner) -> DependencyLayers:
    return runner.request(DependencyLayers, [ServiceRequest(SHOP)])


def app(runner: RuleRunner) -> bytes:
    """The tar of the layer `app`."""
    code = runner.request(CodeLayers, [CodeLayersRequest(ServiceRequest(SHOP))])
    assert code.layers[-1].name == "app"
    return tar(runner, code.layers[-1])


def tar(runner: RuleRunner, layer: StoredLayer) -> bytes:
    return files_of(runner, layer.digest)[layer.tar]


def exported(runner: RuleRunner) -> dict[str, bytes]:
    """What `export-codegen` writes, by path."""
    target = runner.get_target(SHOP)
    snapshot = runner.request(GeneratedSources, [GenerateLayers(empty(runner), target)]).snapshot
    return files_of(runner, snapshot.digest)


def described(runner: RuleRunner) -> list[dict[str, Any]]:
    """What `layers.json` says of the whole service."""
    layers: list[dict[str, Any]] = json.loads(exported(runner)["src/shop/app.layers/layers.json"])
    return layers


def empty(runner: RuleRunner) -> Any:
    return runner.make_snapshot({})


def refused(runner: RuleRunner, *texts: str) -> None:
    """Checks that the layers are refused with an error that contains the texts and the service."""
    error = failure(runner, CodeLayers, CodeLayersRequest(ServiceRequest(SHOP)))
    for text in ("src/shop:app: ", *texts):
        assert text in error


def debian_base(runner: RuleRunner) -> None:
    lock = debian_lock_text(f"{PYTHON_VERSION}-1")
    runner.write_files({"BUILD": "debian_base(name='base', lock='x.json')", "x.json": lock})


DISTRIBUTION = """
python_sources()
python_distribution(
    name="dist",
    dependencies=[":plug"],
    provides=python_artifact(name="acme.Plug", version="2.0", description="Plugs."),
    entry_points={
        "acme.plugins": {"hello": "plug.impl:hello"},
        "console_scripts": {"plugctl": "plug.impl:hello"},
    },
)
"""


WITH_DISTRIBUTION = service_build(dependencies=["src/plug:dist"])


def with_shared(runner: RuleRunner, layers: str, *names: str) -> None:
    """Declares shared layers, and has the service use those at the addresses `names`."""
    build = service_build(layers=list(names))
    runner.write_files({"src/shop/BUILD": build, "3rdparty/layers/BUILD": layers})


def write_plug(runner: RuleRunner, **files: str) -> None:
    runner.write_files(
        {
            "src/plug/BUILD": DISTRIBUTION,
            "src/plug/__init__.py": "",
            "src/plug/impl.py": "def hello(): return 1\n",
            "src/shop/BUILD": WITH_DISTRIBUTION,
            **files,
        }
    )


def write_service(runner: RuleRunner, fields: str, **files: str) -> None:
    build = f"python_sources()\npython_service(name='app', {fields})\n"
    runner.write_files({"src/shop/BUILD": build, **files})


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    """A RuleRunner for the tests of one module."""
    return rule_runner(
        *queries(), objects={"python_artifact": PythonArtifact, "parametrize": Parametrize}
    )


@pytest.fixture
def runner(module_runner: RuleRunner) -> RuleRunner:
    """The runner, with the repository restored to its initial state."""
    set_options(module_runner)
    write_repository(module_runner)
    return module_runner


fixtures = (module_runner, runner)
"""Fixtures for a test module, by the names `module_runner` and `runner`."""
