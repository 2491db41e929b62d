"""Registers Inseam with Pants."""

from __future__ import annotations

from typing import Any

from pants.engine.target import Target

from inseam import bases, layers, locks, program, service
from inseam.subsystem import InseamSubsystem
from inseam.target_types import (
    DebianBaseTarget,
    DebianRootfsTarget,
    PythonServiceTarget,
    RegistryBaseTarget,
    RegistryImageTarget,
    VenvLayersTarget,
)


def target_types() -> list[type[Target]]:
    return [
        PythonServiceTarget,
        VenvLayersTarget,
        DebianBaseTarget,
        DebianRootfsTarget,
        RegistryBaseTarget,
        RegistryImageTarget,
    ]


def rules() -> list[Any]:
    return [
        *InseamSubsystem.rules(),
        *service.rules(),
        *bases.rules(),
        *program.rules(),
        *layers.rules(),
        *locks.rules(),
    ]
