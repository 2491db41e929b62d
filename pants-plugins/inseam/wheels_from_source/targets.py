"""Declares how to build a wheel whose sources alone do not say so: `wheel_from_source`."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, Optional, Tuple

from pants.engine.addresses import Address
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    Dependencies,
    DictStringToStringField,
    InvalidFieldException,
    MultipleSourcesField,
    StringField,
    StringSequenceField,
    Target,
)
from pants.util.frozendict import FrozenDict
from pants.util.strutil import softwrap


class DistributionField(StringField):
    alias = "distribution"
    required = True
    value: str
    help = softwrap(
        """
        Name of the distribution in the lock, such as `mysqlclient`. The declaration applies to
        every resolve that has no matching wheel for it.
        """
    )


class BuilderField(StringField):
    alias = "builder"
    help = softwrap(
        """
        Address of the `debian_builder` whose packages contain the compilers and headers, such as
        `//docker/builder:debian`. The build sees only the builder's files, and none of them reach
        an image. The builder's glibc must not be newer than that of the image's base. By default,
        the wheel is built by CPython alone, without a compiler, once for all platforms.
        """
    )


class BuilderGroupsField(StringSequenceField):
    alias = "builder_groups"
    default = ()
    value: Tuple[str, ...]
    help = "Groups in the builder's list of packages that this build needs in addition to `base`."


class BuildEnvField(DictStringToStringField):
    alias = "env"
    default = None
    value: Optional[FrozenDict[str, str]]
    help = softwrap(
        """
        Environment variables for the build, such as `{"CFLAGS": "-O2"}`. In values, `{here}` is the
        folder of the build. The build gets none of your own environment variables.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[Dict[str, str]], address: Address) -> Any:
        value = super().compute_value(raw_value, address)
        for name, text in (value or {}).items():
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or "\0" in text:
                raise InvalidFieldException(
                    f"The `{cls.alias}` field in target {address} has an invalid variable {name!r}."
                    " A name may contain letters, digits and underscores, and must not start with"
                    " a digit. A value must not contain a NUL character."
                )
        return value


class ConfigSettingsField(StringSequenceField):
    alias = "config_settings"
    default = ()
    value: Tuple[str, ...]
    help = softwrap(
        """
        Settings for the build backend (PEP 517), such as `["--build-option=--no-ssl"]`. A name that
        occurs several times has several values.
        """
    )

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Iterable[str]], address: Address
    ) -> Optional[Tuple[str, ...]]:
        value = super().compute_value(raw_value, address)
        for item in value or ():
            if "=" not in item or "\0" in item:
                raise InvalidFieldException(
                    f"The `{cls.alias}` field in target {address} must be like `name=value`, but"
                    f" has {item!r}."
                )
        return value


class PatchesField(MultipleSourcesField):
    alias = "patches"
    default = ()
    uses_source_roots = False
    expected_file_extensions = (".patch", ".diff")
    help = softwrap(
        """
        Patches next to the BUILD file, applied to the sources in this order, as by `patch -p1`.
        """
    )


class BuildResolveField(StringField):
    alias = "build_resolve"
    help = softwrap(
        """
        The resolve with the requirements of this build, if it needs other versions than the rest,
        such as an old setuptools. Default: `[inseam].build_resolve`.
        """
    )


class WheelDependenciesField(Dependencies):
    help = softwrap(
        """
        Targets that own other files from which the wheel is built, such as the `files` of a project
        in the repository that the lock names as a directory. They only affect what
        `--changed-since` finds.
        """
    )


class WheelFromSourceTarget(Target):
    alias = "wheel_from_source"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        DistributionField,
        BuilderField,
        BuilderGroupsField,
        BuildEnvField,
        ConfigSettingsField,
        PatchesField,
        BuildResolveField,
        WheelDependenciesField,
    )
    help = softwrap(
        """
        How the wheel of a distribution is built from the sources in the lock. Pure Python sources
        need no declaration.
        """
    )
