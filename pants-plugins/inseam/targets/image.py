"""Declares images that need no daemon: `oci_image`."""

from __future__ import annotations

from typing import Tuple

from pants.backend.docker.registries import ALL_DEFAULT_REGISTRIES
from pants.core.goals.package import OutputPathField
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    BoolField,
    DictStringToStringField,
    SpecialCasedDependencies,
    StringField,
    StringSequenceField,
    Target,
)
from pants.util.strutil import softwrap

from inseam.targets.container import (
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
        What is on the base, lowest first: addresses of `venv_layer` targets, then, if the image is
        to hold one, of the `#layers` of a `python_service`.
        """
    )


class OciEntryPointField(StringSequenceField):
    alias = "entrypoint"
    help = "Command that the container runs, in exec form. Default: that of the base."


class OciWorkingDirField(StringField):
    alias = "working_dir"
    help = "Directory that the command runs in. Default: that of the base."


class OciHealthcheckField(StringSequenceField):
    alias = "healthcheck"
    help = softwrap(
        """
        Command that probes the container, in exec form. OCI has no such thing; Docker finds it in
        the configuration, for Kubernetes it is in `probes.yaml` beside the image.
        """
    )


class OciRepositoryField(StringField):
    alias = "repository"
    default = "{directory}"
    value: str
    help = softwrap(
        """
        Repository of the image, with the placeholders `{directory}`, `{parent_directory}`,
        `{name}` and `{default_repository}`, as in `docker_image`.
        """
    )


class OciRegistriesField(StringSequenceField):
    alias = "registries"
    default = (ALL_DEFAULT_REGISTRIES,)
    value: Tuple[str, ...]
    help = "Registries of the image, as in `docker_image`: addresses, or `@alias`es of [docker]."


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
        Labels of the image; those that start with org.opencontainers.image are annotations too.
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
    )
    help = softwrap(
        """
        An image as the OCI image-spec says, made without a daemon, the same bytes everywhere. It
        is assembled from the descriptions of its layers; their bytes are compressed once, and are
        in `dist/oci` once for all images.

        `package` writes its layout, `publish` pushes what the registry lacks, `run` loads it into
        Docker or podman and runs it.
        """
    )
