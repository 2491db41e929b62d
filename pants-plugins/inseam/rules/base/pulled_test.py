from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.rules.base.base import Base, BaseRequest
from inseam.rules.base.pulled import PulledImage, PulledRequest, runtime_of
from inseam.rules.image_testing import add_base, base, client_env
from inseam.rules.rule_testing import PYTHON_VERSION, failure, files_of, rule_runner, set_options
from inseam.tools.registry_testing import Registry


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(tmp_path_factory.mktemp("pulled") / "registry")


@pytest.fixture(scope="module")
def runner(registry: Registry) -> RuleRunner:
    runner = rule_runner(
        QueryRule(Base, [BaseRequest]), QueryRule(PulledImage, [PulledRequest]), layers=False
    )
    set_options(runner, env=client_env(registry))
    image = add_base(registry, "etc/passwd")
    runner.write_files({"BUILD": base("base", image) + base("gone", f"{image[:-64]}{'0' * 64}")})
    return runner


def request(runner: RuleRunner, name: str, platform: str = "linux/amd64") -> PulledRequest:
    found = runner.request(Base, [BaseRequest(f"//:{name}", None)])
    return PulledRequest(found.python, platform)


def test_a_pulled_image_is_what_the_registry_has_under_its_digest(runner: RuleRunner) -> None:
    pulled = runner.request(PulledImage, [request(runner, "base")])
    assert pulled.metadata.target == "//:base"
    assert pulled.metadata.platform == "linux/amd64"
    assert hashlib.sha256(pulled.configuration).hexdigest() == Path(pulled.config).name
    blobs = files_of(runner, pulled.layers)
    assert tuple(sorted(blobs)) == tuple(sorted({*pulled.blobs}))
    for path, content in blobs.items():
        assert hashlib.sha256(content).hexdigest() == Path(path).name


def test_the_image_for_another_platform_is_another_one(runner: RuleRunner) -> None:
    one, other = (
        runner.request(PulledImage, [request(runner, "base", f"linux/{name}")])
        for name in ("amd64", "arm64")
    )
    assert one.metadata.digest != other.metadata.digest
    assert other.metadata.platform == "linux/arm64"


def test_an_image_that_is_gone_is_named_with_its_base(runner: RuleRunner) -> None:
    assert failure(runner, PulledImage, request(runner, "gone")).startswith("//:gone: ")


def test_layers_get_the_runtime_that_the_base_declares(runner: RuleRunner) -> None:
    python = request(runner, "base").python
    runtime = runtime_of(python)
    assert (runtime.python, runtime.interpreter) == (PYTHON_VERSION, python.interpreter)
    assert runtime.libc == "glibc 2.36"
