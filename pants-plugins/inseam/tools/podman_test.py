from __future__ import annotations

import json
from pathlib import Path

from inseam.formats.oci.metadata import read_metadata
from inseam.formats.oci.oci_testing import digest, make_service
from inseam.tools.podman import write_directory


def test_podman_gets_docker_s_manifest_of_the_same_blobs(tmp_path: Path) -> None:
    layout = make_service(tmp_path / "image")
    image = read_metadata(layout)
    folder = tmp_path / "dir"
    folder.mkdir()
    write_directory(layout, image, folder)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert manifest["config"]["digest"] == image.config_digest
    assert [layer["digest"] for layer in manifest["layers"]] == [
        layer.descriptor.digest for layer in image.layers
    ]
    for entry in (manifest["config"], *manifest["layers"]):
        content = (folder / entry["digest"][7:]).read_bytes()
        assert (digest(content), len(content)) == (entry["digest"], entry["size"])


def test_the_configuration_keeps_the_healthcheck(tmp_path: Path) -> None:
    layout = make_service(tmp_path)
    config = layout / "blobs/sha256" / read_metadata(layout).config_digest[7:]
    assert json.loads(config.read_bytes())["config"]["Healthcheck"]["Test"][0] == "CMD"
