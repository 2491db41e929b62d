"""Whatever a registry serves as an image, and whatever is in `dist`, what reads it ends with a
right result or a Failure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from inseam.formats.failure import Failure
from inseam.formats.fuzz_testing import damaged, fuzzed, json_values, mutated
from inseam.formats.oci import foreign_test  # pants: no-infer-dep
from inseam.formats.oci.assemble import assemble, read_base
from inseam.formats.oci.config import (
    ImageConfig,
    Platform,
    configuration,
    parse_config,
    parse_platform,
    parse_runtime,
)
from inseam.formats.oci.descriptor import parse_descriptor
from inseam.formats.oci.foreign import read_configuration, read_index, read_manifest
from inseam.formats.oci.layer import load_layer, load_layers
from inseam.formats.oci.layout import parse_layer_entry
from inseam.formats.oci.metadata import dump_metadata, load_metadata
from inseam.formats.oci.oci_testing import make_service
from inseam.formats.oci.rebase import own_part
from inseam.formats.oci.reference import parse_reference
from inseam.tools import pull

AMD64 = Platform("linux", "amd64")
DIFF_ID = "sha256:" + "b" * 64


def text(value: object) -> bytes:
    return json.dumps(value).encode()


@fuzzed
@given(json_values | mutated(foreign_test.INDEX))
def test_indexes(value: Any) -> None:
    try:
        index = read_index(text(value), "x")
        digest = pull._choose("x", index, AMD64)
    except Failure:
        return
    assert digest.startswith("sha256:")
    assert "/" not in digest


@fuzzed
@given(
    json_values | mutated(foreign_test.MANIFEST), json_values | mutated(foreign_test.CONFIGURATION)
)
def test_manifests_and_configurations(manifest: Any, config: Any) -> None:
    """What is accepted of them becomes an image that others can be assembled on."""
    try:
        read = read_manifest(text(manifest), "x")
        pull._layers(read["layers"], [DIFF_ID] * len(read["layers"]))
    except Failure:
        pass
    try:
        base = read_configuration(text(config), "x")
    except Failure:
        return
    layers = [
        parse_layer_entry(foreign_test.LAYER, diff_id) for diff_id in base["rootfs"]["diff_ids"]
    ]
    made = configuration(
        ImageConfig(user="1", env={"A": "b"}, ports=("80",)),
        [],
        platform=AMD64,
        base=base,
        base_layers=layers,
        runtime=parse_runtime({}),
    )
    json.dumps(made).encode()


@fuzzed
@given(json_values | mutated(foreign_test.LAYER))
def test_descriptors(value: Any) -> None:
    try:
        assert parse_descriptor(value, "x").size >= 0
    except Failure:
        pass


GOOD_LAYER = {
    "name": "deps",
    "diff_id": DIFF_ID,
    "size": 1,
    "blob": foreign_test.LAYER,
    "wheels": [{"name": "a", "version": "1", "sha256": "a" * 64}],
}
GOOD_IMAGE = {
    "target": "a:b",
    "references": ["a:1"],
    "digest": DIFF_ID,
    "media_type": "x",
    "size": 1,
    "config_digest": DIFF_ID,
    "platform": "linux/amd64",
    "layers": [GOOD_LAYER],
    "base": {"name": "x", "digest": DIFF_ID},
    "base_layers": 1,
    "runtime": {"org.inseam.python": "3.11.2"},
    "images": [],
}


@fuzzed
@given(json_values | mutated(GOOD_LAYER))
def test_layers(value: Any) -> None:
    for read, given_value in ((load_layer, value), (load_layers, [value]), (load_layers, value)):
        try:
            read(text(given_value))  # type: ignore[operator]
        except Failure:
            pass


@fuzzed
@given(json_values | mutated(GOOD_IMAGE))
def test_metadata(value: Any) -> None:
    try:
        image = load_metadata(text(value))
    except Failure:
        return
    assert load_metadata(dump_metadata(image)) == image


@fuzzed
@given(json_values | mutated({"user": "1", "env": {"A": "b"}, "healthcheck": {"command": ["x"]}}))
def test_configs(value: Any) -> None:
    try:
        config = parse_config(value, "x")
    except Failure:
        return
    try:
        assemble("x", config, [], platform=AMD64)
    except Failure:
        pass


@fuzzed
@given(st.text(max_size=50) | st.text(alphabet="a/:@.-_[]0\n", max_size=30))
def test_names(value: str) -> None:
    try:
        reference = parse_reference(value)
        assert reference.name in value
        assert not any(letter.isspace() for letter in value)
    except Failure:
        pass
    try:
        parse_platform(value)
    except Failure:
        pass


@fuzzed
@given(st.data())
def test_damaged_layouts(tmp_path: Path, data: st.DataObject) -> None:
    """An image that the rest of a run reads back from `dist`, where anybody may have been."""
    folder = make_service(tmp_path / "image")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(files))
    content = path.read_bytes()
    path.write_bytes(data.draw(damaged(content)))
    try:
        image = read_base(folder)
        own_part(folder, image.metadata)
    except Failure:
        pass
    finally:
        path.write_bytes(content)
