"""The rules of this room."""

from __future__ import annotations

from typing import Any

from inseam.rules.wheels import closures, files, lock_facts, wheels


def rules() -> list[Any]:
    modules: tuple[Any, ...] = (closures, files, lock_facts, wheels)
    return [rule for module in modules for rule in module.rules()]
