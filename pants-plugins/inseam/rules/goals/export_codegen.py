"""Rules of the goal `export-codegen`, and of Docker's build contexts: layers as files."""

from __future__ import annotations

from typing import Any

from pants.engine.fs import AddPrefix, MergeDigests, RemovePrefix
from pants.engine.rules import collect_rules
from pants.engine.target import GeneratedSources, GenerateSourcesRequest
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from inseam.compat import (
    add_prefix,
    concurrently,
    digest_to_snapshot,
    implicitly,
    merge_digests,
    remove_prefix,
    resolve_unparsed_address_inputs,
    rule,
)
from inseam.formats.oci.layer import LAYERS_FILE, dump_layers
from inseam.formats.python.code import LIBRARIES_LAYER, no_code
from inseam.rules.base.base import DebianRootRequest
from inseam.rules.generate.base import file_name, layers_folder, rootfs_folder, service_of
from inseam.rules.image.names import ImageNames, check_image_names
from inseam.rules.layers.code import CodeLayersRequest, code_layers
from inseam.rules.layers.layer import StoredLayer, tar_at_root
from inseam.rules.layers.rootfs import rootfs_layer
from inseam.rules.layers.service import ServiceRequest, dependency_layers
from inseam.rules.layers.wheels import SharedLayerRequest, shared_layer
from inseam.rules.programs.digests import written
from inseam.targets.base import LAYER_FILES, RootfsSourcesField
from inseam.targets.layer import (
    AppLayersField,
    AppSourcesField,
    LayersSourcesField,
    SharedLayerSourcesField,
)


async def _in_folder(
    folder: str, layers: tuple[StoredLayer, ...], files: dict[str, bytes]
) -> GeneratedSources:
    """The layers' tars, and other files, in a folder."""
    tars = await concurrently(tar_at_root(layer) for layer in layers)
    merged = await merge_digests(MergeDigests([*tars, await written(files)]))
    digest = await add_prefix(AddPrefix(merged, folder))
    return GeneratedSources(await digest_to_snapshot(digest))


class GenerateLayers(GenerateSourcesRequest):
    input = LayersSourcesField
    output = LAYER_FILES


@rule(desc="Export layers", level=LogLevel.DEBUG)
async def generate_layers(request: GenerateLayers) -> GeneratedSources:
    address = request.protocol_target.address
    service = ServiceRequest(address)
    dependencies = await dependency_layers(service, **implicitly())
    code = await code_layers(CodeLayersRequest(service), **implicitly())
    layers = (*dependencies.layers, *code.layers)
    files = {LAYERS_FILE: dump_layers(layer.layer for layer in layers)}
    return await _in_folder(layers_folder(service_of(address)), layers, files)


class GenerateAppLayer(GenerateSourcesRequest):
    input = AppSourcesField
    output = LAYER_FILES
    exportable = False


@rule(desc="Make the layers of code for a build context", level=LogLevel.DEBUG)
async def generate_app_layer(request: GenerateAppLayer, names: ImageNames) -> GeneratedSources:
    address = request.protocol_target.address
    # `#image` has the names of `#oci`, if there is one.
    for name in ("oci", "image"):
        check_image_names(service_of(address).create_generated(name), names)
    addresses = await resolve_unparsed_address_inputs(
        request.protocol_target[AppLayersField].to_unparsed_address_inputs(), **implicitly()
    )
    code = await code_layers(CodeLayersRequest(ServiceRequest(addresses[0])), **implicitly())
    # The Dockerfile adds both layers: it is written before it is known whether both exist.
    files = {f"{LIBRARIES_LAYER}.tar": no_code()} if len(code.layers) == 1 else {}
    return await _in_folder(layers_folder(service_of(address)), code.layers, files)


class GenerateSharedLayer(GenerateSourcesRequest):
    input = SharedLayerSourcesField
    output = LAYER_FILES


@rule(desc="Export a shared layer", level=LogLevel.DEBUG)
async def generate_shared_layer(request: GenerateSharedLayer) -> GeneratedSources:
    address = request.protocol_target.address
    shared = await shared_layer(SharedLayerRequest(address), **implicitly())
    folder = f"{address.spec_path or '.'}/{file_name(address)}"
    files = {LAYERS_FILE: dump_layers([shared.layer.layer])}
    return await _in_folder(folder, (shared.layer,), files)


class GenerateRootfs(GenerateSourcesRequest):
    input = RootfsSourcesField
    output = LAYER_FILES


@rule(desc="Export a root filesystem", level=LogLevel.DEBUG)
async def generate_rootfs(request: GenerateRootfs) -> GeneratedSources:
    address = request.protocol_target.address
    made = await rootfs_layer(DebianRootRequest(address), **implicitly())
    content = await remove_prefix(RemovePrefix(made.layer.digest, made.layer.folder))
    digest = await add_prefix(AddPrefix(content, rootfs_folder(service_of(address))))
    return GeneratedSources(await digest_to_snapshot(digest))


def rules() -> list[Any]:
    return [
        *collect_rules(),
        UnionRule(GenerateSourcesRequest, GenerateLayers),
        UnionRule(GenerateSourcesRequest, GenerateAppLayer),
        UnionRule(GenerateSourcesRequest, GenerateSharedLayer),
        UnionRule(GenerateSourcesRequest, GenerateRootfs),
    ]
