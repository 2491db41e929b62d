"""Decides which first-party modules strings name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from inseam.formats.python.named_modules import Named


def module_named(name: str, known: Collection[str], *, least: int = 1) -> str:
    """The one of the modules in `known` that a string names, or that has what it names; "" for
    none. least: parts that the name of a module must have."""
    for module in (name, name.rpartition(".")[0]):
        if module in known and module.count(".") + 1 >= least:
            return module
    return ""


def modules_named(named: Iterable[Named], known: Collection[str]) -> tuple[str, ...]:
    """All modules among `known` that frameworks load because of these strings, sorted."""
    return tuple(sorted({module for one in named for module in _loaded(one, known)}))


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
