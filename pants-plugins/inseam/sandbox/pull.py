"""Fetches an image of a registry as a base: what it is, and its layers only when asked.

Usage: python programs pull --target ADDRESS --platform PLATFORM [--python VERSION]
           [--interpreter PATH] [--libc "FAMILY VERSION"] [--blobs] [--insecure]
           [--timeout SECONDS] --out OUT NAME[:TAG]@DIGEST

Of an index the image for PLATFORM is taken. Writes to the folder OUT: `oci-layout`, `index.json`,
the blobs of manifest and configuration, and `image.json` (`ImageMetadata`), so that it can be the
BASE of `assemble` and `rebase`. With --blobs the layers' blobs are there too. --python,
--interpreter and --libc become labels of the images that stand on this one, for `rebase`.
Everything is checked against its digest; a Docker manifest is left as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Mapping, Sequence

from inseam.sandbox.command import Failure
from inseam.sandbox.descriptor import (
    BLOBS,
    GZIP_LAYER,
    TAR_LAYER,
    ZSTD_LAYER,
    LayerBlob,
    blob_path,
    check_digest,
)
from inseam.sandbox.files import write_files
from inseam.sandbox.image_config import (
    INTERPRETER_LABEL,
    LIBC_LABEL,
    PYTHON_LABEL,
    Platform,
    parse_platform,
)
from inseam.sandbox.image_metadata import METADATA, ImageMetadata, dump_metadata
from inseam.sandbox.oci_layout import (
    CONFIG_TYPE,
    INDEX_TYPE,
    MANIFEST_TYPE,
    Blob,
    blob_files,
    entry_files,
    parse_layer_entry,
)
from inseam.sandbox.reference import parse_reference
from inseam.sandbox.skopeo import (
    STALL,
    Repository,
    authentication,
    digest_of,
)

_DOCKER = "application/vnd.docker.distribution.manifest"
_INDEXES = (INDEX_TYPE, f"{_DOCKER}.list.v2+json")
_MANIFESTS = (MANIFEST_TYPE, f"{_DOCKER}.v2+json")
_LAYERS = {
    "application/vnd.docker.image.rootfs.diff.tar.gzip": GZIP_LAYER,
    "application/vnd.docker.image.rootfs.diff.tar": TAR_LAYER,
    **{kind: kind for kind in (GZIP_LAYER, ZSTD_LAYER, TAR_LAYER)},
}


def pull(
    target: str,
    image: str,
    out: Path,
    *,
    platform: Platform,
    runtime: Mapping[str, str],
    blobs: bool = False,
    insecure: bool = False,
    timeout: float = STALL,
) -> ImageMetadata:
    """Writes the image of that name and digest to the folder `out`.

    runtime: labels for the images that stand on it. Raises Failure as `Repository.run` does, if the
    registry gives something else than the digest says, and for another platform.
    """
    reference = parse_reference(image)
    if not reference.digest:
        raise Failure(
            f"{target}: the base {image} has no digest, so it may change any time. Name it like"
            f" {image}@sha256:...; `skopeo inspect docker://{image}` shows the digest."
        )
    repository = Repository(target, reference, insecure, timeout)
    manifest = _document(repository, reference.digest)
    value = json.loads(manifest.content)
    if manifest.media_type in _INDEXES:
        manifest = _document(repository, _choose(target, image, value, platform))
        value = json.loads(manifest.content)
    if manifest.media_type not in _MANIFESTS:
        raise Failure(f"{target}: {image} is of the kind {manifest.media_type}, not an image.")
    digest = check_digest(value["config"]["digest"], f"the configuration of {image}")
    config = _configuration(repository, manifest.digest, digest)
    configuration = json.loads(config.content)
    found = Platform(
        configuration["os"], configuration["architecture"], configuration.get("variant", "")
    )
    if not _suits(found.fields(), platform):
        raise Failure(f"{target}: the base {image} is for {found}, but {platform} is wanted.")
    layers = _layers(target, value["layers"], configuration["rootfs"]["diff_ids"])
    if blobs:
        _fetch_layers(repository, manifest.digest, layers, out)
        if INTERPRETER_LABEL in runtime:
            check_interpreter(target, image, layers, out, runtime[INTERPRETER_LABEL])
    metadata = ImageMetadata(
        target=target,
        references=(reference.by_tag() if reference.tag else reference.name,),
        digest=manifest.digest,
        media_type=manifest.media_type,
        size=manifest.size,
        config_digest=config.digest,
        platform=str(found),
        layers=layers,
        runtime=runtime,
    )
    files = {
        **blob_files([config, manifest]),
        **entry_files(metadata.descriptor(), metadata.references),
        METADATA: dump_metadata(metadata),
    }
    write_files(out, files)
    return metadata


def check_interpreter(
    target: str, image: str, layers: Sequence[LayerBlob], folder: Path, interpreter: str
) -> None:
    """Raises Failure if no layer, whose blobs are in `folder`, holds the file `interpreter`.

    A layer that this Python cannot read, compressed with zstd, may hold it.
    """
    wanted = interpreter.strip("/")
    for layer in layers:
        if layer.media_type not in (GZIP_LAYER, TAR_LAYER):
            return
        with tarfile.open(blob_path(folder, layer.digest)) as tar:
            if any(member.name.removeprefix("./").strip("/") == wanted for member in tar):
                return
    raise Failure(
        f"{target}: the image {image} has no {interpreter}, which is declared as its interpreter."
        " Set `interpreter` to where its CPython is: docker run --rm --entrypoint sh IMAGE -c"
        " 'command -v python3'."
    )


def _document(repository: Repository, digest: str) -> Blob:
    """The manifest or index."""
    content = repository.manifest(repository.reference.by_digest(digest))
    _check(repository, content, digest)
    return Blob(_media_type(json.loads(content)), content)


def _configuration(repository: Repository, manifest: str, digest: str) -> Blob:
    """The configuration that the manifest names."""
    content = repository.run(
        [
            "inspect",
            "--config",
            "--raw",
            *repository.tls(),
            *authentication(),
            f"docker://{repository.reference.by_digest(manifest)}",
        ]
    ).output
    _check(repository, content, digest)
    return Blob(CONFIG_TYPE, content)


def _check(repository: Repository, content: bytes, digest: str) -> None:
    found = digest_of(content)
    if found != digest:
        raise Failure(
            f"{repository.target}: the registry of {repository.name} gives {found} for the digest"
            f" {digest}. Something between here and the registry changes what it sends."
        )


def _fetch_layers(
    repository: Repository, manifest: str, layers: Sequence[LayerBlob], out: Path
) -> None:
    """Fetches the layers' blobs; skopeo checks their digests."""
    target = out / BLOBS
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=".") as folder:
        repository.run(
            [
                "copy",
                "--preserve-digests",
                "--retry-times=3",
                *repository.tls("src-"),
                *authentication(),
                f"docker://{repository.reference.by_digest(manifest)}",
                f"dir:{folder}",
            ],
            largest=max((layer.size for layer in layers), default=0),
        )
        for digest in {layer.digest for layer in layers}:
            os.replace(Path(folder, digest[len("sha256:") :]), blob_path(out, digest))


def _media_type(value: Mapping[str, Any]) -> str:
    """The kind of a manifest or index; OCI's may leave it to be guessed."""
    guess = INDEX_TYPE if "manifests" in value else MANIFEST_TYPE
    return str(value.get("mediaType") or guess)


def _choose(target: str, image: str, index: Mapping[str, Any], platform: Platform) -> str:
    """The digest of the index's image for the platform."""
    there = []
    for entry in index["manifests"]:
        fields = entry.get("platform") or {}
        if _suits(fields, platform):
            return check_digest(entry["digest"], f"an image of {image}")
        if fields.get("os") not in (None, "unknown"):
            there.append("/".join(fields[key] for key in _PLATFORM_KEYS if fields.get(key)))
    raise Failure(
        f"{target}: the base {image} has no image for {platform}; it has {', '.join(there)}."
    )


_PLATFORM_KEYS = ("os", "architecture", "variant")


def _suits(fields: Mapping[str, str], platform: Platform) -> bool:
    """Whether an image for the one runs on the other; a variant that isn't named may be any."""
    if (fields.get("os"), fields.get("architecture")) != (platform.os, platform.architecture):
        return False
    return not platform.variant or fields.get("variant", platform.variant) == platform.variant


def _layers(
    target: str, entries: Sequence[Mapping[str, Any]], diff_ids: Sequence[str]
) -> tuple[LayerBlob, ...]:
    if len(entries) != len(diff_ids):
        raise Failure(
            f"{target}: the base has {len(entries)} layers, but its configuration names"
            f" {len(diff_ids)}."
        )
    layers = []
    for entry, diff_id in zip(entries, diff_ids):
        kind = _LAYERS.get(entry["mediaType"])
        if kind is None:
            raise Failure(
                f"{target}: the base has a layer of the kind {entry['mediaType']}, which images"
                " that are pushed elsewhere cannot have. Choose another base."
            )
        check_digest(entry["digest"], "a layer of the base")
        layers.append(parse_layer_entry({**entry, "mediaType": kind}, diff_id))
    return tuple(layers)


def main(argv: list[str]) -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="pull", description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--platform", required=True)
    parser.add_argument("--python")
    parser.add_argument("--interpreter")
    parser.add_argument("--libc")
    parser.add_argument("--blobs", action="store_true")
    parser.add_argument("--insecure", action="store_true")
    parser.add_argument("--timeout", type=float, default=STALL)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("image")
    options = parser.parse_args(argv)
    labels = {
        PYTHON_LABEL: options.python,
        INTERPRETER_LABEL: options.interpreter,
        LIBC_LABEL: options.libc,
    }
    pull(
        options.target,
        options.image,
        options.out,
        platform=parse_platform(options.platform),
        runtime={name: value for name, value in labels.items() if value},
        blobs=options.blobs,
        insecure=options.insecure,
        timeout=options.timeout,
    )
