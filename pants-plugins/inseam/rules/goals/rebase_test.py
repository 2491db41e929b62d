from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Sequence

import pytest
from pants.core.goals.package import BuiltPackage
from pants.engine.internals.scheduler import ExecutionError
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.rules.goals.package import OciFieldSet
from inseam.rules.goals.rebase import Rebase
from inseam.rules.image_testing import OCI, client_env, service, write_repository
from inseam.rules.rule_testing import INHERITED, option_args, rule_runner, set_options
from inseam.tools.registry_testing import Registry

LAYOUT = "dist/src.shop/app.oci"
TARGET = "src/shop:app#oci"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(tmp_path_factory.mktemp("rebase") / "registry")


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    return rule_runner(QueryRule(BuiltPackage, [OciFieldSet]), goals=[Rebase])


@pytest.fixture
def runner(module_runner: RuleRunner, registry: Registry) -> RuleRunner:
    """A repository whose image is packaged."""
    write_repository(module_runner, registry)
    package(module_runner)
    return module_runner


def package(runner: RuleRunner) -> None:
    runner.request(BuiltPackage, [OciFieldSet.create(runner.get_target(OCI))])


def image(runner: RuleRunner, layout: str = LAYOUT) -> dict[str, Any]:
    text = Path(runner.build_root, layout, "image.json").read_text()
    metadata: dict[str, Any] = json.loads(text)
    return metadata


def rebase(runner: RuleRunner, registry: Registry, *args: str, inseam_base: str = "//:base") -> str:
    """What the goal prints."""
    result = runner.run_goal_rule(
        Rebase,
        global_args=option_args(runner, base=inseam_base),
        args=args,
        env=client_env(registry),
        env_inherit=INHERITED,
    )
    assert result.exit_code == 0
    return result.stdout


def refused(
    runner: RuleRunner, registry: Registry, *args: str, inseam_base: str = "//:base"
) -> str:
    """The error that the goal ends with."""
    before = image(runner)
    with pytest.raises(ExecutionError) as error:
        rebase(runner, registry, *args, inseam_base=inseam_base)
    assert image(runner) == before
    causes: Sequence[Exception] = error.value.wrapped_exceptions
    return str(causes[0])


def test_a_dry_run_says_what_would_change_and_writes_nothing(
    runner: RuleRunner, registry: Registry
) -> None:
    before = image(runner)
    said = rebase(runner, registry, "--base=//:other", "--dry-run", TARGET)
    assert image(runner) == before
    assert f"{LAYOUT} would become" in said
    assert f"image: {before['digest']} -> sha256:" in said
    assert "of 5 layers stay, 1 are new" in said


def test_a_rebased_image_is_that_of_a_build_on_the_new_base(
    runner: RuleRunner, registry: Registry
) -> None:
    before = image(runner)
    said = rebase(runner, registry, "--base=//:other", TARGET)
    rebased = image(runner)
    assert f"{LAYOUT} is now" in said
    assert f"{before['digest']} -> {rebased['digest']}" in said
    runner.write_files({"src/shop/BUILD": service(base="//:other")})
    set_options(runner, env=client_env(registry))
    package(runner)
    assert image(runner)["digest"] == rebased["digest"] != before["digest"]


def test_the_base_of_the_repository_is_the_one_by_default(
    runner: RuleRunner, registry: Registry
) -> None:
    before = image(runner)
    rebase(runner, registry, TARGET, inseam_base="//:other")
    assert image(runner)["base"] != before["base"]


def test_the_result_may_go_to_another_layout(runner: RuleRunner, registry: Registry) -> None:
    before = image(runner)
    rebase(runner, registry, "--base=//:other", "--output=dist/new.oci", TARGET)
    assert image(runner) == before
    assert image(runner, "dist/new.oci")["digest"] != before["digest"]


def test_a_layout_can_be_named_without_its_target(runner: RuleRunner, registry: Registry) -> None:
    before = image(runner)
    rebase(runner, registry, "--base=//:other", f"--layouts=['{LAYOUT}']")
    assert image(runner)["digest"] != before["digest"]


def test_a_base_has_to_be_named(runner: RuleRunner, registry: Registry) -> None:
    runner.write_files({"src/shop/BUILD": service(base="//:base")})
    assert "--rebase-base=" in refused(runner, registry, TARGET, inseam_base="")


def test_an_image_has_to_be_named(runner: RuleRunner, registry: Registry) -> None:
    assert "--rebase-layouts=" in refused(runner, registry, "--base=//:other", "src/shop:app#pex")


def test_one_output_takes_one_image(runner: RuleRunner, registry: Registry) -> None:
    args = ["--base=//:other", "--output=dist/new.oci", "--layouts=['dist/old.oci']", TARGET]
    assert "--rebase-output" in refused(runner, registry, *args)


def test_an_image_that_is_not_packaged_is_refused_with_the_command(
    runner: RuleRunner, registry: Registry
) -> None:
    why = refused(runner, registry, "--base=//:other", "--layouts=['dist/gone.oci']")
    assert "dist/gone.oci" in why
    assert "./pants package" in why


def test_a_base_for_another_python_is_refused(runner: RuleRunner, registry: Registry) -> None:
    why = refused(runner, registry, "--base=//:old", TARGET)
    assert "glibc 2.36" in why
    assert "glibc 2.28" in why
