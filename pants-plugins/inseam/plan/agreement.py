"""Decides whether code, lock and base agree on the Python version."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from inseam.formats.failure import Failure

# An interpreter constraint, as in `CPython==3.11.*` or `>=3.9`.
_CONSTRAINT = re.compile(r"\s*([A-Za-z]*)(?:\[[^]]*\])?(?:\+\w+)?\s*(.*)", re.DOTALL)


def allows(constraints: Iterable[str], python: str) -> bool:
    """Whether one of the interpreter constraints allows CPython `python`, a full version."""
    return any(_allows(constraint, python) for constraint in constraints)


def _allows(constraint: str, python: str) -> bool:
    match = _CONSTRAINT.fullmatch(constraint)
    assert match is not None
    implementation, versions = match.groups()
    if implementation.lower() not in ("", "cpython"):
        return False
    try:
        return python in SpecifierSet(versions)
    except InvalidSpecifier:
        return True  # Pants itself refuses it, with its own error.


def check_constraints(constraints: Mapping[str, Iterable[str]], base: str, python: str) -> None:
    """Checks that all code may run on the Python of a base.

    constraints: the interpreter constraints of each target, by address; one of them must allow the
    Python. base: the base's address. python: the full version of its Python.

    Raises Failure that names the targets, their constraints and the base.
    """
    excluded = {
        target: " or ".join(sorted(wanted))
        for target, wanted in sorted(constraints.items())
        if not allows(wanted, python)
    }
    if not excluded:
        return
    some = [f"  {target} needs {wanted}" for target, wanted in list(excluded.items())[:10]]
    if len(excluded) > len(some):
        some.append(f"  and {len(excluded) - len(some)} more")
    raise Failure(
        f"the base {base} has Python {python}, which the interpreter constraints of its code"
        " exclude:\n" + "\n".join(some) + "\nChoose a base with another Python (`base`), or change"
        " `interpreter_constraints`."
    )


def check_lock_python(requires: Iterable[str], resolve: str, python: str) -> None:
    """Raises Failure if a lock was made for other versions of Python than that of a base.

    requires: the interpreter constraints of the lock; empty for any Python. python: the full
    version.
    """
    wanted = list(requires)
    if wanted and not allows(wanted, python):
        raise Failure(
            f"the lock of resolve {resolve!r} was made for {' or '.join(wanted)}, but the base has"
            f" Python {python}. Choose a base with another Python, or set"
            f" [python.resolves_to_interpreter_constraints] for {resolve!r} and run: ./pants"
            f" generate-lockfiles --resolve={resolve}"
        )
