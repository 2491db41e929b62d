"""The rules of this room."""

from __future__ import annotations

from typing import Any

from inseam.rules.generate import base, dependencies, main_module, named_modules, service


def rules() -> list[Any]:
    modules: tuple[Any, ...] = (base, dependencies, main_module, named_modules, service)
    return [rule for module in modules for rule in module.rules()]
