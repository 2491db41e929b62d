from __future__ import annotations

import json
from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.oci.assemble import assemble, image_files, read_base
from inseam.formats.oci.config import ImageConfig, parse_platform
from inseam.formats.oci.descriptor import GZIP_LAYER, Descriptor
from inseam.formats.oci.layer import Layer
from inseam.formats.oci.layout import read_blob
from inseam.formats.oci.metadata import RunHints, read_metadata
from inseam.formats.oci.oci_testing import SERVICE, digest, make_base, make_image

BLOB = Descriptor(GZIP_LAYER, "sha256:" + "c" * 64, 7)
LAYER = Layer("app", "sha256:" + "d" * 64, 9, blob=BLOB)


def test_an_image_stands_on_its_base(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    image = make_image(tmp_path / "image", base=tmp_path / "base", layers=[LAYER])
    manifest = json.loads(image.manifest.content)
    assert [layer["digest"] for layer in manifest["layers"]] == [
        base.layers[0].descriptor.digest,
        BLOB.digest,
    ]
    assert manifest["annotations"]["org.opencontainers.image.base.digest"] == base.digest
    assert manifest["annotations"]["org.opencontainers.image.base.name"] == "base.example/debian:12"
    assert image.metadata.platform == "linux/amd64"
    assert image.metadata.own_layers == (LAYER,)


def test_manifest_and_configuration_lie_under_their_digests(tmp_path: Path) -> None:
    make_base(tmp_path / "base")
    made = make_image(tmp_path / "image", base=tmp_path / "base", layers=[LAYER])
    image = read_metadata(tmp_path / "image")
    assert image == made.metadata
    manifest = json.loads(read_blob(tmp_path / "image", image.digest))
    assert manifest["config"]["digest"] == image.config_digest
    config = read_blob(tmp_path / "image", image.config_digest)
    assert manifest["config"]["size"] == len(config)
    index = json.loads((tmp_path / "image/index.json").read_bytes())
    assert [entry["digest"] for entry in index["manifests"]] == [image.digest]


def test_the_layers_bytes_are_never_read(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    for blob in (tmp_path / "base/blobs/sha256").iterdir():
        if blob.name in {layer.descriptor.digest[7:] for layer in base.layers}:
            blob.unlink()
    make_image(tmp_path / "image", base=tmp_path / "base", layers=[LAYER])
    assert read_metadata(tmp_path / "image").compressed_size > BLOB.size


def test_labels_of_open_containers_are_annotations_too(tmp_path: Path) -> None:
    config = SERVICE._replace(annotations={"org.opencontainers.image.vendor": "us", "x": "y"})
    image = make_image(tmp_path, layers=[LAYER], config=config)
    assert json.loads(image.manifest.content)["annotations"] == {
        "org.opencontainers.image.title": "Größe",
        "org.opencontainers.image.vendor": "us",
        "x": "y",
    }


def test_sizes_are_summed_if_they_are_known() -> None:
    unknown = LAYER._replace(size=None)
    platform = parse_platform("linux/amd64")
    two = assemble("x", ImageConfig(), [LAYER, LAYER], platform=platform).metadata
    assert (two.compressed_size, two.uncompressed_size) == (14, 18)
    two = assemble("x", ImageConfig(), [LAYER, unknown], platform=platform).metadata
    assert (two.compressed_size, two.uncompressed_size) == (14, None)


def test_names_are_written_for_those_who_load_the_layout(tmp_path: Path) -> None:
    make_image(tmp_path, layers=[LAYER], references=["host:5000/team/app:1.2", "other:3"])
    (entry,) = json.loads((tmp_path / "index.json").read_bytes())["manifests"]
    assert entry["annotations"] == {
        "io.containerd.image.name": "host:5000/team/app:1.2",
        "org.opencontainers.image.ref.name": "1.2",
    }
    assert read_metadata(tmp_path).references == ("host:5000/team/app:1.2", "other:3")


def test_the_names_are_no_part_of_the_digest(tmp_path: Path) -> None:
    one = make_image(tmp_path / "one", layers=[LAYER], references=["a:1"])
    other = make_image(tmp_path / "other", layers=[LAYER], references=["b:2"])
    assert one.metadata.digest == other.metadata.digest


def test_how_a_container_runs_is_said_in_two_files(tmp_path: Path) -> None:
    config = SERVICE._replace(volumes=("/data",), writable_dirs=("/var/lib/shop",))
    image = make_image(tmp_path / "image", layers=[LAYER], config=config)
    assert image.metadata.run == RunHints(
        user=config.user,
        ports=("8000/tcp", "53/udp"),
        stop_signal=config.stop_signal,
        volumes=("/data",),
        writable=("/data", "/tmp", "/var/lib/shop"),
    )
    assert read_metadata(tmp_path / "image") == image.metadata
    text = (tmp_path / "image/container.yaml").read_text()
    assert 'mountPath: "/var/lib/shop"' in text
    assert "livenessProbe:" in text


def test_what_the_base_says_of_containers_holds_for_its_images(tmp_path: Path) -> None:
    below = ImageConfig(user="1000:5", ports=("53/udp",), volumes=("/b",))
    make_image(tmp_path / "base", layers=[LAYER], config=below)
    image = make_image(tmp_path / "x", base=tmp_path / "base", layers=[], config=ImageConfig())
    assert image.metadata.run == RunHints("1000:5", ("53/udp",), "", ("/b",), ("/b", "/tmp"))


def test_an_image_needs_a_platform_from_somewhere() -> None:
    with pytest.raises(Failure, match="an image without a base must declare its platform"):
        assemble("x", ImageConfig(), [LAYER])


def test_image_and_base_are_for_one_platform(tmp_path: Path) -> None:
    make_base(tmp_path, platform="linux/arm64/v8")
    with pytest.raises(Failure, match="image is for linux/amd64, but its base .* linux/arm64/v8"):
        assemble(
            "x",
            ImageConfig(),
            [LAYER],
            base=read_base(tmp_path),
            platform=parse_platform("linux/amd64"),
        )


def test_docker_mounts_no_more_than_127_layers() -> None:
    layers = [
        LAYER._replace(blob=BLOB._replace(digest=digest(b"%d" % number))) for number in range(128)
    ]
    platform = parse_platform("linux/amd64")
    assert assemble("x", ImageConfig(), layers[:127], platform=platform)
    with pytest.raises(Failure, match="128 layers, but Docker supports at most 127"):
        assemble("x", ImageConfig(), layers, platform=platform)


def test_a_base_that_is_not_complete_is_refused(tmp_path: Path) -> None:
    base = make_base(tmp_path)
    blob = tmp_path / "blobs/sha256" / base.config_digest[7:]
    blob.write_bytes(blob.read_bytes() + b" ")
    with pytest.raises(Failure, match="is damaged"):
        read_base(tmp_path)
    blob.unlink()
    with pytest.raises(Failure, match="is incomplete"):
        read_base(tmp_path)


def test_the_files_of_an_image_do_not_depend_on_orders(tmp_path: Path) -> None:
    make_base(tmp_path)
    seen = []
    for reverse in (False, True):
        config = SERVICE._replace(
            labels=dict(sorted(SERVICE.labels.items(), reverse=reverse)),
            env=dict(sorted(SERVICE.env.items(), reverse=reverse)),
            annotations=dict(sorted({"b": "1", "a": "2"}.items(), reverse=reverse)),
        )
        image = assemble("x", config, [LAYER], base=read_base(tmp_path), references=["a:1"])
        seen.append(image_files(image))
    assert seen[0] == seen[1]
