"""Pushes the attachments of an image, which are artifacts with the image as their subject.

They are pushed before the image's tag is set. Registries with the referrers API (OCI
distribution-spec 1.1) list them by themselves. Other registries need a list under a tag, which
skopeo cannot write, because it does not support `artifactType`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from inseam.formats.failure import Failure
from inseam.formats.oci.descriptor import Descriptor, blob_path
from inseam.formats.oci.documents import DocumentEntry
from inseam.formats.oci.layout import INDEX, LAYOUT, LAYOUT_TEXT, digest_of, entry_files
from inseam.formats.oci.metadata import ImageMetadata
from inseam.tools.registry import Repository, Unanswered, authentication


def push_attachments(layout: Path, image: ImageMetadata, repository: Repository) -> None:
    """Pushes the attachments of an image, or of all images of an index, that the registry lacks.

    Raises Failure as `Repository.run` does, and if the registry does not return what was pushed.
    """
    missing = missing_attachments(image, repository)
    if not missing:
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for tag, attachment in _write(folder, layout, missing).items():
            name = repository.reference.by_digest(attachment.digest)
            repository.run(
                [
                    "copy",
                    "--preserve-digests",
                    "--retry-times=3",
                    *repository.tls("dest-"),
                    *authentication(),
                    f"oci:.:{tag}",
                    f"docker://{name}",
                ],
                folder=folder,
            )
    lost = missing_attachments(image, repository)
    if lost:
        raise Failure(
            f"the registry accepted the attachment {lost[0].path or lost[0].media_type}, but does"
            " not return it. Push again."
        )


def missing_attachments(image: ImageMetadata, repository: Repository) -> list[DocumentEntry]:
    """The attachments that the registry does not have."""
    return [
        entry
        for entry in image.every_document
        if entry.attachment is not None and not _has(entry.attachment, repository)
    ]


def _has(attachment: Descriptor, repository: Repository) -> bool:
    try:
        content = repository.manifest(repository.reference.by_digest(attachment.digest))
    except Unanswered:
        raise
    except Failure:
        return False  # It does not exist, or the push itself will report the error.
    return digest_of(content) == attachment.digest


def _write(folder: Path, layout: Path, entries: Sequence[DocumentEntry]) -> dict[str, Descriptor]:
    """Writes a layout with only attachments, whose blobs are links; returns attachments by tag."""
    blob_path(folder, "sha256:").mkdir(parents=True)
    tags: dict[str, Descriptor] = {}
    for number, entry in enumerate(entries):
        assert entry.attachment is not None
        tags[f"a{number}"] = entry.attachment
        for blob in entry.blobs:
            link = blob_path(folder, blob)
            if not link.is_symlink():
                link.symlink_to(blob_path(layout, blob).resolve())
    (first, *others) = tags.items()
    more = [(attachment, tag) for tag, attachment in others]
    files = entry_files(first[1], [f"attachment:{first[0]}"], more)
    (folder / LAYOUT).write_bytes(LAYOUT_TEXT)
    (folder / INDEX).write_bytes(files[INDEX])
    return tags
