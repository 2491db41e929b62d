"""Declares base images: `debian_base` and `registry_base`.

Two thirds of the file are help texts.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Optional, Tuple

from pants.base.glob_match_error_behavior import GlobMatchErrorBehavior
from pants.core.target_types import FileSourceField
from pants.engine.addresses import Address
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    BoolField,
    Dependencies,
    DictStringToStringField,
    Field,
    InvalidFieldException,
    MultipleSourcesField,
    SourcesField,
    SpecialCasedDependencies,
    StringField,
    StringSequenceField,
    Target,
    TargetGenerator,
)
from pants.util.strutil import softwrap

from inseam.formats.failure import Failure
from inseam.formats.names import relative_path
from inseam.formats.oci.reference import parse_reference
from inseam.formats.python.archive import parse_location

_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[\w.+@~-]+)+")
# Lists of Debian packages that come with Inseam, each with a lock, and the prefix in fields.
READY_PREFIX = "inseam:"
READY_LISTS = ("bookworm", "trixie", "forky", "libc")


def _check_path(alias: str, value: Optional[str], where: str, address: Address) -> None:
    """Raises InvalidFieldException for a path that leads out of its folder."""
    if value is None or value.startswith(READY_PREFIX):
        return
    try:
        relative_path(value, "it")
    except Failure as error:
        raise InvalidFieldException(
            f"The `{alias}` field in target {address} must be a path {where}, but {error}."
        ) from error


class InterpreterField(StringField):
    alias = "interpreter"
    value: Optional[str]
    help = softwrap(
        """
        Absolute path of CPython in the image, such as `/usr/bin/python3.11`. `bin/python` in a
        service's venv links to it.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None and not _PATH.fullmatch(value):
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} must be an absolute path in the"
                f" image, such as /usr/bin/python3.11, but was {value!r}."
            )
        return value


class PythonVersionField(StringField):
    alias = "python_version"
    value: Optional[str]
    help = softwrap(
        """
        Full version of the image's CPython, such as `3.11.2`. Wheels are selected and bytecode is
        compiled for this version of Python.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None and not re.fullmatch(r"3\.[0-9]{1,3}\.[0-9]{1,3}", value):
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} must be a full version such as"
                f" '3.11.2', but was {value!r}."
            )
        return value


class GlibcVersionField(StringField):
    alias = "glibc_version"
    value: Optional[str]
    help = softwrap(
        """
        Version of the image's GNU C library, such as `2.36`. Wheels built for this manylinux
        version or an older one (PEP 600) can be selected.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None and not re.fullmatch(r"2\.[0-9]{1,3}", value):
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
    help = "The image's platform: operating system and architecture, as in an OCI image index."


class DebianPackagesField(StringField):
    alias = "packages"
    default = "packages.ini"
    value: str
    help = softwrap(
        """
        The list of Debian packages, a file next to the BUILD file. It names the release, the
        architectures and groups of packages, whose dependencies are resolved when the list is
        locked. Instead, it can be a list that comes with Inseam: `inseam:bookworm.ini` (CPython
        3.11), `inseam:trixie.ini` (3.13), `inseam:forky.ini` (3.14) or `inseam:libc.ini`, which is
        trixie without CPython.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        _check_path(cls.alias, value, "from the folder of its BUILD file", address)
        return value


class DebianLockField(StringField):
    alias = "lock"
    required = True
    value: str
    help = softwrap(
        """
        Path of the lock of Debian packages, from the root of the repository. Generate or refresh
        it with `generate-lockfiles --resolve=NAME`, where NAME is the file name without its
        suffix. For a list that comes with Inseam, it can be the lock that comes with it, such as
        `inseam:trixie.json`.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        _check_path(cls.alias, value, "from the root of the repository", address)
        return value


class DebianGroupsField(StringSequenceField):
    alias = "groups"
    default = ()
    value: Tuple[str, ...]
    help = softwrap(
        """
        Groups in the list of packages to install in addition to `base`. In the lists that come with
        Inseam, `init` adds tini and `debug` adds a busybox shell.
        """
    )


class DebianUsersField(DictStringToStringField):
    alias = "users"
    help = softwrap(
        """
        Accounts in the image by name, such as `{"shop": "1000"}`, with the ID of the user, or
        `user:group`. Each account has an entry in /etc/passwd and /etc/group, and the home
        /home/<name>. Set `user` of a service to its number. Every image has the accounts root,
        nobody (65534) and nonroot (65532), the default `user`.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[Dict[str, str]], address: Address) -> Any:
        value = super().compute_value(raw_value, address)
        known = {"root": 0, "nobody": 65534, "nonroot": 65532}
        for name, text in (value or {}).items():
            ids = re.fullmatch(r"([0-9]{1,9})(?::([0-9]{1,9}))?", text)
            if (
                not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", name)
                or name in known
                or ids is None
                or int(ids[1]) in known.values()
            ):
                raise InvalidFieldException(
                    f"The `{cls.alias}` field in target {address} has {name!r}: {text!r}. It maps"
                    " names of lowercase letters, digits, dashes and underscores to user IDs, such"
                    " as {'shop': '1000'} or {'shop': '1000:1000'}. root, nobody and nonroot, and"
                    " their IDs, are taken."
                )
            known[name] = int(ids[1])
        return value


class PythonArchivesField(DictStringToStringField):
    alias = "python_archives"
    help = softwrap(
        """
        CPython for a base whose Debian packages do not include it: for each platform, the location
        and sha256 of an archive with an unpacked CPython, as
        `{"linux/amd64": "LOCATION#sha256=..."}`. LOCATION is a URL or a path from the root of the
        repository. The archive has the layout of python-build-standalone's `install_only`
        archives: `python/bin/python3.N` and `python/lib`. Also set `python_version`.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[Dict[str, str]], address: Address) -> Any:
        value = super().compute_value(raw_value, address)
        for platform, text in (value or {}).items():
            try:
                parse_location(text)
                problem = ""
            except Failure as error:
                problem = str(error)
            if platform not in PlatformField.valid_choices:
                problem = f"{platform!r} is not one of {', '.join(PlatformField.valid_choices)}"
            if problem:
                raise InvalidFieldException(
                    f"The `{cls.alias}` field in target {address}: {problem}."
                )
        return value


class DebianFilesField(MultipleSourcesField):
    alias = "sources"
    uses_source_roots = False
    default_glob_match_error_behavior = GlobMatchErrorBehavior.ignore
    help = "A file that the root filesystem is made from."


class DebianPackagesTarget(Target):
    alias = "_debian_packages"
    core_fields = (*COMMON_TARGET_FIELDS, DebianFilesField, Dependencies)
    help = softwrap(
        """
        The files of a `debian_base` in its folder: the list of Debian packages, and archives of
        CPython.
        """
    )


class DebianLockTarget(Target):
    alias = "_debian_lock"
    core_fields = (*COMMON_TARGET_FIELDS, DebianFilesField, Dependencies)
    help = "A lock of Debian packages that the option `[inseam].debian_locks` matches."


class PythonLockFilesField(MultipleSourcesField):
    alias = "sources"
    uses_source_roots = False
    default_glob_match_error_behavior = GlobMatchErrorBehavior.ignore
    help = "The lock."


class PythonLockTarget(Target):
    alias = "_python_lock"
    core_fields = (*COMMON_TARGET_FIELDS, PythonLockFilesField, Dependencies)
    help = "A lock of Python distributions that the option `[inseam].locks` names."


class GeneratedFilesField(SourcesField):
    """Files that rules generate from a target, which has no sources of its own."""

    alias = "_sources"
    expected_num_files = 0
    uses_source_roots = False
    default = None


class RootfsSourcesField(GeneratedFilesField):
    help = "Generated by Inseam: the tar of the root filesystem."


class DebianInterpreterField(InterpreterField):
    help = softwrap(
        f"""
        {InterpreterField.help} Default: the CPython in the lock.
        """
    )


class DebianPythonVersionField(PythonVersionField):
    help = softwrap(
        f"""
        {PythonVersionField.help} Default: the version in the lock; another value is an error. It
        must be set with `python_archives`.
        """
    )


class DebianGlibcVersionField(GlibcVersionField):
    help = softwrap(
        f"""
        {GlibcVersionField.help} Default: the version in the lock; another value is an error.
        """
    )


class RegistryInterpreterField(InterpreterField):
    required = True
    value: str


class RegistryPythonVersionField(PythonVersionField):
    required = True
    value: str
    help = softwrap(
        f"""
        {PythonVersionField.help} It is compared with the image when the image is pulled.
        """
    )


class RegistryGlibcVersionField(GlibcVersionField):
    required = True
    value: str
    help = softwrap(
        f"""
        {GlibcVersionField.help} It is compared with the image when the image is pulled.
        """
    )


class StdlibBytecodeField(BoolField):
    alias = "stdlib_bytecode"
    default = True
    help = softwrap(
        """
        Whether OCI images get the bytecode of the standard library in a layer of its own if the
        base image has none, as is the case for official Python images. Without it, services compile
        the standard modules that they import at every start.
        """
    )


_DEBIAN_FIELDS = (
    DebianInterpreterField,
    DebianPythonVersionField,
    DebianGlibcVersionField,
    PlatformField,
    DebianPackagesField,
    DebianLockField,
    DebianGroupsField,
    DebianUsersField,
)
_REGISTRY_FIELDS = (
    RegistryInterpreterField,
    RegistryPythonVersionField,
    RegistryGlibcVersionField,
    PlatformField,
    StdlibBytecodeField,
)


class DebianRootfsTarget(Target):
    alias = "_debian_rootfs"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        *_DEBIAN_FIELDS,
        PythonArchivesField,
        RootfsSourcesField,
        Dependencies,
    )
    help = "The root filesystem of a `debian_base`, as one deterministic tar."


class BaseImageField(Field):
    alias = "_base_image"
    default = None
    help = "Marks the image of a base, as opposed to the base."


class BaseImageRootfsField(SpecialCasedDependencies):
    alias = "_rootfs"
    help = "The root filesystem of a `debian_base`, which the image contains."


class ImageReferenceField(StringField):
    alias = "image"
    value: str
    help = softwrap(
        """
        The image in a registry: name, exact tag and digest, such as
        `python:3.11.9-slim-bookworm@sha256:...`. OCI images require the digest. Docker images do
        not, but without it the base can change between two builds.
        `skopeo inspect docker://NAME:TAG` and `docker buildx imagetools inspect NAME:TAG` print
        the digest.
        """
    )


class BaseImageTarget(Target):
    alias = "_base_image"
    core_fields = (*COMMON_TARGET_FIELDS, BaseImageField, BaseImageRootfsField, Dependencies)
    help = softwrap(
        """
        The image of a base in a Docker Engine. For a `debian_base`, the tag identifies the content,
        so the image is built only if the engine does not have it. For a `registry_base`, it is the
        image that the base names, pulled when an image that starts from it is built.
        """
    )


class RegistryImageTarget(Target):
    alias = "_registry_image"
    core_fields = (*BaseImageTarget.core_fields, ImageReferenceField)
    help = BaseImageTarget.help


class DebianBaseTarget(TargetGenerator):
    alias = "debian_base"
    generated_target_cls = DebianRootfsTarget
    core_fields = (*COMMON_TARGET_FIELDS, *_DEBIAN_FIELDS, PythonArchivesField)
    copied_fields = core_fields
    moved_fields = ()
    help = softwrap(
        """
        A base image made of locked Debian packages. They are unpacked without maintainer scripts,
        root or a daemon.

        Generates `#rootfs`, the root filesystem as one deterministic tar, and `#image`, the image
        that Docker images start from.
        """
    )


class BuilderOnlyField(Field):
    alias = "_builder"
    default = None
    help = "Marks a root filesystem that wheels are built in, as opposed to a base."


class DebianBuilderTarget(TargetGenerator):
    alias = "debian_builder"
    generated_target_cls = DebianRootfsTarget
    core_fields = (*COMMON_TARGET_FIELDS, *_DEBIAN_FIELDS, BuilderOnlyField)
    copied_fields = (*COMMON_TARGET_FIELDS, *_DEBIAN_FIELDS)
    moved_fields = ()
    help = softwrap(
        """
        A root filesystem of locked Debian packages in which wheels with C, C++ or Rust are built,
        with CPython, its headers and compilers. It is created when the first such wheel is built,
        and never becomes an image. A `wheel_from_source` names it as its `builder`.

        Generates `#rootfs`, the root filesystem as one deterministic tar.
        """
    )


class RequiredImageReferenceField(ImageReferenceField):
    required = True

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        try:
            parse_reference(value or "")
        except Failure as error:
            raise InvalidFieldException(
                f"The `{cls.alias}` field in target {address} must be the name of an image:"
                f" {error}"
            ) from error
        return value


class RegistryBaseTarget(TargetGenerator):
    alias = "registry_base"
    generated_target_cls = BaseImageTarget
    core_fields = (*COMMON_TARGET_FIELDS, RequiredImageReferenceField, *_REGISTRY_FIELDS)
    copied_fields = COMMON_TARGET_FIELDS
    moved_fields = ()
    help = softwrap(
        """
        A base image from a registry. It must contain CPython and glibc, and is pulled only when an
        image that uses it is built.

        Generates `#image`, the image that Docker images start from.
        """
    )


# Generated files that go into a Docker build context unchanged.
LAYER_FILES = FileSourceField
