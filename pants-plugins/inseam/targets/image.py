"""Declares images that are built without a daemon: `oci_image`."""

from __future__ import annotations

from typing import Any, Iterable, Optional, Tuple

from pants.backend.docker.registries import ALL_DEFAULT_REGISTRIES
from pants.core.goals.package import OutputPathField
from pants.engine.addresses import Address
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    BoolField,
    Dependencies,
    DictStringToStringField,
    InvalidFieldException,
    SpecialCasedDependencies,
    StringField,
    StringSequenceField,
    Target,
)
from pants.util.strutil import softwrap

from inseam.targets.container import (
    AllowedFindingsField,
    CommandField,
    EnvField,
    OciCompressionField,
    OciPlatformsField,
    PortsField,
    ServiceArgsField,
    ServiceBaseField,
    StopSignalField,
    UserField,
    VolumesField,
    WorkingDirField,
    WritableDirsField,
)
from inseam.targets.health import HealthcheckOptionsField, ProbesField
from inseam.targets.layer import PreferField


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


class OciUserField(UserField):
    default = None  # type: ignore[assignment]
    help = softwrap(
        """
        Numeric user ID, or `user:group`, that the container runs as. Default: that of the
        `python_service` whose `#layers` the image contains, otherwise 65532:65532.
        """
    )


class OciWritableDirsField(WritableDirsField):
    help = softwrap(
        """
        Absolute paths of directories in the image's layers that its program writes to. They are
        used in `image.json` and `container.yaml`, and by `run` with `--read-only`. Default: those
        of the `python_service` whose `#layers` the image contains.
        """
    )


class OciHealthcheckField(CommandField):
    alias = "healthcheck"
    help = softwrap(
        """
        Command that checks the container's health, in exec form. Docker reads it from the image's
        configuration. For Kubernetes, it is written to `container.yaml` next to the image.
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
        PreferField,
        OciEntryPointField,
        ServiceArgsField,
        EnvField,
        OciUserField,
        PortsField,
        WorkingDirField,
        VolumesField,
        OciWritableDirsField,
        StopSignalField,
        OciHealthcheckField,
        HealthcheckOptionsField,
        ProbesField,
        AllowedFindingsField,
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


class LayoutImageField(SpecialCasedDependencies):
    alias = "image"
    required = True
    help = "Address of an `oci_image`, such as the `#oci` of a `python_service`."

    @classmethod
    def compute_value(cls, raw_value: Optional[Iterable[str]], address: Address) -> Any:
        one = [raw_value] if isinstance(raw_value, str) else raw_value
        value = super().compute_value(one, address)
        if value is None or len(value) != 1:
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} must be the address of one image."
            )
        return value


class OciLayoutTarget(Target):
    alias = "oci_layout"
    core_fields = (*COMMON_TARGET_FIELDS, LayoutImageField, OutputPathField)
    help = softwrap(
        """
        The whole OCI image layout of an image, blobs included, as a package for other targets: list
        it in `packages` of an `archive`, in `runtime_package_dependencies` of `python_tests`, or in
        `execution_dependencies` of a `shell_command`.

        As a dependency, `#oci` provides only its `image.json`, because the layout that `package`
        writes to `dist` shares its blobs with other images, outside of Pants' caches. An
        `oci_layout` costs a copy of the image: in `dist` if it is packaged, and in each sandbox
        that uses it, where large blobs are hard links.
        """
    )
