from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.formats.oci.layer import LAYERS, Layer
from inseam.rules.base.base import Base, BaseRequest
from inseam.rules.layers.layer import CompressRequest, StoredLayer, layer_folder, layer_tar
from inseam.rules.rule_testing import BASE, files_of, rule_runner, set_options

TAR = b"x" * 100_000


def test_a_layer_of_any_name_has_a_folder_of_its_own() -> None:
    assert layer_folder("out") == f"{LAYERS}/out"
    assert layer_tar("deps") == f"{LAYERS}/deps/deps.tar"
    assert layer_folder("a") not in layer_folder("b")


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    runner = rule_runner(
        QueryRule(Base, [BaseRequest]), QueryRule(StoredLayer, [CompressRequest]), layers=False
    )
    set_options(runner)
    runner.write_files({"BUILD": BASE})
    return runner


def layer(runner: RuleRunner) -> StoredLayer:
    digest = runner.make_snapshot({layer_tar("deps"): TAR.decode(), "other": "y"}).digest
    diff_id = f"sha256:{hashlib.sha256(TAR).hexdigest()}"
    return StoredLayer(Layer("deps", diff_id, len(TAR)), digest)


def compress(runner: RuleRunner, compression: str) -> StoredLayer:
    python = runner.request(Base, [BaseRequest("//:base", None)]).python
    request = CompressRequest(layer(runner), compression, python)
    return runner.request(StoredLayer, [request])


def test_a_compressed_layer_is_one_blob_by_its_digest(runner: RuleRunner) -> None:
    made = compress(runner, "gzip")
    ((path, blob),) = files_of(runner, made.digest).items()
    assert Path(path).name == hashlib.sha256(blob).hexdigest()
    assert made.layer.descriptor.digest == f"sha256:{Path(path).name}"
    assert made.layer.descriptor.size == len(blob)
    assert gzip.decompress(blob) == TAR
    assert made.layer.diff_id == layer(runner).layer.diff_id


def test_the_format_is_part_of_what_a_layer_is(runner: RuleRunner) -> None:
    made = compress(runner, "zstd")
    (blob,) = files_of(runner, made.digest).values()
    assert blob.startswith(bytes.fromhex("28b52ffd"))  # RFC 8878, section 3.1.1
    assert made.layer.descriptor.media_type.endswith("+zstd")
