from __future__ import annotations

from typing import Any

import pytest
from pants.backend.python.target_types import (
    InterpreterConstraintsField,
    PexEntryPointField,
    PythonResolveField,
)
from pants.core.target_types import FileTarget
from pants.engine.addresses import Address, Addresses
from pants.engine.internals.scheduler import ExecutionError
from pants.engine.target import (
    AllUnexpandedTargets,
    Dependencies,
    DependenciesRequest,
    DescriptionField,
    Tags,
    Target,
)
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.rules.generate import layers_folder, rootfs_folder
from inseam.rules.rule_testing import BASE, rule_runner, set_options


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    return rule_runner(
        QueryRule(AllUnexpandedTargets, []),
        QueryRule(Addresses, [DependenciesRequest]),
        layers=False,
    )


@pytest.fixture
def runner(module_runner: RuleRunner) -> RuleRunner:
    set_options(module_runner)
    module_runner.write_files({"BUILD": BASE, "src/shop/server.py": "", "src/shop/probe.py": ""})
    return module_runner


SMALL = 'python_service(name="app", entry_point="shop.server:main")'
LARGE = """
python_service(
    name="app",
    entry_point="shop.server:main",
    healthcheck="probe.py:main",
    dependencies=["//:extra"],
    resolve="other",
    interpreter_constraints=["CPython==3.13.*"],
    base=":own",
    layers=["//:numbers"],
    ports=[8000, "53/udp"],
    env={"GREETING": 'a "b" $c'},
    user="1000",
    args=["--level", "info"],
    image_tags=["1.0", "latest"],
    repository="shops/{name}",
    registries=["@mine"],
    skip_push=True,
    labels={"team": "shop"},
    tags=["slow"],
    description="Sells.",
)
"""


def get(runner: RuleRunner, name: str) -> Target:
    return runner.get_target(Address("src/shop", target_name="app", generated_name=name))


def values(target: Target) -> dict[str, Any]:
    return {field.alias: value.value for field, value in target.field_values.items()}


def entry_point(target: Target) -> str:
    value = target[PexEntryPointField].value
    assert value is not None
    return value.spec


def generated(runner: RuleRunner) -> dict[str, str]:
    """Names and types of the targets that `src/shop:app` stands for."""
    targets = runner.request(AllUnexpandedTargets, [])
    return {
        target.address.generated_name: target.alias
        for target in targets
        if target.address.spec_path == "src/shop"
        and target.address.target_name == "app"
        and target.address.generated_name
    }


def test_a_declaration_stands_for_a_pex_layers_and_images(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": SMALL})
    found = generated(runner)
    expected = {
        "pex": "pex_binary",
        "layers": "_venv_layers",
        "app": "_app_layer",
        "deps": "_deps_image",
        "image": "docker_image",
    }
    assert found.items() >= expected.items()
    assert "healthcheck" not in found
    runner.write_files({"src/shop/BUILD": LARGE})
    assert generated(runner) == {**found, "healthcheck": "pex_binary"}


def test_what_follows_from_the_smallest_declaration(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": SMALL})
    layers, image = values(get(runner, "layers")), values(get(runner, "image"))
    assert layers["_base"] == ("//:base",)
    assert layers["_service"] == ("src/shop:app#pex",)
    assert values(get(runner, "deps"))["_base"] == "//:base"
    assert values(get(runner, "app"))["_layers"] == ("src/shop:app#layers",)
    assert image["repository"] == "{directory}"
    assert image["image_tags"] == ("latest",)
    assert image["output_path"] == "src.shop/app.docker-info.json"
    assert image["dependencies"] == ("src/shop:app#app",)
    text = "\n".join(image["instructions"])
    assert text.startswith(
        "ARG BASE_IMAGE=src/shop:app#deps\nFROM ${BASE_IMAGE}\nADD libs.tar /\nADD app.tar /\n"
    )
    # Docker takes files of two services for each other's where this is the same.
    assert image["context_root"] == "src/shop/app.layers"
    assert "USER 65532:65532" in text
    assert 'ENTRYPOINT ["/opt/venv/bin/entrypoint"]' in text
    for absent in ("HEALTHCHECK", "EXPOSE", "CMD", "RUN"):
        assert absent not in text
    pex = get(runner, "pex")
    assert values(pex)["output_path"] == "src.shop/app.pex"
    assert entry_point(pex) == "shop.server:main"


def test_every_field_goes_to_the_target_that_it_is_about(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": LARGE})
    image = values(get(runner, "image"))
    assert image["image_tags"] == ("1.0", "latest")
    assert image["repository"] == "shops/{name}"
    assert image["registries"] == ("@mine",)
    assert image["skip_push"] is True
    assert dict(image["image_labels"]) == {"team": "shop"}
    lines = image["instructions"]
    assert r'GREETING="a \"b\" \$c"' in next(line for line in lines if line.startswith("ENV "))
    assert {"USER 1000", "EXPOSE 8000", "EXPOSE 53/udp", 'CMD ["--level", "info"]'} <= set(lines)
    assert any(line.startswith("HEALTHCHECK --interval=10s --timeout=2s") for line in lines)
    layers = values(get(runner, "layers"))
    assert layers["_service"] == ("src/shop:app#pex", "src/shop:app#healthcheck")
    assert layers["_layers"] == ("//:numbers",)
    assert layers["_base"] == ("//src/shop:own",)
    probe = get(runner, "healthcheck")
    assert entry_point(probe) == "probe.py:main"
    assert values(probe)["output_path"] == "src.shop/app-healthcheck.pex"
    for name in ("pex", "healthcheck"):
        assert get(runner, name)[PythonResolveField].value == "other"
        assert get(runner, name)[InterpreterConstraintsField].value == ("CPython==3.13.*",)
    assert get(runner, "pex")[Dependencies].value == ("//:extra",)
    assert get(runner, "healthcheck")[Dependencies].value is None
    for name in generated(runner):
        assert get(runner, name)[Tags].value == ("slow",)
        assert get(runner, name)[DescriptionField].value == "Sells."


def test_an_image_depends_on_neither_sources_nor_wheels(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": LARGE})
    assert get(runner, "image")[Dependencies].value == ("src/shop:app#app",)
    for name in ("app", "layers"):
        request = DependenciesRequest(get(runner, name)[Dependencies])
        assert not runner.request(Addresses, [request])


def test_the_base_of_a_service_wins_over_the_option(runner: RuleRunner) -> None:
    build = SMALL.replace(")", ', base="//docker/base:slim")')
    runner.write_files({"src/shop/BUILD": build})
    assert values(get(runner, "layers"))["_base"] == ("//docker/base:slim",)
    assert values(get(runner, "deps"))["_base"] == "//docker/base:slim"


def test_a_service_without_a_base_is_refused(runner: RuleRunner) -> None:
    set_options(runner, base="")
    runner.write_files({"src/shop/BUILD": SMALL})
    with pytest.raises(ExecutionError) as error:
        get(runner, "image")
    for text in ("src/shop:app", "no `base`", "[inseam].base", "a `debian_base` or a"):
        assert text in str(error.value)


@pytest.mark.parametrize(
    "field, text",
    [
        ('ports=["http"]', "but contains 'http'"),
        ('user="root"', "must be numeric"),
        ('env={"A": "x\\ny"}', "invalid variable 'A'"),
        ('healthcheck="probe"', "must be `module:function`"),
        ("prots=[8000]", "prots"),
    ],
)
def test_a_bad_field_is_an_error_that_names_the_target(
    runner: RuleRunner, field: str, text: str
) -> None:
    runner.write_files({"src/shop/BUILD": SMALL.replace(")", f", {field})")})
    with pytest.raises(ExecutionError) as error:
        get(runner, "image")
    assert "src/shop:app" in str(error.value)
    assert text in str(error.value)


def test_a_debian_base_stands_for_a_root_filesystem_and_an_image(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "docker/BUILD": "debian_base(name='debian', lock='lockfiles/d.json', groups=['init'],"
            " interpreter='/usr/bin/python3.11', python_version='3.11.2', glibc_version='2.36',"
            " platform='linux/arm64', tags=['base'])"
        }
    )
    address = Address("docker", target_name="debian")
    rootfs = values(runner.get_target(address.create_generated("rootfs")))
    assert rootfs["lock"] == "lockfiles/d.json"
    assert rootfs["packages"] == "packages.ini"
    assert rootfs["groups"] == ("init",)
    assert rootfs["platform"] == "linux/arm64"
    image = runner.get_target(address.create_generated("image"))
    assert image[Tags].value == ("base",)


def test_a_registry_base_stands_for_its_image(runner: RuleRunner) -> None:
    image = runner.get_target(Address("", target_name="base", generated_name="image"))
    assert values(image)["image"].startswith("registry.invalid/python:")
    assert not isinstance(image, FileTarget)


def test_where_layers_lie_in_build_contexts() -> None:
    assert layers_folder(Address("src/shop", target_name="app")) == "src/shop/app.layers"
    assert layers_folder(Address("", target_name="app")) == "./app.layers"
    assert rootfs_folder(Address("docker", target_name="debian")) == "docker/debian.rootfs"
