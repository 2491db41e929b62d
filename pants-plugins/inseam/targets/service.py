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
from pants.backend.python.target_types import PythonResolveField
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
            f" `file.py:function` for a file beside the BUILD file, but was {value!r}."
        )


class ServiceEntryPointField(StringField):
    alias = "entry_point"
    required = True
    value: str
    help = softwrap(
        """
        What the container runs: `module:function`, or `file.py:function` for a file beside the
        BUILD file. The function is called without arguments; what it returns is the exit code.
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
        The probe, in the form of `entry_point`; it exits 0 if the service is healthy. The image
        runs it as Docker's HEALTHCHECK (every 10 s, timeout 2 s, start period 5 s, 3 retries),
        and has it as `/opt/venv/bin/healthcheck` for a Kubernetes exec probe. Without it there is
        no HEALTHCHECK and no `#healthcheck` target.
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
        What the service needs beyond what Pants infers from its imports, for example modules that
        are imported by name at run time, and resources.
        """
    )


class ServiceLayersField(StringSequenceField):
    alias = "layers"
    default = ()
    value: Tuple[str, ...]
    help = softwrap(
        """
        Addresses of `venv_layer` targets, lowest first. The image has these layers as they are,
        and the service's own hold only the rest of its wheels. No two may hold the same
        distribution. By default there are none. Of the rest, a wheel of at least
        `[inseam].large_wheel` bytes is in a layer of its own.
        """
    )


class ServiceRepositoryField(DockerImageRepositoryField):
    default = "{directory}"
    help = softwrap(
        """
        Repository of the image, as in `docker_image`. Default: the name of the service's
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
    moved_fields = (ServiceDependenciesField, PythonResolveField)
    help = softwrap(
        """
        A Python service. From a locked dependency set and first-party code it makes:

          * `#pex`, a `pex_binary`;

          * `#layers`, deterministic layers: a venv of the wheels at /opt/venv, the code at /app;

          * `#oci`, a slim `oci_image` of the base and these layers, made without a daemon;

          * `#image`, the same as a `docker_image`, made by a Docker engine;

          * `#healthcheck`, a `pex_binary` of the probe.
        """
    )
