"""Names the artifacts that a service is packaged as, and the names that these reserve."""

from __future__ import annotations

from enum import Enum


class Artifact(Enum):
    """What `package` makes from a `python_service`."""

    oci = "oci"
    image = "image"
    pex = "pex"
    layers = "layers"


TAKEN = frozenset(
    [
        *("app", "code", "deps", "dev", "healthcheck", "image", "layers", "oci", "pex", "python"),
        *("python3", "report", "sbom", "shell"),
    ]
)
"""Names that no program can have: those of generated targets, including those that later versions
generate, and those that a venv has in its `bin`."""
