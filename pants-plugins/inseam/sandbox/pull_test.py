from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from inseam.sandbox.assemble import read_base
from inseam.sandbox.command import Failure, run
from inseam.sandbox.descriptor import GZIP_LAYER, ZSTD_LAYER, LayerBlob, blob_path
from inseam.sandbox.image_config import PYTHON_LABEL, parse_platform
from inseam.sandbox.image_metadata import ImageMetadata
from inseam.sandbox.oci_layout import read_blob
from inseam.sandbox.oci_testing import digest, make_base, make_image
from inseam.sandbox.pull import check_interpreter, pull
from inseam.sandbox.tar import Member, write_tar

DOCKER = "application/vnd.docker.distribution.manifest"
OTHER = "sha256:" + "0" * 64


class Registry:
    """What a skopeo that the test puts on PATH gives: documents by digest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        script = folder / "bin/skopeo"
        script.parent.mkdir(parents=True)
        script.write_text(
            "#!/bin/sh\n"
            'for last; do :; done; digest="${last##*@}"\n'
            'case "$*" in *" --config "*) digest="$digest.config";; esac\n'
            f'if [ -f "{folder}/$digest" ]; then exec cat "{folder}/$digest"; fi\n'
            """echo 'level=fatal msg="manifest unknown"' >&2; exit 1\n"""
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)

    def add(self, value: Any, config: bytes | None = None) -> str:
        content = json.dumps(value).encode()
        (self._folder / digest(content)).write_bytes(content)
        if config is not None:
            (self._folder / f"{digest(content)}.config").write_bytes(config)
        return digest(content)

    def lie(self, name: str, content: bytes) -> None:
        (self._folder / name).write_bytes(content)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    folder = tmp_path / "registry"
    monkeypatch.setenv("PATH", f"{folder}/bin{os.pathsep}{os.environ['PATH']}")
    return Registry(folder)


def docker_image(registry: Registry, architecture: str = "amd64", variant: str = "") -> str:
    """The digest of an image with Docker's manifest."""
    config: dict[str, Any] = {
        "os": "linux",
        "architecture": architecture,
        "config": {"Env": ["PATH=/usr/local/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(b"1"), digest(b"2")]},
    }
    if variant:
        config["variant"] = variant
    text = json.dumps(config).encode()
    layers = [
        {
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "digest": digest(b"layer %d" % number),
            "size": number,
        }
        for number in (1, 2)
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{DOCKER}.v2+json",
        "config": {"digest": digest(text), "size": len(text)},
        "layers": layers,
    }
    return registry.add(manifest, text)


def pulled(folder: Path, reference: str, platform: str = "linux/amd64") -> ImageMetadata:
    return pull(
        "//:base",
        reference,
        folder / "out",
        platform=parse_platform(platform),
        runtime={PYTHON_LABEL: "3.11.7"},
    )


def test_a_base_s_metadata_is_all_that_is_fetched(tmp_path: Path, registry: Registry) -> None:
    wanted = docker_image(registry)
    image = pulled(tmp_path, f"python:3.11@{wanted}")
    assert image.digest == wanted
    assert image.references == ("python:3.11",)
    assert [layer.diff_id for layer in image.layers] == [digest(b"1"), digest(b"2")]
    assert {layer.media_type for layer in image.layers} == {
        "application/vnd.oci.image.layer.v1.tar+gzip"
    }
    assert image.uncompressed_size is None
    blobs = {f"sha256:{path.name}" for path in (tmp_path / "out/blobs/sha256").iterdir()}
    assert blobs == {image.digest, image.config_digest}


def test_an_image_stands_on_it_with_its_labels(tmp_path: Path, registry: Registry) -> None:
    pulled(tmp_path, f"python@{docker_image(registry)}")
    assert read_base(tmp_path / "out").metadata.runtime == {PYTHON_LABEL: "3.11.7"}
    made = make_image(tmp_path / "image", base=tmp_path / "out").metadata
    config = json.loads(read_blob(tmp_path / "image", made.config_digest))
    assert config["config"]["Labels"][PYTHON_LABEL] == "3.11.7"
    assert made.runtime == {PYTHON_LABEL: "3.11.7"}


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
    with pytest.raises(Failure, match=r"no image for linux/s390x; it has linux/amd64, linux/arm64"):
        pulled(tmp_path, f"python@{index}", "linux/s390x")


def test_an_image_for_another_platform_is_refused(tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(Failure, match="is for linux/amd64, but linux/arm64 is wanted"):
        pulled(tmp_path, f"python@{docker_image(registry)}", "linux/arm64")


def test_a_base_without_a_digest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"//:base: the base python:3\.11 has no digest"):
        pulled(tmp_path, "python:3.11")


def test_an_unknown_digest_is_named(tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(Failure, match="//:base: python: manifest unknown\nCheck the image's name"):
        pulled(tmp_path, f"python@{OTHER}")
    assert not (tmp_path / "out").exists()


def test_a_registry_that_lies_is_found_out(tmp_path: Path, registry: Registry) -> None:
    registry.lie(OTHER, b"{}")
    with pytest.raises(Failure, match=f"gives {digest(b'{}')} for the digest {OTHER}"):
        pulled(tmp_path, f"python@{OTHER}")
    wanted = docker_image(registry)
    registry.lie(f"{wanted}.config", b"{}")
    with pytest.raises(Failure, match="changes what it sends"):
        pulled(tmp_path, f"python@{wanted}")
    assert not (tmp_path / "out").exists()


def test_what_we_pushed_ourselves_keeps_its_names(tmp_path: Path, registry: Registry) -> None:
    base = make_base(tmp_path / "base")
    manifest = read_blob(tmp_path / "base", base.digest)
    registry.lie(base.digest, manifest)
    registry.lie(f"{base.digest}.config", read_blob(tmp_path / "base", base.config_digest))
    assert pulled(tmp_path, f"debian@{base.digest}").layers == base.layers


def test_the_program_writes_the_labels(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["--target=//:b", "--platform=linux/amd64", "--out=out", "--python=3.11.7"]
    assert run(["pull", *arguments, f"python@{docker_image(registry)}"]) == 0
    assert read_base(tmp_path / "out").metadata.runtime == {PYTHON_LABEL: "3.11.7"}


def one_file_layer(folder: Path, path: str, media_type: str = GZIP_LAYER) -> LayerBlob:
    """A layer with one file, whose blob is in `folder`."""
    tar = io.BytesIO()
    info = write_tar([Member(path, b"x", 0o755)], tar)
    blob = gzip.compress(tar.getvalue(), mtime=0)
    digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    place = blob_path(folder, digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(blob)
    return LayerBlob("base", media_type, digest, len(blob), info.diff_id)


def test_an_interpreter_may_be_in_any_layer(tmp_path: Path) -> None:
    layers = [
        one_file_layer(tmp_path, "etc/passwd"),
        one_file_layer(tmp_path, "usr/local/bin/python3.11"),
    ]
    check_interpreter("docker/base:slim", "python", layers, tmp_path, "/usr/local/bin/python3.11")


def test_a_base_without_its_interpreter_is_refused(tmp_path: Path) -> None:
    layers = [one_file_layer(tmp_path, "usr/local/bin/python3.11")]
    with pytest.raises(Failure, match="docker/base:slim: the image python has no /usr/bin/python3"):
        check_interpreter("docker/base:slim", "python", layers, tmp_path, "/usr/bin/python3.11")


def test_a_layer_that_cannot_be_read_may_hold_it(tmp_path: Path) -> None:
    layers = [one_file_layer(tmp_path, "etc/passwd", ZSTD_LAYER)]
    check_interpreter("docker/base:slim", "python", layers, tmp_path, "/usr/bin/python3.11")
