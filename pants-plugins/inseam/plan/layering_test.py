from __future__ import annotations

import itertools

import pytest

from inseam.plan.layering import LayerPlan, split

MB = 1_000_000
SIZES = {"anyio": MB, "numpy": 18 * MB, "pandas": 13 * MB, "pyarrow": 40 * MB, "six": 1}


def layers(sizes: dict[str, int], max_layers: int = 10, shared: int = 0) -> list[str]:
    plans = split(sizes, large=8 * MB, max_layers=max_layers, shared=shared)
    return [f"{plan.name}: {' '.join(plan.distributions)}" for plan in plans]


def test_each_large_wheel_has_its_own_layer_and_the_rest_is_the_last_one() -> None:
    assert layers(SIZES) == [
        "numpy: numpy",
        "pandas: pandas",
        "pyarrow: pyarrow",
        "deps: anyio six",
    ]


@pytest.mark.parametrize(
    "max_layers, shared, own",
    [
        (10, 0, "numpy pandas pyarrow"),
        (7, 0, "numpy pandas pyarrow"),
        (6, 0, "numpy pyarrow"),
        (5, 0, "pyarrow"),
        (4, 0, ""),
        (0, 0, ""),
        (10, 4, "numpy pyarrow"),
        (10, 20, ""),
    ],
)
def test_where_layers_are_few_the_largest_wheels_have_their_own(
    max_layers: int, shared: int, own: str
) -> None:
    plans = split(SIZES, large=8 * MB, max_layers=max_layers, shared=shared)
    assert " ".join(plan.name for plan in plans[:-1]) == own
    assert plans[-1].name == "deps"
    assert len(plans) <= max(1, max_layers - shared - 3)


def test_every_distribution_is_in_one_layer() -> None:
    for max_layers in range(12):
        plans = split(SIZES, large=8 * MB, max_layers=max_layers)
        assert sorted(name for plan in plans for name in plan.distributions) == sorted(SIZES)


def test_no_wheels_are_one_empty_layer() -> None:
    assert split({}, large=1, max_layers=10) == (LayerPlan("deps", ()),)


def test_the_order_of_wheels_does_not_matter() -> None:
    results = {tuple(layers(dict(order), 5)) for order in itertools.permutations(SIZES.items())}
    assert len(results) == 1


def test_a_wheel_that_grows_a_little_moves_nothing() -> None:
    before = split({"a": 40 * MB, "b": 41 * MB}, large=8 * MB, max_layers=5)
    after = split({"a": 42 * MB, "b": 41 * MB}, large=8 * MB, max_layers=5)
    assert before == after


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"seven": 3 * MB}, id="a small one comes"),
        pytest.param({"anyio": 0}, id="a small one goes"),
        pytest.param({"anyio": 7 * MB}, id="a small one grows"),
    ],
)
def test_a_change_of_a_small_wheel_changes_deps_only(change: dict[str, int]) -> None:
    after = {name: size for name, size in {**SIZES, **change}.items() if size}
    for max_layers in range(12):
        assert layers(after, max_layers)[:-1] == layers(SIZES, max_layers)[:-1]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"scipy": 37 * MB}, id="comes"),
        pytest.param({"pandas": 0}, id="goes"),
        pytest.param({"pyarrow": 9 * MB}, id="shrinks"),
    ],
)
def test_a_change_of_a_large_wheel_changes_its_own_layer_only(change: dict[str, int]) -> None:
    after = {name: size for name, size in {**SIZES, **change}.items() if size}
    (changed,) = change
    before = {plan for plan in layers(SIZES) if not plan.startswith(f"{changed}:")}
    assert {plan for plan in layers(after) if not plan.startswith(f"{changed}:")} == before


def test_with_few_layers_the_order_of_magnitude_counts_and_then_the_name() -> None:
    sizes = {"z": 33 * MB, "y": 17 * MB, "x": 34 * MB, "w": 16 * MB}
    own = [[plan[0] for plan in layers(sizes, 4 + budget)[:-1]] for budget in range(5)]
    # From 16.8 to 33.5 MB is one order of magnitude, so y comes before the larger z.
    assert own == [[], ["x"], ["x", "y"], ["x", "y", "z"], ["w", "x", "y", "z"]]


def test_a_wheel_is_large_from_the_limit_on() -> None:
    assert layers({"a": 8 * MB, "b": 8 * MB - 1}) == ["a: a", "deps: b"]


def test_a_wheel_with_the_name_of_another_layer_gets_another_one() -> None:
    plans = split({"app": 9, "numpy": 9, "six": 1}, large=5, max_layers=10)
    assert [plan.name for plan in plans] == ["app-wheel", "numpy", "deps"]
    assert plans[0].distributions == ("app",)
