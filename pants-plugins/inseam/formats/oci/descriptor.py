"""Points to content by digest: OCI descriptors, and the paths of blobs in a layout."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from inseam.formats.failure import Failure

BLOBS = "blobs/sha256"

TAR_LAYER = "application/vnd.oci.image.layer.v1.tar"
GZIP_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ZSTD_LAYER = "application/vnd.oci.image.layer.v1.tar+zstd"

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Descriptor(NamedTuple):
    """A reference to a blob (OCI image-spec 1.1, descriptor.md); size in bytes."""

    media_type: str
    digest: str
    size: int

    def value(self) -> dict[str, Any]:
        """Its JSON value."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


def parse_descriptor(data: Any, what: str) -> Descriptor:
    """Reads the JSON value of a descriptor; raises Failure, naming `what`, for anything else."""
    try:
        found = Descriptor(data["mediaType"], data["digest"], data["size"])
    except (TypeError, LookupError):
        raise Failure(f"{what} contains an invalid descriptor: {data!r}") from None
    check_digest(found.digest, f"`digest` in {what}")
    if not isinstance(found.media_type, str):
        raise Failure(f"`mediaType` in {what} is not a media type: {found.media_type!r}")
    if not isinstance(found.size, int) or isinstance(found.size, bool) or found.size < 0:
        raise Failure(f"`size` in {what} is not a number of bytes: {found.size!r}")
    return found


def check_digest(digest: object, what: str) -> str:
    """Returns `digest` if it has the form of a sha256 digest; raises Failure otherwise."""
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise Failure(f"{what} is not a sha256 digest: {digest!r}")
    return digest


def blob_path(folder: Path, digest: str) -> Path:
    """The path of a blob in an OCI layout (image-layout.md, "Blobs")."""
    return folder / BLOBS / digest[len("sha256:") :]
