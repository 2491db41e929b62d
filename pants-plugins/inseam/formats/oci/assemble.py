"""Makes an image of layers from their descriptors alone.

That is a few kilobytes of JSON, so no process is started for it: rules and other programs call it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from inseam.formats.failure import Failure
from inseam.formats.files import write_files
from inseam.formats.oci.config import (
    EPOCH,
    ImageConfig,
    Platform,
    Runtime,
    base_history,
    configuration,
    dump_config,
    parse_platform,
    parse_runtime,
)
from inseam.formats.oci.documents import (
    ImageDocument,
    attachment_blobs,
    entry_of,
    referrers,
    referrers_tag,
)
from inseam.formats.oci.foreign import read_configuration
from inseam.formats.oci.layer import Layer
from inseam.formats.oci.layout import (
    CONFIG_TYPE,
    Document,
    document_files,
    entry_files,
    json_document,
    layer_entry,
    manifest,
    read_blob,
)
from inseam.formats.oci.metadata import (
    METADATA,
    BaseReference,
    ImageMetadata,
    RunHints,
    dump_metadata,
    read_metadata,
)

MAX_LAYERS = 127  # the maximum that Docker's overlay2 can mount

# Where Python's tempfile and multiprocessing write.
TEMPORARY = "/tmp"

BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"
# For `rebase`: the ImageConfig, and the number of layers that belong to the base.
OWN_CONFIG = "org.inseam.config"
BASE_LAYERS = "org.inseam.base.layers"


class BaseImage(NamedTuple):
    """An image on which others are built: its metadata and its configuration."""

    metadata: ImageMetadata
    configuration: Mapping[str, Any]


class Assembled(NamedTuple):
    """An image without the bytes of its layers."""

    metadata: ImageMetadata
    manifest: Document
    configuration: Document


def read_base(folder: Path) -> BaseImage:
    """Reads the image in `folder`, which must contain `image.json` and the blob of its
    configuration; raises Failure otherwise.
    """
    metadata = read_metadata(folder)
    if metadata.images:
        platforms = ", ".join(image.platform for image in metadata.images)
        raise Failure(
            f"{folder} is an image index for {platforms}, but a base must be an image for one"
            " platform."
        )
    content = read_blob(folder, metadata.config_digest)
    return BaseImage(metadata, read_configuration(content, f"the configuration in {folder}"))


def with_layer(base: BaseImage, layer: Layer) -> tuple[BaseImage, Document]:
    """A base with another layer on top, which images on it also have, and its configuration.

    It keeps the digest by which the registry knows the base.
    """
    below = base.metadata.layers
    step = {"created": EPOCH, "created_by": f"inseam {layer.name}"}
    rootfs = base.configuration["rootfs"]
    value = {
        **base.configuration,
        "rootfs": {**rootfs, "diff_ids": [*rootfs["diff_ids"], layer.diff_id]},
        "history": [*base_history(base.configuration, below), step],
    }
    document = json_document(CONFIG_TYPE, value)
    metadata = base.metadata._replace(layers=(*below, layer), config_digest=document.digest)
    return BaseImage(metadata, value), document


def assemble(
    target: str,
    config: ImageConfig,
    layers: Sequence[Layer],
    *,
    references: Sequence[str] = (),
    base: BaseImage | None = None,
    platform: Platform | None = None,
) -> Assembled:
    """The image of `layers`, lowest first, on `base`.

    platform: that of the image; None for the base's. Raises Failure if the two differ or neither
    exists, and for more layers than Docker can mount.
    """
    platform = _platform(target, base, platform)
    base_layers = base.metadata.layers if base else ()
    every = (*base_layers, *layers)
    _check_count(target, len(every))
    value = configuration(
        config,
        layers,
        platform=platform,
        base=base.configuration if base else {},
        base_layers=base_layers,
        runtime=base.metadata.runtime if base else Runtime(),
    )
    labels: Mapping[str, str] = value["config"].get("Labels", {})
    reference = BaseReference(_name(base.metadata), base.metadata.digest) if base else None
    blob = json_document(CONFIG_TYPE, value)
    annotations = _annotations(config, reference, len(base_layers))
    written = manifest(blob, [layer_entry(layer) for layer in every], annotations)
    metadata = ImageMetadata(
        target=target,
        references=tuple(references),
        digest=written.digest,
        media_type=written.media_type,
        size=written.size,
        config_digest=blob.digest,
        platform=str(platform),
        layers=every,
        base=reference,
        base_layers=len(base_layers),
        runtime=parse_runtime(labels),
        left_out_modules=base.metadata.left_out_modules if base else (),
        left_out_packages=base.metadata.left_out_packages if base else (),
        run=_hints(value["config"], config),
    )
    return Assembled(metadata, written, blob)


def _check_count(target: str, layers: int) -> None:
    """Raises Failure for more layers than Docker can mount."""
    if layers > MAX_LAYERS:
        raise Failure(
            f"{target}: the image would have {layers} layers, but Docker supports at most"
            f" {MAX_LAYERS}. Merge some of its `venv_layer` targets into one."
        )


def _hints(execution: Mapping[str, Any], config: ImageConfig) -> RunHints:
    """execution: the `config` in the image's configuration, which includes that of its base."""
    volumes = tuple(execution.get("Volumes") or ())
    return RunHints(
        execution.get("User") or "",
        tuple(execution.get("ExposedPorts") or ()),
        execution.get("StopSignal") or "",
        volumes,
        tuple(sorted({TEMPORARY, *volumes, *config.writable_dirs})),
    )


def _platform(target: str, base: BaseImage | None, platform: Platform | None) -> Platform:
    if base is None:
        if platform is None:
            raise Failure(f"{target}: an image without a base must declare its platform.")
        return platform
    below = parse_platform(base.metadata.platform)
    if platform is not None and platform != below:
        raise Failure(
            f"{target}: the image is for {platform}, but its base {base.metadata.target} is for"
            f" {below}. Choose a base for {platform}."
        )
    return below


def _name(image: ImageMetadata) -> str:
    return image.references[0] if image.references else ""


def _annotations(
    config: ImageConfig, base: BaseReference | None, base_layers: int
) -> dict[str, str]:
    found = {
        name: value
        for name, value in config.labels.items()
        if name.startswith("org.opencontainers.image.")
    }
    if base is not None:
        if base.name:
            found[BASE_NAME] = base.name
        found[BASE_DIGEST] = base.digest
        found[BASE_LAYERS] = str(base_layers)
        found[OWN_CONFIG] = json.dumps(dump_config(config), sort_keys=True, ensure_ascii=False)
    return {**found, **config.annotations}


def with_documents(image: Assembled, documents: Iterable[ImageDocument]) -> Assembled:
    """The image with these documents in its `image.json`; its digest stays the same."""
    entries = tuple(entry_of(document, image.metadata.descriptor) for document in documents)
    return image._replace(metadata=image.metadata._replace(documents=entries))


def image_files(image: Assembled, documents: Iterable[ImageDocument] = ()) -> dict[str, bytes]:
    """The files of an image except the blobs of its layers: contents by path.

    These are `oci-layout`, `index.json`, the manifest and the configuration below `blobs/sha256`,
    `image.json` (`ImageMetadata`), and the documents: next to the image, and as blobs of artifacts.
    Together with the blobs of the layers, they are an OCI image layout.
    """
    documents = tuple(documents)
    image = with_documents(image, documents)
    metadata = image.metadata
    blobs = [image.configuration, image.manifest]
    more = []
    attached = attachment_blobs(documents, metadata.descriptor)
    if attached:
        listed = referrers(metadata.documents)
        blobs += [*attached, listed]
        more.append((listed.descriptor, referrers_tag(metadata.digest)))
    return {
        **document_files(blobs),
        **entry_files(metadata.descriptor, metadata.references, more),
        METADATA: dump_metadata(metadata),
        **{document.path: document.content for document in documents if document.path},
    }


def write_image(image: Assembled, documents: Iterable[ImageDocument], out: Path) -> None:
    """Writes the files of an image to the folder `out`."""
    write_files(out, image_files(image, documents))
