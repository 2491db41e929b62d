from __future__ import annotations

import json
import os
from pathlib import Path
from shutil import copytree

import pytest

from inseam.formats.failure import Failure
from inseam.formats.oci.assemble import read_base
from inseam.formats.oci.config import (
    INTERPRETER_LABEL,
    LIBC_LABEL,
    PYTHON_LABEL,
    Runtime,
    parse_platform,
)
from inseam.formats.oci.descriptor import BLOBS, blob_path
from inseam.formats.oci.layout import read_blob
from inseam.formats.oci.metadata import ImageMetadata
from inseam.formats.oci.oci_testing import digest, make_base, make_image
from inseam.programs.__main__ import run
from inseam.tools.pull import declared_python, pull
from inseam.tools.registry_testing import (
    DOCKER,
    FILES,
    Registry,
    docker_image,
    one_file_layer,
)

OTHER = "sha256:" + "0" * 64
RUNTIME = Runtime("3.11.7", "/usr/local/bin/python3.11", "glibc 2.36")


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    folder = tmp_path / "registry"
    monkeypatch.setenv("PATH", f"{folder}/bin{os.pathsep}{os.environ['PATH']}")
    return Registry(folder)


def pulled(
    folder: Path, reference: str, platform: str = "linux/amd64", runtime: Runtime = RUNTIME
) -> ImageMetadata:
    return pull(reference, folder / "out", platform=parse_platform(platform), runtime=runtime)


def test_a_base_is_fetched_with_its_layers(tmp_path: Path, registry: Registry) -> None:
    wanted = docker_image(registry)
    image = pulled(tmp_path, f"python:3.11@{wanted}")
    assert image.digest == wanted
    assert image.references == ("python:3.11",)
    layers = [one_file_layer(tmp_path / "layers", path) for path in FILES]
    assert [layer.diff_id for layer in image.layers] == [layer.diff_id for layer in layers]
    assert {layer.descriptor.media_type for layer in image.layers} == {
        "application/vnd.oci.image.layer.v1.tar+gzip"
    }
    assert image.uncompressed_size is None
    blobs = {f"sha256:{path.name}" for path in (tmp_path / "out/blobs/sha256").iterdir()}
    assert blobs == {
        image.digest,
        image.config_digest,
        *(layer.descriptor.digest for layer in layers),
    }
    for layer in layers:
        assert digest(blob_path(tmp_path / "out", layer.descriptor.digest).read_bytes()) == (
            layer.descriptor.digest
        )


def test_an_image_stands_on_it_with_its_labels(tmp_path: Path, registry: Registry) -> None:
    pulled(tmp_path, f"python@{docker_image(registry)}")
    assert read_base(tmp_path / "out").metadata.runtime == RUNTIME
    made = make_image(tmp_path / "image", base=tmp_path / "out").metadata
    config = json.loads(read_blob(tmp_path / "image", made.config_digest))
    labels = config["config"]["Labels"]
    assert labels[PYTHON_LABEL] == "3.11.7"
    assert (labels[INTERPRETER_LABEL], labels[LIBC_LABEL]) == RUNTIME[1:]
    assert made.runtime == RUNTIME


def test_of_an_index_the_platform_s_image_is_taken(tmp_path: Path, registry: Registry) -> None:
    images = {
        ("amd64", ""): docker_image(registry),
        ("arm64", "v8"): docker_image(registry, "arm64", "v8"),
    }
    entries = [
        {"digest": found, "platform": {"os": "linux", "architecture": name, "variant": variant}}
        for (name, variant), found in images.items()
    ]
    entries.insert(0, {"digest": OTHER, "platform": {"os": "unknown", "architecture": "unknown"}})
    index = registry.add({"mediaType": f"{DOCKER}.list.v2+json", "manifests": entries})
    assert pulled(tmp_path, f"python@{index}").digest == images["amd64", ""]
    arm = pulled(tmp_path, f"python@{index}", "linux/arm64")
    assert (arm.digest, arm.platform) == (images["arm64", "v8"], "linux/arm64/v8")
    with pytest.raises(Failure, match="for linux/s390x, only for linux/amd64, linux/arm64"):
        pulled(tmp_path, f"python@{index}", "linux/s390x")


def test_an_image_for_another_platform_is_refused(tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(Failure, match="for linux/amd64, but the image to build is for linux/arm64"):
        pulled(tmp_path, f"python@{docker_image(registry)}", "linux/arm64")


def test_a_base_without_a_digest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"^the base python:3\.11 has no digest"):
        pulled(tmp_path, "python:3.11")


def test_an_unknown_digest_is_named(tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(Failure, match="^python: manifest unknown\nCheck the image's name"):
        pulled(tmp_path, f"python@{OTHER}")
    assert not (tmp_path / "out").exists()


def test_a_registry_that_lies_is_found_out(tmp_path: Path, registry: Registry) -> None:
    registry.lie(OTHER, b"{}")
    with pytest.raises(Failure, match=f"digest {digest(b'{}')} for the digest {OTHER}"):
        pulled(tmp_path, f"python@{OTHER}")
    wanted = docker_image(registry)
    registry.lie(f"{wanted}.config", b"{}")
    with pytest.raises(Failure, match="changes its responses"):
        pulled(tmp_path, f"python@{wanted}")
    assert not (tmp_path / "out").exists()


def test_what_we_pushed_ourselves_keeps_its_names(tmp_path: Path, registry: Registry) -> None:
    base = make_base(tmp_path / "base")
    manifest = read_blob(tmp_path / "base", base.digest)
    registry.lie(base.digest, manifest)
    registry.lie(f"{base.digest}.config", read_blob(tmp_path / "base", base.config_digest))
    copytree(tmp_path / "base" / BLOBS, registry.layers(base.digest) / BLOBS)
    runtime = RUNTIME._replace(interpreter="/etc/os-release")
    assert pulled(tmp_path, f"debian@{base.digest}", runtime=runtime).layers == base.layers


def test_the_program_is_told_the_runtime(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [
        *("--platform=linux/amd64", "--out=out", f"--python={RUNTIME.python}"),
        *(f"--interpreter={RUNTIME.interpreter}", f"--libc={RUNTIME.libc}"),
    ]
    assert run(["pull", *arguments, f"python@{docker_image(registry)}"]) == 0
    assert read_base(tmp_path / "out").metadata.runtime == RUNTIME


@pytest.mark.parametrize(
    "variables, python",
    [
        (None, ""),
        (["PATH=/bin"], ""),
        (["PATH=/bin", "PYTHON_VERSION=3.12.1"], "3.12.1"),
    ],
)
def test_official_images_tell_their_python(variables: list[str] | None, python: str) -> None:
    assert declared_python({"config": {"Env": variables}}) == python
    assert declared_python({}) == ""
