"""Describes the documents of an image: files next to it, and artifacts attached to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from inseam.formats.failure import Failure
from inseam.formats.oci.descriptor import Descriptor, parse_descriptor
from inseam.formats.oci.layout import INDEX, LAYOUT, MANIFEST_TYPE, Document, index, json_document

# The configuration of an artifact that has none (OCI image-spec 1.1, manifest.md, "Guidance for an
# Empty Descriptor").
EMPTY = Document("application/vnd.oci.empty.v1+json", b"{}")
TITLE = "org.opencontainers.image.title"

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_RESERVED = {"blobs", "image.json", INDEX, LAYOUT}


class ImageDocument(NamedTuple):
    """A document about an image."""

    media_type: str
    content: bytes
    path: str = ""
    """Relative path next to the image, in its layout's folder; "" for none."""
    attached: bool = False
    """Whether it is pushed to registries as an artifact whose subject is the image."""
    describes_base: bool = True
    """Whether it describes the base, and so is wrong for the same layers on another base."""


class DocumentEntry(NamedTuple):
    """The entry in `image.json` for a document."""

    media_type: str
    digest: str
    """sha256 of the content."""
    size: int
    """Bytes of the content."""
    path: str = ""
    attachment: Descriptor | None = None
    """The descriptor of the artifact's manifest; None for a document that is not attached."""
    describes_base: bool = True

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of the content."""
        return Descriptor(self.media_type, self.digest, self.size)

    @property
    def blobs(self) -> dict[str, int]:
        """Digest and size of each blob of the artifact; empty for an unattached document."""
        if self.attachment is None:
            return {}
        blobs = (self.attachment, EMPTY.descriptor, self.descriptor)
        return {blob.digest: blob.size for blob in blobs}


def artifact(document: ImageDocument, subject: Descriptor) -> Document:
    """The manifest of an artifact that contains a document (OCI image-spec 1.1, manifest.md,
    "Artifact Usage"). The type of the artifact is that of the document.
    """
    layer = _blob(document).descriptor.value()
    if document.path:
        layer["annotations"] = {TITLE: document.path.rpartition("/")[2]}
    return json_document(
        MANIFEST_TYPE,
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": document.media_type,
            "config": EMPTY.descriptor.value(),
            "layers": [layer],
            "subject": subject.value(),
        },
    )


def _blob(document: ImageDocument) -> Document:
    return Document(document.media_type, document.content)


def entry_of(document: ImageDocument, subject: Descriptor) -> DocumentEntry:
    """The entry in `image.json` for a document of the image with the descriptor `subject`."""
    blob = _blob(document)
    attachment = artifact(document, subject).descriptor if document.attached else None
    return DocumentEntry(
        document.media_type,
        blob.digest,
        blob.size,
        document.path,
        attachment,
        document.describes_base,
    )


def attachment_blobs(documents: Iterable[ImageDocument], subject: Descriptor) -> list[Document]:
    """The blobs of the artifacts of all attached documents."""
    attached = [document for document in documents if document.attached]
    found = [EMPTY] if attached else []
    for document in attached:
        found += [_blob(document), artifact(document, subject)]
    return found


def referrers(entries: Sequence[DocumentEntry]) -> Document:
    """The index of an image's attachments, which is tagged in registries without the referrers API
    (OCI distribution-spec 1.1, "Referrers Tag Schema").
    """
    found = []
    for entry in entries:
        if entry.attachment is not None:
            found.append({**entry.attachment.value(), "artifactType": entry.media_type})
    return index(sorted(found, key=lambda value: value["digest"]), {})


def referrers_tag(digest: str) -> str:
    """The tag of that index, for the image with the digest `digest`."""
    return digest.replace(":", "-")


def document_value(entry: DocumentEntry) -> dict[str, Any]:
    """The JSON value of an entry."""
    value = entry._asdict()
    value["attachment"] = entry.attachment and entry.attachment.value()
    return value


def parse_document(data: Any, what: str) -> DocumentEntry:
    """Reads the JSON value of an entry; raises Failure, naming `what`, for anything else."""
    try:
        found = dict(data)
        content = parse_descriptor(
            {"mediaType": found["media_type"], **{key: found[key] for key in ("digest", "size")}},
            what,
        )
        attachment = found.get("attachment")
        entry = DocumentEntry(
            *content,
            check_document_path(found.get("path", ""), what),
            None if attachment is None else parse_descriptor(attachment, what),
            found.get("describes_base", True) is not False,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Failure(f"{what} does not describe a document: {error}") from None
    return entry


def check_document_path(path: object, what: str) -> str:
    """Returns `path` if a document of an image may have it; raises Failure otherwise."""
    if path == "":
        return ""
    if not isinstance(path, str) or len(path) > 255:
        raise Failure(f"{what} does not describe a document: its path is {path!r:.300}")
    parts = path.split("/")
    if not all(map(_PART.fullmatch, parts)) or parts[0] in _RESERVED:
        raise Failure(
            f"{what} describes a document at {json.dumps(path)}, where none may be. A path has"
            " letters, digits and `._+-`, and does not start with `blobs`."
        )
    return path
