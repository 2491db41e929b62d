"""The rules of this room."""

from __future__ import annotations

from typing import Any

from inseam.rules.programs import host, warnings


def rules() -> list[Any]:
    modules: tuple[Any, ...] = (host, warnings)
    return [rule for module in modules for rule in module.rules()]
