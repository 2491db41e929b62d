"""Declares images that are built without a daemon: `oci_image`."""

from __future__ import annotations

from typing import Tuple

from pants.backend.docker.registries import ALL_DEFAULT_REGISTRIES
from pants.core.goals.package import OutputPathField
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    BoolField,
    Dependencies,
    DictStringToStringField,
    SpecialCasedDependencies,
    StringField,
    StringSequenceField,
    Target,
)
from pants.util.strutil import softwrap

from inseam.targets.container import (
    CommandField,
    EnvField,
    OciCompressionField,
    OciPlatformsField,
    PortsField,
    ServiceArgsField,
    ServiceBaseField,
    UserField,
)


class OciLayersField(SpecialCasedDependencies):
    alias = "layers"
    help = softwrap(
        """
        Layers on top of the base, lowest first: addresses of `venv_layer` targets. The last one may
        be the `#layers` of a `python_service`.
        """
    )


class OciEntryPointField(CommandField):
    alias = "entrypoint"
    help = "Command that the container runs, in exec form. Default: the base's."


class OciWorkingDirField(StringField):
    alias = "working_dir"
    help = "Directory that the command runs in. Default: the base's."


class OciHealthcheckField(CommandField):
    alias = "healthcheck"
    help = softwrap(
        """
        Command that checks the container's health, in exec form. Docker reads it from the image's
        configuration. For Kubernetes it is written to `probes.yaml` next to the image.
        """
    )


class OciRepositoryField(StringField):
    alias = "repository"
    default = "{directory}"
    value: str
    help = softwrap(
        """
        Repository of the image. It may contain `{directory}`, `{parent_directory}`, `{name}` and
        `{default_repository}`, as in `docker_image`.
        """
    )


class OciRegistriesField(StringSequenceField):
    alias = "registries"
    default = (ALL_DEFAULT_REGISTRIES,)
    value: Tuple[str, ...]
    help = softwrap(
        """
        Registries of the image, as in `docker_image`: addresses, or `@alias` for a registry in
        `[docker].registries`.
        """
    )


class OciTagsField(StringSequenceField):
    alias = "image_tags"
    default = ("latest",)
    value: Tuple[str, ...]
    help = "Tags of the image."


class OciSkipPushField(BoolField):
    alias = "skip_push"
    default = False
    help = "If true, `publish` does not push the image."


class OciLabelsField(DictStringToStringField):
    alias = "labels"
    help = softwrap(
        """
        Labels of the image. Those that start with `org.opencontainers.image` are also written as
        annotations.
        """
    )


class OciImageTarget(Target):
    alias = "oci_image"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        ServiceBaseField,
        OciLayersField,
        OciEntryPointField,
        ServiceArgsField,
        EnvField,
        UserField,
        PortsField,
        OciWorkingDirField,
        OciHealthcheckField,
        OciPlatformsField,
        OciCompressionField,
        OciRepositoryField,
        OciRegistriesField,
        OciTagsField,
        OciSkipPushField,
        OciLabelsField,
        OutputPathField,
        Dependencies,
    )
    help = softwrap(
        """
        An OCI image, built without a daemon and with the same bytes on every machine.

        `package` writes an OCI image layout; layers are stored once in `dist/oci` and shared by all
        images. `publish` pushes what the registry does not have yet. `run` runs the image in Docker
        or podman. `rebase` puts a packaged image on another base.
        """
    )
