"""The extension point for documents about an image: files next to it, and attachments."""

from __future__ import annotations

from abc import ABCMeta
from dataclasses import dataclass
from typing import Any

from pants.engine.environment import EnvironmentName
from pants.engine.rules import collect_rules
from pants.engine.unions import UnionMembership, UnionRule, union
from pants.util.logging import LogLevel

from inseam.compat import concurrently, implicitly, polymorphic, rule
from inseam.formats.failure import Failure
from inseam.formats.oci.container import container_document
from inseam.formats.oci.documents import ImageDocument
from inseam.formats.oci.metadata import ImageMetadata
from inseam.rules.image.contents import ImageContents
from inseam.subsystem import InseamSubsystem


@union(in_scope_types=[EnvironmentName])
@dataclass(frozen=True)
class ImageDocumentRequest(metaclass=ABCMeta):
    """Asks for documents about an image for one platform.

    A backend registers a subclass as a member of this union, and a rule from that to
    `ImageDocuments`. Exporting, pruning and publishing then treat its documents like all others.
    """

    contents: ImageContents
    image: ImageMetadata
    """Has the digest that attachments refer to; its `documents` are empty."""


@dataclass(frozen=True)
class ImageDocuments:
    """Documents about an image."""

    documents: tuple[ImageDocument, ...]


@polymorphic
async def image_documents(
    request: ImageDocumentRequest, environment: EnvironmentName
) -> ImageDocuments:
    """Makes documents about an image."""
    raise NotImplementedError


async def documents_of(
    contents: ImageContents,
    image: ImageMetadata,
    membership: UnionMembership,
    inseam: InseamSubsystem,
) -> tuple[ImageDocument, ...]:
    """All documents about an image, sorted by path; raises Failure if two have the same path."""
    members = inseam.enabled(membership[ImageDocumentRequest])
    requests = [member(contents, image) for member in members]
    made = await concurrently(
        image_documents(**implicitly({request: ImageDocumentRequest})) for request in requests
    )
    found = [document for one in made for document in one.documents]
    paths = [document.path for document in found if document.path]
    for path in paths:
        if paths.count(path) > 1:
            raise Failure(f"{contents.target}: two documents have the path {path}.")
    return tuple(sorted(found, key=lambda one: (one.path, one.media_type, one.content)))


class ContainerDocument(ImageDocumentRequest):
    """Asks for `container.yaml`: how a container of the image runs on Kubernetes."""


@rule(desc="Write container.yaml", level=LogLevel.DEBUG)
async def write_container_document(request: ContainerDocument) -> ImageDocuments:
    image, contents = request.image, request.contents
    document = container_document(image.target, image.run, contents.probes, contents.config.env)
    return ImageDocuments((document,))


def rules() -> list[Any]:
    return [*collect_rules(), UnionRule(ImageDocumentRequest, ContainerDocument)]
