"""Makes an image index, one image for several platforms, of images that are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from inseam.formats.failure import Failure
from inseam.formats.oci.config import parse_platform
from inseam.formats.oci.container import CONTAINER
from inseam.formats.oci.descriptor import BLOBS
from inseam.formats.oci.layout import document_files, entry_files, index
from inseam.formats.oci.metadata import METADATA, ImageMetadata, dump_metadata, load_metadata


def index_files(
    target: str, images: Iterable[Mapping[str, bytes]], *, references: Sequence[str] = ()
) -> dict[str, bytes]:
    """The index of the images whose files, as of `assemble.image_files`, are given.

    Returns content by path: `oci-layout`, `index.json`, the blobs of the index and of the images'
    manifests and configurations, `image.json` (`ImageMetadata`), and the first one's
    `container.yaml`. The order in the index is that of the platforms' names, whatever that of the
    images.

    Raises Failure for two images of one platform, and for an image that is an index itself.
    """
    by_platform: dict[str, tuple[Mapping[str, bytes], ImageMetadata]] = {}
    for files in images:
        image = load_metadata(files[METADATA])
        if image.images:
            raise Failure(
                f"{target}: {image.target} is an image index, but an index must contain images."
            )
        if image.platform in by_platform:
            raise Failure(
                f"{target}: {by_platform[image.platform][1].target} and {image.target} are both"
                f" for {image.platform}. An index can contain one image for each platform."
            )
        by_platform[image.platform] = files, image
    chosen = [by_platform[platform] for platform in sorted(by_platform)]
    blob = index([(image.descriptor, parse_platform(image.platform)) for _, image in chosen], {})
    metadata = ImageMetadata(
        target=target,
        references=tuple(references),
        digest=blob.digest,
        media_type=blob.media_type,
        size=blob.size,
        images=tuple(image for _, image in chosen),
    )
    found = {
        path: content
        for files, _ in chosen
        for path, content in files.items()
        if path.startswith(f"{BLOBS}/")
    }
    found.update(document_files([blob]))
    found.update(entry_files(metadata.descriptor, metadata.references))
    found[METADATA] = dump_metadata(metadata)
    found[CONTAINER] = chosen[0][0][CONTAINER]
    return found
