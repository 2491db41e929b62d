"""Pushes an image from its layout to a registry.

If the registry already has the name with this digest, one request is enough. Otherwise, missing
blobs are sent, then the manifest by its digest, which is read back, then the image's attachments.
The tag is set only if all of that succeeds. So an interrupted push leaves no tag on an incomplete
image, and the next one sends what is still missing. Blobs that another repository in the registry
is known to have are mounted from there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable

from inseam.formats.failure import Failure
from inseam.formats.oci.descriptor import blob_path
from inseam.formats.oci.layout import INDEX, LAYOUT, digest_of
from inseam.formats.oci.metadata import ImageMetadata, read_packaged
from inseam.formats.oci.reference import parse_reference
from inseam.tools.attachments import missing_attachments, push_attachments
from inseam.tools.registry import STALL, Repository, Unanswered, authentication
from inseam.tools.store import blobs_of, missing, unmark_damaged

_UPLOADED = re.compile(r"Upload of layer (sha256:[0-9a-f]{64}) complete")
_MOUNTED = re.compile(r"Trying to mount .*mount=(sha256)%3A([0-9a-f]{64})")
_MOUNT_DONE = "... mount OK"


@dataclass(frozen=True)
class Pushed:
    """The result of a push to one name."""

    reference: str
    """Name and digest."""
    unchanged: bool
    """Whether everything was there already."""
    sent: dict[str, int]
    """Blobs that were sent, with their sizes in bytes."""
    mounted: tuple[str, ...] = ()
    """Blobs that were mounted from another repository in the registry."""

    @property
    def sent_bytes(self) -> int:
        """Bytes of the blobs that were sent, without manifests and requests."""
        return sum(self.sent.values())


def push(layout: Path, *, timeout: float = STALL) -> list[Pushed]:
    """Pushes the image in `layout` under each of the names in its `image.json`.

    timeout: seconds to wait for each response of the registry.

    Raises Failure as `Repository.run` does, for an incomplete image, and if the registry does not
    return what was pushed.
    """
    image = read_packaged(layout)
    names = [parse_reference(reference) for reference in image.references]
    if not names:
        raise Failure(
            f"{image.target}: the image has no name to push it under. Set the `repository` and"
            " `registries` of its target."
        )
    try:
        return [_push(layout, image, Repository(name, timeout)) for name in names]
    except Failure as error:
        damaged = [] if isinstance(error, Unanswered) else unmark_damaged(layout, blobs_of(image))
        if damaged:
            raise Failure(
                f"{image.target}: {', '.join(damaged)} in {layout} is damaged, so it was not"
                " pushed. Package the image again, which replaces it."
            ) from error
        raise error.with_text(f"{image.target}: {error}") from error


def _push(layout: Path, image: ImageMetadata, repository: Repository) -> Pushed:
    result = repository.reference.by_digest(image.digest)
    tagged = repository.reference.by_tag()
    there = _remote_digest(tagged, repository) == image.digest
    if there and not missing_attachments(image, repository):
        return Pushed(result, True, {})
    _check_complete(layout, image)
    log: tuple[str, ...] = ()
    log += _copy(layout, image, result, repository)
    _verify(image, result, repository)
    push_attachments(layout, image, repository)
    log += _copy(layout, image, tagged, repository)
    _verify(image, tagged, repository)
    sent = [match[1] for match in map(_UPLOADED.match, log) if match]
    blobs = {digest: blob_path(layout, digest).stat().st_size for digest in sent}
    return Pushed(result, False, blobs, tuple(_mounted(log)))


def _mounted(log: Iterable[str]) -> Iterable[str]:
    digest = ""
    for message in log:
        match = _MOUNTED.match(message)
        if match:
            digest = f"{match[1]}:{match[2]}"
        elif message == _MOUNT_DONE and digest:
            yield digest


def _remote_digest(name: str, repository: Repository) -> str | None:
    """The digest of a name in the registry; None if it does not exist or is unknown."""
    try:
        return digest_of(repository.manifest(name))
    except Unanswered:
        raise
    except Failure:
        return None  # Any other problem will also occur in the push itself, which reports it.


def _check_complete(layout: Path, image: ImageMetadata) -> None:
    for name in (INDEX, LAYOUT):
        if not (layout / name).is_file():
            raise Failure(
                f"{layout} is not an OCI image layout: it has no file {name}. Package the image"
                " again."
            )
    lacking = missing(layout, blobs_of(image).items())
    if lacking:
        raise Failure(
            f"the image in {layout} is incomplete: {', '.join(lacking)} is missing. Package it"
            " again."
        )


def _copy(layout: Path, image: ImageMetadata, name: str, repository: Repository) -> tuple[str, ...]:
    sizes = [size for size in blobs_of(image).values() if size is not None]
    # A layout with attachments has several entries; the image is the one with the name.
    first = parse_reference(image.references[0])
    source = f"oci:.:{first.tag or 'latest'}" if _has_attachments(image) else "oci:."
    return repository.run(
        [
            "copy",
            "--preserve-digests",
            "--retry-times=3",
            *(["--all"] if image.images else []),
            *repository.tls("dest-"),
            *authentication(),
            source,
            f"docker://{name}",
        ],
        largest=max(sizes),
        folder=layout,
    ).log


def _has_attachments(image: ImageMetadata) -> bool:
    return any(entry.attachment for entry in image.every_document)


def _verify(image: ImageMetadata, name: str, repository: Repository) -> None:
    found = digest_of(repository.manifest(name))
    if found != image.digest:
        raise Failure(
            f"the image {image.digest} was pushed, but the registry returns {found} for {name}."
            " Push again. If that does not help, check for a proxy that changes requests or"
            " responses."
        )


def summary(image: ImageMetadata, pushed: Pushed) -> str:
    """A sentence about a push, for users."""
    if pushed.unchanged:
        return f"{pushed.reference}: the registry already has it."
    blobs = blobs_of(image)
    mounted = f", {len(pushed.mounted)} mounted" if pushed.mounted else ""
    return (
        f"{pushed.reference}: sent {pushed.sent_bytes} bytes, {len(pushed.sent)} of"
        f" {len(blobs) - 1 - len(image.images)} blobs{mounted}."
    )
