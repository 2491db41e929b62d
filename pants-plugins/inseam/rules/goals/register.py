"""The rules of this room."""

from __future__ import annotations

from typing import Any

from inseam.rules.goals import debian, export_codegen, package, publish, rebase, run, tailor, test


def rules() -> list[Any]:
    modules: tuple[Any, ...] = (debian, export_codegen, package, publish, rebase, run, tailor, test)
    return [rule for module in modules for rule in module.rules()]
