"""Finds the first-party modules that strings name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Protocol, TypeVar

from inseam.formats.python.named_modules import Named

_Mention = TypeVar("_Mention", bound="Mentioning")


class Mentioning(Protocol):
    """A string in a file that may name a module."""

    @property
    def path(self) -> str: ...

    @property
    def name(self) -> str: ...


def module_named(name: str, known: Collection[str], *, least: int = 1) -> str:
    """The module in `known` that a string names, or that defines what it names; "" for none.

    least: how many parts the name of the module must have.
    """
    for module in (name, name.rpartition(".")[0]):
        if module in known and module.count(".") + 1 >= least:
            return module
    return ""


def modules_named(named: Iterable[Named], known: Collection[str]) -> tuple[str, ...]:
    """All modules among `known` that frameworks load because of these strings, sorted."""
    return tuple(sorted({module for one in named for module in _loaded(one, known)}))


def missing_modules(
    mentions: Iterable[_Mention], known: Collection[str], paths: Collection[str]
) -> dict[str, _Mention]:
    """The modules in `known` that strings name and that an image lacks, with the first string that
    names each.

    paths: of the image's files, relative to their source roots.
    """
    found: dict[str, _Mention] = {}
    for one in mentions:
        # A word with a dot in a text may be anything, so a name without a dot does not count.
        module = module_named(one.name, known, least=1 if one.path.endswith(".py") else 2)
        stem = module.replace(".", "/")
        if module and not {f"{stem}.py", f"{stem}/__init__.py", f"{stem}.pyi"}.intersection(paths):
            found.setdefault(module, one)
    return found


def _loaded(named: Named, known: Collection[str]) -> Iterator[str]:
    module = module_named(named.name, known)
    if module:
        yield module
    if not named.loads:
        return
    # An application is named as its package, or as a class in its module `apps`.
    package = named.name
    if module and module != named.name:
        package = module.rpartition(".")[0] if module.endswith(".apps") else module
    starts = tuple(f"{package}.{load}" for load in named.loads)
    below = tuple(f"{start}." for start in starts)
    yield from (one for one in known if one in starts or one.startswith(below))
