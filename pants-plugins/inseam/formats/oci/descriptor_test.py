from __future__ import annotations

from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.oci.descriptor import GZIP_LAYER, Descriptor, blob_path, parse_descriptor

DIGEST = "sha256:" + "a" * 64
BLOB = Descriptor(GZIP_LAYER, DIGEST, 5)


def test_a_descriptor_is_read_as_it_was_written() -> None:
    assert parse_descriptor(BLOB.value(), "here") == BLOB


def test_its_value_is_what_the_specification_asks_for() -> None:
    assert BLOB.value() == {"mediaType": GZIP_LAYER, "digest": DIGEST, "size": 5}


def test_a_blob_lies_under_its_digest() -> None:
    assert blob_path(Path("layout"), DIGEST).as_posix() == "layout/blobs/sha256/" + "a" * 64


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"digest": "sha256:12"}, "`digest` in here is not a sha256 digest: 'sha256:12'"),
        ({"digest": None}, "`digest` in here is not a sha256 digest: None"),
        ({"mediaType": 1}, "`mediaType` in here is not a media type"),
        ({"size": "5"}, "`size` in here is not a number of bytes"),
        ({"size": -1}, "`size` in here is not a number of bytes"),
        ({"size": True}, "`size` in here is not a number of bytes"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(Failure, match=complaint):
        parse_descriptor({**BLOB.value(), **change}, "here")


@pytest.mark.parametrize("data", [None, [], "text", {"digest": DIGEST, "size": 5}])
def test_what_is_not_a_descriptor_is_refused(data: object) -> None:
    with pytest.raises(Failure, match="here contains an invalid descriptor"):
        parse_descriptor(data, "here")
