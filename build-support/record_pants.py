"""Records the interfaces of several versions of Pants, in a table that tests compare calls with.

Usage: record_pants.py VERSION=FOLDER=HELP...

FOLDER is the folder `pants` of a version's Python sources, installed or checked out; HELP is what
`pants help-all` prints in this repository with it. Writes pants-plugins/inseam/compat/api.json:
for each name that a module of the rule set imports from Pants, and each version, its parameters;
for a function, also their types and, after `->`, the result. It is null if the version does not
have the name. If all versions agree, there is a single value, under "*". Pants is neither run nor
imported.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
RULES = ROOT / "pants-plugins/inseam"
TABLE = RULES / "compat/api.json"
CONFIGURATION = ("pants.toml", "pants.2.17.toml", "pants.current.toml", "pants.remote.toml")


def imported() -> list[str]:
    """The names that the rule set imports from Pants, with their modules."""
    names = set()
    for path in RULES.rglob("*.py"):
        if path.stem.endswith("_test"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pants."):
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return sorted(names)


class Sources:
    """The modules of one version."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parsed: dict[str, ast.Module | None] = {}

    def module(self, name: str) -> ast.Module | None:
        if name not in self.parsed:
            path = self.folder.joinpath(*name.split(".")[1:])
            files = (path.with_suffix(".py"), path / "__init__.py", path.with_suffix(".pyi"))
            found = next((file for file in files if file.is_file()), None)
            self.parsed[name] = ast.parse(found.read_text()) if found else None
        return self.parsed[name]

    def find(self, module: str, name: str) -> tuple[str, ast.stmt] | None:
        """The statement that defines a name, and its module; imports are followed."""
        tree = self.module(module)
        for statement in _statements(tree.body if tree else []):
            if isinstance(statement, ast.ImportFrom):
                for alias in statement.names:
                    if (alias.asname or alias.name) == name and statement.module:
                        return self.find(statement.module, alias.name)
            elif name in _bound(statement):
                return module, statement
        return None

    def describe(self, dotted: str) -> str | None:
        module, _, name = dotted.rpartition(".")
        if self.module(dotted):
            return "module"
        found = self.find(module, name)
        if found is None:
            return None
        module, statement = found
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            returned = f" -> {ast.unparse(statement.returns)}" if statement.returns else ""
            return f"({', '.join(_parameters(statement.args))}){returned}"
        if isinstance(statement, ast.ClassDef):
            fields = [field.partition(":")[0] for field in self.fields(module, statement)]
            return f"({', '.join(dict.fromkeys(fields))})"
        return "value"

    def fields(self, module: str, of: ast.ClassDef) -> list[str]:
        """What a class is made of: the parameters of its constructor, or its dataclass fields."""
        for method in of.body:
            if isinstance(method, ast.FunctionDef) and method.name in ("__init__", "__new__"):
                overloaded = any("overload" in ast.unparse(one) for one in method.decorator_list)
                return ["*args", "**kwargs"] if overloaded else _parameters(method.args)[1:]
        inherited: list[str] = []
        for base in reversed(of.bases):
            base = base.value if isinstance(base, ast.Subscript) else base
            found = self.find(module, base.id) if isinstance(base, ast.Name) else None
            if found and isinstance(found[1], ast.ClassDef):
                inherited += self.fields(found[0], found[1])
        if any("dataclass" in ast.unparse(decorator) for decorator in of.decorator_list):
            inherited += [
                f"{field.target.id}: {ast.unparse(field.annotation)}"
                for field in of.body
                if isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and not ast.unparse(field.annotation).startswith("ClassVar")
            ]
        return inherited


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, (ast.If, ast.Try)):
            yield from _statements([*statement.body, *statement.orelse])
        else:
            yield statement


def _bound(statement: ast.stmt) -> set[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _parameters(arguments: ast.arguments) -> list[str]:
    listed = [*arguments.posonlyargs, *arguments.args]
    found = [_parameter(one) for one in listed]
    if arguments.vararg or arguments.kwonlyargs:
        found.append(f"*{arguments.vararg.arg if arguments.vararg else ''}")
    found += [_parameter(one) for one in arguments.kwonlyargs]
    if arguments.kwarg:
        found.append(f"**{arguments.kwarg.arg}")
    return found


def _parameter(argument: ast.arg) -> str:
    annotation = f": {ast.unparse(argument.annotation)}" if argument.annotation else ""
    return argument.arg + annotation


def sections() -> list[str]:
    """The sections of this repository's configuration files, but for the rule set's own."""
    lines = [line for name in CONFIGURATION for line in (ROOT / name).read_text().splitlines()]
    found = {line.strip("[]").split(".")[0] for line in lines if line.startswith("[")}
    return sorted(found - {"inseam"})


def options(text: str) -> dict[str, list[str]]:
    """The names of the options in our sections, from the JSON of `pants help-all`."""
    scopes = json.loads(text)["scope_to_help_info"]
    found = {}
    for section in sections():
        scope = scopes.get("" if section == "GLOBAL" else section, {})
        kinds = ("basic", "advanced", "deprecated")
        found[section] = sorted(
            {option["config_key"] for kind in kinds for option in scope.get(kind, ())}
        )
    return found


def main(arguments: list[str]) -> None:
    """See the module's text."""
    versions = {}
    for argument in arguments:
        version, folder, help_file = argument.split("=")
        versions[version] = (Sources(Path(folder)), options(Path(help_file).read_text()))
    names: dict[str, dict[str, str | None]] = {}
    for name in imported():
        found = {version: sources.describe(name) for version, (sources, _) in versions.items()}
        first, *others = dict.fromkeys(found.values())
        names[name] = found if others else {"*": first}
    table = {
        "names": names,
        "options": {version: known for version, (_, known) in versions.items()},
    }
    TABLE.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
