from __future__ import annotations

import importlib.metadata
from pathlib import Path

from pants.testutil.rule_runner import RuleRunner

from inseam.rules.layers.code import CodeLayers, CodeLayersRequest
from inseam.rules.layers.service import ServiceRequest
from inseam.rules.rule_testing import tar_files
from inseam.rules.service_testing import (
    DISTRIBUTION,
    SHOP,
    app,
    dependencies,
    fixtures,
    refused,
    service_build,
    tar,
    write_plug,
)

module_runner, runner = fixtures


def test_a_distribution_among_the_dependencies_is_installed(
    runner: RuleRunner, tmp_path: Path
) -> None:
    write_plug(runner)
    code = runner.request(CodeLayers, [CodeLayersRequest(ServiceRequest(SHOP))])
    libs, own = (tar_files(tar(runner, layer)) for layer in code.layers)
    for path, content in libs.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (found,) = importlib.metadata.distributions(path=[str(tmp_path / "app")])
    assert (found.metadata["Name"], found.version) == ("acme.Plug", "2.0")
    assert found.metadata["Summary"] == "Plugs."
    assert {(one.group, one.name, one.value) for one in found.entry_points} == {
        ("acme.plugins", "hello", "plug.impl:hello"),
        ("console_scripts", "plugctl", "plug.impl:hello"),
    }
    assert {str(path) for path in found.files or ()} == {
        "plug/__init__.py",
        "plug/impl.py",
        *(
            f"acme_plug-2.0.dist-info/{name}"
            for name in (
                "INSTALLER",
                "METADATA",
                "RECORD",
                "WHEEL",
                "entry_points.txt",
                "top_level.txt",
            )
        ),
    }
    assert b"from plug.impl import hello" in own["opt/venv/bin/plugctl"]
    assert not [path for path in own if "dist-info" in path]


def test_an_edit_of_a_distribution_leaves_its_metadata(runner: RuleRunner) -> None:
    write_plug(runner)
    before = {code.name: code for code in dependencies(runner).code}
    runner.write_files({"src/plug/impl.py": "def hello(): return 2\n"})
    after = {code.name: code for code in dependencies(runner).code}
    assert {name for name in after if after[name] != before[name]} == {"plug"}


def test_the_metadata_of_the_service_itself_is_in_its_layer(runner: RuleRunner) -> None:
    dist = """
python_distribution(name="dist", dependencies=[":shop"],
    provides=python_artifact(name="shop", version="1.2"))
"""
    own = service_build(dependencies=[":dist"])
    runner.write_files({"src/shop/BUILD": own + dist})
    assert b"Version: 1.2" in tar_files(app(runner))["app/shop-1.2.dist-info/METADATA"]


def test_two_console_scripts_with_one_name_are_refused(runner: RuleRunner) -> None:
    write_plug(runner, **{"src/plug/BUILD": DISTRIBUTION.replace("plugctl", "healthcheck")})
    refused(runner, "/opt/venv/bin/healthcheck would start both shop.probe:main and plug.impl")
