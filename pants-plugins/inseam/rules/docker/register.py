"""The rules of this room."""

from __future__ import annotations

from typing import Any

from inseam.rules.docker import dockerfiles, engine


def rules() -> list[Any]:
    modules: tuple[Any, ...] = (dockerfiles, engine)
    return [rule for module in modules for rule in module.rules()]
