"""Declares services: `python_service`."""

from __future__ import annotations

import re
from typing import Optional, Tuple

from pants.backend.docker.target_types import (
    DockerImageBuildImageLabelsOptionField,
    DockerImageRegistriesField,
    DockerImageRepositoryField,
    DockerImageSkipPushField,
    DockerImageTagsField,
)
from pants.backend.python.target_types import InterpreterConstraintsField, PythonResolveField
from pants.engine.addresses import Address
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    Dependencies,
    Field,
    InvalidFieldException,
    StringField,
    StringSequenceField,
    TargetGenerator,
)
from pants.util.strutil import softwrap

from inseam.targets.container import (
    EnvField,
    InitField,
    OciCompressionField,
    OciPlatformsField,
    PortsField,
    ServiceArgsField,
    ServiceBaseField,
    UserField,
)
from inseam.targets.layer import VenvLayersTarget

_ENTRY_POINT = re.compile(r"[\w./-]+:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def _check_entry_point(field: type[Field], value: Optional[str], address: Address) -> None:
    if value is not None and not _ENTRY_POINT.fullmatch(value):
        raise InvalidFieldException(
            f"The `{field.alias}` field in target {address} must be `module:function`, or"
            f" `file.py:function` for a file next to the BUILD file, but was {value!r}."
        )


class ServiceEntryPointField(StringField):
    alias = "entry_point"
    required = True
    value: str
    help = softwrap(
        """
        What the container runs: `module:function`, or `file.py:function` for a file next to the
        BUILD file. The function is called without arguments, and its return value is the exit
        code.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        _check_entry_point(cls, value, address)
        return value


class ServiceHealthcheckField(StringField):
    alias = "healthcheck"
    help = softwrap(
        """
        The health check, in the same form as `entry_point`. It must exit with 0 if the service is
        healthy. The image declares it as Docker's HEALTHCHECK (interval 10 s, timeout 2 s, start
        period 5 s, 3 retries), and contains it as `/opt/venv/bin/healthcheck`, for an exec probe of
        Kubernetes. Without this field there is no HEALTHCHECK and no `#healthcheck` target.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        _check_entry_point(cls, value, address)
        return value


class ServiceDependenciesField(Dependencies):
    help = softwrap(
        """
        Dependencies that Pants does not infer from imports, such as resources and modules that are
        imported by name at run time.
        """
    )


class ServiceLayersField(StringSequenceField):
    alias = "layers"
    default = ()
    value: Tuple[str, ...]
    help = softwrap(
        """
        Addresses of `venv_layer` targets, lowest first. The image contains these layers unchanged,
        and the service's own layers contain only its other wheels. Two layers must not contain the
        same distribution. Each remaining wheel of at least `[inseam].large_wheel` bytes gets a
        layer of its own.
        """
    )


class ServiceRepositoryField(DockerImageRepositoryField):
    default = "{directory}"
    help = softwrap(
        """
        Repository of the images, as in `docker_image`. Default: the name of the service's
        directory.
        """
    )


class ServiceLabelsField(DockerImageBuildImageLabelsOptionField):
    alias = "labels"


class PythonServiceTarget(TargetGenerator):
    alias = "python_service"
    generated_target_cls = VenvLayersTarget
    core_fields = (
        *COMMON_TARGET_FIELDS,
        ServiceEntryPointField,
        ServiceHealthcheckField,
        ServiceBaseField,
        ServiceLayersField,
        PortsField,
        EnvField,
        UserField,
        InitField,
        ServiceArgsField,
        DockerImageTagsField,
        ServiceRepositoryField,
        DockerImageRegistriesField,
        DockerImageSkipPushField,
        ServiceLabelsField,
        OciPlatformsField,
        OciCompressionField,
    )
    copied_fields = COMMON_TARGET_FIELDS
    moved_fields = (ServiceDependenciesField, PythonResolveField, InterpreterConstraintsField)
    help = softwrap(
        """
        A Python service. From a lock and first-party code it generates:

          * `#pex`, a `pex_binary`;

          * `#layers`, deterministic layers: a venv with the wheels at /opt/venv, the code at /app;

          * `#oci`, a slim `oci_image` of the base and these layers, built without a daemon;

          * `#image`, a `docker_image` of the same layers, built by a Docker Engine;

          * `#healthcheck`, a `pex_binary` of the health check.
        """
    )
