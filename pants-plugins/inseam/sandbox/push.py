"""Pushes an image from its layout to a registry.

Usage: python programs push [--insecure] [--timeout SECONDS] [--reference NAME:TAG]... IMAGE

IMAGE is a layout that `place` made. Without --reference it is pushed under the names that its
`image.json` has. --insecure allows plain HTTP and any certificate; registries of this machine need
no leave. SECONDS bounds the wait for each answer of the registry.

A name that the registry already has with this very digest costs one request. Otherwise the
registry gets what it lacks, then the manifest by its digest, is asked for it, and only when that
answer is right gets the tag. So an interrupted push leaves no tag on an image that is not
complete, and the next one sends what is still missing. Blobs that another repository of the
registry is known to have are mounted from there. Prints a line `NAME@DIGEST` for each name to
standard output, and to standard error what was sent.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Iterable, Sequence

from inseam.sandbox.command import Failure
from inseam.sandbox.descriptor import blob_path
from inseam.sandbox.image_metadata import ImageMetadata, read_metadata
from inseam.sandbox.oci_layout import INDEX
from inseam.sandbox.place import blobs_of, missing
from inseam.sandbox.reference import parse_reference
from inseam.sandbox.skopeo import (
    STALL,
    Repository,
    Unanswered,
    authentication,
    digest_of,
)

_UPLOADED = re.compile(r"Upload of layer (sha256:[0-9a-f]{64}) complete")
_MOUNTED = re.compile(r"Trying to mount .*mount=(sha256)%3A([0-9a-f]{64})")
_MOUNT_DONE = "... mount OK"


@dataclass(frozen=True)
class Pushed:
    """What a push to one name did.

    reference: name and digest. unchanged: it was all there. sent: blobs that went over the wire,
    with their bytes. mounted: blobs that came from another repository of the registry.
    """

    reference: str
    unchanged: bool
    sent: dict[str, int]
    mounted: tuple[str, ...] = ()

    @property
    def sent_bytes(self) -> int:
        """Bytes of the blobs that were sent; manifests and requests do not count."""
        return sum(self.sent.values())


def push(
    layout: Path, references: Sequence[str], *, insecure: bool = False, timeout: float = STALL
) -> list[Pushed]:
    """Pushes the image in `layout` under each of the names.

    Raises Failure as `Repository.run` does, for an image that is not complete, and for a registry
    that does not give back what it got.
    """
    image = read_metadata(layout)
    names = [parse_reference(reference) for reference in references or image.references]
    if not names:
        raise Failure(
            f"{image.target}: the image has no name to push it under. Give it a repository and a"
            " registry in its BUILD file."
        )
    repositories = [Repository(image.target, name, insecure, timeout) for name in names]
    return [_push(layout, image, repository) for repository in repositories]


def _push(layout: Path, image: ImageMetadata, repository: Repository) -> Pushed:
    result = repository.reference.by_digest(image.digest)
    tagged = repository.reference.by_tag()
    if _remote_digest(tagged, repository) == image.digest:
        return Pushed(result, True, {})
    _check_complete(layout, image)
    log = _copy_base(layout, image, repository)
    for name in (result, tagged):
        log += _copy(layout, image, name, repository)
        _verify(image, name, repository)
    sizes = {
        digest: size if size is not None else blob_path(layout, digest).stat().st_size
        for digest, size in blobs_of(image).items()
        if size is not None or blob_path(layout, digest).exists()
    }
    sent = [match[1] for match in map(_UPLOADED.match, log) if match]
    # The configuration of a base that was copied is no blob of the image.
    blobs = {digest: sizes[digest] for digest in sent if digest in sizes}
    return Pushed(result, False, blobs, tuple(_mounted(log)))


def _mounted(log: Iterable[str]) -> Iterable[str]:
    digest = ""
    for message in log:
        match = _MOUNTED.match(message)
        if match:
            digest = f"{match[1]}:{match[2]}"
        elif message == _MOUNT_DONE and digest:
            yield digest


def _remote_digest(name: str, repository: Repository) -> str | None:
    """The digest that the registry has under a name; None if it has none, or won't tell."""
    try:
        return digest_of(repository.manifest(name))
    except Unanswered:
        raise
    except Failure:
        return None  # What else may be wrong, the push itself will meet, and say.


def _check_complete(layout: Path, image: ImageMetadata) -> None:
    """Layers of the base may be missing: registries often have them."""
    if not (layout / INDEX).is_file():
        raise Failure(f"{image.target}: {layout} is no image layout. Package the image again.")
    lacking = missing(layout, blobs_of(image, base=False).items())
    if lacking:
        raise Failure(
            f"{image.target}: the image in {layout} is not complete, it lacks"
            f" {', '.join(lacking)}. Package it again."
        )


def _copy_base(layout: Path, image: ImageMetadata, repository: Repository) -> tuple[str, ...]:
    """Sees to it that the registry has the layers of the bases that the layout lacks.

    They go from the base's registry to this one, without being stored here.
    """
    log: tuple[str, ...] = ()
    for one in image.images or (image,):
        lacking = missing(layout, blobs_of(one).items())
        if not lacking or one.base is None:
            continue
        destination = repository.reference.by_digest(one.base.digest)
        if _remote_digest(destination, repository) == one.base.digest:
            continue
        if not one.base.name:
            raise Failure(
                f"{image.target}: the image in {layout} lacks layers of its base, and nobody knows"
                f" a registry that has them: {', '.join(lacking)}. Package it again."
            )
        source = replace(repository, reference=parse_reference(one.base.name))
        log += repository.run(
            [
                "copy",
                "--preserve-digests",
                "--retry-times=3",
                *source.tls("src-"),
                *repository.tls("dest-"),
                *authentication(),
                f"docker://{source.reference.by_digest(one.base.digest)}",
                f"docker://{destination}",
            ],
            largest=max(layer.size for layer in one.layers),
        ).log
    return log


def _copy(layout: Path, image: ImageMetadata, name: str, repository: Repository) -> tuple[str, ...]:
    sizes = [size for size in blobs_of(image).values() if size is not None]
    return repository.run(
        [
            "copy",
            "--preserve-digests",
            "--retry-times=3",
            *(["--all"] if image.images else []),
            *repository.tls("dest-"),
            *authentication(),
            "oci:.",
            f"docker://{name}",
        ],
        largest=max(sizes),
        folder=layout,
    ).log


def _verify(image: ImageMetadata, name: str, repository: Repository) -> None:
    found = digest_of(repository.manifest(name))
    if found != image.digest:
        raise Failure(
            f"{image.target}: the registry got the image {image.digest}, but gives {found} for"
            f" {name}. Push again; if that does not help, something between here and the registry"
            " changes what is sent."
        )


def summary(image: ImageMetadata, pushed: Pushed) -> str:
    """A sentence about a push, for people."""
    if pushed.unchanged:
        return f"{pushed.reference} was there already."
    blobs = blobs_of(image)
    mounted = f", {len(pushed.mounted)} mounted" if pushed.mounted else ""
    return (
        f"{pushed.reference}: sent {pushed.sent_bytes} bytes, {len(pushed.sent)} of"
        f" {len(blobs) - 1 - len(image.images)} blobs{mounted}."
    )


def main(argv: list[str]) -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="push", description=__doc__)
    parser.add_argument("--insecure", action="store_true")
    parser.add_argument("--timeout", type=float, default=STALL)
    parser.add_argument("--reference", action="append", default=[])
    parser.add_argument("image", type=Path)
    options = parser.parse_args(argv)
    image = read_metadata(options.image)
    for pushed in push(
        options.image, options.reference, insecure=options.insecure, timeout=options.timeout
    ):
        print(pushed.reference, flush=True)
        print(summary(image, pushed), file=sys.stderr)
