"""Declares bases, the images that services stand on: `debian_base` and `registry_base`."""

from __future__ import annotations

import re
from typing import Optional, Tuple

from pants.core.target_types import FileSourceField
from pants.engine.addresses import Address
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    Dependencies,
    Field,
    InvalidFieldException,
    SourcesField,
    StringField,
    StringSequenceField,
    Target,
    TargetGenerator,
)
from pants.util.strutil import softwrap


class InterpreterField(StringField):
    alias = "interpreter"
    required = True
    value: str
    help = softwrap(
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
    help = softwrap(
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
    help = softwrap(
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
    help = softwrap(
        """
        The list of Debian packages, a file beside the BUILD file: the release, the architectures
        and, in groups, the packages. What they depend on is found when they are locked.
        """
    )


class DebianLockField(StringField):
    alias = "lock"
    required = True
    value: str
    help = softwrap(
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
    help = softwrap(
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
    help = softwrap(
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
    help = softwrap(
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
    help = softwrap(
        """
        A base image from locked Debian packages, unpacked without maintainer scripts, root rights
        or a daemon. Generates `#rootfs` (the root filesystem, one deterministic tar) and `#image`
        (what Docker images start from).
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
    help = softwrap(
        """
        A base image from a registry, which must hold CPython and glibc. Generates `#image` (what
        Docker images start from). It is pulled only when an image that stands on it is built.
        """
    )


# Codegen output that goes to a docker build context as it is.
LAYER_FILES = FileSourceField
