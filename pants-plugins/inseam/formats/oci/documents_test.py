from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inseam.formats.failure import Failure
from inseam.formats.oci.descriptor import Descriptor, blob_path
from inseam.formats.oci.documents import (
    EMPTY,
    DocumentEntry,
    ImageDocument,
    document_value,
    entry_of,
    parse_document,
    referrers,
    referrers_tag,
)
from inseam.formats.oci.layout import INDEX_TYPE, MANIFEST_TYPE, digest_of
from inseam.formats.oci.metadata import read_metadata
from inseam.formats.oci.oci_testing import make_base, make_image, make_index, make_service

IMAGE = Descriptor(MANIFEST_TYPE, "sha256:" + "a" * 64, 100)
BILL = ImageDocument("application/vnd.example+json", b'{"a":1}', "bill.json", attached=True)
NOTE = ImageDocument("text/plain", b"hello\n", "notes/read.txt")


def blob(layout: Path, digest: str) -> Any:
    return json.loads(blob_path(layout, digest).read_bytes())


def test_an_attachment_is_an_artifact_whose_subject_is_the_image(tmp_path: Path) -> None:
    plain = make_service(tmp_path / "plain")
    layout = make_service(tmp_path / "documented", documents=[BILL, NOTE])
    image = read_metadata(layout)
    assert image.digest == read_metadata(plain).digest
    bill, note = image.documents[1:]
    assert note.attachment is None
    assert bill.attachment is not None
    manifest = blob(layout, bill.attachment.digest)
    assert manifest["artifactType"] == BILL.media_type
    assert manifest["subject"] == image.descriptor.value()
    assert manifest["config"] == EMPTY.descriptor.value()
    (layer,) = manifest["layers"]
    assert layer["digest"] == bill.digest == digest_of(BILL.content)
    assert layer["annotations"] == {"org.opencontainers.image.title": "bill.json"}
    assert blob_path(layout, bill.digest).read_bytes() == BILL.content
    assert blob_path(layout, EMPTY.digest).read_bytes() == b"{}"
    assert (layout / "bill.json").read_bytes() == BILL.content
    assert (layout / "notes/read.txt").read_bytes() == NOTE.content


def test_a_layout_lists_its_attachments_by_the_tag_of_its_image(tmp_path: Path) -> None:
    layout = make_service(tmp_path, documents=[BILL])
    image = read_metadata(layout)
    first, second = json.loads((layout / "index.json").read_bytes())["manifests"]
    assert first["digest"] == image.digest
    assert second["annotations"] == {
        "org.opencontainers.image.ref.name": f"sha256-{image.digest[7:]}"
    }
    assert second["mediaType"] == INDEX_TYPE
    (listed,) = blob(layout, second["digest"])["manifests"]
    assert listed["artifactType"] == BILL.media_type
    assert image.documents[1].attachment is not None
    assert listed["digest"] == image.documents[1].attachment.digest
    assert referrers_tag(image.digest) == f"sha256-{image.digest[7:]}"


def test_an_image_without_attachments_has_one_entry(tmp_path: Path) -> None:
    layout = make_service(tmp_path, documents=[NOTE])
    assert len(json.loads((layout / "index.json").read_bytes())["manifests"]) == 1


def test_the_order_of_documents_does_not_change_the_list_of_attachments() -> None:
    other = BILL._replace(content=b"2", path="")
    entries = [entry_of(one, IMAGE) for one in (BILL, other, NOTE)]
    assert referrers(entries) == referrers(entries[::-1])


def test_documents_of_an_index_lie_beside_it_once_or_by_platform(tmp_path: Path) -> None:
    folders = []
    for platform in ("linux/arm64", "linux/amd64"):
        folder = tmp_path / platform.replace("/", "-")
        make_base(folder / "base", platform=platform)
        own = ImageDocument("text/plain", platform.encode(), "which.txt", attached=True)
        make_image(folder, base=folder / "base", documents=[NOTE, own])
        folders.append(folder)
    image = make_index("src/app:app", folders, tmp_path / "index")
    index = tmp_path / "index"
    assert (index / "notes/read.txt").read_bytes() == NOTE.content
    assert (index / "linux-arm64/which.txt").read_bytes() == b"linux/arm64"
    assert not (index / "which.txt").exists()
    assert {entry.path for entry in image.every_document} == {
        "container.yaml",
        "linux-amd64/which.txt",
        "linux-arm64/which.txt",
        "notes/read.txt",
    }
    tags = [
        entry["annotations"]["org.opencontainers.image.ref.name"]
        for entry in json.loads((index / "index.json").read_bytes())["manifests"]
        if "annotations" in entry
    ]
    assert tags == [referrers_tag(one.digest) for one in image.images]


def test_an_entry_is_read_as_it_was_written() -> None:
    for document in (BILL, NOTE, BILL._replace(path="", describes_base=False)):
        entry = entry_of(document, IMAGE)
        assert parse_document(json.loads(json.dumps(document_value(entry))), "x") == entry


ENTRY = document_value(DocumentEntry("text/plain", "sha256:" + "b" * 64, 3, "a.txt"))


@pytest.mark.parametrize(
    "change",
    [
        {"path": "../a"},
        {"path": "/a"},
        {"path": "a//b"},
        {"path": "blobs/a"},
        {"path": "index.json"},
        {"path": "oci-layout"},
        {"path": "image.json"},
        {"path": ".hidden"},
        {"path": "a\nb"},
        {"path": "a" * 300},
        {"path": 7},
        {"digest": "sha256:0"},
        {"size": -1},
        {"media_type": None},
        {"attachment": {"digest": "x"}},
        {"attachment": 3},
    ],
)
def test_what_is_no_entry_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Failure):
        parse_document({**ENTRY, **change}, "image.json")


@pytest.mark.parametrize("value", [None, [], "x", {}, {"path": "a"}])
def test_other_values_are_refused(value: Any) -> None:
    with pytest.raises(Failure):
        parse_document(value, "image.json")
