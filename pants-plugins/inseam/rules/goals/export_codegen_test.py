from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pants.core.goals.package import BuiltPackage
from pants.engine.addresses import Address
from pants.engine.target import GeneratedSources
from pants.testutil.rule_runner import RuleRunner

from inseam.rules.goals.export_codegen import GenerateAppLayer, GenerateLayers
from inseam.rules.goals.package import LayersFieldSet
from inseam.rules.layers.code import CodeLayers, CodeLayersRequest
from inseam.rules.layers.service import ServiceRequest
from inseam.rules.rule_testing import BASE, files_of, tar_files
from inseam.rules.service_testing import (
    SERVER,
    SHOP,
    SITE,
    empty,
    exported,
    fixtures,
    tar,
    write_service,
)
from inseam.targets.layer import AppSourcesField, LayersSourcesField

module_runner, runner = fixtures


def test_a_service_is_a_layer_of_its_wheels_and_one_of_its_code(runner: RuleRunner) -> None:
    files = exported(runner)
    folder = "src/shop/app.layers"
    assert set(files) == {f"{folder}/{name}" for name in ("layers.json", "deps.tar", "app.tar")}
    deps, code = json.loads(files[f"{folder}/layers.json"])
    for layer in (deps, code):
        data = files[f"{folder}/{layer['name']}.tar"]
        assert layer["diff_id"] == "sha256:" + hashlib.sha256(data).hexdigest()
        assert layer["size"] == len(data)
    assert [wheel["name"] for wheel in deps["wheels"]] == ["greet", "words"]
    wheel = Path(runner.build_root, "wheels/greet-1.0-py3-none-any.whl")
    assert deps["wheels"][0]["sha256"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    installed = tar_files(files[f"{folder}/deps.tar"])
    assert {f"{SITE}/greet.py", f"{SITE}/words/__init__.py", "opt/venv/pyvenv.cfg"} <= set(
        installed
    )
    assert f"{SITE}/lone.py" not in installed
    code_files = tar_files(files[f"{folder}/app.tar"])
    assert code_files["app/shop/server.py"] == SERVER.encode()
    assert b"from shop.server import main" in code_files["opt/venv/bin/entrypoint"]
    assert b"from shop.probe import main" in code_files["opt/venv/bin/healthcheck"]
    assert not [path for path in code_files if path.endswith("BUILD")]


def test_a_build_context_gets_the_code_alone(runner: RuleRunner) -> None:
    target = runner.get_target(Address("src/shop", target_name="app", generated_name="app"))
    assert target.has_field(AppSourcesField)
    request = GenerateAppLayer(empty(runner), target)
    snapshot = runner.request(GeneratedSources, [request]).snapshot
    files = files_of(runner, snapshot.digest)
    assert set(files) == {f"src/shop/app.layers/{name}.tar" for name in ("app", "libs")}
    # The Dockerfile adds the layer of libraries even if the service has none.
    assert tar_files(files["src/shop/app.layers/libs.tar"]) == {}


def test_package_writes_the_description_of_the_layers(runner: RuleRunner) -> None:
    field_set = LayersFieldSet(SHOP, runner.get_target(SHOP)[LayersSourcesField])
    built = runner.request(BuiltPackage, [field_set])
    assert [artifact.relpath for artifact in built.artifacts] == ["src.shop/app.layers/layers.json"]
    assert list(files_of(runner, built.digest)) == ["src.shop/app.layers/layers.json"]


def test_a_service_at_the_root_of_the_repository_can_be_built(runner: RuleRunner) -> None:
    build = BASE + "python_sources()\npython_service(name='root', entry_point='top.py:main')\n"
    runner.write_files({"BUILD": build, "top.py": "def main(): ...\n"})
    target = runner.get_target(Address("", target_name="root", generated_name="layers"))
    files = runner.request(GeneratedSources, [GenerateLayers(empty(runner), target)]).snapshot.files
    assert files == ("root.layers/app.tar", "root.layers/deps.tar", "root.layers/layers.json")


def test_a_parametrized_service_is_built_for_each_parameter(runner: RuleRunner) -> None:
    write_service(
        runner, "entry_point='server.py:main', base=parametrize(a='//:base', b='//:base')"
    )
    for name in "ab":
        address = Address(
            "src/shop", target_name="app", generated_name="layers", parameters={"base": name}
        )
        code = runner.request(CodeLayers, [CodeLayersRequest(ServiceRequest(address))])
        assert "opt/venv/bin/entrypoint" in tar_files(tar(runner, code.layers[-1]))
        target = runner.get_target(address)
        snapshot = runner.request(GeneratedSources, [GenerateLayers(empty(runner), target)])
        assert f"src/shop/app@base={name}.layers/app.tar" in snapshot.snapshot.files
