"""The rules of this room."""

from __future__ import annotations

from typing import Any

from inseam.rules.image import (
    base,
    build,
    check_base,
    check_libraries,
    check_modules,
    check_named_modules,
    check_records,
    check_shared_paths,
    check_termination,
    checks,
    dist,
    documents,
    names,
)


def rules() -> list[Any]:
    modules: tuple[Any, ...] = (
        base,
        build,
        check_base,
        check_libraries,
        check_modules,
        check_named_modules,
        check_records,
        check_shared_paths,
        check_termination,
        checks,
        dist,
        documents,
        names,
    )
    return [rule for module in modules for rule in module.rules()]
