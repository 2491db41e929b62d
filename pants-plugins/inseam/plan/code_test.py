from __future__ import annotations

import random

import pytest

from inseam.plan.code import split_code

TABLE = {
    "nothing": ([], {}),
    "packages": (
        ["shop/__init__.py", "shop/server.py", "kit/http.py", "kit/data/x.txt"],
        {"kit": ("", 2), "shop": ("", 2)},
    ),
    "modules at the top": (
        ["main.py", "util.py", "kit/http.py"],
        {"/": ("", 2), "kit": ("", 1)},
    ),
    "a namespace": (
        ["company/libs/db/a.py", "company/libs/db/b/c.py", "company/services/shop/m.py"],
        {"company/libs/db": ("company/libs", 2), "company/services/shop": ("company/services", 1)},
    ),
    "a namespace with an __init__.py": (
        ["company/__init__.py", "company/py.typed", "company/db/a.py", "company/shop/m.py"],
        {"company/": ("company", 2), "company/db": ("company", 1), "company/shop": ("company", 1)},
    ),
    "a package with modules beside packages": (
        ["shop/__init__.py", "shop/server.py", "shop/api/v1/x.py"],
        {"shop": ("", 3)},
    ),
    "an __init__.py alone": (["shop/__init__.py"], {"shop": ("", 1)}),
}


@pytest.mark.parametrize("paths, expected", TABLE.values(), ids=TABLE)
def test_code_is_split_by_packages(paths: list[str], expected: dict[str, tuple[str, int]]) -> None:
    units = split_code(paths)
    assert {unit.name: (unit.folder, len(unit.paths)) for unit in units} == expected
    assert sorted(path for unit in units for path in unit.paths) == sorted(paths)


def test_there_are_not_more_units_than_wanted() -> None:
    paths = [f"a/{name}/x.py" for name in "bcd"] + [f"e/{name}/x.py" for name in "fghi"]
    assert [unit.name for unit in split_code(paths, 7)] == [
        "a/b", "a/c", "a/d", "e/f", "e/g", "e/h", "e/i",
    ]  # fmt: skip
    assert [unit.name for unit in split_code(paths, 6)] == ["a/b", "a/c", "a/d", "e"]
    assert [unit.name for unit in split_code(paths, 3)] == ["a", "e"]


def test_the_folders_at_the_top_are_units_however_many_there_are() -> None:
    assert len(split_code([f"p{number}/x.py" for number in range(40)])) == 40


def test_a_library_is_the_same_unit_for_all_of_its_users() -> None:
    library = ["company/libs/db/a.py", "company/libs/db/b.py"]
    for service in (["company/services/one/m.py"], ["company/services/two/m.py", "tool.py"]):
        units = split_code([*library, *service])
        assert ("company/libs/db", "company/libs", tuple(library)) in units


def test_the_order_of_paths_does_not_matter() -> None:
    paths = [path for paths, _ in TABLE.values() for path in paths]
    expected = split_code(set(paths))
    for seed in range(5):
        shuffled = sorted(set(paths))
        random.Random(seed).shuffle(shuffled)
        assert split_code(shuffled) == expected
