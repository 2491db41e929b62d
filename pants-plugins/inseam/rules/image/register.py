"""The rules of this room."""

from __future__ import annotations

from typing import Any

from inseam.rules.image import base, build, dist, libraries, names


def rules() -> list[Any]:
    modules: tuple[Any, ...] = (base, build, dist, libraries, names)
    return [rule for module in modules for rule in module.rules()]
