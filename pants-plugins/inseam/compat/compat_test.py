from __future__ import annotations

import ast
import asyncio
import importlib
import importlib.util
import re
import sys
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Iterator, cast

import pytest
from pants.testutil.rule_runner import QueryRule, RuleRunner

import inseam
from inseam import compat, register
from inseam.compat import concurrently, implicitly, rule
from inseam.compat.patches import patch_image_id_parser
from inseam.rules.rule_testing import run_mocked

if compat.CALL_BY_NAME:
    pytest.skip("this Pants has call-by-name itself", allow_module_level=True)

ROOT = Path(inseam.__path__[0])
MODULES = sorted(
    path
    for path in ROOT.rglob("*.py")
    if not path.stem.endswith(("_test", "_testing"))
    and path.relative_to(ROOT).as_posix() != "compat/current.py"
    and not {"formats", "programs", "testing"}.intersection(path.parts)
)


def imports(body: list[ast.stmt]) -> Iterator[ast.ImportFrom]:
    """The imports that this version of Pants runs into."""
    for statement in body:
        if isinstance(statement, ast.ImportFrom):
            yield statement
        elif isinstance(statement, ast.If):
            other = re.search("CALL_BY_NAME|PUBLISH_ASKS_FIRST", ast.dump(statement.test))
            negated = isinstance(statement.test, ast.UnaryOp)
            if not other or negated:
                yield from imports(statement.body)
            yield from imports(statement.orelse)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_everything_that_is_imported_from_pants_is_there(path: Path) -> None:
    for statement in imports(ast.parse(path.read_text()).body):
        if not (statement.module or "").startswith("pants."):
            continue
        module = importlib.import_module(statement.module or "")
        for alias in statement.names:
            name = f"{statement.module}.{alias.name}"
            assert hasattr(module, alias.name) or find_spec(name), name


def names(module: str) -> set[str]:
    """The names that a module binds at its top."""
    found: set[str] = set()
    for statement in ast.parse((ROOT / f"compat/{module}.py").read_text()).body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.add(statement.name)
        elif isinstance(statement, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in statement.names}
    return found


def exported(module: str) -> set[str]:
    tree = ast.parse((ROOT / f"compat/{module}.py").read_text())
    (assigned,) = (
        one.value
        for one in tree.body
        if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == "__all__"
    )
    return set(ast.literal_eval(assigned))


def test_every_public_name_is_defined_for_both_apis() -> None:
    assert len(exported("current")) > 30
    assert exported("current") == exported("v2_17") <= set(compat.__all__)
    for module in ("current", "v2_17"):
        assert exported(module) <= names(module)


# --- Coroutines around Get --------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    value: int


@dataclass(frozen=True)
class Square:
    value: int


@dataclass(frozen=True)
class Numbers:
    values: tuple[int, ...]


@dataclass(frozen=True)
class Squares:
    values: tuple[Any, ...]


@rule
async def square(number: Number) -> Square:
    if number.value < 0:
        raise ValueError(f"negative: {number.value}")
    return Square(number.value**2)


async def fourth_power(number: Number) -> Square:
    """A helper that asks twice, one after the other."""
    first = await square(number, **implicitly())
    result: Square = await square(Number(first.value), **implicitly())
    return result


async def without_asking(number: Number) -> Square:
    return Square(-number.value)


async def several(number: Number) -> tuple[Square, ...]:
    """A helper that asks for several at once."""
    return await concurrently(
        square(Number(number.value + more), **implicitly()) for more in range(2)
    )


@rule
async def squares(numbers: Numbers) -> Squares:
    found = await concurrently(square(Number(value), **implicitly()) for value in numbers.values)
    return Squares(tuple(item.value for item in found))


@rule
async def mixed(number: Number) -> Squares:
    found = await concurrently(
        [square(number), without_asking(number), fourth_power(number), several(number)]
    )
    return Squares(found)


async def fails(_: Number) -> Square:
    raise ValueError("at once")


@rule
async def failing(number: Number) -> Squares:
    found = await concurrently([square(number), fails(number), square(number)])
    return Squares(found)


def test_a_rule_that_is_called_asks_the_engine_for_the_result_of_the_rule() -> None:
    coroutine = square(Number(3), **implicitly())
    get = coroutine.send(None)
    assert type(get).__name__ == "Get"
    assert get.output_type is Square
    assert list(get.inputs) == [Number(3)]
    with pytest.raises(StopIteration) as end:
        coroutine.send(Square(9))
    assert end.value.value == Square(9)


def mocked(which: Any, argument: Any) -> Squares:
    result: Squares = run_mocked(
        which, [argument], {cast(Any, square).rule.func: lambda number: Square(number.value**2)}
    )
    return result


@pytest.mark.parametrize("values", [(), (2,), (3, 1, 2), tuple(range(50))])
def test_results_are_in_the_order_of_the_coroutines(values: tuple[int, ...]) -> None:
    expected = Squares(tuple(value**2 for value in values))
    assert mocked(squares, Numbers(values)) == expected


def test_coroutines_may_ask_several_times_several_at_once_or_not_at_all() -> None:
    expected = (Square(9), Square(-3), Square(81), (Square(9), Square(16)))
    assert mocked(mixed, Number(3)).values == expected


def test_nothing_to_wait_for_is_done_at_once() -> None:
    assert asyncio.run(concurrently([])) == ()
    assert asyncio.run(concurrently([without_asking(Number(1))])) == (Square(-1),)


def test_each_rule_of_a_union_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later versions of Pants look up each that is called; Pants 2.17 has no such rules."""
    found: set[str] = set()
    for name in [name for name in sys.modules if name.startswith("inseam.rules.")]:
        for item in vars(sys.modules[name]).copy().values():
            declared = getattr(item, "declares", None)
            if declared is not None and not declared.__module__.endswith("_test"):
                rule_name = f"{declared.__module__}.{declared.__name__}"
                found.add(rule_name)
                task = replace(cast(Any, square).rule, canonical_name=rule_name)
                monkeypatch.setattr(item, "rule", task, raising=False)
    registered = {getattr(one, "canonical_name", "") for one in register.rules.__wrapped__()}
    assert len(found) > 3
    assert sorted(found - registered) == []


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    return RuleRunner(
        rules=[square, squares, mixed, QueryRule(Squares, [Numbers]), QueryRule(Squares, [Number])]
    )


def test_the_engine_answers_them(runner: RuleRunner) -> None:
    assert runner.request(Squares, [Numbers((4, 2))]) == Squares((16, 4))
    expected = (Square(4), Square(-2), Square(16), (Square(4), Square(9)))
    assert runner.request(Squares, [Number(2)]) == Squares(expected)


@pytest.mark.filterwarnings("error")
def test_an_error_of_one_is_the_error_of_all(runner: RuleRunner) -> None:
    with pytest.raises(Exception, match="negative: -1"):
        runner.request(Squares, [Numbers((1, -1, 2))])


@pytest.mark.filterwarnings("error")
def test_an_error_before_anything_is_asked_leaves_no_coroutine_behind() -> None:
    with pytest.raises(ValueError, match="at once"):
        mocked(failing, Number(1))


def fresh_package_image() -> Any:
    """The module that is patched, as Pants ships it."""
    spec = importlib.util.find_spec("pants.backend.docker.goals.package_image")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its rules find their imports by the name of their module.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_oldest_supported_pants_needs_the_patch_of_its_image_id_parser() -> None:
    """When this fails, the patch can go."""
    parse = fresh_package_image().parse_image_id_from_docker_build_output
    assert parse(b"#5 writing image sha256:12ab 0.1s done\n") == "<unknown>"


@pytest.mark.parametrize(
    "output, image_id",
    [
        ("#5 writing image sha256:12ab\n#5 writing image sha256:12ab done\n", "sha256:12ab"),
        ("#5 writing image sha256:12ab\n#5 writing image sha256:12ab 0.0s done\n", "sha256:12ab"),
        ("#5 writing image sha256:12ab 12.3s done\n#5 DONE 12.5s\n", "sha256:12ab"),
        ("Successfully built 12ab\n", "12ab"),
        ("#5 ERROR: no space left on device\n", "<unknown>"),
    ],
)
def test_an_image_id_is_found_however_long_its_writing_took(output: str, image_id: str) -> None:
    module = fresh_package_image()
    patch_image_id_parser(module)
    assert module.parse_image_id_from_docker_build_output(b"", output.encode()) == image_id
