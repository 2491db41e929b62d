from __future__ import annotations

import copy
import json
from typing import Any, Callable, Mapping

import pytest

from inseam.formats.failure import Failure
from inseam.formats.oci.config import parse_config
from inseam.formats.oci.foreign import read_configuration, read_index, read_manifest
from inseam.formats.oci.layer import load_layer, load_layers
from inseam.formats.oci.metadata import load_metadata

DIGEST = "sha256:" + "a" * 64
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": DIGEST, "size": 1}
MANIFEST: dict[str, Any] = {
    "schemaVersion": 2,
    "config": {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": DIGEST,
        "size": 1,
    },
    "layers": [{**LAYER, "annotations": {"a": "b"}}],
}
INDEX: dict[str, Any] = {
    "manifests": [{**LAYER, "platform": {"os": "linux", "architecture": "amd64"}}, LAYER]
}
CONFIGURATION: dict[str, Any] = {
    "os": "linux",
    "architecture": "amd64",
    "rootfs": {"type": "layers", "diff_ids": [DIGEST]},
    "config": {"Env": ["A=b"], "Labels": None, "Cmd": ["x"], "User": "0"},
    "history": [{"created_by": "x"}],
}
Reader = Callable[[bytes, str], Mapping[str, Any]]


def test_documents_of_images_are_read() -> None:
    for read, value in (
        (read_manifest, MANIFEST),
        (read_index, INDEX),
        (read_configuration, CONFIGURATION),
    ):
        assert read(json.dumps(value).encode(), "x") == value


CASES: tuple[tuple[Reader, Any, tuple[Any, ...], list[Any]], ...] = (
    (read_manifest, MANIFEST, ("schemaVersion",), [1]),
    (read_manifest, MANIFEST, ("config",), [None, [], "x", {}, {**LAYER}]),
    (read_manifest, MANIFEST, ("config", "digest"), [None, 1, "x", DIGEST[:-1]]),
    (
        read_manifest,
        MANIFEST,
        ("config", "mediaType"),
        ["application/vnd.cncf.helm.config"],
    ),
    (read_manifest, MANIFEST, ("artifactType",), ["application/spdx+json", 1]),
    (read_manifest, MANIFEST, ("layers",), [None, {}, "x", [None], [[]], [{}]]),
    (read_manifest, MANIFEST, ("layers", 0, "size"), [True, -1, "1", None]),
    (read_manifest, MANIFEST, ("layers", 0, "annotations"), [[], "x", {"a": 1}]),
    (
        read_manifest,
        MANIFEST,
        ("layers", 0, "annotations", "org.inseam.uncompressed-size"),
        ["x", "", "-1", "9" * 30],
    ),
    (read_index, INDEX, ("manifests",), [None, {}, "x", [None], [{}]]),
    (read_index, INDEX, ("manifests", 0, "digest"), [None, "../x"]),
    (read_index, INDEX, ("manifests", 0, "platform"), ["x", [], 1]),
    (read_index, INDEX, ("manifests", 0, "platform", "os"), [1, [], {}]),
    (read_configuration, CONFIGURATION, ("os",), [None, "", 1, []]),
    (read_configuration, CONFIGURATION, ("architecture",), [None, "", {}]),
    (read_configuration, CONFIGURATION, ("rootfs",), [None, [], "x", {}]),
    (read_configuration, CONFIGURATION, ("rootfs", "diff_ids"), [None, "x", [1], ["x"]]),
    (read_configuration, CONFIGURATION, ("config",), [[], "x"]),
    (read_configuration, CONFIGURATION, ("config", "Env"), ["x", {}, [1]]),
    (read_configuration, CONFIGURATION, ("config", "Labels"), ["x", [], {"a": 1}]),
    (read_configuration, CONFIGURATION, ("history",), ["x", {}, [1]]),
)


@pytest.mark.parametrize(
    "read, value, path, bad",
    [(read, value, path, bad) for read, value, path, bads in CASES for bad in bads],
)
def test_what_is_not_of_an_image_is_a_failure(
    read: Reader, value: Any, path: tuple[Any, ...], bad: Any
) -> None:
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = bad
    with pytest.raises(Failure, match="the base"):
        read(json.dumps(changed).encode(), "the base x")


@pytest.mark.parametrize("content", [b"", b"[]", b"1", b'"x"', b"\xff", b"[" * 100_000])
def test_what_is_not_an_object_is_a_failure(content: bytes) -> None:
    for read in (read_manifest, read_index, read_configuration):
        with pytest.raises(Failure, match="the base x"):
            read(content, "the base x")


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"3", b"null", b"[]", b"{}", b'[{"name": "x"}]', b'{"layers": [1]}', b"[" * 99_999],
)
def test_our_own_files_are_read_with_the_same_care(text: bytes) -> None:
    with pytest.raises(Failure):
        load_layer(text)
    with pytest.raises(Failure):
        load_metadata(text)
    if text != b"[]":
        with pytest.raises(Failure):
            load_layers(text)


GOOD = {"name": "deps", "diff_id": DIGEST, "size": 1, "wheels": []}


@pytest.mark.parametrize(
    "change",
    [
        {"size": True},
        {"size": 1.0},
        {"size": -1},
        {"more": 1},
        {"name": 1},
        {"wheels": [{"name": 1, "version": "1", "sha256": "x"}]},
        {"wheels": {"a": 1}},
        {"blob": {**LAYER, "size": True}},
    ],
)
def test_a_layer_has_what_a_layer_has(change: dict[str, Any]) -> None:
    load_layer(json.dumps(GOOD).encode())
    with pytest.raises(Failure):
        load_layer(json.dumps({**GOOD, **change}).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"runtime": None},
        {"runtime": {"org.inseam.python": 3}},
        {"size": True},
        {"size": "1"},
        {"target": None},
        {"references": [1]},
        {"references": None},
        {"base": "x"},
        {"base": {"name": 1, "digest": DIGEST}},
        {"base_layers": -1},
        {"more": 1},
    ],
)
def test_an_image_has_what_an_image_has(change: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "target": "a:b",
        "references": [],
        "digest": DIGEST,
        "media_type": "x",
        "size": 1,
        "config_digest": DIGEST,
        "platform": "linux/amd64",
    }
    load_metadata(json.dumps(good).encode())
    with pytest.raises(Failure, match="image.json"):
        load_metadata(json.dumps({**good, **change}).encode())


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"x": 1},
        {"user": 1},
        {"env": []},
        {"env": {"A": 1}},
        {"cmd": [1]},
        {"ports": 3},
        {"healthcheck": {}},
        {"healthcheck": {"command": [1]}},
        {"healthcheck": {"command": ["x"], "interval": "1"}},
        {"healthcheck": {"command": ["x"], "interval": 1e300}},
    ],
)
def test_a_configuration_has_what_a_configuration_has(value: Any) -> None:
    if value == []:  # nothing is said
        parse_config(value, "x")
        return
    with pytest.raises(Failure, match="^x is not an image configuration: "):
        parse_config(value, "x")
