"""Registers Inseam with Pants."""

from __future__ import annotations

from functools import cache
from typing import Any

from pants.backend.docker.rules import rules as docker_rules
from pants.backend.docker.target_types import DockerImageTarget
from pants.backend.docker.target_types import rules as docker_target_rules
from pants.engine.target import Target

from inseam.rules import (
    base,
    base_image,
    build_requirements,
    built_wheels,
    closures,
    code_layers,
    compressors,
    debian_lock,
    debian_root,
    default_base,
    dependencies,
    dist,
    distributions,
    docker,
    dockerfiles,
    generate,
    generate_service,
    host,
    image,
    image_names,
    interpreter,
    layers,
    libraries,
    lock_facts,
    lock_files,
    process,
    pulled,
    rootfs,
    service,
    sources,
    wheel_layers,
    wheels,
)
from inseam.rules.goals import debian, export_codegen, package, publish, rebase, run, tailor, test
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
from inseam.targets.wheel_source import WheelFromSourceTarget

_DOCKER: tuple[Any, ...] = (docker_rules, docker_target_rules)
_MODULES = (
    host,
    debian_root,
    pulled,
    interpreter,
    process,
    compressors,
    layers,
    libraries,
    generate,
    generate_service,
    base,
    rootfs,
    default_base,
    debian_lock,
    dependencies,
    lock_files,
    wheels,
    lock_facts,
    sources,
    build_requirements,
    built_wheels,
    closures,
    wheel_layers,
    distributions,
    service,
    code_layers,
    docker,
    dockerfiles,
    base_image,
    image_names,
    image,
    dist,
    debian,
    export_codegen,
    package,
    publish,
    rebase,
    run,
    tailor,
    test,
)


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
        WheelFromSourceTarget,
    ]


# Pants asks twice in each run, and finding them takes it ten milliseconds.
@cache
def rules() -> list[Any]:
    return [
        *InseamSubsystem.rules(),
        # `#image` is a `docker_image`. Its backend need not be in the repository's configuration.
        *(rule for of in _DOCKER for rule in of()),
        *(rule for module in _MODULES for rule in module.rules()),
    ]
