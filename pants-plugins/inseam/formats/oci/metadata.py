"""Describes an image in a layout: the format of `image.json`, which is for deploy tools."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from inseam.formats.failure import Failure
from inseam.formats.files import parse_json, read_json
from inseam.formats.oci.config import Runtime, parse_runtime
from inseam.formats.oci.descriptor import Descriptor, check_digest
from inseam.formats.oci.documents import DocumentEntry, document_value, parse_document
from inseam.formats.oci.layer import Layer, layer_value, parse_layer
from inseam.formats.schema import is_string, list_of

METADATA = "image.json"


class BaseReference(NamedTuple):
    """The base of an image: its name in a registry, "" for none, and its digest."""

    name: str
    digest: str


class RunHints(NamedTuple):
    """How to run an image; () or "" for values that the image does not set."""

    user: str = ""
    """"UID" or "UID:GID"."""
    ports: tuple[str, ...] = ()
    """Each such as "8000/tcp"."""
    stop_signal: str = ""
    """Such as "SIGTERM"."""
    volumes: tuple[str, ...] = ()
    """Paths that the image declares as volumes."""
    writable: tuple[str, ...] = ()
    """Paths at which a container with a read-only root filesystem needs a tmpfs or a volume,
    including the volumes.
    """


class ImageMetadata(NamedTuple):
    """The metadata of an image."""

    target: str
    """The address of its target."""
    references: tuple[str, ...]
    """Its names, with tags."""
    digest: str
    """Digest of the manifest, or of the index if there are `images`."""
    media_type: str
    """Media type of the manifest or index."""
    size: int
    """Size in bytes of the manifest or index."""
    config_digest: str = ""
    """"" for an index."""
    platform: str = ""
    """Such as "linux/amd64"; "" for an index."""
    layers: tuple[Layer, ...] = ()
    """Lowest first; none for an index."""
    base: BaseReference | None = None
    base_layers: int = 0
    """The number of layers that belong to the base."""
    runtime: Runtime = Runtime()
    """What it provides to layers on top of it."""
    run: RunHints = RunHints()
    """How its containers run."""
    images: tuple[ImageMetadata, ...] = ()
    """For an index, one image per platform."""
    left_out_modules: tuple[str, ...] = ()
    """Modules of the standard library that its base leaves out."""
    left_out_packages: tuple[str, ...] = ()
    """Debian packages that its base leaves out."""
    documents: tuple[DocumentEntry, ...] = ()
    """Documents about it. For an index, they are in its images; here are only their paths."""

    @property
    def own_layers(self) -> tuple[Layer, ...]:
        """The layers on top of the base's."""
        return self.layers[self.base_layers :]

    @property
    def every_document(self) -> tuple[DocumentEntry, ...]:
        """Its documents and, for an index, those of its images."""
        inner = (entry for image in self.images for entry in image.every_document)
        return (*self.documents, *inner)

    @property
    def compressed_size(self) -> int:
        """Total size in bytes of the compressed layers."""
        return sum(layer.descriptor.size for layer in self.layers)

    @property
    def uncompressed_size(self) -> int | None:
        """Total size in bytes of the uncompressed layers; None if one of them is unknown."""
        total = 0
        for layer in self.layers:
            if layer.size is None:
                return None
            total += layer.size
        return total

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of the manifest or index."""
        return Descriptor(self.media_type, self.digest, self.size)


def _value(image: ImageMetadata) -> dict[str, Any]:
    value: dict[str, Any] = {
        "target": image.target,
        "references": list(image.references),
        "digest": image.digest,
        "media_type": image.media_type,
        "size": image.size,
        "documents": [document_value(entry) for entry in image.documents],
    }
    if image.images:
        return {**value, "images": [_value(inner) for inner in image.images]}
    return {
        **value,
        "config_digest": image.config_digest,
        "platform": image.platform,
        "layers": [layer_value(layer) for layer in image.layers],
        "base": image.base and image.base._asdict(),
        "base_layers": image.base_layers,
        "runtime": image.runtime.labels(),
        "left_out_modules": list(image.left_out_modules),
        "left_out_packages": list(image.left_out_packages),
        "run": image.run._asdict(),
        "compressed_size": image.compressed_size,
        "uncompressed_size": image.uncompressed_size,
    }


def dump_metadata(image: ImageMetadata) -> bytes:
    """The text of `image.json`."""
    return (json.dumps(_value(image), indent=2, ensure_ascii=False) + "\n").encode()


def read_metadata(folder: Path) -> ImageMetadata:
    """Reads the folder's `image.json`; raises Failure if it is missing or damaged."""
    path = folder / METADATA
    return _parse(read_json(path), str(path))


def read_packaged(layout: Path) -> ImageMetadata:
    """The same for a layout in `dist`; the error says what to type."""
    try:
        return read_metadata(layout)
    except Failure as error:
        raise error.with_text(f"{error}\nPackage the image again, which replaces it.") from None


def load_metadata(text: bytes) -> ImageMetadata:
    """Reads the text of an `image.json`; raises Failure for anything else."""
    return _parse(parse_json(text, METADATA), METADATA)


def _parse(data: Any, what: str) -> ImageMetadata:
    try:
        fields = dict(data)
        fields.pop("compressed_size", None)
        fields.pop("uncompressed_size", None)
        for name in ("references", "left_out_modules", "left_out_packages"):
            # A string would become a tuple of its characters.
            if not list_of(is_string)(fields.get(name, [])):
                raise Failure(f"{what} does not describe an image: `{name}` is not a list of texts")
            fields[name] = tuple(fields.get(name, ()))
        fields["documents"] = tuple(
            parse_document(one, what) for one in fields.get("documents", ())
        )
        fields["layers"] = tuple(parse_layer(layer, what) for layer in fields.get("layers", ()))
        fields["images"] = tuple(_parse(image, what) for image in fields.get("images", ()))
        if fields.get("base"):
            fields["base"] = BaseReference(**fields["base"])
        fields["runtime"] = parse_runtime(fields.get("runtime", {}))
        hints: dict[str, Any] = {
            name: value if isinstance(value, str) else tuple(value)
            for name, value in (fields.get("run") or {}).items()
        }
        fields["run"] = RunHints(**hints)
        image = ImageMetadata(**fields)
    except (AttributeError, TypeError, ValueError, KeyError, RecursionError) as error:
        raise Failure(f"{what} does not describe an image: {error}") from None
    run = image.run
    texts = (
        *(image.target, image.media_type, image.platform, *image.references),
        *(*image.left_out_modules, *image.left_out_packages),
        *(run.user, run.stop_signal, *run.ports, *run.volumes, *run.writable),
        *(text for layer in image.layers for text in (layer.name, *chain(*layer.wheels))),
    )
    if not all(map(is_string, (*texts, *(image.base or ()), *image.runtime))):
        raise Failure(f"{what} does not describe an image: a name in it is not text")
    if not all(
        isinstance(number, int) and not isinstance(number, bool) and number >= 0
        for number in (image.size, image.base_layers)
    ):
        raise Failure(f"{what} does not describe an image: a size or count is not a number")
    if not all(layer.blob for layer in image.layers):
        raise Failure(f"{what} does not describe an image: a layer of it has no `blob`")
    check_digest(image.digest, f"`digest` in {what}")
    if not image.images:
        check_digest(image.config_digest, f"`config_digest` in {what}")
    return image
