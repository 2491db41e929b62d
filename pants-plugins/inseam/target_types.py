"""The targets that Inseam adds to BUILD files, with their fields."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, Optional, Tuple, Union

from pants.backend.docker.registries import ALL_DEFAULT_REGISTRIES
from pants.backend.docker.target_types import (
    DockerImageBuildImageLabelsOptionField,
    DockerImageRegistriesField,
    DockerImageRepositoryField,
    DockerImageSkipPushField,
    DockerImageTagsField,
)
from pants.backend.python.target_types import PythonResolveField
from pants.core.goals.package import OutputPathField
from pants.core.target_types import FileSourceField
from pants.engine.addresses import Address
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    AsyncFieldMixin,
    BoolField,
    Dependencies,
    DictStringToStringField,
    Field,
    InvalidFieldException,
    InvalidFieldTypeException,
    SourcesField,
    SpecialCasedDependencies,
    StringField,
    StringSequenceField,
    Target,
    TargetGenerator,
)
from pants.util.strutil import softwrap

_ENTRY_POINT = re.compile(r"[\w./-]+:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_PORT = re.compile(r"([0-9]{1,5})(/(tcp|udp|sctp))?")
_USER = re.compile(r"[0-9]+(:[0-9]+)?")


def _text(value: str) -> str:
    return softwrap(value)


# -----------------------------------------------------------------------------------------------
# Bases
# -----------------------------------------------------------------------------------------------


class InterpreterField(StringField):
    alias = "interpreter"
    required = True
    value: str
    help = _text(
        """
        Absolute path of CPython in the image, like `/usr/bin/python3.11`: what `bin/python` of
        the services' venv points to.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None and not value.startswith("/"):
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} must be an absolute path in the"
                f" image, but was {value!r}."
            )
        return value


class PythonVersionField(StringField):
    alias = "python_version"
    required = True
    value: str
    help = _text(
        """
        Full version of the image's CPython, like `3.11.2`. Wheels are chosen and bytecode is
        compiled for its minor version.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None and not re.fullmatch(r"3\.\d+\.\d+", value):
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} must be a full version like"
                f" '3.11.2', but was {value!r}."
            )
        return value


class GlibcVersionField(StringField):
    alias = "glibc_version"
    required = True
    value: str
    help = _text(
        """
        Version of the image's GNU C library, like `2.36`. Wheels up to this manylinux version
        (PEP 600) are chosen.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None and not re.fullmatch(r"2\.\d+", value):
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} must look like '2.36', but was"
                f" {value!r}."
            )
        return value


class PlatformField(StringField):
    alias = "platform"
    default = "linux/amd64"
    value: str
    valid_choices = ("linux/amd64", "linux/arm64")
    help = "The image's platform, as in OCI image indexes: operating system and architecture."


class DebianPackagesField(StringField):
    alias = "packages"
    default = "packages.ini"
    value: str
    help = _text(
        """
        The list of Debian packages, a file beside the BUILD file: the release, the architectures
        and, in groups, the packages. What they depend on is found when they are locked.
        """
    )


class DebianLockField(StringField):
    alias = "lock"
    required = True
    value: str
    help = _text(
        """
        Path of the lock of Debian packages, from the root of the repository. Make it, and later
        refresh it, with `generate-lockfiles --resolve=NAME`, where NAME is that of the file
        without its suffix.
        """
    )


class DebianGroupsField(StringSequenceField):
    alias = "groups"
    default = ()
    value: Tuple[str, ...]
    help = _text(
        """
        Groups of the list of packages that the root filesystem holds besides the group `base`,
        like `init` for tini, or `debug` for a busybox shell to look around with.
        """
    )


class RootfsSourcesField(SourcesField):
    alias = "_sources"
    expected_num_files = 0
    uses_source_roots = False
    default = None
    help = "Made by Inseam: the tar of the root filesystem."


_BASE_FIELDS = (InterpreterField, PythonVersionField, GlibcVersionField, PlatformField)
_DEBIAN_FIELDS = (*_BASE_FIELDS, DebianPackagesField, DebianLockField, DebianGroupsField)


class DebianRootfsTarget(Target):
    alias = "_debian_rootfs"
    core_fields = (*COMMON_TARGET_FIELDS, *_DEBIAN_FIELDS, RootfsSourcesField, Dependencies)
    help = "The root filesystem of a `debian_base`, as one deterministic tar."


class BaseImageField(Field):
    alias = "_base_image"
    default = None
    help = "Tells the image of a base from the base."


class ImageReferenceField(StringField):
    alias = "image"
    value: str
    help = _text(
        """
        The image in a registry: name, exact tag and digest, like
        `python:3.11.9-slim-bookworm@sha256:...`. OCI images need the digest; Docker images do
        without, but then the base may change under you. `skopeo inspect docker://NAME:TAG` and
        `docker buildx imagetools inspect NAME:TAG` show it.
        """
    )


class BaseImageTarget(Target):
    alias = "_base_image"
    core_fields = (*COMMON_TARGET_FIELDS, BaseImageField)
    help = _text(
        """
        The image of a base: for a `debian_base` one in the Docker engine, whose tag says what is
        in it, so that it is built only where it is missing; for a `registry_base` the one that it
        names, which is pulled when an image that starts from it is built.
        """
    )


class RegistryImageTarget(Target):
    alias = "_registry_image"
    core_fields = (*BaseImageTarget.core_fields, ImageReferenceField)
    help = BaseImageTarget.help


class DebianBaseTarget(TargetGenerator):
    alias = "debian_base"
    generated_target_cls = DebianRootfsTarget
    core_fields = (*COMMON_TARGET_FIELDS, *_DEBIAN_FIELDS)
    copied_fields = core_fields
    moved_fields = ()
    help = _text(
        """
        A base image from locked Debian packages, unpacked without maintainer scripts, root rights
        or a daemon. Generates `#rootfs` (the root filesystem, one deterministic tar), `#image`
        (what Docker images start from) and `#oci` (`run` puts the layers of an image on it).
        """
    )


class RequiredImageReferenceField(ImageReferenceField):
    required = True


class RegistryBaseTarget(TargetGenerator):
    alias = "registry_base"
    generated_target_cls = BaseImageTarget
    core_fields = (*COMMON_TARGET_FIELDS, RequiredImageReferenceField, *_BASE_FIELDS)
    copied_fields = COMMON_TARGET_FIELDS
    moved_fields = ()
    help = _text(
        """
        A base image from a registry, which must hold CPython and glibc. Generates `#image` (what
        Docker images start from) and `#oci` (`run` puts the layers of an image on it). It is
        pulled only when an image that stands on it is made.
        """
    )


# -----------------------------------------------------------------------------------------------
# Layers
# -----------------------------------------------------------------------------------------------


class InitField(BoolField):
    alias = "init"
    default = False
    help = _text(
        """
        Whether the container's first process is an init, tini, that passes signals on and reaps
        orphans, for services that don't do that themselves. The base must have it: a
        `debian_base` with `init` among its `groups`.
        """
    )


class LayersSourcesField(SourcesField):
    alias = "_sources"
    expected_num_files = 0
    uses_source_roots = False
    default = None
    help = "Made by Inseam: the layers' tars and `layers.json`."


class LayersServiceField(SpecialCasedDependencies):
    alias = "_service"
    help = _text(
        """
        The `pex_binary` targets whose code and requirements the layers hold: first the service,
        then its healthcheck. Not ordinary dependencies, so that an image that depends on the
        layers does not package their sources too.
        """
    )


class LayersBaseField(StringField, AsyncFieldMixin):
    alias = "_base"
    help = "The base that the layers are resolved for."


class LayersSharedField(SpecialCasedDependencies):
    alias = "_layers"
    help = "The `venv_layer` targets that hold a part of the service's wheels."


class VenvLayersTarget(Target):
    alias = "_venv_layers"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        LayersSourcesField,
        LayersServiceField,
        LayersSharedField,
        LayersBaseField,
        InitField,
        Dependencies,
    )
    help = _text(
        """
        The layers of a service above its base: shared ones, one for each large wheel, `deps`, a
        venv with the rest of the third-party closure, `data`, large first-party resources, `libs`,
        first-party code that is not of the service itself, and `app`, that of the service.
        `package` writes their `layers.json`, `export-codegen` the tars as well.
        """
    )


class AppSourcesField(SourcesField):
    alias = "_sources"
    expected_num_files = 0
    uses_source_roots = False
    default = None
    help = "Made by Inseam: the tars of the layers `libs` and `app`."


class AppLayersField(StringField, AsyncFieldMixin):
    alias = "_layers"
    value: str
    help = "The `#layers` that the code belongs to."


class AppLayerTarget(Target):
    alias = "_app_layer"
    core_fields = (*COMMON_TARGET_FIELDS, AppSourcesField, AppLayersField, Dependencies)
    help = "The code of a service, as layers: all that its image's build context holds."


class DepsImageField(StringField, AsyncFieldMixin):
    alias = "_base"
    value: str
    help = "The base that the image starts from."


class DepsImageTarget(Target):
    alias = "_deps_image"
    core_fields = (*COMMON_TARGET_FIELDS, DepsImageField)
    help = _text(
        """
        The image that a service's `#image` starts from: its base with all layers below its code.
        Its tag says what is in it, so it is built only where the Docker engine lacks it.
        """
    )


class LayerRequirementsField(StringSequenceField):
    alias = "requirements"
    required = True
    value: Tuple[str, ...]
    help = _text(
        """
        What is in the layer: addresses of `python_requirement` targets, like
        `3rdparty/python#numpy`, and globs over the names of the distributions in the lock, like
        `nvidia-*`.
        """
    )


class LayerClosureField(BoolField):
    alias = "closure"
    default = True
    help = "If true, the layer also holds what its requirements depend on."


class LayerBaseField(StringField):
    alias = "base"
    help = "Address of the base whose platform the layer is for. Default: `[inseam].base`."


class SharedLayerSourcesField(SourcesField):
    alias = "_sources"
    expected_num_files = 0
    uses_source_roots = False
    default = None
    help = "Made by Inseam: the layer's tar and `layers.json`."


class VenvLayerTarget(Target):
    alias = "venv_layer"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        LayerRequirementsField,
        LayerClosureField,
        LayerBaseField,
        PythonResolveField,
        SharedLayerSourcesField,
    )
    help = _text(
        """
        A layer of wheels that services share: those that list it in `layers` have it as it is,
        and only the rest of their wheels in their own. Its bytes depend on the lock and on this
        declaration, never on who uses it. It has the name of this target, which must differ from
        those of an image's other layers.
        """
    )


# -----------------------------------------------------------------------------------------------
# python_service
# -----------------------------------------------------------------------------------------------


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
    help = _text(
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
    help = _text(
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
    help = _text(
        """
        What the service needs beyond what Pants infers from its imports, for example modules that
        are imported by name at run time, and resources.
        """
    )


class ServiceBaseField(StringField):
    alias = "base"
    help = _text(
        """
        Address of the base, a `debian_base` or `registry_base`. Default: the option
        `[inseam].base`.
        """
    )


class ServiceLayersField(StringSequenceField):
    alias = "layers"
    default = ()
    value: Tuple[str, ...]
    help = _text(
        """
        Addresses of `venv_layer` targets, lowest first. The image has these layers as they are,
        and the service's own hold only the rest of its wheels. No two may hold the same
        distribution. By default there are none. Of the rest, a wheel of at least
        `[inseam].large_wheel` bytes is in a layer of its own.
        """
    )


class PortsField(Field):
    alias = "ports"
    default = ()
    value: Tuple[str, ...]
    help = _text(
        """
        Ports on which the service listens, numbers like `8000` or strings like `"53/udp"`. They
        are documented by EXPOSE; nothing is published by itself.
        """
    )

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Iterable[Union[int, str]]], address: Address
    ) -> Tuple[str, ...]:
        value = super().compute_value(raw_value, address)
        if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
            raise InvalidFieldTypeException(
                address, cls.alias, raw_value, expected_type="a list of port numbers"
            )
        ports = []
        for port in value:
            match = None if isinstance(port, bool) else _PORT.fullmatch(str(port))
            if match is None or not 0 < int(match[1]) < 65536:
                raise InvalidFieldException(
                    f"The `{cls.alias}` field in target {address} must hold port numbers from 1 to"
                    f" 65535, as 8000 or '53/udp', but has {port!r}."
                )
            ports.append(str(port))
        return tuple(ports)


class EnvField(DictStringToStringField):
    alias = "env"
    help = _text(
        """
        Environment variables of the container. Not for secrets: anyone who has the image can read
        them. They are added to those that every image has, or replace them: PATH and VIRTUAL_ENV
        of /opt/venv, PYTHONDONTWRITEBYTECODE=1, PYTHONUNBUFFERED=1, TZ=UTC, LANG=C.UTF-8 and
        LC_ALL=C.UTF-8.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[Dict[str, str]], address: Address) -> Any:
        value = super().compute_value(raw_value, address)
        for name, text in (value or {}).items():
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or re.search(r"[\0\n\r]", text):
                raise InvalidFieldException(
                    f"The `{cls.alias}` field in target {address} has {name!r}, whose name or"
                    " value no image can hold: names are letters, digits and underscores, values"
                    " are one line."
                )
        return value


class UserField(StringField):
    alias = "user"
    default = "65532:65532"
    value: str
    help = _text(
        """
        Numeric user, or `user:group`, that the container runs as. Numeric, so that Kubernetes can
        see that it is not root (`runAsNonRoot`).
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None and not _USER.fullmatch(value):
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} must be numeric, as '65532:65532',"
                f" but was {value!r}."
            )
        return value


class ServiceArgsField(StringSequenceField):
    alias = "args"
    default = ()
    value: Tuple[str, ...]
    help = "Arguments of the service, which those of `docker run` replace (CMD)."


class ServiceRepositoryField(DockerImageRepositoryField):
    default = "{directory}"
    help = _text(
        """
        Repository of the image, as in `docker_image`. Default: the name of the service's
        directory.
        """
    )


class ServiceLabelsField(DockerImageBuildImageLabelsOptionField):
    alias = "labels"


class OciPlatformsField(StringSequenceField):
    alias = "platforms"
    default = ()
    value: Tuple[str, ...]
    help = _text(
        """
        Platforms to make the OCI image for, like `["linux/amd64", "linux/arm64"]`; more than one
        become an image index. Nothing is emulated: each has the packages and wheels that are
        locked for it. Default: the platform of the base, for which `#image` always is.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[Iterable[str]], address: Address) -> Any:
        value = super().compute_value(raw_value, address) or ()
        unknown = sorted(set(value) - set(PlatformField.valid_choices))
        if unknown or len(set(value)) != len(value):
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} may hold each of"
                f" {', '.join(PlatformField.valid_choices)} once, but is {list(value)!r}."
            )
        return value


class OciCompressionField(StringField):
    alias = "compression"
    default = "gzip"
    value: str
    valid_choices = ("gzip", "zstd")
    help = _text(
        """
        How the layers of the OCI image are compressed. Every registry and engine reads gzip; zstd
        is smaller and faster, for Docker from version 23 on.
        """
    )


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
    help = _text(
        """
        A Python service. From a locked dependency set and first-party code it makes:

          * `#pex`, a `pex_binary`;

          * `#layers`, deterministic layers: a venv of the wheels at /opt/venv, the code at /app;

          * `#oci`, a slim `oci_image` of the base and these layers, made without a daemon;

          * `#image`, the same as a `docker_image`, made by a Docker engine;

          * `#healthcheck`, a `pex_binary` of the probe.
        """
    )


# -----------------------------------------------------------------------------------------------
# oci_image
# -----------------------------------------------------------------------------------------------


class OciLayersField(SpecialCasedDependencies):
    alias = "layers"
    help = _text(
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
    help = _text(
        """
        Command that probes the container, in exec form. OCI has no such thing; Docker finds it in
        the configuration, for Kubernetes it is in `probes.yaml` beside the image.
        """
    )


class OciRepositoryField(StringField):
    alias = "repository"
    default = "{directory}"
    value: str
    help = _text(
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
    help = _text(
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
    help = _text(
        """
        An image as the OCI image-spec says, made without a daemon, the same bytes everywhere. It
        is assembled from the descriptions of its layers; their bytes are compressed once, and are
        in `dist/oci` once for all images.

        `package` writes its layout, `publish` pushes what the registry lacks, `run` loads it into
        Docker or podman and runs it.
        """
    )


class BaseOciField(StringField, AsyncFieldMixin):
    alias = "_base"
    value: str
    help = "The base that the image is of."


class BaseOciTarget(Target):
    alias = "_base_oci"
    core_fields = (*COMMON_TARGET_FIELDS, BaseOciField)
    help = _text(
        """
        A base as an OCI image. `run docker/base:debian#oci -- LAYOUT` puts the layers of the image
        in LAYOUT on it, by metadata alone.
        """
    )


# Codegen output that goes to a docker build context as it is.
LAYER_FILES = FileSourceField
