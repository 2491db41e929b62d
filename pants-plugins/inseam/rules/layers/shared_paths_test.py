from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pants.engine.internals.scheduler import ExecutionError
from pants.testutil.rule_runner import RuleRunner

from inseam.formats.python.wheel_testing import build_wheel
from inseam.rules.layers.layer import StoredLayer
from inseam.rules.rule_testing import locked, set_options, tar_files
from inseam.rules.service_testing import (
    SITE,
    dependencies,
    fixtures,
    refused,
    service_build,
    tar,
    with_shared,
    write_lock,
)

module_runner, runner = fixtures


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
