"""Writes images to `dist`: the only rules that write outside Pants' store.

Pants does not track what is written here, so this is the contract:

- Only `dist/oci` (the blobs, which all images share) and the layouts of packaged images are
  written. Blobs are added, and removed if no layout has referred to them for
  `[inseam].prune_after` days (see `tools.prune`). However a run ends, a layout has either its old
  or its new content; its index is written last (`tools.store`).
- Each session first compares what is there, because files may have been removed. Files that are
  already there are not written again.
- If an edit changes only a few kilobytes, the rule itself writes them. Otherwise the program
  `export` writes them, in an uncached process.
- `rebase_layout` changes a layout in place, or writes another one, because the user asked for that.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pants.base.build_environment import get_buildroot
from pants.core.util_rules.distdir import DistDir
from pants.engine.fs import AddPrefix, FileEntry, MergeDigests
from pants.engine.internals.session import RunId
from pants.engine.rules import collect_rules
from pants.util.logging import LogLevel

from inseam.compat import (
    add_prefix,
    get_digest_contents,
    get_digest_entries,
    implicitly,
    merge_digests,
    rule,
)
from inseam.formats.failure import Failure
from inseam.formats.oci.descriptor import BLOBS, blob_path
from inseam.formats.oci.layout import LAYOUT, LAYOUT_TEXT
from inseam.formats.oci.metadata import ImageMetadata
from inseam.formats.regular import read_regular
from inseam.rules.base.base import Base
from inseam.rules.image.base import BaseOciRequest, base_oci
from inseam.rules.image.build import Packaged, PackagedRequest, packaged_image
from inseam.rules.image.checks import say
from inseam.rules.programs.digests import written
from inseam.rules.programs.host import Program, run_on_host
from inseam.subsystem import InseamSubsystem
from inseam.tools.prune import Pruned, prune, using
from inseam.tools.store import blobs_of, export_contents, missing

logger = logging.getLogger(__name__)

# Up to this many bytes of documents and code, the rule itself writes an image.
_SMALL = 32_000_000
STORE = "oci"


@dataclass(frozen=True)
class ExportRequest:
    """Asks for an image to be written to `dist`."""

    packaged: PackagedRequest


@dataclass(frozen=True)
class Exported:
    """An image in `dist`: the absolute path of its layout, and its metadata."""

    layout: str
    metadata: ImageMetadata
    files: Mapping[str, bytes]


def dist_folder(dist_dir: DistDir) -> Path:
    """The folder `dist`."""
    return Path(get_buildroot(), dist_dir.relpath)


def _is_exported(layout: Path, store: Path, image: Packaged) -> bool:
    """Whether a layout already has the content of these files, and all its blobs."""
    try:
        if any(
            read_regular(layout / path, len(content)) != content
            for path, content in {LAYOUT: LAYOUT_TEXT, **image.files}.items()
            if not path.startswith(f"{BLOBS}/")
        ):
            return False
        if os.path.realpath(layout / "blobs") != os.path.realpath(store / "blobs"):
            return False
        return not missing(store, blobs_of(image.metadata).items())
    except (OSError, Failure):
        return False


@dataclass(frozen=True)
class PruneRequest:
    """Asks for unused blobs to be removed, once per session."""


@rule(desc="Remove unused blobs", level=LogLevel.DEBUG)
async def pruned(
    request: PruneRequest, inseam: InseamSubsystem, dist_dir: DistDir, run_id: RunId
) -> Pruned:
    if inseam.prune_after <= 0:
        return Pruned(0, 0)
    store = dist_folder(dist_dir) / STORE
    result = prune(store, inseam.prune_after * 24 * 3600)
    if result.blobs:
        logger.info(
            f"Removed {result.blobs} blobs ({result.size / 1e6:.0f} MB) from {dist_dir.relpath}/"
            f"{STORE}, which no image has referred to for {inseam.prune_after} days."
        )
    return result


@rule(desc="Write an image", level=LogLevel.DEBUG)
async def exported_image(request: ExportRequest, dist_dir: DistDir, run_id: RunId) -> Exported:
    # The parameter `run_id` makes this rule run once per session. `in_dist` explains what callers
    # must do about that.
    image = await packaged_image(request.packaged, **implicitly())
    say(image.findings, run_id)
    await pruned(PruneRequest(), **implicitly())
    dist = dist_folder(dist_dir)
    layout, store = dist / request.packaged.layout, dist / STORE
    result = Exported(str(layout), image.metadata, image.files)
    if _is_exported(layout, store, image):
        return result
    code = await merge_digests(MergeDigests(one.code for one in image.images))
    entries = await get_digest_entries(code)
    files = [entry for entry in entries if isinstance(entry, FileEntry)]
    size = sum(entry.file_digest.serialized_bytes_length for entry in files)
    held = {*image.files, *(entry.path for entry in files)}
    with using(store):
        needed = missing(store, blobs_of(image.metadata).items())
        if size < _SMALL and all(blob_path(Path(), blob).as_posix() in held for blob in needed):
            # An edit: writing a few kilobytes needs no process.
            contents = await get_digest_contents(code)
            export_contents(
                {**image.files, **{file.path: file.content for file in contents}}, store, layout
            )
            return result
    blobs = [digest for one in image.images for digest in one.blobs]
    everything = await merge_digests(MergeDigests([await written(image.files), code, *blobs]))
    await run_on_host(
        Program(
            argv=("export", f"--store={store}", f"--layout={layout}", "image"),
            input=await add_prefix(AddPrefix(everything, "image")),
            output="nothing",
            description=f"Write {request.packaged.layout}",
            cacheable=False,
            # If an input changes, Pants cancels this process and reruns the rule: not worth a line.
            level=LogLevel.DEBUG,
        )
    )
    return result


async def in_dist(request: PackagedRequest) -> Exported:
    """The image, written to `dist`.

    A rule that calls this must also depend on the image directly. Pants checks all dependencies of
    a rule at once and stops at the first one that changed: it would see the new session, not check
    whether the image is still the same, and so build it again.
    """
    await packaged_image(request, **implicitly())
    image: Exported = await exported_image(ExportRequest(request), **implicitly())
    return image


async def rebase_layout(layout: str, base: Base, out: str, dry_run: bool) -> str:
    """Puts the layers of the image in a layout on another base, and returns what changes.

    layout, out: paths relative to the root of the repository. A dry run writes nothing.
    Raises Failure as `formats.oci.rebase` does.
    """
    start = await base_oci(BaseOciRequest(base, "gzip"), **implicitly())
    image = await merge_digests(MergeDigests([await written(start.files), start.blobs]))
    root = Path(get_buildroot())
    result = await run_on_host(
        Program(
            argv=(
                "rebase",
                "--base=base",
                *(["--dry-run"] if dry_run else []),
                str(root / layout),
                str(root / out),
            ),
            input=await add_prefix(AddPrefix(image, "base")),
            output="nothing",
            description=f"Rebase {layout} on {base.address}",
            cacheable=False,
        )
    )
    report: str = result.messages.strip()
    return report


def rules() -> list[Any]:
    return [*collect_rules()]
