"""Says what a service is packaged as."""

from __future__ import annotations

from enum import Enum


class Artifact(Enum):
    """What `package` makes of a `python_service`."""

    oci = "oci"
    image = "image"
    pex = "pex"
    layers = "layers"
