"""The rules of this room."""

from __future__ import annotations

from typing import Any

from inseam.rules.base import (
    base,
    debian_lock,
    debian_root,
    debs,
    default_base,
    interpreter,
    process,
    pulled,
)


def rules() -> list[Any]:
    modules: tuple[Any, ...] = (
        base,
        debian_lock,
        debian_root,
        debs,
        default_base,
        interpreter,
        process,
        pulled,
    )
    return [rule for module in modules for rule in module.rules()]
