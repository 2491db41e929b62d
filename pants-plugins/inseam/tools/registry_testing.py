"""Makes a registry of images for tests: a fake skopeo that returns its content."""

from __future__ import annotations

import gzip
import io
import json
import stat
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any, Sequence

from inseam.formats.oci.descriptor import BLOBS, GZIP_LAYER, Descriptor, blob_path
from inseam.formats.oci.layer import Layer
from inseam.formats.oci.oci_testing import digest
from inseam.formats.tar import Member, write_tar

DOCKER = "application/vnd.docker.distribution.manifest"
FILES = ("etc/passwd", "usr/local/bin/python3.11")


class Registry:
    """The content that a fake skopeo on PATH returns: documents and layers by digest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.bin = folder / "bin"
        script = self.bin / "skopeo"
        script.parent.mkdir(parents=True)
        script.write_text(
            "#!/bin/sh\n"
            'for one; do source="$last"; last="$one"; done\n'
            'case "$last" in dir:*)'
            f' exec cp "{folder}/${{source##*@}}.layers/{BLOBS}/"* "${{last#dir:}}/";; esac\n'
            'digest="${last##*@}"\n'
            'case "$*" in *" --config "*) digest="$digest.config";; esac\n'
            f'if [ -f "{folder}/$digest" ]; then exec cat "{folder}/$digest"; fi\n'
            """echo 'level=fatal msg="manifest unknown"' >&2; exit 1\n"""
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)

    def layers(self, manifest: str) -> Path:
        """The folder with the blobs of the image's layers."""
        return self._folder / f"{manifest}.layers"

    def add(self, value: Any, config: bytes | None = None) -> str:
        content = json.dumps(value).encode()
        (self._folder / digest(content)).write_bytes(content)
        if config is not None:
            (self._folder / f"{digest(content)}.config").write_bytes(config)
        return digest(content)

    def document(self, name: str) -> bytes:
        """The manifest with that digest, or the configuration `<manifest>.config`."""
        return (self._folder / name).read_bytes()

    def lie(self, name: str, content: bytes) -> None:
        (self._folder / name).write_bytes(content)


def one_file_layer(folder: Path, path: str, media_type: str = GZIP_LAYER) -> Layer:
    """A layer with one file, whose blob is in `folder`."""
    tar = io.BytesIO()
    info = write_tar([Member(path, b"x", 0o755)], tar)
    content = gzip.compress(tar.getvalue(), mtime=0)
    blob = Descriptor(media_type, digest(content), len(content))
    place = blob_path(folder, blob.digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return Layer("base", info.diff_id, None, blob=blob)


def docker_image(
    registry: Registry,
    architecture: str = "amd64",
    variant: str = "",
    files: Sequence[str] = FILES,
) -> str:
    """The digest of an image with Docker's manifest and one layer per file."""
    folder = registry.layers("new")
    layers = [one_file_layer(folder, path) for path in files]
    config: dict[str, Any] = {
        "os": "linux",
        "architecture": architecture,
        "config": {"Env": ["PATH=/usr/local/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
    }
    if variant:
        config["variant"] = variant
    text = json.dumps(config).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{DOCKER}.v2+json",
        "config": {"digest": digest(text), "size": len(text)},
        "layers": [
            layer.descriptor._replace(
                media_type="application/vnd.docker.image.rootfs.diff.tar.gzip"
            ).value()
            for layer in layers
        ],
    }
    added = registry.add(manifest, text)
    copytree(folder, registry.layers(added), dirs_exist_ok=True)
    rmtree(folder)
    return added


def real_image(registry: Registry, tars: Sequence[Path]) -> str:
    """The digest of an image for linux/amd64 with the layers in these tars, lowest first."""
    blobs = []
    diff_ids = []
    for tar in tars:
        content = tar.read_bytes()
        if content[:2] == b"\x1f\x8b":
            diff_ids.append(digest(gzip.decompress(content)))
        else:
            diff_ids.append(digest(content))
            content = gzip.compress(content, 1, mtime=0)
        blobs.append(content)
    config = {
        "os": "linux",
        "architecture": "amd64",
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }
    text = json.dumps(config).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{DOCKER}.v2+json",
        "config": {"digest": digest(text), "size": len(text)},
        "layers": [
            {
                "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "digest": digest(blob),
                "size": len(blob),
            }
            for blob in blobs
        ],
    }
    added = registry.add(manifest, text)
    for blob in blobs:
        place = blob_path(registry.layers(added), digest(blob))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(blob)
    return added
