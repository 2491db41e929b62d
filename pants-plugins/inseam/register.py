"""Registers Inseam with Pants."""

from __future__ import annotations

from functools import cache
from typing import Any

from pants.backend.docker.rules import rules as docker_rules
from pants.backend.docker.target_types import DockerImageTarget
from pants.backend.docker.target_types import rules as docker_target_rules
from pants.engine.target import Target

from inseam.rules.base import register as base
from inseam.rules.docker import register as docker
from inseam.rules.generate import register as generate
from inseam.rules.goals import register as goals
from inseam.rules.image import register as image
from inseam.rules.layers import register as layers
from inseam.rules.programs import register as programs
from inseam.rules.wheels import register as wheels
from inseam.subsystem import InseamSubsystem
from inseam.targets.base import (
    BaseImageTarget,
    DebianBaseTarget,
    DebianBuilderTarget,
    DebianLockTarget,
    DebianPackagesTarget,
    DebianRootfsTarget,
    PythonLockTarget,
    RegistryBaseTarget,
    RegistryImageTarget,
)
from inseam.targets.checks import ImageStructureTarget
from inseam.targets.code import ServiceCodeTarget
from inseam.targets.image import OciImageTarget, OciLayoutTarget
from inseam.targets.layer import (
    AppLayerTarget,
    DepsImageTarget,
    VenvLayersTarget,
    VenvLayerTarget,
)
from inseam.targets.service import PythonServiceTarget
from inseam.wheels_from_source import register as wheels_from_source

# `#image` is a `docker_image`. Its backend need not be in the repository's configuration.
_DOCKER: tuple[Any, ...] = (docker_rules, docker_target_rules)
_ROOMS = (programs, base, wheels, generate, layers, image, docker, goals)
# Optional backends that most repositories want.
_BACKENDS = (wheels_from_source,)


def target_types() -> list[type[Target]]:
    return [
        DockerImageTarget,
        PythonServiceTarget,
        VenvLayersTarget,
        ServiceCodeTarget,
        AppLayerTarget,
        DepsImageTarget,
        VenvLayerTarget,
        DebianBaseTarget,
        DebianBuilderTarget,
        DebianLockTarget,
        PythonLockTarget,
        DebianPackagesTarget,
        DebianRootfsTarget,
        RegistryBaseTarget,
        RegistryImageTarget,
        BaseImageTarget,
        OciImageTarget,
        OciLayoutTarget,
        ImageStructureTarget,
        *(target for backend in _BACKENDS for target in backend.target_types()),
    ]


# Pants calls this twice in each run, and finding the rules takes ten milliseconds.
@cache
def rules() -> list[Any]:
    return [
        *InseamSubsystem.rules(),
        *(rule for of in _DOCKER for rule in of()),
        *(rule for room in (*_ROOMS, *_BACKENDS) for rule in room.rules()),
    ]
