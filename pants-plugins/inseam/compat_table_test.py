from __future__ import annotations

import ast
import configparser
import json
import re
from pathlib import Path
from typing import Any, Iterator, Optional

import pytest

HERE = Path(__file__).parent
TABLE = json.loads((HERE / "compat/api.json").read_text())
VERSIONS = list(TABLE["options"])
MODULES = sorted(
    path
    for path in HERE.rglob("*.py")
    if not path.stem.endswith(("_test", "_testing"))
    and not {"formats", "programs", "testing"}.intersection(path.relative_to(HERE).parts)
)
RECORD = "build-support/record_pants.py records what versions of Pants have"


# The constants of compat that say what the running version has: from which version it has it.
SINCE = {"CALL_BY_NAME": (2, 30), "PUBLISH_ASKS_FIRST": (2, 32)}


def has(what: str, version: str) -> bool:
    return tuple(map(int, version.split(".")[:2])) >= SINCE[what]


def by_name(version: str) -> bool:
    return has("CALL_BY_NAME", version)


def module_for(version: str) -> Path:
    """The module with the rule calls of a version."""
    return HERE / f"compat/{'current' if by_name(version) else 'v2_17'}.py"


def runs(path: Path, version: str) -> bool:
    """Whether a version imports a module: all but the rule calls of others."""
    return path.stem not in ("current", "v2_17") or path == module_for(version)


def recorded(name: str, version: str) -> Optional[str]:
    found = TABLE["names"][name]
    return found["*"] if "*" in found else found[version]  # type: ignore[no-any-return]


def chosen(body: list[ast.stmt], version: str) -> Iterator[ast.stmt]:
    """The statements that a version runs, of those at the top of a module."""
    for statement in body:
        asked = ast.unparse(statement.test) if isinstance(statement, ast.If) else ""
        what = next((name for name in SINCE if name in asked), None)
        if isinstance(statement, ast.If) and what:
            negated = isinstance(statement.test, ast.UnaryOp)
            taken = statement.body if has(what, version) != negated else statement.orelse
            yield from chosen(taken, version)
        else:
            yield statement


def imports(path: Path, version: str) -> dict[str, str]:
    """What a module's names stand for in Pants; `inseam.compat` passes on the names of its own."""
    found = {}
    for statement in chosen(ast.parse(path.read_text()).body, version):
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith("pants."):
            for alias in statement.names:
                found[alias.asname or alias.name] = f"{statement.module}.{alias.name}"
        elif isinstance(statement, ast.ImportFrom) and statement.module == "inseam.compat":
            passed_on = imports(module_for(version), version)
            names = {alias.name for alias in statement.names}
            found.update({name: passed_on[name] for name in names & set(passed_on)})
    return found


def test_compat_says_since_when_there_is_what_some_versions_lack() -> None:
    text = (HERE / "compat/versions.py").read_text()
    for name, (major, minor) in SINCE.items():
        assert f'{name} = Version("{major}.{minor}.0.dev0") <= PANTS_SEMVER' in text


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(HERE)))
def test_each_version_has_what_is_imported_from_it(path: Path, version: str) -> None:
    if not runs(path, version):
        return
    for name in imports(path, version).values():
        assert name in TABLE["names"], f"{name} is not in compat/api.json: {RECORD}"
        assert recorded(name, version) is not None, f"Pants {version} has no {name}"


def parameters(signature: str) -> tuple[list[str], list[str], bool, bool]:
    """Of a recorded signature: the positional parameters, those by keyword, any of either."""
    inner = signature[1 : signature.rindex(")")]
    listed = [part.partition(":")[0] for part in re.split(r", (?![^\[]*\])", inner) if part]
    starred = next((at for at, name in enumerate(listed) if re.fullmatch(r"\*\w*", name)), None)
    positional = [name for name in listed[:starred] if not name.startswith("*")]
    keyword = [name for name in listed if not name.startswith("*")]
    more = starred is not None and listed[starred] != "*"
    return positional, keyword, more, any(name.startswith("**") for name in listed)


def misfit(call: ast.Call, signature: str) -> str:
    """What is wrong with a call, "" if nothing is."""
    positional, keyword, more, any_keyword = parameters(signature)
    given = [argument for argument in call.args if not isinstance(argument, ast.Starred)]
    if len(given) > len(positional) and not more:
        return f"{len(given)} arguments instead of {len(positional)}"
    unknown = [one.arg for one in call.keywords if one.arg and one.arg not in keyword]
    return f"unknown arguments {unknown}" if unknown and not any_keyword else ""


def calls(tree: ast.AST, version: str) -> Iterator[ast.Call]:
    """The calls in a module, but for those in the branch for other versions."""
    body = list(chosen(tree.body, version)) if isinstance(tree, ast.Module) else []
    for statement in body:
        yield from (node for node in ast.walk(statement) if isinstance(node, ast.Call))


def misfits(path: Path, version: str) -> list[str]:
    names = imports(path, version)
    found = []
    for call in calls(ast.parse(path.read_text()), version):
        name = names.get(call.func.id) if isinstance(call.func, ast.Name) else None
        signature = recorded(name, version) if name else None
        # `()`: of a native class, whose constructor no source says.
        if signature and signature.startswith("(") and signature != "()":
            wrong = misfit(call, signature)
            if wrong:
                found.append(f"{path.name}:{call.lineno}: {name}{signature} gets {wrong}")
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(HERE)))
def test_each_call_fits_what_is_called(path: Path, version: str) -> None:
    if not runs(path, version):
        return
    assert misfits(path, version) == []


@pytest.mark.parametrize(
    "call, signature, wrong",
    [
        ("f(a)", "(x: int)", ""),
        ("f(a, **b)", "(x: int, y: str) -> Z", ""),
        ("f(a, b)", "(x: Mapping[str, str]) -> Z", "2 arguments instead of 1"),
        ("f(a, z=1)", "(x: int, *, y: str)", "unknown arguments ['z']"),
        ("f(a, y=1)", "(x: int, *, y: str)", ""),
        ("f(a, b, c)", "(*args)", ""),
        ("f(z=1)", "(x, **kwargs)", ""),
    ],
)
def test_calls_that_do_not_fit_are_found(call: str, signature: str, wrong: str) -> None:
    parsed: Any = ast.parse(call, mode="eval")
    assert misfit(parsed.body, signature) == wrong


def stand_ins() -> list[ast.AsyncFunctionDef]:
    """The coroutines that stand in for a rule on versions without call-by-name."""
    rules = imports(module_for(VERSIONS[-1]), VERSIONS[-1])
    old = ast.parse(module_for("2.17.1").read_text()).body
    return [
        one
        for one in old
        if isinstance(one, ast.AsyncFunctionDef)
        and one.name in rules
        and (recorded(rules[one.name], VERSIONS[-1]) or "").startswith("(")
    ]


@pytest.mark.parametrize("version", [version for version in VERSIONS if by_name(version)])
@pytest.mark.parametrize("stand_in", stand_ins(), ids=lambda one: str(one.name))
def test_a_stand_in_takes_and_gives_what_the_rule_does(
    stand_in: ast.AsyncFunctionDef, version: str
) -> None:
    name = imports(module_for(version), version)[stand_in.name]
    signature = recorded(name, version) or ""
    taken, given = stand_in.args.args[0].annotation, stand_in.returns
    assert taken is not None
    assert given is not None
    first = re.match(r"\(\w+: ([\w.]+)", signature)
    assert first is not None, signature
    assert first[1] == ast.unparse(taken)
    assert signature.endswith(f" -> {ast.unparse(given)}"), signature


def test_there_is_a_stand_in_for_most_rules() -> None:
    assert len(stand_ins()) > 15


# --- Options ----------------------------------------------------------------------------------


def overlay(version: str) -> str:
    return "pants.current.toml" if by_name(version) else "pants.2.17.toml"


def options(file: str) -> list[tuple[str, str]]:
    """Section and name of each option in a configuration file."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    # What the values are does not matter: a list's further lines are indented, or closing.
    text = re.sub(r"^\]$", "  ]", (HERE.parents[1] / file).read_text(), flags=re.MULTILINE)
    parser.read_string(text)
    return [
        (
            (section.partition(".")[0], name)
            if "." not in section
            else (section.partition(".")[0], section.partition(".")[2])
        )
        for section in parser.sections()
        for name in parser[section]
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_has_the_options_that_are_set(version: str) -> None:
    for file in ("pants.toml", "pants.remote.toml", overlay(version)):
        for section, name in options(file):
            if section == "inseam":
                continue
            known = TABLE["options"][version].get(section)
            assert known is not None, f"{file}: [{section}] is not in compat/api.json: {RECORD}"
            # `name.add` adds to a list.
            assert name.split(".")[0] in known, f"Pants {version} has no [{section}].{name}"


def test_the_options_of_one_version_are_set_for_no_other() -> None:
    assert ("ruff", "install_from_resolve") in options("pants.2.17.toml")
    for version in VERSIONS:
        known = "install_from_resolve" in TABLE["options"][version]["ruff"]
        assert known == (not by_name(version))
