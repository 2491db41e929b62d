from __future__ import annotations

import pytest
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.rules.image.build import OciImage, OciImageRequest
from inseam.rules.image.check_named_modules import NamedModuleCheck
from inseam.rules.image.checks import ImageFindings
from inseam.rules.image_testing import OCI, service, write_repository
from inseam.rules.rule_testing import rule_runner
from inseam.tools.registry_testing import Registry


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(tmp_path_factory.mktemp("images") / "registry")


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    return rule_runner(
        QueryRule(OciImage, [OciImageRequest]), QueryRule(ImageFindings, [NamedModuleCheck])
    )


@pytest.fixture
def runner(module_runner: RuleRunner, registry: Registry) -> RuleRunner:
    write_repository(module_runner, registry)
    return module_runner


def found(runner: RuleRunner) -> list[tuple[str, str, str]]:
    image = runner.request(OciImage, [OciImageRequest(OCI, "")])
    findings = runner.request(ImageFindings, [NamedModuleCheck(image.contents)]).findings
    return [(one.place, one.text, one.fix) for one in findings]


LOADING = "import importlib\ndef main():\n    importlib.import_module('plugs.fast')\n"
PLUGS = {"src/plugs/BUILD": "python_sources()", "src/plugs/fast.py": "", "src/plugs/slow.py": ""}


def test_a_module_that_code_or_a_resource_names_is_told_with_its_target(
    runner: RuleRunner,
) -> None:
    resources = "resources(name='conf', sources=['*.toml'])\n"
    runner.write_files(
        {
            **PLUGS,
            "src/shop/server.py": LOADING,
            "src/shop/plugs.toml": "[plugs]\nslow = 'plugs.slow:make'\nword = 'shop.toml'\n",
            "src/shop/BUILD": service(dependencies=[":conf"]) + resources,
        }
    )
    assert found(runner) == [
        (
            "plugs.fast",
            "shop/server.py, line 3, names plugs.fast, but the image does not contain the module"
            " plugs.fast.",
            "If the service loads it, add 'src/plugs/fast.py' to `dependencies`.",
        ),
        (
            "plugs.slow",
            "shop/plugs.toml, line 2, names plugs.slow, but the image does not contain the module"
            " plugs.slow.",
            "If the service loads it, add 'src/plugs/slow.py' to `dependencies`.",
        ),
    ]


def test_a_module_that_the_image_has_is_not_told(runner: RuleRunner) -> None:
    runner.write_files({**PLUGS, "src/shop/server.py": LOADING})
    runner.write_files({"src/shop/BUILD": service(dependencies=["src/plugs/fast.py"])})
    assert found(runner) == []
