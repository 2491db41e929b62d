"""Fetches a base image from a registry: its documents, and the blobs of its layers.

From an index, the image for one platform is used. Everything is checked against its digest; a
Docker manifest is not converted.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Mapping, Sequence

from inseam.formats.failure import Failure
from inseam.formats.files import parse_json, write_files
from inseam.formats.oci.base_facts import FACTS_FILE, check_facts, dump_facts, read_facts
from inseam.formats.oci.config import Platform, Runtime
from inseam.formats.oci.descriptor import (
    BLOBS,
    GZIP_LAYER,
    TAR_LAYER,
    ZSTD_LAYER,
    blob_path,
    check_digest,
)
from inseam.formats.oci.foreign import read_configuration, read_index, read_manifest
from inseam.formats.oci.layer import Layer
from inseam.formats.oci.layout import (
    CONFIG_TYPE,
    INDEX_TYPE,
    MANIFEST_TYPE,
    Document,
    digest_of,
    document_files,
    entry_files,
    parse_layer_entry,
)
from inseam.formats.oci.metadata import METADATA, ImageMetadata, dump_metadata
from inseam.formats.oci.reference import parse_reference
from inseam.tools.registry import Repository, authentication

_DOCKER = "application/vnd.docker.distribution.manifest"
_INDEXES = (INDEX_TYPE, f"{_DOCKER}.list.v2+json")
_MANIFESTS = (MANIFEST_TYPE, f"{_DOCKER}.v2+json")
_LAYERS = {
    "application/vnd.docker.image.rootfs.diff.tar.gzip": GZIP_LAYER,
    "application/vnd.docker.image.rootfs.diff.tar": TAR_LAYER,
    **{kind: kind for kind in (GZIP_LAYER, ZSTD_LAYER, TAR_LAYER)},
}


def pull(image: str, out: Path, *, platform: Platform, runtime: Runtime) -> ImageMetadata:
    """Writes the image `NAME[:TAG]@DIGEST` to the folder `out`: `oci-layout`, `index.json`,
    `image.json` (`ImageMetadata`), `facts.json` (`BaseFacts`) and all blobs, so that other images
    can be assembled on it.

    runtime: what it provides to the layers on top of it.

    Raises Failure as `Repository.run` does, if the content does not match the digest, if the
    platform is wrong, and if the image contradicts the runtime. Declarations that cannot be
    verified are reported on stderr.
    """
    reference = parse_reference(image)
    if not reference.digest:
        raise Failure(
            f"the base {image} has no digest, so it can change at any time. Write"
            f" {image}@sha256:...; `skopeo inspect docker://{image}` prints the digest."
        )
    repository = Repository(reference)
    manifest = _manifest(image, repository, platform)
    value = read_manifest(manifest.content, f"the base {image}")
    config = _configuration(repository, manifest.digest, value["config"]["digest"])
    configuration = read_configuration(config.content, f"the configuration of {image}")
    found = _check_platform(image, configuration, platform)
    layers = _layers(value["layers"], configuration["rootfs"]["diff_ids"])
    _fetch_layers(repository, manifest.digest, layers, out)
    facts = read_facts(image, layers, out, runtime.interpreter)
    if not facts.python:
        facts = facts._replace(python=declared_python(configuration))
    for unknown in check_facts(image, facts, runtime):
        print(unknown, file=sys.stderr)
    metadata = ImageMetadata(
        target=image,
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
        **document_files([config, manifest]),
        **entry_files(metadata.descriptor, metadata.references),
        METADATA: dump_metadata(metadata),
        FACTS_FILE: dump_facts(facts),
    }
    write_files(out, files)
    return metadata


def declared_python(configuration: Mapping[str, Any]) -> str:
    """The CPython version in an image's configuration, as official images have it; or ""."""
    variables = (configuration.get("config") or {}).get("Env") or []
    pairs = dict(str(variable).partition("=")[::2] for variable in variables)
    return str(pairs.get("PYTHON_VERSION", ""))


def _manifest(image: str, repository: Repository, platform: Platform) -> Document:
    """The manifest of the image; for an index, that of the image for the platform."""
    manifest = _document(repository, repository.reference.digest)
    if manifest.media_type in _INDEXES:
        index = read_index(manifest.content, f"the index {image}")
        manifest = _document(repository, _choose(image, index, platform))
    if manifest.media_type not in _MANIFESTS:
        raise Failure(
            f"{image} has the media type {manifest.media_type}, so it is not an image. Set `image`"
            " to the digest of an image or an image index."
        )
    return manifest


def _check_platform(image: str, configuration: Mapping[str, Any], platform: Platform) -> Platform:
    """The image's platform; raises Failure if the image does not run on `platform`."""
    found = Platform(
        configuration["os"], configuration["architecture"], configuration.get("variant") or ""
    )
    if not _suits(found.fields(), platform):
        raise Failure(
            f"the base {image} is for {found}, but the image to build is for {platform}. Choose"
            f" an image for {platform}, or set the base's `platform`."
        )
    return found


def _document(repository: Repository, digest: str) -> Document:
    """The manifest or index."""
    content = repository.manifest(repository.reference.by_digest(digest))
    _check(repository, content, digest)
    value = parse_json(content, f"the manifest {digest} of {repository.name}")
    if not isinstance(value, dict):
        raise Failure(f"the manifest {digest} of {repository.name} is not a JSON object.")
    return Document(_media_type(value), content)


def _configuration(repository: Repository, manifest: str, digest: str) -> Document:
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
    return Document(CONFIG_TYPE, content)


def _check(repository: Repository, content: bytes, digest: str) -> None:
    found = digest_of(content)
    if found != digest:
        raise Failure(
            f"the registry of {repository.name} returns content with the digest {found} for the"
            f" digest {digest}. Check for a proxy or a mirror that changes its responses."
        )


def _fetch_layers(
    repository: Repository, manifest: str, layers: Sequence[Layer], out: Path
) -> None:
    """Fetches the blobs of the layers; skopeo checks their digests."""
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
            largest=max((layer.descriptor.size for layer in layers), default=0),
        )
        for digest in {layer.descriptor.digest for layer in layers}:
            os.replace(Path(folder, digest[len("sha256:") :]), blob_path(out, digest))


def _media_type(value: Mapping[str, Any]) -> str:
    """The media type of a manifest or index, which OCI documents may leave out."""
    guess = INDEX_TYPE if "manifests" in value else MANIFEST_TYPE
    return str(value.get("mediaType") or guess)


def _choose(image: str, index: Mapping[str, Any], platform: Platform) -> str:
    """The digest of the image for the platform in an index."""
    there = []
    for entry in index["manifests"]:
        fields = entry.get("platform") or {}
        if _suits(fields, platform):
            return check_digest(entry["digest"], f"an image of {image}")
        if fields.get("os") not in (None, "unknown"):
            there.append("/".join(fields[key] for key in _PLATFORM_KEYS if fields.get(key)))
    raise Failure(
        f"the base {image} has no image for {platform}, only for {', '.join(there)}. Choose one of"
        " these platforms, or another base."
    )


_PLATFORM_KEYS = ("os", "architecture", "variant")


def _suits(fields: Mapping[str, str], platform: Platform) -> bool:
    """Whether an image with these fields runs on the platform; a missing variant matches any."""
    if (fields.get("os"), fields.get("architecture")) != (platform.os, platform.architecture):
        return False
    return not platform.variant or fields.get("variant", platform.variant) == platform.variant


def _layers(entries: Sequence[Mapping[str, Any]], diff_ids: Sequence[str]) -> tuple[Layer, ...]:
    if len(entries) != len(diff_ids):
        raise Failure(
            f"the base has {len(entries)} layers, but its configuration lists {len(diff_ids)}."
            " Choose another base."
        )
    layers = []
    for entry, diff_id in zip(entries, diff_ids):
        kind = _LAYERS.get(entry["mediaType"])
        if kind is None:
            raise Failure(
                f"a layer of the base has the media type {entry['mediaType']}. Such layers cannot"
                " be pushed to another registry. Choose another base."
            )
        layers.append(parse_layer_entry({**entry, "mediaType": kind}, diff_id))
    return tuple(layers)
