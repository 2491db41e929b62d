"""Declares layers: `venv_layer`, and what a service's own layers are made of."""

from __future__ import annotations

from typing import Tuple

from pants.backend.python.target_types import PythonResolveField
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    AsyncFieldMixin,
    BoolField,
    Dependencies,
    SourcesField,
    SpecialCasedDependencies,
    StringField,
    StringSequenceField,
    Target,
)
from pants.util.strutil import softwrap

from inseam.targets.container import InitField


class LayersSourcesField(SourcesField):
    alias = "_sources"
    expected_num_files = 0
    uses_source_roots = False
    default = None
    help = "Made by Inseam: the layers' tars and `layers.json`."


class LayersServiceField(SpecialCasedDependencies):
    alias = "_service"
    help = softwrap(
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
    help = softwrap(
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
    help = softwrap(
        """
        The image that a service's `#image` starts from: its base with all layers below its code.
        Its tag says what is in it, so it is built only where the Docker engine lacks it.
        """
    )


class LayerRequirementsField(StringSequenceField):
    alias = "requirements"
    required = True
    value: Tuple[str, ...]
    help = softwrap(
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
    help = softwrap(
        """
        A layer of wheels that services share: those that list it in `layers` have it as it is,
        and only the rest of their wheels in their own. Its bytes depend on the lock and on this
        declaration, never on who uses it. It has the name of this target, which must differ from
        those of an image's other layers.
        """
    )
