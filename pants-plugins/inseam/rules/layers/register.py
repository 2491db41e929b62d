"""The rules of this room."""

from __future__ import annotations

from typing import Any

from inseam.rules.layers import (
    code,
    compressors,
    distributions,
    layer,
    rootfs,
    service,
    shared_paths,
    wheels,
)


def rules() -> list[Any]:
    modules: tuple[Any, ...] = (
        code,
        compressors,
        distributions,
        layer,
        rootfs,
        service,
        shared_paths,
        wheels,
    )
    return [rule for module in modules for rule in module.rules()]
