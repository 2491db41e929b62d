"""Puts the layers of an image on another base, changing only metadata.

The result is byte for byte the image that a build on the new base would make, if that build makes
the same layers.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Mapping, Sequence

from inseam.formats.failure import Failure
from inseam.formats.files import parse_json
from inseam.formats.numbers import whole_number
from inseam.formats.oci.assemble import (
    BASE_LAYERS,
    OWN_CONFIG,
    Assembled,
    BaseImage,
    assemble,
    read_base,
    write_image,
)
from inseam.formats.oci.config import (
    INTERPRETER_LABEL,
    LIBC_LABEL,
    PYTHON_LABEL,
    ImageConfig,
    parse_config,
)
from inseam.formats.oci.documents import DocumentEntry, ImageDocument
from inseam.formats.oci.foreign import read_configuration, read_manifest
from inseam.formats.oci.layer import Layer
from inseam.formats.oci.layout import digest_of, parse_layer_entry, read_blob
from inseam.formats.oci.metadata import ImageMetadata, read_packaged

# In the order of Runtime.
_WORDS = {
    PYTHON_LABEL: "Python version",
    INTERPRETER_LABEL: "path of the interpreter",
    LIBC_LABEL: "C library",
}


def rebase(
    layout: Path, base: Path, out: Path, *, references: Sequence[str] | None = None
) -> Assembled:
    """Puts the image in `layout` on the base in the folder `base`, and writes it to the folder
    `out`.

    references: the names of the result; None keeps those of the image.

    Documents that describe the base are left out; `package` makes them.

    Raises Failure if Inseam did not build the image on a base, or if its layers cannot run on the
    new one: if its platform, Python version or interpreter path differs, or if its libc is
    different or older.
    """
    image = read_packaged(layout)
    below = read_base(base)
    config, layers = own_part(layout, image)
    check_compatible(image, below)
    assembled = assemble(
        image.target,
        config,
        layers,
        references=image.references if references is None else references,
        base=below,
    )
    write_image(assembled, _kept_documents(layout, image), out)
    return assembled


def _kept_documents(layout: Path, image: ImageMetadata) -> list[ImageDocument]:
    """The documents of an image that are also correct for its layers on another base."""
    return [
        ImageDocument(
            entry.media_type,
            _content(layout, entry),
            entry.path,
            entry.attachment is not None,
            entry.describes_base,
        )
        for entry in image.documents
        if not entry.describes_base
    ]


def _content(layout: Path, entry: DocumentEntry) -> bytes:
    if entry.attachment is not None:
        return read_blob(layout, entry.digest)
    path = layout / entry.path
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Failure(
            f"{path} cannot be read: {error.strerror}. Package the image again."
        ) from None
    if digest_of(content) != entry.digest:
        raise Failure(f"{path} was changed since it was written. Package the image again.")
    return content


def own_part(layout: Path, image: ImageMetadata) -> tuple[ImageConfig, list[Layer]]:
    """The configuration and the layers that an image adds to its base."""
    if image.images:
        raise Failure(
            f"{image.target}: {layout} is an image index, which cannot be rebased. Package the"
            " image for one platform, or build it on the new base."
        )
    manifest = read_manifest(read_blob(layout, image.digest), f"the manifest of {image.target}")
    annotations: Mapping[str, str] = manifest.get("annotations") or {}
    if OWN_CONFIG not in annotations or BASE_LAYERS not in annotations:
        raise Failure(
            f"{image.target}: the image does not say what it added to its base: its manifest lacks"
            f" the annotation {OWN_CONFIG}. Only images that Inseam built on a base can be rebased."
        )
    what = f"the annotation {OWN_CONFIG} of {image.target}"
    config = parse_config(parse_json(annotations[OWN_CONFIG].encode(), what), what)
    content = read_blob(layout, manifest["config"]["digest"])
    configuration = read_configuration(content, f"the configuration of {image.target}")
    layers, diff_ids = manifest["layers"], configuration["rootfs"]["diff_ids"]
    number = annotations[BASE_LAYERS]
    if not (number.isascii() and number.isdigit() and int(number[:9]) <= len(layers)) or len(
        layers
    ) != len(diff_ids):
        raise Failure(
            f"{image.target}: the image is damaged: it has {len(layers)} layers and"
            f" {len(diff_ids)} diff IDs, and the annotation {BASE_LAYERS} is {number!r}."
        )
    count = int(number)
    pairs = zip(layers[count:], diff_ids[count:])
    return config, [parse_layer_entry(entry, diff_id) for entry, diff_id in pairs]


def check_compatible(image: ImageMetadata, base: BaseImage) -> None:
    """Raises Failure, with all reasons, if the layers of the image cannot run on the base."""
    new = base.metadata
    reasons = []
    if image.platform != new.platform:
        reasons.append(f"platform: {image.platform}, not {new.platform}")
    for label, before, after in zip(_WORDS, image.runtime, new.runtime):
        if not before or not after:
            which = new.target if before else image.target
            reasons.append(f"{_WORDS[label]}: {which} does not tell it (label {label})")
        elif not _runs_on(label, before, after):
            reasons.append(f"{_WORDS[label]}: {before}, not {after}")
    if reasons:
        raise Failure(
            f"{image.target} cannot be rebased on {new.target or 'the new base'}, because its"
            " layers were built for a different one:\n"
            + "".join(f"  {reason}\n" for reason in reasons)
            + "Build the image on the new base instead."
        )


def _runs_on(label: str, before: str, after: str) -> bool:
    if label == PYTHON_LABEL:
        return before.split(".")[:2] == after.split(".")[:2]
    if label == LIBC_LABEL:
        old, new = _libc(before), _libc(after)
        return old[0] == new[0] and old[1] <= new[1]
    return before == after


def _libc(text: str) -> tuple[str, list[int]]:
    family, _, version = text.partition(" ")
    return family, [whole_number(number) or 0 for number in re.findall(r"[0-9]+", version)]
