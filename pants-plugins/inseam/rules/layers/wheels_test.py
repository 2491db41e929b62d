from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.engine.internals.scheduler import ExecutionError
from pants.testutil.rule_runner import RuleRunner

from inseam.formats.python.wheel_testing import build_wheel, elf
from inseam.rules.layers.layer import StoredLayer
from inseam.rules.layers.wheels import SharedLayer, SharedLayerRequest
from inseam.rules.rule_testing import locked, set_options, tar_files
from inseam.rules.service_testing import (
    SITE,
    dependencies,
    described,
    fixtures,
    refused,
    service_build,
    tar,
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


def with_shared(runner: RuleRunner, layers: str, *names: str) -> None:
    build = service_build(layers=list(names))
    runner.write_files({"src/shop/BUILD": build, "3rdparty/layers/BUILD": layers})


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


def clashing(runner: RuleRunner) -> None:
    """Gives `greet`, and `words` that it requires, different files at one path."""
    wheels = Path(runner.build_root, "wheels")
    files = {"greet.py": b"other = 1\n", "words/__init__.py": b"x = 1\n", "LICENSE": b"2"}
    words = build_wheel(wheels, "words", "1.2", files)
    greet = build_wheel(
        wheels, "greet", "1.3", {"greet.py": b"import words\nhello = str\n", "LICENSE": b"1"}
    )
    write_lock(runner, greet=locked(greet, "words>=1"), words=locked(words))
    runner.write_files(
        {"3rdparty/BUILD": "python_requirement(name='greet', requirements=['greet==1.3'])"}
    )


def content(runner: RuleRunner, layer: StoredLayer, path: str) -> bytes | None:
    return tar_files(tar(runner, layer)).get(f"{SITE}/{path}")


def test_wheels_that_clash_are_refused_with_what_requires_them_and_all_ways_out(
    runner: RuleRunner,
) -> None:
    clashing(runner)
    refused(
        runner,
        "greet 1.3 and words 1.2 both install greet.py, with different content.\n"
        "  src/shop:app -> greet 1.3\n"
        "  src/shop:app -> greet 1.3 -> words 1.2\n",
        "prefer={'greet.py': 'greet'} in src/shop:app, or prefer={'words': 'greet'}",
        "add 'words' to [inseam].leave_out",
        "pin a version",
        "./pants generate-lockfiles --resolve=services",
    )


@pytest.mark.parametrize("options", [[], ["--inseam-large-wheel=50"]])
@pytest.mark.parametrize(
    "prefer, expected",
    [
        ({"greet.py": "greet"}, b"import words\nhello = str\n"),
        ({"greet": "Words"}, b"other = 1\n"),
    ],
)
def test_what_is_preferred_is_in_the_image_whatever_layers_it_has(
    runner: RuleRunner, options: list[str], prefer: dict[str, str], expected: bytes
) -> None:
    set_options(runner, *options)
    clashing(runner)
    runner.write_files({"src/shop/BUILD": service_build(prefer=prefer)})
    layers = dependencies(runner).wheel_layers
    found = [content(runner, layer, "greet.py") for layer in layers]
    assert [one for one in found if one is not None] == [expected]


def test_a_shared_layer_has_preferences_of_its_own_and_code_chains(runner: RuleRunner) -> None:
    clashing(runner)
    with_shared(
        runner,
        "venv_layer(name='common', requirements=['3rdparty:greet'])",
        "3rdparty/layers:common",
    )
    refused(
        runner,
        "3rdparty/layers:common: greet 1.3 and words 1.2 both install greet.py",
        "  3rdparty/layers:common -> greet 1.3 -> words 1.2",
        "in 3rdparty/layers:common, or",
    )
    preferring = "requirements=['3rdparty:greet'], prefer={'words': 'greet'}"
    with_shared(runner, f"venv_layer(name='common', {preferring})", "3rdparty/layers:common")
    layer = dependencies(runner).wheel_layers[0]
    assert content(runner, layer, "greet.py") == b"import words\nhello = str\n"


def test_a_service_may_prefer_what_a_shared_layer_has_or_hide_it(runner: RuleRunner) -> None:
    clashing(runner)
    layer = "venv_layer(name='common', requirements=['words'])"
    build = {"3rdparty/layers/BUILD": layer}
    for prefer, expected in (
        ({"greet": "words"}, [b"other = 1\n", None]),
        ({"words": "greet"}, [b"other = 1\n", b"import words\nhello = str\n"]),
    ):
        fields = service_build(prefer=prefer, layers=["3rdparty/layers:common"])
        runner.write_files({**build, "src/shop/BUILD": fields})
        layers = dependencies(runner).wheel_layers
        assert [content(runner, one, "greet.py") for one in layers] == expected


def test_a_preferred_file_below_another_shared_layer_is_refused(runner: RuleRunner) -> None:
    clashing(runner)
    declared = "\n".join(
        f"venv_layer(name='of-{name}', requirements=['{name}'])" for name in ("greet", "words")
    )
    # `greet` alone: what it requires is in the other layer.
    declared = declared.replace("['greet']", "['greet'], closure=False")
    layers = ["3rdparty/layers:of-greet", "3rdparty/layers:of-words"]
    fields = service_build(prefer={"words": "greet"}, layers=layers)
    runner.write_files({"3rdparty/layers/BUILD": declared, "src/shop/BUILD": fields})
    refused(runner, "The layer of words 1.2 lies above", "Change the order of `layers`.")
    fields = service_build(prefer={"words": "greet"}, layers=layers[::-1])
    runner.write_files({"src/shop/BUILD": fields})
    assert [layer.name for layer in dependencies(runner).layers][:2] == ["of-words", "of-greet"]


@pytest.mark.parametrize("prefer", [{"greet.py": "not a name"}, {"greet.py": ""}, {"": "greet"}])
def test_a_preference_must_name_a_distribution(runner: RuleRunner, prefer: Any) -> None:
    with pytest.raises(ExecutionError, match="must name, by path or by distribution"):
        runner.write_files({"src/shop/BUILD": service_build(prefer=prefer)})
        dependencies(runner)


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
