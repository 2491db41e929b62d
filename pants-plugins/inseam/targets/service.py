"""Declares services: `python_service`."""

from __future__ import annotations

from typing import Optional, Tuple

from pants.backend.docker.target_types import (
    DockerImageBuildImageLabelsOptionField,
    DockerImageRegistriesField,
    DockerImageRepositoryField,
    DockerImageSkipPushField,
    DockerImageTagsField,
    DockerImageTarget,
)
from pants.backend.python.target_types import InterpreterConstraintsField, PythonResolveField
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    Dependencies,
    StringField,
    StringSequenceField,
    TargetGenerator,
)
from pants.util.strutil import softwrap

from inseam.plan.packaging import Artifact
from inseam.targets.container import (
    AllowedFindingsField,
    EnvField,
    InitField,
    OciCompressionField,
    OciPlatformsField,
    PortsField,
    ServiceArgsField,
    ServiceBaseField,
    ServiceWorkingDirField,
    StopSignalField,
    UserField,
    VolumesField,
    WritableDirsField,
)
from inseam.targets.health import HealthcheckOptionsField, ProbesField
from inseam.targets.layer import PreferField, VenvLayersTarget
from inseam.targets.programs import (
    ServiceEntryPointField,
    ServiceFactoryField,
    ServiceHealthcheckField,
    ServiceHealthcheckPathField,
    ServiceProgramsField,
    ServiceScriptField,
    ServiceServerField,
    ServiceWorkersField,
)


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
        directory, or of the service at the root of the repository.
        """
    )


class ServicePackageField(StringSequenceField):
    alias = "package"
    valid_choices = Artifact
    value: Optional[Tuple[str, ...]]
    help = softwrap(
        """
        Artifacts to package the service as: any of `oci`, `image`, `pex` and `layers`. Default: the
        option `[inseam].package`.
        """
    )


class ServiceLabelsField(DockerImageBuildImageLabelsOptionField):
    alias = "labels"


class PublishedInsteadField(StringField):
    alias = "_published_instead"
    help = "The `oci_image` that `publish` pushes instead of this image, if any."


class ServiceImageTarget(DockerImageTarget):
    """`#image`: a `docker_image` that also says why `publish` skips it."""

    core_fields = (
        *DockerImageTarget.core_fields,
        PublishedInsteadField,
    )  # type: ignore[assignment]


class PythonServiceTarget(TargetGenerator):
    alias = "python_service"
    generated_target_cls = VenvLayersTarget
    core_fields = COMMON_TARGET_FIELDS
    copied_fields = COMMON_TARGET_FIELDS
    # All that may be parametrized.
    moved_fields = (
        ServiceEntryPointField,
        ServiceScriptField,
        ServiceServerField,
        ServiceFactoryField,
        ServiceWorkersField,
        ServiceProgramsField,
        ServiceHealthcheckField,
        ServiceHealthcheckPathField,
        HealthcheckOptionsField,
        ProbesField,
        ServiceBaseField,
        ServiceLayersField,
        PreferField,
        PortsField,
        EnvField,
        UserField,
        ServiceWorkingDirField,
        WritableDirsField,
        VolumesField,
        StopSignalField,
        InitField,
        ServiceArgsField,
        DockerImageTagsField,
        ServiceRepositoryField,
        DockerImageRegistriesField,
        DockerImageSkipPushField,
        ServiceLabelsField,
        OciPlatformsField,
        OciCompressionField,
        AllowedFindingsField,
        ServicePackageField,
        ServiceDependenciesField,
        PythonResolveField,
        InterpreterConstraintsField,
    )
    help = softwrap(
        """
        A Python service. From a lock and first-party code it generates:

          * `#layers`, deterministic layers: a venv with the wheels at /opt/venv, the code at /app;

          * `#oci`, a slim `oci_image` of the base and these layers, built without a daemon, and
            one such image, `#<name>`, for each of its `programs`;

          * if `package` has `image`: `#image`, a `docker_image` of the same layers, built by a
            Docker Engine;

          * if `package` has `pex`: `#pex` and `#healthcheck`, `pex_binary` targets of the service
            and its health check.

        Fields may be parametrized. The paths and names of images then contain the parameters,
        unless the names are parametrized themselves.
        """
    )
