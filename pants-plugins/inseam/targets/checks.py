"""Declares checks of images: `image_structure`."""

from __future__ import annotations

from typing import Iterable, Optional, Tuple, Union

from pants.core.goals.test import RuntimePackageDependenciesField, TestTimeoutField
from pants.engine.addresses import Address
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    BoolField,
    Dependencies,
    InvalidFieldTypeException,
    MultipleSourcesField,
    Tags,
    Target,
)
from pants.util.strutil import softwrap


class StructureImageField(RuntimePackageDependenciesField):
    alias = "image"
    required = True
    value: Tuple[str, ...]
    help = softwrap(
        """
        Address of the image to check: a `docker_image`, or the `#image` of a `python_service`. The
        image is built first.
        """
    )

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Union[str, Iterable[str]]], address: Address
    ) -> Optional[Tuple[str, ...]]:
        if raw_value is not None and not isinstance(raw_value, str):
            raise InvalidFieldTypeException(
                address, cls.alias, raw_value, expected_type="the address of one image"
            )
        return super().compute_value(None if raw_value is None else [raw_value], address)


class StructureConfigField(MultipleSourcesField):
    alias = "config"
    default = ("structure.yaml",)
    expected_file_extensions = (".yaml", ".yml", ".json")
    uses_source_roots = False
    help = softwrap(
        """
        The file with the checks, next to the BUILD file, or a list of several files. The format is
        that of container-structure-test: `schemaVersion: "2.0.0"` with `commandTests`,
        `fileExistenceTests`, `fileContentTests` and `metadataTest`.
        """
    )

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Union[str, Iterable[str]]], address: Address
    ) -> Optional[Tuple[str, ...]]:
        value = [raw_value] if isinstance(raw_value, str) else raw_value
        return super().compute_value(value, address)


class StructureTagsField(Tags):
    help = softwrap(
        """
        Arbitrary strings that describe the target. The tag `docker` is always added, so that
        `--tag=-docker` skips the target on a machine without a Docker Engine.
        """
    )

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Iterable[str]], address: Address
    ) -> Optional[Tuple[str, ...]]:
        value = super().compute_value(raw_value, address) or ()
        return value if "docker" in value else (*value, "docker")


class StructureTimeoutField(TestTimeoutField):
    pass


class SkipStructureTestField(BoolField):
    alias = "skip_tests"
    default = False
    help = "If true, do not run this check."


class ImageStructureTarget(Target):
    alias = "image_structure"
    core_fields = (
        *(field for field in COMMON_TARGET_FIELDS if field is not Tags),
        StructureTagsField,
        StructureImageField,
        StructureConfigField,
        StructureTimeoutField,
        SkipStructureTestField,
        Dependencies,
    )
    help = softwrap(
        """
        A check of an image's files, metadata and commands with container-structure-test. The goal
        `test` runs it in a Docker Engine and caches the result until the image's ID or the `config`
        changes.
        """
    )
