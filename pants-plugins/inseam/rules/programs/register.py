"""The rules of this room."""

from __future__ import annotations

from typing import Any

from inseam.rules.programs import host


def rules() -> list[Any]:
    modules: tuple[Any, ...] = (host,)
    return [rule for module in modules for rule in module.rules()]
