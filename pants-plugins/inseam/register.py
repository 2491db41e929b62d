"""Registers Inseam with Pants."""

from __future__ import annotations

from functools import cache
from typing import Any

from pants.engine.target import Target

from inseam import (
    bases,
    compressors,
    docker,
    layers,
    locks,
    oci,
    program,
    service,
    structure,
    wheels,
)
from inseam import target_types as types
from inseam.subsystem import InseamSubsystem


def target_types() -> list[type[Target]]:
    return [
        types.PythonServiceTarget,
        types.VenvLayersTarget,
        types.AppLayerTarget,
        types.DepsImageTarget,
        types.VenvLayerTarget,
        types.DebianBaseTarget,
        types.DebianRootfsTarget,
        types.RegistryBaseTarget,
        types.RegistryImageTarget,
        types.BaseImageTarget,
        types.OciImageTarget,
        types.BaseOciTarget,
        *structure.target_types(),
    ]


# Pants asks twice in each run, and finding them takes it ten milliseconds.
@cache
def rules() -> list[Any]:
    return [
        *InseamSubsystem.rules(),
        *service.rules(),
        *bases.rules(),
        *program.rules(),
        *compressors.rules(),
        *wheels.rules(),
        *layers.rules(),
        *docker.rules(),
        *oci.rules(),
        *structure.rules(),
        *locks.rules(),
    ]
