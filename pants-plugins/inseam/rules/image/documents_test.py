from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pants.engine.unions import UnionMembership, UnionRule

from inseam.compat import rule
from inseam.formats.failure import Failure
from inseam.formats.oci.documents import ImageDocument
from inseam.formats.oci.metadata import ImageMetadata
from inseam.rules.image.contents import ImageContents
from inseam.rules.image.contents_testing import contents
from inseam.rules.image.documents import (
    ContainerDocument,
    ImageDocumentRequest,
    ImageDocuments,
    documents_of,
    image_documents,
    write_container_document,
)
from inseam.rules.rule_testing import run_mocked

IMAGE = ImageMetadata("src/shop:app", (), "sha256:" + "0" * 64, "x/manifest", 1)


class One(ImageDocumentRequest):
    pass


class Two(ImageDocumentRequest):
    pass


@rule
async def gathered(of: ImageContents) -> ImageDocuments:
    membership = UnionMembership.from_rules(
        [UnionRule(ImageDocumentRequest, one) for one in (One, Two)]
    )
    options: Any = SimpleNamespace(enabled=tuple)
    return ImageDocuments(await documents_of(of, IMAGE, membership, options))


def made(**paths: str) -> tuple[ImageDocument, ...]:
    def make(request: ImageDocumentRequest, _: Any = None) -> ImageDocuments:
        path = paths[type(request).__name__]
        return ImageDocuments((ImageDocument("text/plain", path.encode(), path),))

    result: ImageDocuments = run_mocked(gathered, [contents()], {image_documents: make})
    return result.documents


def test_documents_are_in_the_order_of_their_paths() -> None:
    assert [one.path for one in made(One="b.txt", Two="a.txt")] == ["a.txt", "b.txt"]


def test_two_documents_at_one_path_are_an_error() -> None:
    with pytest.raises(Failure, match="src/shop:app: two documents have the path a.txt."):
        made(One="a.txt", Two="a.txt")


def test_how_a_container_runs_is_a_document_that_is_not_attached() -> None:
    request = ContainerDocument(contents(), IMAGE)
    (document,) = run_mocked(write_container_document, [request], {}).documents
    assert (document.path, document.attached) == ("container.yaml", False)
    assert not document.describes_base
