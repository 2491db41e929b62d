from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.testutil.rule_runner import RuleRunner

from inseam.formats.python.wheel_testing import build_wheel, elf
from inseam.rules.layers.wheels import SharedLayer, SharedLayerRequest
from inseam.rules.rule_testing import locked, set_options
from inseam.rules.service_testing import (
    dependencies,
    described,
    fixtures,
    refused,
    service_build,
    with_shared,
    write_lock,
)

module_runner, runner = fixtures


def test_large_wheels_are_in_layers_of_their_own(runner: RuleRunner) -> None:
    set_options(runner, "--inseam-large-wheel=50")
    assert [layer.name for layer in dependencies(runner).layers] == ["greet", "words", "deps"]
    assert [layer["name"] for layer in described(runner)] == ["greet", "words", "deps", "app"]


def test_other_distributions_of_the_lock_do_not_matter(runner: RuleRunner) -> None:
    before = dependencies(runner)
    wheel = build_wheel(Path(runner.build_root, "wheels"), "new", files={"new.py": b""})
    write_lock(runner, locked(wheel), lone={})
    assert dependencies(runner) == before


def test_a_shared_layer_holds_its_wheels_and_the_service_the_rest(runner: RuleRunner) -> None:
    with_shared(
        runner,
        "venv_layer(name='common', requirements=['3rdparty:words', 'b*'])",
        "3rdparty/layers:common",
    )
    found = dependencies(runner)
    assert [layer.name for layer in found.layers] == ["common", "deps"]
    common, deps = described(runner)[:2]
    assert [wheel["name"] for wheel in common["wheels"]] == ["big", "words"]
    assert [wheel["name"] for wheel in deps["wheels"]] == ["greet"]
    (unneeded,) = found.unneeded
    assert unneeded.distribution == "big 1.0"


@pytest.mark.parametrize(
    "layers, names, texts",
    [
        (
            "venv_layer(name='a', requirements=['words'])\n"
            "venv_layer(name='b', requirements=['3rdparty:greet'])",
            ["3rdparty/layers:a", "3rdparty/layers:b"],
            ["3rdparty/layers:a and 3rdparty/layers:b both contain words"],
        ),
        (
            "venv_layer(name='a', requirements=['nothing-*'])",
            ["3rdparty/layers:a"],
            ["3rdparty/layers:a: ", "matches 'nothing-*'"],
        ),
        (
            "venv_layer(name='deps', requirements=['words'])",
            ["3rdparty/layers:deps"],
            ["two layers of the image are named 'deps'"],
        ),
        ("file(name='a', source='BUILD')", ["3rdparty/layers:a"], ["`venv_layer`."]),
    ],
)
def test_shared_layers_that_do_not_fit_are_refused(
    runner: RuleRunner, layers: str, names: list[str], texts: list[str]
) -> None:
    with_shared(runner, layers, *names)
    refused(runner, *texts)


def test_a_wheel_with_binaries_of_another_machine_is_refused(runner: RuleRunner) -> None:
    wheel = build_wheel(Path(runner.build_root, "wheels"), "words", "1.4", {"x.so": elf("aarch64")})
    write_lock(runner, words=locked(wheel))
    refused(runner, "words-1.4-py3-none-any.whl contains binaries for aarch64", "x86_64")


def test_type_stubs_are_left_out_but_for_those_that_a_layer_or_an_option_names(
    runner: RuleRunner, caplog: Any
) -> None:
    wheels = Path(runner.build_root, "wheels")
    stubs = [
        build_wheel(wheels, name, files={f"{name}/x.pyi": b""})
        for name in ("types_greet", "greet_stubs")
    ]
    write_lock(runner, *(locked(wheel) for wheel in stubs))
    runner.write_files(
        {
            "src/shop/stubs/BUILD": "\n".join(
                f"python_requirement(name={name!r}, requirements=['{name}==1.0'])\n"
                for name in ("types-greet", "greet-stubs")
            )
            + "venv_layer(name='typed', requirements=[':greet-stubs'])\n",
            "src/shop/BUILD": service_build(
                dependencies=[
                    "3rdparty:greet",
                    "src/shop/stubs:types-greet",
                    "src/shop/stubs:greet-stubs",
                ]
            ),
        }
    )

    def installed() -> list[str]:
        layers = dependencies(runner).wheel_layers
        return sorted(wheel.name for layer in layers for wheel in layer.layer.wheels)

    with caplog.at_level("INFO"):
        assert installed() == ["greet", "words"]
    assert (
        "src/shop:app: its images do not contain greet-stubs, types-greet: type stubs"
        in caplog.text
    )
    set_options(runner, "--inseam-leave-out=+['!types-*']")
    assert installed() == ["greet", "types-greet", "words"]
    set_options(runner)
    address = Address("src/shop/stubs", target_name="typed")
    shared = runner.request(SharedLayer, [SharedLayerRequest(address)])
    assert [wheel.name for wheel in shared.wheels] == ["greet-stubs"]
    # Other tests import `greet`, which then has one owner again.
    runner.write_files({"src/shop/stubs/BUILD": ""})
