"""Makes an image index, one image for several platforms, from existing images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from inseam.formats.failure import Failure
from inseam.formats.oci.config import parse_platform
from inseam.formats.oci.descriptor import BLOBS
from inseam.formats.oci.documents import referrers, referrers_tag
from inseam.formats.oci.layout import document_files, entry_files, index
from inseam.formats.oci.metadata import METADATA, ImageMetadata, dump_metadata, load_metadata

_Image = tuple[Mapping[str, bytes], ImageMetadata]


def index_files(
    target: str, images: Iterable[Mapping[str, bytes]], *, references: Sequence[str] = ()
) -> dict[str, bytes]:
    """The index of the images whose files, as of `assemble.image_files`, are given.

    Returns content by path: `oci-layout`, `index.json`, the blobs of the index and of the images'
    manifests, configurations and attachments, `image.json` (`ImageMetadata`), and their documents.
    A document that is the same for all platforms keeps its path; otherwise, each platform's is in a
    folder with the platform's name, such as `linux-arm64/container.yaml`. The index is sorted by
    the platforms' names, whatever the order of the images.

    Raises Failure for two images for the same platform, and for an image that is an index itself.
    """
    chosen = _by_platform(target, images)
    placed, documents = _place_documents(chosen)
    blob = index(
        (
            {**image.descriptor.value(), "platform": parse_platform(image.platform).fields()}
            for image in placed
        ),
        {},
    )
    metadata = ImageMetadata(
        target=target,
        references=tuple(references),
        digest=blob.digest,
        media_type=blob.media_type,
        size=blob.size,
        images=tuple(placed),
    )
    found = {
        path: content
        for files, _ in chosen
        for path, content in files.items()
        if path.startswith(f"{BLOBS}/")
    }
    found.update(document_files([blob]))
    attachments = [
        (referrers(image.documents).descriptor, referrers_tag(image.digest))
        for image in placed
        if any(entry.attachment for entry in image.documents)
    ]
    found.update(entry_files(metadata.descriptor, metadata.references, attachments))
    found[METADATA] = dump_metadata(metadata)
    return {**found, **documents}


def _by_platform(target: str, images: Iterable[Mapping[str, bytes]]) -> list[_Image]:
    """The images, sorted by the names of their platforms."""
    found: dict[str, _Image] = {}
    for files in images:
        image = load_metadata(files[METADATA])
        if image.images:
            raise Failure(
                f"{target}: {image.target} is an image index, but an index must contain images."
            )
        if image.platform in found:
            raise Failure(
                f"{target}: {found[image.platform][1].target} and {image.target} are both"
                f" for {image.platform}. An index can contain one image for each platform."
            )
        found[image.platform] = files, image
    return [found[platform] for platform in sorted(found)]


def _place_documents(chosen: Sequence[_Image]) -> tuple[list[ImageMetadata], dict[str, bytes]]:
    """The images, with the paths of their documents next to the index, and the documents by these
    paths.
    """
    held: dict[str, list[bytes]] = {}
    for files, image in chosen:
        for entry in image.documents:
            if entry.path:
                held.setdefault(entry.path, []).append(files[entry.path])
    common = {
        path
        for path, contents in held.items()
        if len(contents) == len(chosen) and len(set(contents)) == 1
    }
    placed, documents = [], {}
    for files, image in chosen:
        entries = []
        for entry in image.documents:
            path = entry.path
            if path and path not in common:
                path = f"{image.platform.replace('/', '-')}/{path}"
            if path:
                documents[path] = files[entry.path]
            entries.append(entry._replace(path=path))
        placed.append(image._replace(documents=tuple(entries)))
    return placed, documents
