"""Declares how a wheel is built where sources alone do not say it: `wheel_from_source`."""

from __future__ import annotations

from typing import Iterable, Optional, Tuple

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
        Name of the distribution in the lock, like `mysqlclient`. It says how that one is built in
        every resolve that has no fitting wheel of it.
        """
    )


class BuilderField(StringField):
    alias = "builder"
    help = softwrap(
        """
        Address of the `debian_builder` whose packages hold the compilers and headers, like
        `//docker/builder:debian`. The build sees its files and nothing else, and nothing of them
        reaches an image. Its glibc must not be newer than that of the image's base. Default: none;
        the wheel is built by CPython alone, without a compiler, once for all platforms.
        """
    )


class BuilderGroupsField(StringSequenceField):
    alias = "builder_groups"
    default = ()
    value: Tuple[str, ...]
    help = "Groups of the builder's list of packages that this build needs besides `base`."


class BuildEnvField(DictStringToStringField):
    alias = "env"
    default = None
    value: Optional[FrozenDict[str, str]]
    help = softwrap(
        """
        Environment variables of the build, like `{"CFLAGS": "-O2"}`. In values, `{here}` is the
        folder of the build. Nothing of your own environment is there.
        """
    )


class ConfigSettingsField(StringSequenceField):
    alias = "config_settings"
    default = ()
    value: Tuple[str, ...]
    help = softwrap(
        """
        Settings for the build backend (PEP 517), like `["--build-option=--no-ssl"]`. A name that
        occurs several times has several values.
        """
    )

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Iterable[str]], address: Address
    ) -> Optional[Tuple[str, ...]]:
        value = super().compute_value(raw_value, address)
        for item in value or ():
            if "=" not in item:
                raise InvalidFieldException(
                    f"The `{cls.alias}` field in target {address} must hold `name=value`, but has"
                    f" {item!r}."
                )
        return value


class PatchesField(MultipleSourcesField):
    alias = "patches"
    default = ()
    uses_source_roots = False
    expected_file_extensions = (".patch", ".diff")
    help = softwrap(
        """
        Patches beside the BUILD file, applied to the sources in this order, as by `patch -p1`.
        """
    )


class BuildResolveField(StringField):
    alias = "build_resolve"
    help = softwrap(
        """
        The resolve with what this build requires, for one that needs other versions than the rest,
        like an old setuptools. Default: `[inseam].build_resolve`.
        """
    )


class WheelDependenciesField(Dependencies):
    help = softwrap(
        """
        Targets that own what else the wheel is built from, like the `files` of a project in the
        repository that the lock names as a directory. It decides nothing but what
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
        How the wheel of a distribution is built from the sources that the lock has. Sources of pure
        Python need no declaration.
        """
    )
